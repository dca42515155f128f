"""Automatic delivery: writes new directory values with the live release, and nothing else.

What a newer release changes waits for its rollout, which a person starts. What our own writes changed is not new.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Count, Exists, Max, Min, OuterRef, QuerySet
from django.utils import timezone

from integrations.models import Connection
from portal.models import Domain
from signatures.models import (
    AUTOMATIC,
    AutomaticDelivery,
    DeliveryRun,
    DeliveryRunState,
    DeliverySettings,
    Following,
    Group,
    MailboxState,
    MailboxStatus,
    Placement,
    Release,
    Sender,
)
from signatures.releases.compose import Composer
from signatures.releases.live import get_content, get_live
from signatures.senders.grouping import list_active_groups
from signatures.senders.team_counts import SENDERS, get_statuses
from signatures.senders.values import get_member

from .active_mailboxes import list_active
from .base import DeliveryBlocked
from .permission import get_write_block_reason
from .placements import get_account_keys, get_placements
from .planning import drop_run, plan_delivery
from .runs import start_delivery
from .status import CHUNK

MOST_COMPARED = CHUNK - 1  # mailboxes that a page compares with the live release; more are counted without
MOST_COUNTED = 5_000  # of those that are more
WAITING = (MailboxStatus.PENDING, MailboxStatus.NEVER)
NEVER_ASKS = 5  # up to so many mailboxes, the domain's share does not matter


@dataclass(slots=True)
class Due:
    """Senders with new directory values. at_once: to be delivered now. asking: only after a person agreed."""

    at_once: list[int]
    asking: list[int]


def plan_automatic_delivery(connection: Connection) -> DeliveryRun | None:
    """Return a queued run over the mailboxes whose directory values changed; None where none did, or it may not run.

    A release's first delivery is never automatic. One to more than the domain's share of mailboxes is left as a plan
    for a person to start. Where nothing changed since nobody was due, nobody is looked at again.
    """
    domain = connection.domain
    release = get_live(domain)
    if release is None or not may_deliver(connection):
        return None
    inputs, following = _read_inputs(connection, release), Following.objects.filter(connection=connection)
    if following.filter(automatic_from=_digest_inputs(inputs, domain)).exists():
        return None
    due = find_due(connection, release)
    _plan_asking(domain, due)
    if not due.at_once:
        _note_daily(domain)
        following.update(automatic_from=_digest_inputs(inputs, domain))
        return None
    run = plan_delivery(domain, actor=AUTOMATIC, sender_ids=due.at_once)
    if not run.planned:
        drop_run(run)
        return None
    try:
        started = start_delivery(run, actor=AUTOMATIC)
    except DeliveryBlocked:
        drop_run(run)  # a restore, or a delivery of these, began meanwhile; the next sync finds these again
        return None
    _note_daily(domain)
    return started


@dataclass(frozen=True, slots=True)
class Waiting:
    """Mailboxes with new directory values for automatic delivery. is_least: more may be, which were not compared."""

    connection: Connection
    mailboxes: int
    is_least: bool = False


def count_waiting(
    connection: Connection,
    release: Release | None,
    numbers: Mapping[str, int],
    *,
    reached_everybody: bool | None = None,
) -> Waiting:
    """Return how many mailboxes wait for automatic delivery, whatever their group's time of day.

    Where 500 or more wait for any delivery, 5,000 of them are looked at, and those counted that hold the live
    release already. release: the live one. numbers: of mailboxes, by status. reached_everybody: as the function
    says, where it was asked already.
    """
    if release is None or not any(numbers.get(status) for status in WAITING):
        return Waiting(connection, 0)
    free = _list_free_states(connection)
    if sum(numbers.get(status, 0) for status in WAITING) <= MOST_COMPARED:
        due = {sender.pk for sender in _list_changed(connection, release, reached_everybody)}
        return Waiting(connection, free.filter(sender__in=due).count())
    placed = Placement.objects.filter(
        domain=connection.domain_id,
        account_key__in=get_account_keys(connection),
        mailbox_remote_id=OuterRef("mailbox__remote_id"),
        release=release,
    )
    some = MailboxState.objects.filter(pk__in=free.order_by().values("pk")[:MOST_COUNTED])
    return Waiting(connection, some.filter(Exists(placed)).count(), is_least=True)


def may_deliver(connection: Connection) -> bool:
    """Return whether automatic delivery may run: it is on, writing is allowed, and a person delivered before."""
    return (
        connection.domain.automatic_delivery
        and not get_write_block_reason(connection)
        and _was_delivered_by_a_person(connection)
    )


def describe_automatic(
    domain: Domain, connection: Connection | None, release: Release | None, numbers: Mapping[str, int]
) -> dict[str, Any]:
    """Return for a page whether automatic delivery is on, what waits for it, above which share it asks, and when it is.

    connection: the open one. release: the live one. numbers: of mailboxes, by status.
    automatic_at: None where some group's values go with the next sync, or where it is off.
    """
    was_delivered, reached_everybody = _read_past(connection, release) if connection else (False, False)
    is_on = domain.automatic_delivery and was_delivered
    waiting = None
    if is_on and connection is not None:
        waiting = count_waiting(connection, release, numbers, reached_everybody=reached_everybody)
    groups = list_active_groups(domain) if is_on else ()
    times = [group.automatic_at for group in groups if group.automatic == AutomaticDelivery.DAILY]
    only_daily = bool(times) and all(group.automatic != AutomaticDelivery.AT_ONCE for group in groups)
    cap = DeliverySettings.objects.for_domain(domain).automatic_cap_percent
    return {
        "was_delivered": was_delivered,
        "automatic_is_on": is_on,
        "automatic_waiting": waiting,
        "automatic_asks": waiting is not None and waiting.mailboxes > _get_most(numbers, cap),
        "automatic_cap": cap,
        "automatic_at": find_next_time([at for at in times if at], domain) if is_on and only_daily else None,
    }


def find_next_time(times: list[time], domain: Domain) -> datetime | None:
    """Return when the next of these times of day comes in the domain's time zone."""
    now = timezone.now().astimezone(ZoneInfo(domain.time_zone))
    today = [datetime.combine(now.date(), at, tzinfo=now.tzinfo) for at in times]
    return min((at if at > now else at + timedelta(days=1) for at in today), default=None)


def find_due(connection: Connection, release: Release) -> Due:
    """Return the senders whose mailboxes would change by new directory values under this release alone.

    Mailboxes that an open run holds are left to it: it renders the values of the moment it writes them.
    """
    domain, now = connection.domain, timezone.now()
    content = get_content(release)
    policies = {group.pk: group for group in Group.objects.filter(domain=domain)}
    due, free = Due([], []), _list_free(connection)
    for sender in _list_changed(connection, release):
        if sender.pk not in free:
            continue
        group = content.find_group(get_member(sender))
        policy = policies.get(group.id) if group else None
        if policy is not None and policy.automatic == AutomaticDelivery.APPROVAL:
            due.asking.append(sender.pk)
        elif policy is None or is_time(policy, domain, now):
            due.at_once.append(sender.pk)
    if len(due.at_once) > get_most_at_once(connection):
        due = Due([], due.at_once + due.asking)
    return due


def _list_free(connection: Connection) -> set[int]:
    """Return the ids of senders with a mailbox that waits for its signature and that no open run holds."""
    return set(_list_free_states(connection).values_list("sender_id", flat=True))


def _list_free_states(connection: Connection) -> QuerySet[MailboxState]:
    held = list_active(connection).values("mailbox_remote_id")
    return _list_waiting(connection).exclude(mailbox__remote_id__in=held)


def _list_waiting(connection: Connection) -> QuerySet[MailboxState]:
    return MailboxState.objects.filter(
        mailbox__connection=connection,
        mailbox__retired_at=None,
        status__in=WAITING,
    )


def get_most_at_once(connection: Connection) -> int:
    """Return how many mailboxes one automatic delivery may change without asking."""
    settings = DeliverySettings.objects.for_domain(connection.domain)
    return _get_most(get_statuses(connection.domain), settings.automatic_cap_percent)


def _get_most(numbers: Mapping[str, int], cap_percent: int) -> int:
    total = sum(
        number for status, number in numbers.items() if status not in (SENDERS, MailboxStatus.INACTIVE)
    )
    return max(NEVER_ASKS, total * cap_percent // 100)


def is_time(group: Group, domain: Domain, now: datetime) -> bool:
    """Return whether a group's new values may be delivered now: always, or once a day from a set time on."""
    if group.automatic != AutomaticDelivery.DAILY or group.automatic_at is None:
        return True
    local = now.astimezone(ZoneInfo(domain.time_zone))
    latest = datetime.combine(local.date(), group.automatic_at, tzinfo=local.tzinfo)
    if latest > local:
        latest -= timedelta(days=1)
    return group.automatic_ran_at is None or group.automatic_ran_at < latest


def _list_changed(
    connection: Connection, release: Release, reached_everybody: bool | None = None
) -> Iterator[Sender]:
    """Yield senders with a mailbox that differs from the live release by values of the directory alone."""
    composers = {release.pk: Composer(connection.domain, get_content(release))}
    takes_new = has_reached_everybody(connection, release) if reached_everybody is None else reached_everybody
    for chunk in _in_chunks(_list_waiting(connection)):
        placements = get_placements(connection, [state.mailbox.remote_id for state in chunk])
        due: dict[int, Sender] = {}
        for state in chunk:
            sender = state.sender
            if sender is None or sender.pk in due:
                continue
            placement = placements.get(state.mailbox.remote_id)
            if placement is None:
                is_due = takes_new and state.status == MailboxStatus.NEVER
            else:
                is_due = is_same_release(sender, placement, release, composers)
            if is_due:
                due[sender.pk] = sender
        yield from due.values()


def _in_chunks(states: QuerySet[MailboxState]) -> Iterator[list[MailboxState]]:
    """Yield the rows of CHUNK senders at a time; all mailboxes of one sender are in one chunk."""
    senders = states.order_by("sender_id").values("sender_id").distinct()
    rows = states.select_related("sender__person", "mailbox").order_by("sender_id", "pk")
    last, has_more = 0, True
    while has_more:
        chunk = list(rows.filter(sender_id__in=senders.filter(sender_id__gt=last)[:CHUNK]))
        has_more = len({state.sender_id for state in chunk}) == CHUNK
        if chunk:
            last = chunk[-1].sender_id or 0
            yield chunk


def is_same_release(
    sender: Sender, placement: Placement, release: Release, composers: dict[int, Composer]
) -> bool:
    """Return whether the live release gives this sender what the release that was delivered last gave."""
    if placement.release_id == release.pk:
        return True
    if placement.release_id is None:
        return False
    if placement.release_id not in composers:
        earlier = Release.objects.get(pk=placement.release_id)
        composers[placement.release_id] = Composer(sender.domain, get_content(earlier))
    live, earlier_part = composers[release.pk], composers[placement.release_id]
    return live.get_release_part(sender) == earlier_part.get_release_part(sender)


def has_reached_everybody(connection: Connection, release: Release) -> bool:
    """Return whether a person delivered the live release to the whole domain; new people then get it automatically."""
    return _list_reaching(connection, release).exists()


def _read_inputs(connection: Connection, release: Release) -> list[Any]:
    """Return all that decides who is due; nobody is read for it.

    A value that changes changes its sender's row; a mailbox that is written is held by a run, or waits no more.
    """
    domain, now = connection.domain, timezone.now()
    waiting = _list_waiting(connection).aggregate(Count("pk"), Max("since"))
    held = list_active(connection).order_by("run").values_list("run")
    groups = (
        Group.objects.filter(domain=domain)
        .order_by("pk")
        .only("automatic", "automatic_at", "automatic_ran_at")
    )
    return [
        release.pk,
        domain.get_today(),
        Sender.objects.filter(domain=domain).aggregate(Max("changed_at")),
        waiting,
        list(held.annotate(Count("pk"), Min("pk"), Max("pk"))),
        [(group.pk, group.automatic, is_time(group, domain, now)) for group in groups],
        get_most_at_once(connection),
        has_reached_everybody(connection, release),
    ]


def _digest_inputs(inputs: list[Any], domain: Domain) -> str:
    """Return a digest of what decides who is due and which plan waits for a person; an equal one finds the same."""
    plans = list(_list_asking(domain).values_list("pk", flat=True))
    return hashlib.sha256(repr([*inputs, plans]).encode()).hexdigest()


def _list_asking(domain: Domain) -> QuerySet[DeliveryRun]:
    return DeliveryRun.objects.filter(
        domain=domain, state=DeliveryRunState.PLANNED, started_by_label=AUTOMATIC, overwrites_edits=False
    )


def _plan_asking(domain: Domain, due: Due) -> None:
    """Keep one open plan with what needs a person; make it again where its senders changed."""
    present = _list_asking(domain).first()
    planned = set() if present is None else set(present.deliveries.values_list("sender_id", flat=True))
    if present is not None and planned != set(due.asking):
        drop_run(present)
        present = None
    if due.asking and present is None:
        run = plan_delivery(domain, actor=AUTOMATIC, sender_ids=due.asking)
        if not run.planned:
            drop_run(run)


def _note_daily(domain: Domain) -> None:
    Group.objects.filter(domain=domain, automatic=AutomaticDelivery.DAILY).update(
        automatic_ran_at=timezone.now()
    )


def _was_delivered_by_a_person(connection: Connection) -> bool:
    return _list_by_people(connection).exists()


def _read_past(connection: Connection, release: Release | None) -> tuple[bool, bool]:
    """Return whether a person delivered before, and whether this release has reached everybody; one query."""
    asked = Exists(_list_by_people(connection)), Exists(_list_reaching(connection, release))
    found: tuple[bool, bool] = Connection.objects.filter(pk=connection.pk).values_list(*asked).get()
    return found


def _list_by_people(connection: Connection) -> QuerySet[DeliveryRun]:
    return _list_complete(connection).exclude(started_by_label=AUTOMATIC)


def _list_reaching(connection: Connection, release: Release | None) -> QuerySet[DeliveryRun]:
    return _list_complete(connection).filter(release=release).exclude(covers_until=None)


def _list_complete(connection: Connection) -> QuerySet[DeliveryRun]:
    return DeliveryRun.objects.filter(
        connection=connection, kind=DeliveryRun.Kind.DELIVER, state=DeliveryRunState.COMPLETE
    )
