"""Directory: the fake organisation, and how its users, teams, mailboxes and prospects change.

Every change goes through a method here, which keeps both sides of each relationship and moves `updated_at`.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Any

from .clock import Clock
from .records import Mailbox, Prospect, Team, User
from .tables import ProspectTable, Table


class Directory:
    """The state of one fake organisation; safe to read and change from any thread."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.lock = threading.RLock()
        self.users = Table[User]("users", clock, self.lock)
        self.teams = Table[Team]("teams", clock, self.lock)
        self.mailboxes = Table[Mailbox]("mailboxes", clock, self.lock)
        self.prospects = ProspectTable("prospects", clock, self.lock)
        self._tables: dict[str, Table[Any]] = {
            "users": self.users,
            "teams": self.teams,
            "mailboxes": self.mailboxes,
            "prospects": self.prospects,
        }
        # True: a move between teams also changes the user's updated_at. What Outreach does is not known.
        self.membership_touches_user = False

    def table(self, plural: str) -> Table[Any]:
        return self._tables[plural]

    def user_by_email(self, email: str) -> User:
        return next(user for user in self.users.values() if user.email == email)

    def team_named(self, name: str) -> Team:
        return next(team for team in self.teams.values() if team.name == name)

    def mailboxes_of(self, user_id: int) -> list[Mailbox]:
        return [self.mailboxes[mailbox_id] for mailbox_id in self.users[user_id].mailbox_ids]

    @property
    def organisation_admin(self) -> User:
        """The oldest user: the organisation's first administrator."""
        return min(self.users.values(), key=lambda user: (user.created_at, user.id))

    def update(self, plural: str, record_id: int, **changes: Any) -> Any:
        """Return the record with `changes`, as `Table.change`."""
        return self.table(plural).change(record_id, **changes)

    def set_title(self, user_id: int, title: str | None) -> User:
        return self.users.change(user_id, title=title)

    def set_locked(self, user_id: int, locked: bool = True) -> User:
        return self.users.change(user_id, locked=locked)

    def set_signature(self, mailbox_id: int, html: str | None) -> Mailbox:
        """Store `html` in the mailbox, as if its owner had edited it in Outreach."""
        return self.mailboxes.change(mailbox_id, email_signature=html)

    def set_editable(self, mailbox_id: int, editable: bool) -> Mailbox:
        return self.mailboxes.change(mailbox_id, editable=editable)

    def add_user(
        self, email: str, first_name: str, last_name: str, *, team_ids: Iterable[int] = (), **values: Any
    ) -> User:
        """Add a user without a mailbox, as a member of `team_ids`."""
        with self.lock:
            joined = self._known_teams(team_ids)
            own = {"username": email, "email": email, "first_name": first_name, "last_name": last_name}
            user = self.users.create(**own | values)
            return self.move(user.id, joined) if joined else user

    def remove_user(self, user_id: int) -> None:
        """Remove the user with their mailboxes and memberships."""
        with self.lock:
            self.move(user_id, ())
            for mailbox_id in self.users[user_id].mailbox_ids:
                self.remove_mailbox(mailbox_id)
            self.users.remove(user_id)

    def move(self, user_id: int, team_ids: Iterable[int]) -> User:
        """Make the user a member of exactly `team_ids`, in the teams' lists too."""
        with self.lock:
            wanted = self._known_teams(team_ids)
            before = self.users[user_id].team_ids
            for team_id in set(before) - set(wanted):
                left = tuple(each for each in self.teams[team_id].user_ids if each != user_id)
                self.teams.change(team_id, user_ids=left)
            for team_id in set(wanted) - set(before):
                self.teams.change(team_id, user_ids=(*self.teams[team_id].user_ids, user_id))
            return self.users.change(user_id, touch=self.membership_touches_user, team_ids=wanted)

    def add_team(self, name: str, **values: Any) -> Team:
        return self.teams.create(name=name, **values)

    def remove_team(self, team_id: int) -> None:
        with self.lock:
            for user_id in self.teams[team_id].user_ids:
                left = tuple(each for each in self.users[user_id].team_ids if each != team_id)
                self.users.change(user_id, touch=self.membership_touches_user, team_ids=left)
            self.teams.remove(team_id)

    def add_mailbox(self, user_id: int, email: str, **values: Any) -> Mailbox:
        with self.lock:
            # Looked up first, so that nothing is stored for an unknown user.
            held = self.users[user_id].mailbox_ids
            mailbox = self.mailboxes.create(user_id=user_id, email=email, **values)
            self.users.change(user_id, touch=False, mailbox_ids=(*held, mailbox.id))
            return mailbox

    def remove_mailbox(self, mailbox_id: int) -> None:
        with self.lock:
            owner = self.users[self.mailboxes[mailbox_id].user_id]
            left = tuple(each for each in owner.mailbox_ids if each != mailbox_id)
            self.users.change(owner.id, touch=False, mailbox_ids=left)
            self.mailboxes.remove(mailbox_id)

    def add_prospect(self, emails: Iterable[str], first_name: str, last_name: str, **values: Any) -> Prospect:
        return self.prospects.create(
            emails=tuple(emails), first_name=first_name, last_name=last_name, **values
        )

    def _known_teams(self, team_ids: Iterable[int]) -> tuple[int, ...]:
        """Return the ids, each once. Raises KeyError for an unknown team."""
        return tuple(self.teams[team_id].id for team_id in dict.fromkeys(team_ids))
