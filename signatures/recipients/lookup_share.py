"""Look-up share: limits how many look-ups requests for banner images cause in an hour, by domain and by network.

Everybody who receives a mail knows the URL of its image, and can request it with any recipient's address.
Such look-ups must neither exhaust the hour's calls nor allow testing a list of addresses.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import F, QuerySet

from portal.models import Domain
from signatures.models import LookupShare

WINDOW = timedelta(hours=1)
WHOLE_DOMAIN = "all"
UNKNOWN_NETWORK = "unknown"
NETWORK_PERCENT = (
    40  # of the domain's share; mail services request images for many recipients from a few networks
)


def take_look_up(domain: Domain, network: str, *, at: datetime) -> bool:
    """Count a look-up for `network` across all processes; return whether it is within the limit."""
    most: int = settings.RECIPIENT_LOOKUPS_PER_HOUR
    is_spent = LookupShare.objects.filter(domain=domain, network=WHOLE_DOMAIN, ends_at__gt=at, used__gte=most)
    if is_spent.exists():
        return False  # and no row for yet another network
    of_network = most * NETWORK_PERCENT // 100
    return _take(domain, network or UNKNOWN_NETWORK, of_network, at) and _take(domain, WHOLE_DOMAIN, most, at)


def get_old_shares(*, now: datetime) -> QuerySet[LookupShare]:
    """Return expired counts."""
    return LookupShare.objects.filter(ends_at__lte=now)


def _take(domain: Domain, network: str, most: int, at: datetime) -> bool:
    if most < 1:
        return False
    row = LookupShare.objects.filter(domain=domain, network=network)
    if row.filter(ends_at__gt=at, used__lt=most).update(used=F("used") + 1):
        return True
    if row.filter(ends_at__lte=at).update(used=1, ends_at=at + WINDOW):
        return True
    first = {"used": 1, "ends_at": at + WINDOW}
    _, is_first = LookupShare.objects.get_or_create(domain=domain, network=network, defaults=first)
    return is_first
