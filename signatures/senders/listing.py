"""Sender list: finds senders by words and filters, each with its template and its mailboxes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db.models import (
    BigIntegerField,
    Count,
    Exists,
    F,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    TextField,
    Value,
)
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Coalesce

from integrations.models import Connection
from portal.models import Domain
from signatures.models import IN_PLACE, DatedAssignment, DateState, MailboxStatus, Sender, Template

from .dated_rows import list_dated
from .empty_values import is_empty
from .mailbox_status import get_mailboxes
from .vocabulary import get_field_rules

if TYPE_CHECKING:
    from .mailbox_status import MailboxWithStatus

NO_MAILBOX = "no_mailbox"
MOST_SUGGESTED = 20  # senders that a part of a name offers
MOST_NAMED = 5  # of them in one sentence
# The state of a sender with several mailboxes is that of the mailbox that needs most.
_MOST_URGENT_FIRST = (
    MailboxStatus.ACTION_NEEDED,
    MailboxStatus.EDITED,
    MailboxStatus.EMPTIED,
    MailboxStatus.PENDING,
    MailboxStatus.NEVER,
    MailboxStatus.LEFT_ALONE,
    MailboxStatus.ALTERED,
    MailboxStatus.UP_TO_DATE,
)
STATES: tuple[tuple[str, str], ...] = (
    *((status, status.label) for status in reversed(_MOST_URGENT_FIRST)),
    (NO_MAILBOX, "No mailbox"),
    (MailboxStatus.INACTIVE, MailboxStatus.INACTIVE.label),
)
_SORTS = {
    "name": ("name", "email"),
    "title": ("shown_title", "name"),
    "group": ("group__position", "name"),
    "template": ("template_name", "name"),
}


@dataclass(frozen=True, slots=True)
class SenderRow:
    """One line of the list. status: a MailboxStatus or NO_MAILBOX; reason: why action is needed, or ''.

    dated: the templates that the sender or their group has today or later for some days.
    """

    sender: Sender
    template_name: str
    mailboxes: list[MailboxWithStatus]
    status: str
    status_label: str
    reason: str
    dated: list[DatedAssignment]


def find_senders(
    domain: Domain,
    connection: Connection | None,
    *,
    fallback: Template | None,
    words: str = "",
    group_id: int | None = None,
    template_id: int | None = None,
    state: str = "",
    reason: str = "",
    empty: str = "",
    sort: str = "name",
) -> QuerySet[Sender]:
    """Return the matching senders, each with `template_name`; without a `state`, the active ones.

    reason: why a mailbox needs action, exactly; '' for any. empty: a merge field that shows nothing, '' for any.
    sort: name, title, group or template, with a leading '-' for descending; anything else is by name.
    """
    senders = Sender.objects.filter(domain=domain).select_related("person", "group")
    senders = senders.annotate(
        template_name=Coalesce(*_list_chosen(domain, "name"), Value(fallback.name if fallback else "")),
        shown_title=Coalesce(
            KeyTextTransform("sender.title", "own_values"), "person__title", output_field=TextField()
        ),
    )
    for word in words.split()[:6]:
        read = Q(name__icontains=word) | Q(email__icontains=word) | Q(shown_title__icontains=word)
        senders = senders.filter(Q(search__contains=word.lower()) | Q(search="") & read)
    if group_id is not None:
        senders = senders.filter(group_id=group_id)
    if template_id is not None:
        senders = _with_template(senders, domain, template_id, fallback)
    if empty:
        senders = senders.filter(is_empty(domain, empty, get_field_rules(domain)))
    senders = _in_state(senders, state, connection, reason=reason)
    return senders.order_by(*_order(sort))


def find_people(domain: Domain, words: str) -> QuerySet[Sender]:
    """Return the senders with this address or name; else those whose name or address contains all words.

    Active ones first, then by name.
    """
    senders = Sender.objects.filter(domain=domain).select_related("person", "group")
    senders = senders.order_by("-is_active", "name", "pk")
    whole = words.strip()
    for exact in (senders.filter(email__iexact=whole), senders.filter(name__iexact=whole)):
        if not whole or exact.exists():
            return exact
    return with_words(senders, words)


def suggest_senders(domain: Domain, words: str = "") -> QuerySet[Sender]:
    """Return at most twenty active senders whose name or address contains all words, by name."""
    senders = Sender.objects.filter(domain=domain, is_active=True).only("name", "email")
    return with_words(senders, words).order_by("name", "pk")[:MOST_SUGGESTED]


def with_words(senders: QuerySet[Sender], words: str) -> QuerySet[Sender]:
    """Return those of the senders whose name or address contains all words."""
    for word in words[:255].split()[:6]:
        senders = senders.filter(Q(name__icontains=word) | Q(email__icontains=word))
    return senders


class SenderNotChosen(ValueError):
    """No sender matches, or several do: `matches`, at most twenty of them."""

    def __init__(self, sentence: str, matches: Sequence[Sender] = ()) -> None:
        super().__init__(sentence)
        self.matches = matches


def choose_sender(domain: Domain, words: str) -> Sender:
    """Return the one matching sender; for a complete address, the active one first.

    Raises: SenderNotChosen.
    """
    found = list(find_people(domain, words)[:MOST_SUGGESTED])
    if not found:
        raise SenderNotChosen(f"No sender matches “{words}”.")
    if len(found) > 1 and found[0].email.casefold() != words.strip().casefold():
        named = ", ".join(f"{sender.name} ({sender.email})" for sender in found[:MOST_NAMED])
        more = " and others" if len(found) > MOST_NAMED else ""
        raise SenderNotChosen(f"Several senders match: {named}{more}. Enter the address.", found)
    return found[0]


def _with_template(
    senders: QuerySet[Sender], domain: Domain, template_id: int, fallback: Template | None
) -> QuerySet[Sender]:
    condition = Q(chosen=template_id)
    if fallback is not None and fallback.pk == template_id:
        condition |= Q(chosen=None)
    return senders.alias(chosen=choose_template_id(domain)).filter(condition)


def choose_template_id(domain: Domain) -> Coalesce:
    """Return the id of each sender's template today; None for the default group's."""
    return Coalesce(*_list_chosen(domain, "id"), output_field=BigIntegerField())


def _list_chosen(domain: Domain, column: str) -> tuple[Any, ...]:
    """Return a column of the templates that decide for a sender today, the first one that there is."""
    own, of_group = F(f"assignment__template__{column}"), F(f"group__assignment__template__{column}")
    if not list_dated(domain):  # what is asked for each sender would find nothing
        return own, of_group
    held = DatedAssignment.objects.on(domain.get_today()).filter(template__archived_at=None)
    return (
        Subquery(held.filter(sender=OuterRef("pk")).values(f"template__{column}")[:1]),
        own,
        Subquery(held.filter(group=OuterRef("group")).values(f"template__{column}")[:1]),
        of_group,
    )


def _in_state(
    senders: QuerySet[Sender],
    state: str,
    connection: Connection | None,
    *,
    reason: str,
) -> QuerySet[Sender]:
    if state == MailboxStatus.INACTIVE:
        return senders.filter(is_active=False)
    senders = senders.filter(is_active=True)
    theirs = get_mailboxes(connection).filter(
        person_remote_id=OuterRef("person__remote_id"), **({"last_reason": reason} if reason else {})
    )
    if state == NO_MAILBOX:
        return senders.filter(~Exists(theirs))
    if state in _MOST_URGENT_FIRST:
        alike = IN_PLACE if state == MailboxStatus.UP_TO_DATE else (state,)
        return senders.filter(Exists(theirs.filter(status__in=alike)))
    return senders


def _order(sort: str) -> Iterable[str]:
    columns = _SORTS.get(sort.removeprefix("-"), _SORTS["name"])
    minus = "-" if sort.startswith("-") else ""
    return (f"{minus}{columns[0]}", *columns[1:], "pk")


def describe_senders(
    domain: Domain, senders: Iterable[Sender], connection: Connection | None
) -> list[SenderRow]:
    """Return a line for each sender of one page; one query for all their mailboxes."""
    listed = list(senders)
    by_person: Mapping[str, list[MailboxWithStatus]] = defaultdict(list)
    people = [sender.person.remote_id for sender in listed]
    for mailbox in get_mailboxes(connection).filter(person_remote_id__in=people):
        by_person[mailbox.person_remote_id].append(mailbox)
    today = domain.get_today()
    dated = [each for each in list_dated(domain) if each.get_state(today) != DateState.OVER]
    return [_describe(sender, by_person.get(sender.person.remote_id, []), dated) for sender in listed]


def _describe(
    sender: Sender, mailboxes: list[MailboxWithStatus], dated: Iterable[DatedAssignment]
) -> SenderRow:
    status, reason = get_status(sender, mailboxes)
    theirs = [
        each
        for each in dated
        if each.sender_id == sender.pk or (each.group_id and each.group_id == sender.group_id)
    ]
    name = getattr(sender, "template_name", "")
    return SenderRow(sender, name, mailboxes, status, dict(STATES)[status], reason, theirs)


def get_status(sender: Sender, mailboxes: list[MailboxWithStatus]) -> tuple[str, str]:
    """Return a sender's status, and the reason where action is needed.

    mailboxes: as `get_mailboxes` gives them.
    """
    if not sender.is_active:
        return MailboxStatus.INACTIVE, ""
    for status in _MOST_URGENT_FIRST:
        for mailbox in mailboxes:
            if mailbox.status == status:
                reason = mailbox.last_reason if status == MailboxStatus.ACTION_NEEDED else ""
                return status, reason or ""
    return NO_MAILBOX, ""


def count_senders_by_template(domain: Domain, *, fallback: Template | None) -> dict[int | None, int]:
    """Return template id -> how many active senders use it today; None counts those who use none."""
    active = Sender.objects.filter(domain=domain, is_active=True).annotate(chosen=choose_template_id(domain))
    rows = active.order_by().values_list("chosen").annotate(number=Count("pk"))
    counted: dict[int | None, int] = defaultdict(int)
    for chosen, number in rows:
        counted[chosen or (fallback.pk if fallback else None)] += number
    return counted
