"""Mailbox status: derives for each mailbox whether it is up to date, pending or needs somebody."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, TypedDict

from django.db import models
from django.db.models import Case, F, OuterRef, Q, QuerySet, Subquery, Value, When
from django.db.models.functions import Coalesce

from integrations.models import Connection, Mailbox
from portal.models import Domain
from signatures.models import Delivery, DeliveryRun, DeliveryState, Placement, Sender, Template


class MailboxStatus(models.TextChoices):
    """What a list says of one mailbox."""

    IN_PLACE = "in_place", "Up to date"
    WAITING = "waiting", "Pending"
    NEW = "new", "Never delivered"
    NEEDS_YOU = "needs_you", "Action needed"
    LEFT_OUT = "left_out", "Inactive in Outreach"


class StatusFields(TypedDict):
    """What `get_mailboxes` adds to each mailbox. owner_id: its sender, or None; last_reason: of the latest attempt."""

    owner_id: int | None
    placed_at: datetime | None
    last_reason: str | None
    status: str


if TYPE_CHECKING:
    from django_stubs_ext import WithAnnotations

    MailboxWithStatus = WithAnnotations[Mailbox, StatusFields]


def get_fallback_template(domain: Domain) -> Template | None:
    """Return the default group's template, which everybody has who is assigned no other."""
    return Template.objects.filter(
        assignments__group__domain=domain, assignments__group__is_default=True, archived_at=None
    ).first()


def get_mailboxes(connection: Connection | None, *, fallback: Template | None) -> QuerySet[MailboxWithStatus]:
    """Return the live mailboxes of a connection, each with `status`, `last_reason` and `placed_at`.

    fallback: the default group's template. A mailbox counts as in place when we placed the current
    version of its sender's template there and no later attempt was refused or failed.
    """
    if connection is None:
        return _with_status(Mailbox.objects.none(), fallback)
    return _with_status(Mailbox.objects.filter(connection=connection, retired_at=None), fallback)


def _with_status(mailboxes: QuerySet[Mailbox], fallback: Template | None) -> QuerySet[MailboxWithStatus]:
    senders = Sender.objects.filter(
        person__connection_id=OuterRef("connection_id"), person__remote_id=OuterRef("person_remote_id")
    )
    due = Coalesce(
        F("assignment__template__current"),
        F("group__assignment__template__current"),
        Value(fallback.current_id if fallback else None, output_field=models.BigIntegerField()),
    )
    placements = Placement.objects.filter(
        Q(account_key=OuterRef("connection__account_key")) | Q(account_key=""),
        domain_id=OuterRef("connection__domain_id"),
        mailbox_remote_id=OuterRef("remote_id"),
    ).order_by("-placed_at")
    attempts = (
        Delivery.objects.filter(
            mailbox_remote_id=OuterRef("remote_id"),
            run__connection_id=OuterRef("connection_id"),
            run__kind=DeliveryRun.Kind.DELIVER,
        )
        .exclude(state=DeliveryState.SKIPPED)
        .order_by("-id")
    )
    return mailboxes.annotate(
        owner_id=Subquery(senders.values("pk")[:1]),
        owner_is_active=Subquery(senders.values("is_active")[:1]),
        due_version=Subquery(senders.annotate(due=due).values("due")[:1]),
        placed_version=Subquery(placements.values("template_version_id")[:1]),
        placed_at=Subquery(placements.values("placed_at")[:1]),
        last_state=Subquery(attempts.values("state")[:1]),
        last_reason=Subquery(attempts.values("reason")[:1]),
    ).annotate(
        status=Case(
            When(owner_is_active=None, then=Value(MailboxStatus.LEFT_OUT)),
            When(owner_is_active=False, then=Value(MailboxStatus.LEFT_OUT)),
            When(
                last_state__in=[DeliveryState.REFUSED, DeliveryState.FAILED],
                then=Value(MailboxStatus.NEEDS_YOU),
            ),
            When(
                last_state__in=[DeliveryState.PLANNED, DeliveryState.CLAIMED],
                then=Value(MailboxStatus.WAITING),
            ),
            When(placed_at=None, then=Value(MailboxStatus.NEW)),
            When(placed_version=F("due_version"), then=Value(MailboxStatus.IN_PLACE)),
            default=Value(MailboxStatus.WAITING),
            output_field=models.CharField(),
        )
    )
