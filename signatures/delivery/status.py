"""Mailbox status: compares each mailbox with our last write and with the live release, and stores what differs.

Called in the background after a sync, a release, an edited value and a delivery. A digest of what a signature
is rendered from is stored, so that nothing is rendered twice from the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import cached_property
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from integrations.connection.lifecycle import get_connection
from integrations.models import Connection, Mailbox
from integrations.sync.row_store import note_outdated
from portal.db import create_rows, update_rows
from portal.models import Domain
from signatures.models import (
    HAND_EDITS,
    Delivery,
    DeliveryState,
    Following,
    MailboxState,
    MailboxStatus,
    Placement,
    Release,
    Sender,
    SignatureHtml,
)
from signatures.releases.compose import Composer, Refusal
from signatures.releases.content import ReleaseContent, list_differing
from signatures.releases.live import get_content, get_live
from signatures.senders import team_counts

from .digest import digest
from .group_members import GroupStore
from .left_alone import get_left_alone
from .mailbox_judgement import Facts, Rendering, judge, was_edited
from .placements import get_placements

CHUNK = 500
READ_CODES = ("editable_unknown", "gone", "moved", "not_editable")
"""Reasons found by reading the mailbox before a write: the next reading by a sync says whether they still hold."""

TOLD_CODES = (*READ_CODES, "refused", "rejected", "unreachable", "unreadable")
"""Reasons that only an attempt to write shows; every other one is found by comparing."""


@dataclass(frozen=True, slots=True)
class Compared:
    """One mailbox compared. state: the stored row, which may be older; None where there is none yet."""

    facts: Facts
    state: MailboxState | None
    status: MailboxStatus
    reason: Refusal | None


class Comparison:
    """Compares the mailboxes of senders with what one content renders for them, chunk by chunk."""

    def __init__(self, connection: Connection, content: ReleaseContent) -> None:
        self._connection = connection
        self.composer = Composer(connection.domain, content)
        self._content = content

    @cached_property
    def groups(self) -> GroupStore:
        return GroupStore(self._connection.domain, self._content)

    def compare(self, senders: Sequence[Sender]) -> Iterator[Compared]:
        """Yield each live mailbox of the senders (person loaded) with its status and what decides it."""
        by_person: dict[str, list[Mailbox]] = {}
        people = [sender.person.remote_id for sender in senders]
        mailboxes = list(
            Mailbox.objects.filter(connection=self._connection, person_remote_id__in=people, retired_at=None)
            .select_related("state")
            .order_by("pk")
        )
        for mailbox in mailboxes:
            by_person.setdefault(mailbox.person_remote_id, []).append(mailbox)
        ids = [mailbox.remote_id for mailbox in mailboxes]
        states = {mailbox.pk: state for mailbox in mailboxes if (state := getattr(mailbox, "state", None))}
        placements = get_placements(self._connection, ids)
        left_alone = get_left_alone(self._connection, ids)
        texts = self._find_texts(mailboxes, placements)
        self.composer.expect(senders)
        for sender in senders:
            owned = by_person.get(sender.person.remote_id, [])
            rendering = self._render(sender, [states[box.pk] for box in owned if box.pk in states], owned)
            for mailbox in owned:
                placement, state = placements.get(mailbox.remote_id), states.get(mailbox.pk)
                facts = Facts(
                    sender,
                    mailbox,
                    rendering,
                    placement,
                    texts.get(placement.rendered_sha256, "") if placement else "",
                    left_alone.get(mailbox.remote_id),
                    _get_attempt(state, mailbox, rendering),
                )
                yield Compared(facts, state, *judge(facts))

    def compare_again(self, compared: Compared, sender: Sender) -> Compared:
        """Return a mailbox that was compared with another content, compared with this one; it is not read again.

        sender: its owner (person loaded), with the values that go with this content.
        """
        state, mailbox = compared.state, compared.facts.mailbox
        rendering = self._render(sender, [state] if state else [], [mailbox])
        attempt = _get_attempt(state, mailbox, rendering)
        facts = replace(compared.facts, sender=sender, rendering=rendering, attempt=attempt)
        return Compared(facts, state, *judge(facts))

    def _render(
        self, sender: Sender, states: Sequence[MailboxState], owned: Sequence[Mailbox]
    ) -> Rendering | None:
        """Return what the content renders for a sender; a stored rendering from the same inputs is not made again."""
        if not owned or (not sender.is_active and not sender.is_lock_unknown):
            return None
        made_from = self.composer.get_inputs_digest(sender)
        for state in states:
            if state.rendered_from == made_from and state.rendered_sha256:
                return Rendering(made_from, state.version_id, state.rendered_sha256)
        composed = self.composer.compose(sender)
        if isinstance(composed, Refusal):
            return Rendering(made_from, self.composer.get_version_id(sender), "", composed)
        return Rendering(made_from, composed.version_id, composed.rendered.sha256)

    def _find_texts(
        self, mailboxes: Sequence[Mailbox], placements: Mapping[str, Placement]
    ) -> dict[str, str]:
        """Return digest -> text of what we wrote, for mailboxes that hold something else now."""
        wanted = set()
        for mailbox in mailboxes:
            placement = placements.get(mailbox.remote_id)
            if placement is not None and was_edited(mailbox, placement):
                wanted.add(placement.rendered_sha256)
        if not wanted:
            return {}
        texts = SignatureHtml.objects.filter(domain=self._connection.domain_id, sha256__in=wanted)
        return dict(texts.values_list("sha256", "html"))


def _get_attempt(state: MailboxState | None, mailbox: Mailbox, rendering: Rendering | None) -> Refusal | None:
    """Return why Outreach refused the last attempt to write this very signature, or None."""
    if state is None or state.attempted_at is None or mailbox.changed_at > state.attempted_at:
        return None
    if state.attempt_sha256 and (rendering is None or rendering.sha256 != state.attempt_sha256):
        return None
    return Refusal(state.attempt_code, state.attempt_reason)


def refresh_states(connection: Connection, *, sender_ids: Collection[int] | None = None) -> int:
    """Store the status of each mailbox of these senders where it is not what is stored; return how many changed.

    sender_ids: which senders; all of the connection's for None. Works in chunks of 500.
    """
    first, today = get_live(connection.domain), connection.domain.get_today()
    release = first
    comparison = Comparison(connection, get_content(release))
    Following.objects.get_or_create(connection=connection)
    number = 0
    for ids in list_sender_ids(connection, sender_ids=sender_ids):
        with transaction.atomic():
            # One process at a time, and everything is read under the lock, so that no outdated status is stored.
            Following.objects.select_for_update().get(connection=connection)
            if get_live(connection.domain) != release:
                release = get_live(connection.domain)
                comparison = Comparison(connection, get_content(release))
            senders = load_senders(ids)
            compared = list(comparison.compare(senders))
            number += _store(connection, compared)
            comparison.groups.store(senders)
            _adopt(compared, release)
    if sender_ids is None:
        team_counts.count_again(connection)
        Following.objects.filter(connection=connection).update(release=first, day=today)
    return number


def follow_release(connection: Connection) -> int:
    """Compare every status with what the live release contains today; return how many changed.

    Only senders whom the release, or a date in it, may touch are looked at; none where all were compared with it.
    """
    following, _ = Following.objects.select_related("release").get_or_create(connection=connection)
    live, today = get_live(connection.domain), connection.domain.get_today()
    if live is None or (following.release_id, following.day) == (live.pk, today):
        return 0
    if following.release is None:
        return refresh_states(connection)
    touched = find_touched(connection, following.release, live, following.day or today, today)
    number = refresh_states(connection, sender_ids=touched)
    Following.objects.filter(pk=following.pk).update(release=live, day=today)
    return number


def find_touched(
    connection: Connection, before: Release, live: Release, then: date, now: date
) -> set[int] | None:
    """Return ids of the senders whose signatures may differ between two releases, each on a day; None for everybody."""
    old, new = get_content(before).on(then), get_content(live).on(now)
    if old.shared_digest != new.shared_digest or old.groups != new.groups:
        return None
    changed = list_differing(old.templates, new.templates)
    people = [*list_differing(old.people, new.people), *_list_published_values(before, live)]
    versions = [old.templates[id] for id in changed if id in old.templates]
    having = Q(version_id__in=versions)
    if len(versions) < len(changed):  # a template that nobody could have before
        having |= Q(version_id=None)
    states = MailboxState.objects.filter(having, domain=connection.domain_id, sender__isnull=False)
    return {*states.values_list("sender_id", flat=True), *people}


def _list_published_values(before: Release, live: Release) -> list[int]:
    """Return ids of the senders with values that were published after one release, up to another."""
    between = Release.objects.filter(
        domain=live.domain_id, published_at__gte=before.published_at, published_at__lte=live.published_at
    )
    return [
        each["sender"]
        for rollout in between.values_list("rollout", flat=True)
        for each in rollout.get("values", [])
    ]


def _adopt(compared: Iterable[Compared], release: Release | None) -> None:
    """Count writes from before there were releases to the live one, where it renders exactly the same."""
    same = [
        each.facts.placement.pk
        for each in compared
        if each.facts.placement is not None
        and each.facts.placement.release_id is None
        and each.status in (MailboxStatus.UP_TO_DATE, MailboxStatus.ALTERED)
    ]
    if same and release is not None:
        Placement.objects.filter(pk__in=same).update(release=release)


def refresh_domain(domain: Domain, *, sender_ids: Collection[int] | None = None) -> int:
    """Store the status of each mailbox of a domain, or of these senders, where it changed; 0 without a connection."""
    connection = get_connection(domain)
    return refresh_states(connection, sender_ids=sender_ids) if connection is not None else 0


def refresh_sender(sender: Sender) -> None:
    """Store the status of one sender's mailboxes."""
    refresh_states(sender.person.connection, sender_ids=[sender.pk])


def list_sender_ids(
    connection: Connection, *, sender_ids: Collection[int] | None = None, only: Q | None = None
) -> Iterator[list[int]]:
    """Yield ids of the connection's senders, 500 at a time; memory does not grow with the domain."""
    senders = Sender.objects.order_by("pk") if only is None else Sender.objects.filter(only).order_by("pk")
    if sender_ids is not None:
        ordered = sorted(set(sender_ids))
        for start in range(0, len(ordered), CHUNK):
            # Asked for the connection's as well, SQLite reads all of them and picks out these.
            chosen = senders.filter(pk__in=ordered[start : start + CHUNK])
            pairs = chosen.values_list("pk", "person__connection")
            yield [pk for pk, connection_id in pairs if connection_id == connection.pk]
        return
    last, rows = 0, senders.filter(person__connection=connection).values_list("pk", flat=True)
    while chunk := list(rows.filter(pk__gt=last)[:CHUNK]):
        yield chunk
        last = chunk[-1]


def load_senders(ids: Collection[int]) -> list[Sender]:
    """Return these senders with their person, as they are now."""
    return list(Sender.objects.filter(pk__in=ids).select_related("person").order_by("pk"))


STORED = [
    "sender",
    "status",
    "since",
    "reason_code",
    "reason",
    "version_id",
    "rendered_from",
    "rendered_sha256",
    "held_sha256",
]


def _store(connection: Connection, compared: Iterable[Compared]) -> int:
    new, old, now = [], [], timezone.now()
    moves = Counter[tuple[tuple[str, ...], str]]()
    for each in compared:
        rendering, reason = each.facts.rendering, each.reason
        values: dict[str, Any] = {
            "sender_id": each.facts.sender.pk if each.facts.sender else None,
            "status": each.status,
            "reason_code": reason.code if reason else "",
            "reason": reason.reason if reason else "",
            "version_id": rendering.version_id if rendering else None,
            "rendered_from": rendering.made_from if rendering else "",
            "rendered_sha256": rendering.sha256 if rendering else "",
            "held_sha256": digest(each.facts.mailbox.signature_html),
        }
        state = each.state
        teams = tuple(each.facts.sender.person.team_ids) if each.facts.sender else ()
        if state is None or state.status != each.status:
            moves[teams, each.status] += 1
        if state is not None and state.status != each.status:
            moves[teams, state.status] -= 1
        if state is None:
            mailbox = each.facts.mailbox
            new.append(MailboxState(mailbox=mailbox, domain_id=connection.domain_id, since=now, **values))
        elif any(getattr(state, name) != value for name, value in values.items()):
            is_same_edit = state.held_sha256 in ("", values["held_sha256"]) or each.status not in HAND_EDITS
            values["since"] = state.since if state.status == each.status and is_same_edit else now
            for name, value in values.items():
                setattr(state, name, value)
            old.append(state)
    create_rows(new, ignore_conflicts=True)
    update_rows(old, STORED)
    team_counts.add(connection.domain_id, moves)
    return len(new) + len(old)


def note_attempts(connection: Connection, rows: Sequence[Delivery]) -> None:
    """Remember of each row with an outcome why Outreach refused it, and refresh the status of its mailbox."""
    states = MailboxState.objects.filter(
        mailbox__connection=connection, mailbox__remote_id__in=[row.mailbox_remote_id for row in rows]
    ).select_related("mailbox")
    by_mailbox = {state.mailbox.remote_id: state for state in states}
    now, noted = timezone.now(), []
    for row in rows:
        state = by_mailbox.get(row.mailbox_remote_id)
        if state is None or row.state not in (
            DeliveryState.REFUSED,
            DeliveryState.FAILED,
            DeliveryState.DELIVERED,
        ):
            continue
        is_refused = row.state != DeliveryState.DELIVERED and row.reason_code in TOLD_CODES
        state.attempted_at = now if is_refused else None
        state.attempt_code = row.reason_code if is_refused else ""
        state.attempt_reason = row.reason if is_refused else ""
        state.attempt_sha256 = row.rendered_sha256 if is_refused else ""
        noted.append(state)
    update_rows(noted, ["attempted_at", "attempt_code", "attempt_reason", "attempt_sha256"])
    note_outdated(connection, [each.mailbox.remote_id for each in noted if each.attempt_code in READ_CODES])
    owners = {row.sender_id for row in rows if row.sender_id is not None and row.finished_at is not None}
    if owners:
        refresh_states(connection, sender_ids=owners)


def refresh_changed(connection: Connection, since: datetime) -> int:
    """Store statuses of senders who changed, or have a mailbox that was read and differs, at or after an instant.

    Where there is none, nothing is compared and nothing is counted again. Returns how many statuses changed.
    """
    ids = _find_changed(connection, since)
    number = refresh_states(connection, sender_ids=ids) if ids else 0
    if ids:
        team_counts.count_again(connection)  # mailboxes may be gone, which no status says
    return number


def _find_changed(connection: Connection, since: datetime) -> set[int]:
    """Return ids of those senders: three queries, each of which an index answers, where one would read everybody."""
    senders = Sender.objects.filter(domain=connection.domain_id, person__connection=connection).order_by()
    mailboxes = Mailbox.objects.filter(connection=connection).order_by()
    owners = {
        owner
        for rows in (mailboxes.filter(changed_at__gte=since), mailboxes.filter(read_at__gte=since))
        for owner in rows.values_list("person_remote_id", flat=True)
    }
    ids = set(senders.filter(changed_at__gte=since).values_list("pk", flat=True))
    ordered = sorted(owners)
    for start in range(0, len(ordered), CHUNK):
        owned = senders.filter(person__remote_id__in=ordered[start : start + CHUNK])
        ids.update(owned.values_list("pk", flat=True))
    return ids
