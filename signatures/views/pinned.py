"""Pinned people: up to three senders whom one user previews every template of a domain with, kept in their session."""

from __future__ import annotations

from collections.abc import Sequence

from django.http import HttpRequest

from portal.models import Domain
from signatures.models import Sender
from signatures.senders.extremes import find_emptiest, find_longest

MOST_PINNED = 3
PINS = (
    ("chosen", "Pin this sender"),
    ("longest", "Pin longest values"),
    ("emptiest", "Pin emptiest"),
    ("none", "Unpin all"),
)


def change_pinned(request: HttpRequest, domain: Domain, chosen: Sender | None) -> None:
    """Do what the button `pin` asks: pin the chosen sender, the longest or emptiest one, or unpin all.

    Of more than three, the one that was pinned first goes.
    """
    act = request.POST.get("pin", "")
    if act == "none":
        request.session[_get_key(domain)] = []
        return
    sender = {"longest": find_longest, "emptiest": find_emptiest}.get(act, lambda domain: chosen)(domain)
    if act and sender is not None:
        kept = [pk for pk in _get_ids(request, domain) if pk != sender.pk]
        request.session[_get_key(domain)] = [*kept, sender.pk][-MOST_PINNED:]


def list_pinned(request: HttpRequest, domain: Domain) -> Sequence[Sender]:
    """Return the pinned senders of the domain, in the order in which they were pinned."""
    ids = _get_ids(request, domain)
    if not ids:
        return []
    found = Sender.objects.filter(domain=domain).select_related("person", "group").in_bulk(ids)
    return [found[pk] for pk in ids if pk in found]


def _get_ids(request: HttpRequest, domain: Domain) -> list[int]:
    ids: list[int] = request.session.get(_get_key(domain), [])
    return ids


def _get_key(domain: Domain) -> str:
    return f"pinned_senders_{domain.pk}"
