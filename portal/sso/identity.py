"""Identity: who an identity provider says has signed in, by either protocol."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

from ..models import IdentityProvider


@dataclass(frozen=True, slots=True)
class Identity:
    """A person as the provider's signed answer describes them.

    uid: the provider's permanent ID of the person. email: in lower case, "" for none. authenticated_at: when
    they last signed in there, in seconds since 1970; None if not given.
    """

    uid: str
    email: str
    is_verified: bool
    authenticated_at: float | None


def digest_setup(row: IdentityProvider) -> str:
    """Return what identifies one configured provider, so that answers of different ones are not mixed."""
    told = [
        row.pk, row.domain_id, row.protocol, row.issuer, row.client_id,
        row.saml_entity_id, row.saml_sso_url, row.saml_certificates,
    ]  # fmt: skip
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()
