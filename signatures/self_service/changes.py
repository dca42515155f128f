"""Changes: which fields a sender may edit, what they save, and what waits for somebody to approve it.

What needs no approval is stored at once as the sender's own value, and goes out with the next automatic delivery. What
needs it is kept as a change until somebody who may publish approves or declines it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import Count, QuerySet
from django.utils import timezone

from integrations.ledger.record import record_act
from portal.models import Domain
from signatures.models import ChangeState, EditedBy, FieldSetting, Sender, SenderChange
from signatures.rendering.fields import Field, Trust
from signatures.senders.origins import OriginKind, ValueOrigin
from signatures.senders.values import OwnValueError, check_own_values, set_own_values, store_own
from signatures.senders.vocabulary import get_vocabulary

PHOTO = "sender.photo_url"  # the one image that a sender changes, by uploading it
BY_SENDER = ValueOrigin(OriginKind.SELF_SERVICE)
MOST_IN_AN_HOUR = 60  # values that one sender changes


class ChangeRefused(Exception):
    """Nothing was changed; the message says why to a person."""


@dataclass(frozen=True, slots=True)
class OpenField:
    """A field that the sender may edit. is_approved: what they enter waits for approval."""

    field: Field
    is_approved: bool


def list_open_fields(domain: Domain) -> list[OpenField]:
    """Return the fields that senders of the domain may edit, in the table's order."""
    rows = FieldSetting.objects.filter(
        domain=domain, edited_by__in=[EditedBy.SENDERS, EditedBy.APPROVED], removed_at=None
    )
    rules = dict(rows.values_list("name", "edited_by"))
    fields = get_vocabulary(domain).of_senders()
    return [
        OpenField(field, rules[field.name] == EditedBy.APPROVED)
        for field in fields
        if field.name in rules
        and not field.is_removed
        and (field.trust is not Trust.IMAGE or field.name == PHOTO)
    ]


def get_waiting(sender: Sender) -> dict[str, SenderChange]:
    """Return field -> the change of it that waits for approval."""
    return {one.field: one for one in sender.changes.filter(state=ChangeState.WAITING)}


def save_changes(sender: Sender, values: Mapping[str, str], *, actor: str) -> list[SenderChange]:
    """Store what a sender entered and return what changed by it; '' removes their own value.

    Raises: ChangeRefused, for a field that is not open to them or too many changes; OwnValueError; storing nothing.
    """
    approved = {one.field.name: one.is_approved for one in list_open_fields(sender.domain)}
    if not approved.keys() >= values.keys():
        raise ChangeRefused("Your company sets one of these fields. Nothing was saved.")
    kept = {name: text.strip() for name, text in values.items()}
    with transaction.atomic():
        rows = Sender.objects.select_for_update(of=("self",)).select_related("domain", "person")
        locked = rows.get(pk=sender.pk)
        _refuse_many(locked)
        kept = store_own(locked, kept)
        check_own_values(locked.domain, kept)
        waiting = get_waiting(locked)
        changed = [
            SenderChange(
                sender=locked,
                field=name,
                value=text,
                before=locked.own_values.get(name, ""),
                state=ChangeState.WAITING if approved[name] else ChangeState.SAVED,
                made_by_label=actor,
            )
            for name, text in kept.items()
            if text != (waiting[name].value if name in waiting else locked.own_values.get(name, ""))
        ]
        _replace(locked, [one.field for one in changed])
        at_once = {one.field: one.value for one in changed if one.state == ChangeState.SAVED}
        if at_once:
            set_own_values(locked, at_once, actor=actor, origin=BY_SENDER)
        asked = [one for one in changed if one.state == ChangeState.WAITING and one.value != one.before]
        saved = [one for one in changed if one.state == ChangeState.SAVED]
        SenderChange.objects.bulk_create([*saved, *asked])
        if asked:
            _record("sender changes asked for", locked, actor, [one.field for one in asked])
    sender.refresh_from_db(fields=["own_values", "value_origins", "name", "changed_at"])
    return [*saved, *asked]


def _refuse_many(sender: Sender) -> None:
    since = timezone.now() - timedelta(hours=1)
    if sender.changes.filter(made_at__gte=since).count() >= MOST_IN_AN_HOUR:
        raise ChangeRefused("You changed much within an hour. Nothing was saved; try again later.")


def _replace(sender: Sender, fields: Iterable[str]) -> None:
    """A newer change of a field takes the place of the one that waits."""
    waiting = sender.changes.filter(state=ChangeState.WAITING, field__in=list(fields))
    waiting.update(state=ChangeState.REPLACED, decided_at=timezone.now())


def list_waiting(domain: Domain) -> QuerySet[SenderChange]:
    """Return what waits for approval in the domain, the oldest first."""
    waiting = SenderChange.objects.filter(sender__domain=domain, state=ChangeState.WAITING)
    return waiting.select_related("sender__person", "sender__domain").order_by("made_at", "pk")


def count_waiting(domain: Domain) -> QuerySet[Any]:
    """Return, as a query for another one, how many values wait for approval in the domain."""
    waiting = list_waiting(domain).select_related(None).order_by()
    return waiting.values("sender__domain").annotate(total=Count("pk")).values("total")


def approve_changes(domain: Domain, ids: Iterable[int], *, actor: str) -> list[SenderChange]:
    """Store these waiting values as the senders' own, and return those approved. Raises: ChangeRefused."""
    approved = []
    with transaction.atomic():
        for change in _lock(domain, ids):
            try:
                set_own_values(change.sender, {change.field: change.value}, actor=actor, origin=BY_SENDER)
            except OwnValueError as error:
                raise ChangeRefused(
                    f"{change.sender}: {error.message} Nothing was approved; decline that one."
                ) from error
            _decide(change, ChangeState.APPROVED, actor)
            approved.append(change)
    return approved


def decline_changes(domain: Domain, ids: Iterable[int], *, actor: str, comment: str) -> list[SenderChange]:
    """Decline these waiting values with a comment that their senders get. Raises: ChangeRefused."""
    if not comment.strip():
        raise ChangeRefused("Write why. Nothing was declined.")
    with transaction.atomic():
        declined = list(_lock(domain, ids))
        for change in declined:
            _decide(change, ChangeState.DECLINED, actor, comment.strip())
    return declined


def _lock(domain: Domain, ids: Iterable[int]) -> QuerySet[SenderChange]:
    """Return those that still wait; what somebody else decided meanwhile is left out."""
    Domain.objects.select_for_update().get(pk=domain.pk)
    return list_waiting(domain).select_for_update(of=("self",)).filter(pk__in=list(ids))


def _decide(change: SenderChange, state: ChangeState, actor: str, comment: str = "") -> None:
    change.state, change.decided_by_label, change.comment = state, actor, comment
    change.decided_at = timezone.now()
    change.save(update_fields=["state", "decided_by_label", "comment", "decided_at"])
    _record(f"sender change {state.value}", change.sender, actor, [change.field])


def _record(act: str, sender: Sender, actor: str, fields: Iterable[str]) -> None:
    record_act(
        act,
        domain=sender.domain,
        actor_label=actor,
        object_ref=sender.email,
        detail=", ".join(sorted(fields)),
    )
