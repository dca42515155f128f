"""Directory: the users, teams, mailboxes and prospects of the fake organisation, and how they change.

Records are frozen: a change replaces the record, so whoever kept the old one can compare, and a reader
in another thread never sees half a change. Every change goes through a method here, which keeps both
sides of each relationship and moves `updated_at`.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from types import MappingProxyType
from typing import Any

from .clock import Clock

NOTHING: Mapping[str, Any] = MappingProxyType({})
# Profile 1 is the built-in admin, who sees and does everything by default.
ADMIN_PROFILE, REP_PROFILE = 1, 2


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    id: int
    email: str
    first_name: str
    last_name: str
    created_at: str
    updated_at: str
    username: str | None = None
    title: str | None = None
    phone_number: str | None = None
    phone_country_code: str | None = None
    bridge_phone: str | None = None
    bridge_phone_extension: str | None = None
    custom1: str | None = None
    custom2: str | None = None
    custom3: str | None = None
    custom4: str | None = None
    custom5: str | None = None
    locked: bool = False
    user_guid: str | None = None
    current_sign_in_at: str | None = None
    profile_id: int = REP_PROFILE
    team_ids: tuple[int, ...] = ()
    mailbox_ids: tuple[int, ...] = ()
    more: Mapping[str, Any] = field(default_factory=lambda: NOTHING)

    @property
    def name(self) -> str:
        return f"{self.first_name} {self.last_name}".strip()

    @property
    def is_admin(self) -> bool:
        return self.profile_id == ADMIN_PROFILE


@dataclass(frozen=True, slots=True, kw_only=True)
class Team:
    id: int
    name: str
    created_at: str
    updated_at: str
    color: str | None = None
    user_ids: tuple[int, ...] = ()
    more: Mapping[str, Any] = field(default_factory=lambda: NOTHING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mailbox:
    id: int
    user_id: int
    email: str
    created_at: str
    updated_at: str
    email_signature: str | None = None
    editable: bool = True
    send_disabled: bool = False
    email_provider: str | None = None
    more: Mapping[str, Any] = field(default_factory=lambda: NOTHING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prospect:
    id: int
    emails: tuple[str, ...]
    first_name: str
    last_name: str
    created_at: str
    updated_at: str
    title: str | None = None
    company: str | None = None
    tags: tuple[str, ...] = ()
    region: str | None = None
    address_city: str | None = None
    address_country: str | None = None
    time_zone: str | None = None
    source: str | None = None
    score: float | None = None
    engaged_score: float | None = None
    opted_out: bool = False
    trashed_at: str | None = None
    stage_id: int | None = None
    persona_id: int | None = None
    account_id: int | None = None
    owner_id: int | None = None
    more: Mapping[str, Any] = field(default_factory=lambda: NOTHING)

    @property
    def name(self) -> str:
        return f"{self.first_name} {self.last_name}".strip()


Record = User | Team | Mailbox | Prospect
RECORD_CLASSES: dict[str, type[Record]] = {
    "users": User,
    "teams": Team,
    "mailboxes": Mailbox,
    "prospects": Prospect,
}
FIELD_NAMES = {
    plural: frozenset(each.name for each in fields(record_class))
    for plural, record_class in RECORD_CLASSES.items()
}


class Directory:
    """The state of one fake organisation; safe to read and change from any thread."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.lock = threading.RLock()
        self.users: dict[int, User] = {}
        self.teams: dict[int, Team] = {}
        self.mailboxes: dict[int, Mailbox] = {}
        self.prospects: dict[int, Prospect] = {}
        self._tables: dict[str, dict[int, Any]] = {
            "users": self.users,
            "teams": self.teams,
            "mailboxes": self.mailboxes,
            "prospects": self.prospects,
        }
        # Moves with every change of a table, so that sorted listings know when to sort again.
        self.versions = dict.fromkeys(RECORD_CLASSES, 0)
        self._prospects_by_email: dict[str, tuple[int, ...]] = {}
        # Switched on, a move between teams also touches the user; what Outreach does is not known.
        self.membership_touches_user = False

    def table(self, plural: str) -> dict[int, Any]:
        return self._tables[plural]

    # --- loading and reading ---

    def load(self, plural: str, records: Iterable[Record]) -> None:
        """All `records` stand in the table; both sides of their relationships are the caller's to match."""
        with self.lock:
            table = self.table(plural)
            for record in records:
                table[record.id] = record
                if isinstance(record, Prospect):
                    self._index_prospect(record)
            self.versions[plural] += 1

    def user_by_email(self, email: str) -> User:
        return next(user for user in self.users.values() if user.email == email)

    def team_named(self, name: str) -> Team:
        return next(team for team in self.teams.values() if team.name == name)

    def mailboxes_of(self, user_id: int) -> list[Mailbox]:
        return [self.mailboxes[mailbox_id] for mailbox_id in self.users[user_id].mailbox_ids]

    def prospects_with(self, email: str) -> tuple[int, ...]:
        """Ids of the prospects that have exactly this address, as any of theirs."""
        return self._prospects_by_email.get(email, ())

    @property
    def organisation_admin(self) -> User:
        """The oldest user: the organisation's first administrator."""
        return min(self.users.values(), key=lambda user: (user.created_at, user.id))

    # --- changing ---

    def update(self, plural: str, record_id: int, *, touch: bool = True, **changes: Any) -> Any:
        """The record holds `changes`; what is no field of its own goes to `more`, by its wire name."""
        with self.lock:
            old = self.table(plural)[record_id]
            own = {name: value for name, value in changes.items() if name in FIELD_NAMES[plural]}
            other = {name: value for name, value in changes.items() if name not in own}
            if other:
                own["more"] = MappingProxyType({**old.more, **other})
            if touch and "updated_at" not in own:
                own["updated_at"] = self.clock.stamp()
            return self._store(plural, replace(old, **own))

    def create(self, plural: str, **values: Any) -> Any:
        """A new record with the next free id and both its timestamps at now."""
        with self.lock:
            now = self.clock.stamp()
            own = {name: value for name, value in values.items() if name in FIELD_NAMES[plural]}
            other = {name: value for name, value in values.items() if name not in own}
            own.setdefault("id", max(self.table(plural), default=0) + 1)
            own.setdefault("created_at", now)
            own.setdefault("updated_at", now)
            record = RECORD_CLASSES[plural](**own, more=MappingProxyType(other) if other else NOTHING)
            return self._store(plural, record)

    def set_title(self, user_id: int, title: str | None) -> User:
        user: User = self.update("users", user_id, title=title)
        return user

    def set_locked(self, user_id: int, locked: bool = True) -> User:
        user: User = self.update("users", user_id, locked=locked)
        return user

    def set_signature(self, mailbox_id: int, html: str | None) -> Mailbox:
        """The mailbox holds `html`, as if its owner had edited it inside Outreach."""
        mailbox: Mailbox = self.update("mailboxes", mailbox_id, email_signature=html)
        return mailbox

    def set_editable(self, mailbox_id: int, editable: bool) -> Mailbox:
        mailbox: Mailbox = self.update("mailboxes", mailbox_id, editable=editable)
        return mailbox

    def add_user(
        self, email: str, first_name: str, last_name: str, *, team_ids: Iterable[int] = (), **values: Any
    ) -> User:
        """A new user without a mailbox, a member of `team_ids`."""
        with self.lock:
            joined = self._known_teams(team_ids)
            user: User = self.create(
                "users",
                **{"username": email, "email": email, "first_name": first_name, "last_name": last_name}
                | values,
            )
            return self.move(user.id, joined) if joined else user

    def remove_user(self, user_id: int) -> None:
        """The user is gone, and with them their mailboxes and memberships."""
        with self.lock:
            self.move(user_id, ())
            for mailbox_id in self.users[user_id].mailbox_ids:
                self.remove_mailbox(mailbox_id)
            del self.users[user_id]
            self.versions["users"] += 1

    def move(self, user_id: int, team_ids: Iterable[int]) -> User:
        """The user is in exactly `team_ids`; the teams' own lists agree."""
        with self.lock:
            wanted = self._known_teams(team_ids)
            before = self.users[user_id].team_ids
            for team_id in set(before) - set(wanted):
                left = tuple(each for each in self.teams[team_id].user_ids if each != user_id)
                self.update("teams", team_id, user_ids=left)
            for team_id in set(wanted) - set(before):
                self.update("teams", team_id, user_ids=(*self.teams[team_id].user_ids, user_id))
            user: User = self.update("users", user_id, touch=self.membership_touches_user, team_ids=wanted)
            return user

    def add_team(self, name: str, **values: Any) -> Team:
        team: Team = self.create("teams", name=name, **values)
        return team

    def remove_team(self, team_id: int) -> None:
        with self.lock:
            for user_id in self.teams[team_id].user_ids:
                left = tuple(each for each in self.users[user_id].team_ids if each != team_id)
                self.update("users", user_id, touch=self.membership_touches_user, team_ids=left)
            del self.teams[team_id]
            self.versions["teams"] += 1

    def add_mailbox(self, user_id: int, email: str, **values: Any) -> Mailbox:
        with self.lock:
            # Looked up first: nothing is half done for a user who is not there.
            held = self.users[user_id].mailbox_ids
            mailbox: Mailbox = self.create("mailboxes", user_id=user_id, email=email, **values)
            self.update("users", user_id, touch=False, mailbox_ids=(*held, mailbox.id))
            return mailbox

    def remove_mailbox(self, mailbox_id: int) -> None:
        with self.lock:
            owner = self.users[self.mailboxes[mailbox_id].user_id]
            left = tuple(each for each in owner.mailbox_ids if each != mailbox_id)
            self.update("users", owner.id, touch=False, mailbox_ids=left)
            del self.mailboxes[mailbox_id]
            self.versions["mailboxes"] += 1

    def add_prospect(self, emails: Iterable[str], first_name: str, last_name: str, **values: Any) -> Prospect:
        prospect: Prospect = self.create(
            "prospects", emails=tuple(emails), first_name=first_name, last_name=last_name, **values
        )
        return prospect

    def remove_prospect(self, prospect_id: int) -> None:
        with self.lock:
            self._unindex_prospect(self.prospects.pop(prospect_id))
            self.versions["prospects"] += 1

    # --- bookkeeping ---

    def _known_teams(self, team_ids: Iterable[int]) -> tuple[int, ...]:
        """The ids, each once. Raises KeyError for a team that is not there."""
        return tuple(self.teams[team_id].id for team_id in dict.fromkeys(team_ids))

    def _store(self, plural: str, record: Any) -> Any:
        table = self.table(plural)
        old = table.get(record.id)
        if isinstance(record, Prospect):
            if old is not None:
                self._unindex_prospect(old)
            self._index_prospect(record)
        table[record.id] = record
        self.versions[plural] += 1
        return record

    def _index_prospect(self, prospect: Prospect) -> None:
        for email in prospect.emails:
            held = self._prospects_by_email.get(email, ())
            self._prospects_by_email[email] = (*held, prospect.id)

    def _unindex_prospect(self, prospect: Prospect) -> None:
        for email in prospect.emails:
            held = self._prospects_by_email.get(email, ())
            self._prospects_by_email[email] = tuple(each for each in held if each != prospect.id)
