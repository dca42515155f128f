"""Company size: whether every sender of a domain may be looked at within a request."""

from __future__ import annotations

from portal.models import Domain
from portal.page_reads import once_per_page
from signatures.models import Sender

AT_ONCE = 500  # senders; what compares more of them is done in the background


@once_per_page
def is_small(domain: Domain) -> bool:
    """Return whether every sender of the domain may be looked at within a request."""
    return not Sender.objects.filter(domain=domain).order_by("pk")[AT_ONCE:].exists()
