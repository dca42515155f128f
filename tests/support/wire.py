"""Wire: a client of Outreach that writes everything down."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from integrations.connector import Page, UnknownValue, Unreadable
from integrations.errors import RateLimited
from integrations.interfaces import CallRecord, Permission
from integrations.outreach.allowed_calls import WRITE_SIGNATURE
from integrations.outreach.client import CALL_SECONDS, OutreachClient
from integrations.outreach.connector import OutreachConnector
from integrations.outreach.pace import Pace
from integrations.outreach.replies import Reply
from integrations.outreach.scopes import REQUESTED

USERS = {"fields[user]": "email,title", "page[size]": "50", "count": "false", "sort": "createdAt"}
MAILBOX = "5001"

REDIRECT_URI = "https://portal.acme.example/callback/"


@dataclass
class Access:
    """Leases the tokens it is given, one after the other."""

    tokens: list[str]
    renewed: list[str] = field(default_factory=list)

    def token(self) -> str:
        return self.tokens[0]

    def renew(self, rejected: str) -> str:
        self.renewed.append(rejected)
        return self.tokens[len(self.renewed) % len(self.tokens)]


@dataclass
class Budget:
    """Writes down what it is told; `left` calls may be taken."""

    left: int = 1_000_000
    learnt: list[tuple[int, int, float | None]] = field(default_factory=list)
    blocks: list[float] = field(default_factory=list)

    def take(self) -> None:
        if self.left <= 0:
            raise RateLimited("No call is left.", retry_after_seconds=120)
        self.left -= 1

    def learn(self, limit: int, remaining: int, resets_in_seconds: float | None) -> None:
        self.learnt.append((limit, remaining, resets_in_seconds))

    def blocked(self, seconds: float) -> None:
        self.blocks.append(seconds)


@dataclass
class Wire:
    """A client, its connector, and what they told the portal; `while_asleep` is what happens meanwhile."""

    base_url: str
    access: Access
    permission: Permission = field(
        default_factory=lambda: Permission(frozenset(REQUESTED), writes_allowed=True)
    )
    budget: Budget = field(default_factory=Budget)
    records: list[CallRecord] = field(default_factory=list)
    slept: list[float] = field(default_factory=list)
    while_asleep: Callable[[], None] = lambda: None
    seconds: float = CALL_SECONDS

    def __post_init__(self) -> None:
        self.client = OutreachClient(
            base_url=self.base_url,
            access=self.access,
            budget=self.budget,
            permission=lambda: self.permission,
            record=self.records.append,
            pace=Pace(sleep=self._sleep, jitter=lambda: 1.0),
            seconds=self.seconds,
        )
        self.connector = OutreachConnector(self.client, page_size=50)

    def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.while_asleep()

    @property
    def outcomes(self) -> list[tuple[str, str, int]]:
        return [(record.endpoint, record.outcome, record.status) for record in self.records]


def write(wire: Wire, html: str = "<p>Ada</p>", mailbox_id: str = MAILBOX) -> Reply:
    body = {"data": {"type": "mailbox", "id": int(mailbox_id), "attributes": {"emailSignature": html}}}
    return wire.client.send(WRITE_SIGNATURE, path_id=mailbox_id, body=body)


def records(pages: Iterable[Page[Any]]) -> dict[str, Any]:
    return {record.remote_id: record for page in pages for record in page.records}


def unreadable(pages: Iterable[Page[Any]]) -> list[Unreadable]:
    return [one for page in pages for one in page.unreadable]


def unknown(pages: Iterable[Page[Any]]) -> Counter[UnknownValue]:
    return sum((Counter(page.unknown) for page in pages), Counter())
