"""Providers for allauth's discovery: single sign-on of a domain's own company; no logic."""

from portal.sso.provider import CompanyProvider

provider_classes = [CompanyProvider]
