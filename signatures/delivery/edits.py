"""Edits: how an edited mailbox differs from what the live release renders for its sender."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from copy import copy
from dataclasses import dataclass
from difflib import SequenceMatcher

from django.db.models import QuerySet

from integrations.models import Connection
from signatures.models import (
    HAND_EDITS,
    UNFINISHED_DELIVERY,
    Delivery,
    DeliveryRun,
    DeliveryRunState,
    DeliveryState,
    MailboxState,
    Sender,
)
from signatures.releases.compose import Composed, Composer
from signatures.releases.differences import Difference, change_text
from signatures.releases.live import get_content, get_live
from signatures.rendering.fields import Field, Trust, Vocabulary
from signatures.rendering.plaintext import plain_text
from signatures.rendering.sanitize import sanitize_signature
from signatures.senders.values import get_sender_values

TAKEN_OVER = (Trust.TEXT, Trust.PHONE, Trust.EMAIL)
NAMED_IN_SUMMARY = 4
LEAST_TEXT = 3  # characters that a value needs to name the line with it


@dataclass(frozen=True, slots=True)
class Takeover:
    """A value in the edited signature that may become a local override: the one field that was replaced."""

    field: Field
    value: str


@dataclass(frozen=True, slots=True)
class Edit:
    """One edited mailbox.

    ours_html: None where the live release renders nothing. replaced_by: a delivery, or None.
    """

    state: MailboxState
    ours_html: str | None
    differences: list[Difference]
    takeover: Takeover | None
    replaced_by: DeliveryRun | None

    @property
    def summary(self) -> str:
        """What differs, in a few words."""
        if not self.state.mailbox.signature_html.strip():
            return "No signature"
        labels = list(dict.fromkeys(one.label for one in self.differences))
        more = len(labels) - NAMED_IN_SUMMARY
        words = ", ".join(labels[:NAMED_IN_SUMMARY]) or "Links or pictures"
        return words[0] + words[1:].lower() + (f" and {more} more" if more > 0 else "")


def list_edited(connection: Connection | None) -> QuerySet[MailboxState]:
    """Return the mailboxes of a connection that somebody is to decide about, the oldest edit first."""
    if connection is None:
        return MailboxState.objects.none()
    states = MailboxState.objects.filter(
        mailbox__connection=connection, mailbox__retired_at=None, status__in=HAND_EDITS
    )
    return states.select_related("mailbox", "sender__person", "sender__group").order_by("since", "pk")


def describe_edits(connection: Connection, states: Iterable[MailboxState]) -> list[Edit]:
    """Return each edit with its differences; renders each sender's signature once. A few queries, however many."""
    listed = list(states)
    content = get_content(get_live(connection.domain))
    composer = Composer(connection.domain, content)
    composer.load(state.sender for state in listed if state.sender)
    company = {f"company.{name}": text for name, text in content.company.items()}
    replacing = find_replacing(connection, [state.mailbox.remote_id for state in listed])
    return [_describe(state, composer, company, replacing.get(state.mailbox.remote_id)) for state in listed]


def find_replacing(connection: Connection, mailbox_ids: Collection[str]) -> dict[str, DeliveryRun]:
    """Return mailbox id -> the planned or started delivery that is to overwrite its edit."""
    rows = Delivery.objects.filter(
        mailbox_remote_id__in=mailbox_ids,
        state__in=[DeliveryState.PLANNED, DeliveryState.CLAIMED],
        run__connection=connection,
        run__overwrites_edits=True,
        run__state__in=[DeliveryRunState.PLANNED, *UNFINISHED_DELIVERY, DeliveryRunState.HALTED],
    )
    return {row.mailbox_remote_id: row.run for row in rows.select_related("run").order_by("run_id")}


def _describe(
    state: MailboxState, composer: Composer, company: Mapping[str, str], replaced_by: DeliveryRun | None
) -> Edit:
    sender, theirs = state.sender, _read_lines(state.mailbox.signature_html)
    composed = composer.compose(sender) if sender else None
    if not isinstance(composed, Composed) or sender is None:
        return Edit(state, None, [], None, replaced_by)
    ours = plain_text(composed.rendered.html).splitlines()
    takeover = find_takeover(sender, composer, ours, theirs) if theirs else None
    values = {**company, **get_sender_values(sender, composer.rules)}
    differences = _list_differences(ours, theirs, values, composer.vocabulary) if theirs else []
    return Edit(state, composed.rendered.html, differences, takeover, replaced_by)


def _read_lines(html: str) -> list[str]:
    return plain_text(sanitize_signature(html)).splitlines()


def _list_differences(
    ours: list[str], theirs: list[str], values: Mapping[str, str], vocabulary: Vocabulary
) -> list[Difference]:
    """Return what differs line by line, labelled with the field in that line, if there is one."""
    found = []
    for old, new in _pair_lines(ours, theirs):
        what = "changed" if old and new else "added" if new else "removed"
        found.append(change_text(_name_line(old, values, vocabulary) or f"Line {what}", old, new))
    return found


def _pair_lines(ours: list[str], theirs: list[str]) -> list[tuple[str, str]]:
    """Return each line of ours that differs with the line of theirs in its place; '' where there is none."""
    pairs: list[tuple[str, str]] = []
    for kind, a, b, c, d in SequenceMatcher(None, ours, theirs, autojunk=False).get_opcodes():
        if kind == "equal":
            continue
        old, new = ours[a:b], theirs[c:d]
        both = min(len(old), len(new))
        pairs += zip(old[:both], new[:both], strict=True)
        pairs += [(line, "") for line in old[both:]] + [("", line) for line in new[both:]]
    return pairs


def _name_line(line: str, values: Mapping[str, str], vocabulary: Vocabulary) -> str:
    """Return the label of the field with the longest value in this line, or ''."""
    within = [
        field
        for field in vocabulary.fields
        if len(values.get(field.name) or "") >= LEAST_TEXT and values[field.name] in line
    ]
    return max(within, key=lambda field: len(values[field.name])).label if within else ""


def find_takeover(sender: Sender, composer: Composer, ours: list[str], theirs: list[str]) -> Takeover | None:
    """Return the value in their text that replaced one of our fields, if exactly one field was replaced.

    The field's text must stand in one line of ours, once; what is around it in that line must stand in theirs
    as well; and with the value taken over, our renderer must produce exactly their line.
    """
    values = get_sender_values(sender, composer.rules)
    pairs = [(old, new) for old, new in _pair_lines(ours, theirs) if old and new]
    found: dict[str, Takeover] = {}
    for field in sorted(
        _list_own_fields(composer.vocabulary), key=lambda one: -len(values.get(one.name) or "")
    ):
        text = values.get(field.name) or ""
        if not text or sum(line.count(text) for line in ours) != 1:
            continue
        for old, new in pairs:
            value = _cut_out(old, new, text)
            # A shorter field within the line is a part of the longer one: first name and name.
            if value and old not in found and _writes(composer, sender, field.name, value, new):
                found[old] = Takeover(field, value)
    return next(iter(found.values())) if len(found) == 1 else None


def _list_own_fields(vocabulary: Vocabulary) -> list[Field]:
    return [field for field in vocabulary.of_senders() if field.trust in TAKEN_OVER]


def _cut_out(ours: str, theirs: str, text: str) -> str:
    """Return what stands in their line where ours has the text; '' where the rest of the lines differs."""
    before, found, behind = ours.partition(text)
    if not found or len(theirs) <= len(before) + len(behind):
        return ""
    if not theirs.startswith(before) or not theirs.endswith(behind):
        return ""
    return theirs[len(before) : len(theirs) - len(behind)].strip()


def _writes(composer: Composer, sender: Sender, name: str, value: str, line: str) -> bool:
    """Return whether our renderer writes this line for the sender with this value."""
    trial = copy(sender)
    trial.own_values = {**sender.own_values, name: value}
    composed = composer.compose(trial)
    return isinstance(composed, Composed) and line in plain_text(composed.rendered.html).splitlines()
