"""Records: users, teams, mailboxes and prospects of the fake organisation, each frozen.

A change replaces the record, so whoever kept the old one can compare, and a reader in another thread
never sees half a change.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import Any

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
