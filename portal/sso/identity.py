"""Identity: whom an identity provider says it signed in, by either protocol."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

from ..models import IdentityProvider


@dataclass(frozen=True, slots=True)
class Identity:
    """Who it is about, by what the provider signed.

    uid: the provider's name of the person, for good. email: in lower case, "" where it said none.
    authenticated_at: when they last proved it there, in seconds since 1970; None where it did not say.
    """

    uid: str
    email: str
    is_verified: bool
    authenticated_at: float | None


def digest_setup(row: IdentityProvider) -> str:
    """Return what tells one set-up provider from every other, whose answers are not mixed with its own."""
    told = [
        row.pk, row.domain_id, row.protocol, row.issuer, row.client_id,
        row.saml_entity_id, row.saml_sso_url, row.saml_certificates,
    ]  # fmt: skip
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()
