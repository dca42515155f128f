"""Sender choice: senders that were ticked, or all that filters of their list find, which are kept as filters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.db.models import QuerySet

from integrations.models import Connection
from portal.models import Domain
from signatures.models import Sender

from .listing import find_senders
from .mailbox_status import get_fallback_template

Filters = Mapping[str, Any]
"""Arguments of `listing.find_senders`, as plain values."""


def find_chosen(
    domain: Domain,
    connection: Connection | None,
    *,
    sender_ids: Sequence[int] = (),
    filters: Filters | None = None,
) -> QuerySet[Sender]:
    """Return the chosen senders: those that the filters find now, or without filters those of the ids."""
    if filters is None:
        return Sender.objects.filter(domain=domain, pk__in=sender_ids).order_by("name", "pk")
    return find_senders(domain, connection, fallback=get_fallback_template(domain), **filters)
