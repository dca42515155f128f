"""Providers for allauth's discovery: lists single sign-on; no logic."""

from portal.sso.provider import CompanyProvider

provider_classes = [CompanyProvider]
