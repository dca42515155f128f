"""Pseudonyms: turns a recipient's address into the keyed digest that is stored in its place."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable
from functools import lru_cache
from hashlib import sha256

from integrations.crypto.sealing import open_sealed, seal
from portal.models import Domain
from signatures.models import RecipientPrivacy

from .mail_addresses import normalise


def key_of(domain: Domain, address: str) -> str:
    """Return the keyed digest of an address, which is only comparable within a domain.

    The key is the domain's own, sealed in its row: the database alone does not allow testing addresses, and
    key rotation does not change digests.
    """
    return make_keyer(domain)(address)


def make_keyer(domain: Domain) -> Callable[[str], str]:
    """Return `key_of` for one domain, for many addresses: its key is read once."""
    pepper = _get_pepper(domain)
    return lambda address: hmac.new(pepper, normalise(address).encode(), sha256).hexdigest()


def _get_pepper(domain: Domain) -> bytes:
    privacy = RecipientPrivacy.objects.for_domain(domain, create=True)
    if not privacy.pepper_sealed:
        fresh = seal(secrets.token_hex(32), bound_to=f"pepper:{domain.pk}")
        # Two at once: one of them writes, and both read what it wrote.
        RecipientPrivacy.objects.filter(pk=domain.pk, pepper_sealed="").update(pepper_sealed=fresh)
        privacy.refresh_from_db()
    return _open_pepper(privacy.pepper_sealed, domain.pk)


@lru_cache(maxsize=1024)
def _open_pepper(sealed: str, domain_id: int) -> bytes:
    return bytes.fromhex(open_sealed(sealed, bound_to=f"pepper:{domain_id}"))
