"""allauth's discovery file: single sign-on of a domain's own company. No logic."""

from portal.sso.provider import CompanyProvider

provider_classes = [CompanyProvider]
