"""Mailbox status: reads the stored status of mailboxes for lists and figures."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypedDict

from django.db import models
from django.db.models import Count, F, OuterRef, Q, QuerySet, Subquery, Sum, Value
from django.db.models.functions import Coalesce

from integrations.models import Connection, Mailbox
from portal.models import Domain
from portal.page_reads import once_per_page
from signatures.models import (
    HAND_EDITS,
    DatedAssignment,
    Group,
    MailboxState,
    MailboxStatus,
    Placement,
    TeamsCount,
    Template,
)


class StatusFields(TypedDict):
    """What `get_mailboxes` adds to each mailbox. owner_id: its sender, or None; last_reason: why action is needed."""

    owner_id: int | None
    placed_at: datetime | None
    last_reason: str | None
    status: str


if TYPE_CHECKING:
    from django_stubs_ext import WithAnnotations

    MailboxWithStatus = WithAnnotations[Mailbox, StatusFields]


@once_per_page
def get_fallback_template(domain: Domain) -> Template | None:
    """Return the default group's template, which everybody has today who is assigned no other."""
    default = Group.objects.filter(domain=domain, is_default=True).order_by()
    held = DatedAssignment.objects.on(domain.get_today()).filter(
        group=OuterRef("pk"), template__archived_at=None
    )
    chosen = default.annotate(
        chosen=Coalesce(
            Subquery(held.values("template")[:1]),
            "assignment__template_id",
            output_field=models.BigIntegerField(),
        )
    )
    return Template.objects.filter(pk__in=chosen.values("chosen"), archived_at=None).first()


def get_mailboxes(connection: Connection | None) -> QuerySet[MailboxWithStatus]:
    """Return the live mailboxes of a connection, each with `status`, `last_reason`, `owner_id` and `placed_at`.

    The status is the stored one.
    """
    mailboxes = Mailbox.objects.none()
    if connection is not None:
        mailboxes = Mailbox.objects.filter(connection=connection, retired_at=None)
    placements = Placement.objects.filter(
        Q(account_key=OuterRef("connection__account_key")) | Q(account_key=""),
        domain_id=OuterRef("connection__domain_id"),
        mailbox_remote_id=OuterRef("remote_id"),
    ).order_by("-placed_at")
    return mailboxes.annotate(
        owner_id=F("state__sender_id"),
        placed_at=Subquery(placements.values("placed_at")[:1]),
        last_reason=F("state__reason"),
        status=Coalesce(F("state__status"), Value(MailboxStatus.INACTIVE), output_field=models.CharField()),
    )


def count_edited(domain: Domain) -> QuerySet[Any]:
    """Return, as a query for another one, how many live mailboxes were edited or emptied in Outreach."""
    counts = TeamsCount.objects.filter(domain=domain, status__in=HAND_EDITS).order_by()
    return counts.values("domain").annotate(total=Sum("number")).values("total")


def count_statuses(states: QuerySet[MailboxState]) -> dict[str, int]:
    """Return status -> number of these mailboxes, as `sum_statuses` does."""
    return sum_statuses(dict(states.order_by().values_list("status").annotate(number=Count("pk"))))


def sum_statuses(numbers: Mapping[str, int]) -> dict[str, int]:
    """Return status -> number of mailboxes; those altered by Outreach count as up to date."""
    counts = dict(numbers)
    altered = counts.pop(MailboxStatus.ALTERED, 0)
    if altered:
        counts[MailboxStatus.UP_TO_DATE] = counts.get(MailboxStatus.UP_TO_DATE, 0) + altered
    return {status.value: counts[status] for status in MailboxStatus if status in counts}
