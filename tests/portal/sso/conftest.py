"""A domain with a SAML provider, and a bystander domain."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from portal.models import Domain, IdentityProvider, Role, User
from tests.support.saml_provider import ENTITY_ID, MAIL, SSO_URL, Signer
from tests.support.saml_sign_in import DANA


@pytest.fixture(scope="module")
def signer() -> Signer:
    return Signer()


@pytest.fixture(scope="module")
def stranger() -> Signer:
    return Signer()


@pytest.fixture
def provider(signer: Signer, domain: Domain, settings: Any) -> IdentityProvider:
    settings.PUBLIC_URL = "http://testserver"
    return IdentityProvider.objects.create(
        domain=domain,
        protocol="saml",
        saml_entity_id=ENTITY_ID,
        saml_sso_url=SSO_URL,
        saml_certificates=signer.pem,
        saml_email_attribute=MAIL,
    )


@pytest.fixture
def bystander(other_domain: Domain, make_member: Callable[..., User]) -> User:
    return make_member(other_domain, Role.OWNER)


@pytest.fixture
def dana(domain: Domain, make_member: Callable[..., User]) -> User:
    return make_member(domain, Role.EDITOR, DANA)
