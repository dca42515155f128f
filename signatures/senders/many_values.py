"""Many values: local values of many senders, read and stored in bulk."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice

from django.utils import timezone

from integrations.ledger.record import record_act
from portal.db import create_rows, update_rows
from portal.models import Domain
from signatures.models import Sender, ValueDraft
from signatures.rendering.fields import Field

from .group_membership import GroupRule, GroupTable
from .grouping import REGROUPED, read_ruled_table, regroup
from .origins import ValueOrigin, update_origins
from .values import get_live_fields, get_member, lock_senders, name_sender
from .vocabulary import get_vocabulary, list_closed_fields

CHUNK = 500
MAX_VALUE = 500  # characters, as in the form of one sender
Values = tuple[int, Mapping[str, str]]
"""A sender's id, and merge field -> text; '' removes one."""


def list_importable_fields(domain: Domain) -> list[Field]:
    """Return the fields of senders that a file may hold, in the table's order; the address finds the sender.

    Not those that only owners and admins may edit: a file may be uploaded by others.
    """
    closed = {"sender.email", *list_closed_fields(domain)}
    return [field for field in get_vocabulary(domain).of_senders() if field.name not in closed]


def get_present_values(
    domain: Domain, senders: Sequence[Sender], *, waits: bool
) -> dict[int, dict[str, str]]:
    """Return sender id -> local values; where the person's edits wait, drafts stand in the place of live ones."""
    values = {
        sender.pk: {name: text for name, text in sender.own_values.items() if text} for sender in senders
    }
    if waits:
        drafts = ValueDraft.objects.filter(sender__in=values)
        for sender_id, field, text in drafts.values_list("sender", "field", "value"):
            values[sender_id].pop(field, None)
            if text:
                values[sender_id][field] = text
    return values


def set_many_values(
    domain: Domain,
    rows: Iterable[Values],
    *,
    actor: str,
    run: str,
    origin: ValueOrigin,
    waits: bool = False,
) -> int:
    """Store local values of senders, each named once, and return of how many. Runs in the caller's transaction.

    Values must fit their fields. run: what stores them, for the ledger. origin, waits: as in `set_own_values`.
    """
    live_fields = get_live_fields(domain) if waits else None
    table = read_ruled_table(domain)
    number, pending = 0, iter(rows)
    fields: set[str] = set()
    while chunk := dict(islice(pending, CHUNK)):
        fields.update(*chunk.values())
        number += _store(domain, chunk, live_fields, table, actor, origin)
    if number:
        record_act(
            "sender values drafted" if waits else "sender values changed",
            domain=domain,
            actor_label=actor,
            object_ref=run,
            detail=f"{number:,} senders: {', '.join(sorted(fields))}",
        )
    return number


def _store(
    domain: Domain,
    chunk: Mapping[int, Mapping[str, str]],
    live_fields: Sequence[str] | None,
    table: GroupTable[GroupRule] | None,
    actor: str,
    origin: ValueOrigin,
) -> int:
    senders = list(lock_senders(domain, chunk))
    now, changed, drafted = timezone.now(), [], set()
    stale: list[int] = []
    drafts: list[ValueDraft] = []
    present = _find_drafts(chunk)
    for sender in senders:
        own = dict(sender.own_values)
        for name, text in chunk[sender.pk].items():
            draft = present.get((sender.pk, name))
            is_live = live_fields is None or name in live_fields
            if is_live:
                own[name] = text
            if draft is not None and (is_live or draft.value != text):
                stale.append(draft.pk)
            if not is_live and text != own.get(name, "") and (draft is None or draft.value != text):
                drafts.append(
                    ValueDraft(
                        sender=sender,
                        field=name,
                        value=text,
                        origin=origin.to_json(),
                        edited_by_label=actor,
                        edited_at=now,
                    )
                )
                drafted.add(sender.pk)
        own = {name: text for name, text in own.items() if text}
        if own != sender.own_values:
            sender.value_origins = update_origins(
                sender.value_origins, sender.own_values, own, dict.fromkeys(own, (actor, origin)), now
            )
            sender.own_values, sender.changed_at = own, now
            name_sender(sender)
            if table is not None:
                regroup(sender, get_member(sender), table)
            changed.append(sender)
    ValueDraft.objects.filter(pk__in=stale).delete()
    create_rows(drafts)
    update_rows(changed, ["own_values", "value_origins", "name", "search", "changed_at", *REGROUPED])
    return len(drafted | {sender.pk for sender in changed})


def _find_drafts(sender_ids: Iterable[int]) -> dict[tuple[int, str], ValueDraft]:
    return {
        (draft.sender_id, draft.field): draft for draft in ValueDraft.objects.filter(sender__in=sender_ids)
    }
