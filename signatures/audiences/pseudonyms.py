"""Who receives, without saying who: addresses as keyed digests, and the lists that hold them."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable, Mapping
from functools import lru_cache
from hashlib import sha256

from integrations.crypto.sealing import open_sealed, seal
from portal.models import Domain
from signatures.models import BannerPlace, RecipientListEntry

from .mail_addresses import normalise


def key_of(domain: Domain, address: str) -> str:
    """Return the keyed digest of an address: the same within a domain, and of no use outside it.

    The key is the domain's own, sealed in its row: whoever has the database alone cannot try addresses
    out, and no rotation of keys changes a digest.
    """
    return make_keyer(domain)(address)


def make_keyer(domain: Domain) -> Callable[[str], str]:
    """Return `key_of` for one domain, for many addresses: its key is read once."""
    pepper = _get_pepper(domain)
    return lambda address: hmac.new(pepper, normalise(address).encode(), sha256).hexdigest()


def _get_pepper(domain: Domain) -> bytes:
    place, _ = BannerPlace.objects.get_or_create(domain=domain)
    if not place.pepper_sealed:
        fresh = seal(secrets.token_hex(32), bound_to=f"pepper:{domain.pk}")
        # Two at once: one of them writes, and both read what it wrote.
        BannerPlace.objects.filter(pk=place.pk, pepper_sealed="").update(pepper_sealed=fresh)
        place.refresh_from_db()
    return _open_pepper(place.pepper_sealed, domain.pk)


@lru_cache(maxsize=1024)
def _open_pepper(sealed: str, domain_id: int) -> bytes:
    return bytes.fromhex(open_sealed(sealed, bound_to=f"pepper:{domain_id}"))


def get_lists_holding(domain: Domain, address: str) -> frozenset[str]:
    """Return the ids, as text, of the domain's recipient lists with this address or its mail domain."""
    address = normalise(address)
    wanted = [key_of(domain, address), address.rpartition("@")[2]]
    rows = RecipientListEntry.objects.filter(recipient_list__domain=domain, value__in=wanted)
    return frozenset(map(str, rows.values_list("recipient_list_id", flat=True)))


def label_lists(domain: Domain) -> Mapping[str, str]:
    """Return id, as text, -> name of the domain's recipient lists."""
    return {str(pk): name for pk, name in domain.recipient_lists.values_list("pk", "name")}
