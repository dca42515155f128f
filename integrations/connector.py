"""Connector: the protocol a provider implements, and its records of people, teams and mailboxes.

Nothing here names a vendor; a second provider speaks in these records too.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

Record = TypeVar("Record")


LONGEST_KEY = 128
LONGEST_TEXT = 255
LONGEST_NAME = 511
"""What the mirror holds of one text, in characters: PostgreSQL refuses more, and with it the whole page."""


@dataclass(frozen=True, slots=True)
class PersonRecord:
    """A user of the outside system. Texts are stripped; '' is an empty value, None one that is not known.

    is_locked: None where the reply did not say. team_ids: likewise (then the teams' own member lists decide).
    """

    remote_id: str
    email: str
    first_name: str | None = ""
    last_name: str | None = ""
    name: str | None = ""
    title: str | None = ""
    phone: str | None = ""
    phone_region: str | None = ""
    phone_extension: str | None = ""
    custom1: str | None = ""
    custom2: str | None = ""
    custom3: str | None = ""
    custom4: str | None = ""
    custom5: str | None = ""
    is_locked: bool | None = False
    updated_at: datetime | None = None
    team_ids: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class TeamRecord:
    """A team; name is None where it is not known, member_ids where the reply gave no complete list."""

    remote_id: str
    name: str | None
    member_ids: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class MailboxRecord:
    """A mailbox with the signature it holds now ('' for none).

    is_editable, is_send_disabled: None where the reply did not say.
    """

    remote_id: str
    email: str
    person_id: str = ""
    signature_html: str = ""
    is_editable: bool | None = None
    is_send_disabled: bool | None = False
    updated_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ProspectRecord:
    """What one recipient's record says, named fields only; ids of stage, persona, account and owner as text.

    attributes: those that were asked for, '' where the record holds nothing.
    """

    remote_id: str
    emails: tuple[str, ...]
    attributes: dict[str, str] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    owner_id: str = ""
    stage_id: str = ""
    persona_id: str = ""
    account_id: str = ""


class UnknownValue(NamedTuple):
    """An attribute, by its name outside, whose value a record does not tell. was_sent: it came, and does not fit."""

    attribute: str
    was_sent: bool


@dataclass(frozen=True, slots=True)
class Unreadable:
    """One record of an otherwise sound page that is rejected, with the reason; remote_id is '' for none."""

    remote_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Page(Generic[Record]):
    """One page of a listing. is_last is True on the page that ends the listing.

    unknown: for how many of the records each attribute did not come, or came as something we cannot use.
    has_gap: the listing left records out, and neither which nor how many is known.
    """

    records: tuple[Record, ...]
    unreadable: tuple[Unreadable, ...]
    is_last: bool
    unknown: Mapping[UnknownValue, int] = field(default_factory=dict)
    has_gap: bool = False


@dataclass(frozen=True, slots=True)
class AccountIdentity:
    """Which organisation the access belongs to. key is stable for the organisation's life."""

    key: str
    label: str


class Verdict(StrEnum):
    """How an assumption about a provider stands. UNSEEN: nothing that was read could tell."""

    HOLDS = "holds"
    DIFFERS = "differs"
    UNSEEN = "not seen"


@dataclass(frozen=True, slots=True)
class Finding:
    """One assumption: its name, what is assumed, what was seen, and what it means where it does not hold.

    seen: types, counts, hosts and forms; never a value that a person or company wrote.
    """

    name: str
    assumed: str
    verdict: Verdict
    seen: str
    meaning: str


@dataclass(frozen=True, slots=True)
class AssumptionCheck:
    """What a few reads showed. report: fit to be sent away, every personal value replaced by type and length."""

    findings: tuple[Finding, ...]
    report: dict[str, Any]


class Connector(Protocol):
    """Reads a directory and writes one attribute of one mailbox.

    Every method raises members of `integrations.errors`: RateLimited and Unreachable heal,
    ConnectionLost, ScopeMissing and ClientMisconfigured need a person, UnexpectedReply stops the run.
    """

    def identify_account(self) -> AccountIdentity:
        """Return the organisation the access belongs to."""

    def list_people(self, *, updated_since: datetime | None = None) -> Iterator[Page[PersonRecord]]:
        """Yield pages of people; with `updated_since`, only those changed at or after it."""

    def list_teams(self) -> Iterator[Page[TeamRecord]]:
        """Yield pages of all teams."""

    def list_mailboxes(self, *, updated_since: datetime | None = None) -> Iterator[Page[MailboxRecord]]:
        """Yield pages of mailboxes with the signature each holds."""

    def read_mailboxes(self, person_ids: Sequence[str]) -> list[MailboxRecord]:
        """Return the mailboxes of at most 150 people as they are now, in one call where it fits.

        Raises UnexpectedReply when any of them cannot be read whole.
        """

    def write_signature(self, mailbox_id: str, html: str) -> MailboxRecord:
        """Replace the signature of one mailbox and return the mailbox as the reply shows it.

        html: '' clears it. Safe to call from several threads at once.
        Raises: Refused, NotFound, Rejected for this mailbox alone.
        """

    def check_assumptions(
        self, *, requested: Collection[str], granted: Collection[str] | None, now: datetime
    ) -> AssumptionCheck:
        """Return what at most ten reads show of everything this code relies on; writes nothing."""

    def learn_how_to_find(self) -> str:
        """Return how `find_prospect` must ask here; learnt by asking for an address that nobody can have."""

    def find_prospect(self, email: str, *, asked: Collection[str], how: str) -> ProspectRecord | None:
        """Return the prospect with this address, or None, by one call at most.

        asked: names of the attributes to read (see `signatures.conditions.conditions`); no other is.
        how: as `learn_how_to_find` said. Raises: UnexpectedReply where it does not serve any more.
        """
