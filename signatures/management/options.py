"""Command options: finds the rows that a command's options name; CommandError where there is none."""

from __future__ import annotations

from typing import TypeVar

from django.core.management.base import CommandError
from django.db.models import Model, QuerySet

from portal.models import Domain
from signatures.models import Group, Sender
from signatures.releases.live import list_live_groups

Row = TypeVar("Row", bound=Model)


def find_row(rows: QuerySet[Row], missing: str) -> Row:
    row = rows.first()
    if row is None:
        raise CommandError(missing)
    return row


def find_domain(name: str) -> Domain:
    return find_row(
        Domain.objects.filter(name=name), f"There is no domain {name}. `createdomain` creates one."
    )


def find_sender(domain: Domain, email: str) -> Sender:
    """Return the sender with this address, the active one first."""
    senders = Sender.objects.filter(domain=domain, email__iexact=email).select_related("person", "group")
    return find_row(senders.order_by("-is_active", "-changed_at"), f"{domain} has no sender {email}.")


def find_group(domain: Domain, name: str) -> Group:
    """Return the group of this name in the live release."""
    groups = list_live_groups(domain).filter(name=name)
    return find_row(groups, f"The live release of {domain} has no group {name}.")
