"""allauth's discovery file: single sign-on of a domain's own company. No logic."""

from portal.sso.provider import CompanyProvider
from portal.sso.saml.provider import CompanySamlProvider

provider_classes = [CompanyProvider, CompanySamlProvider]
