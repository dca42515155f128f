"""The proof: forbidden calls are stopped before a connection, and a hole in the policy would be seen and not used."""

from __future__ import annotations

import socket

import pytest

from integrations.interfaces import CallRecord
from integrations.outreach import policy
from integrations.outreach.allowed_calls import LIST_USERS
from integrations.outreach.client import OfflineTransport
from integrations.outreach.proof import ATTEMPTS, Attempt, run_proof
from tests.support.installation import ROOT


@pytest.fixture
def connects(monkeypatch) -> list[object]:
    """Every attempt of this process to connect a socket or to look a name up."""
    made: list[object] = []

    def refuse(*args, **kwargs):
        made.append(args)
        raise AssertionError("A socket was asked for.")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket.socket, "connect_ex", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    return made


def prove(base_url: str = "https://api.outreach.io", **options):
    records: list[CallRecord] = []
    return run_proof(base_url=base_url, record=records.append, **options), records


def test_l1_every_forbidden_call_of_the_proof_is_refused_and_no_socket_is_asked_for(connects):
    proof, records = prove()

    assert proof.holds and proof.stopped == len(ATTEMPTS) == len(records)
    assert (proof.connections, proof.tokens, proof.is_guarded) == (0, 0, True)
    assert {(record.outcome, record.status) for record in records} == {("refused", 0)}
    assert all(record.error for record in records)
    assert connects == []


def test_the_attempts_cover_what_a_security_officer_asks_for():
    titles = " ".join(attempt.title for attempt in ATTEMPTS)

    for words in ("Delete a mailbox", "Create a user", "SMTP password", "sequences", "e-mails", "calls", "tasks",
                  "“next page” link", "second attribute", "another object", "absolute address"):  # fmt: skip
        assert words in titles
    assert len({attempt.title for attempt in ATTEMPTS}) == len(ATTEMPTS) == 19
    assert "attempts nineteen forbidden calls" in (ROOT / "docs" / "connection.md").read_text()


def test_a_hole_in_the_policy_is_reported_and_still_nothing_can_leave(connects, monkeypatch):
    monkeypatch.setattr(policy, "check", lambda *args, **kwargs: None)

    proof, _ = prove()

    assert not proof.holds
    # The link is checked by another rule; everything else came as far as the wall.
    assert [finding.attempt.title for finding in proof.findings if finding.is_stopped] == [
        "Follow a “next page” link to another host"
    ]
    assert (
        proof.connections == proof.tokens == len(ATTEMPTS) - 2
    )  # what is no endpoint has no address to call
    assert connects == []


def test_a_proof_without_a_working_counter_does_not_hold(connects, monkeypatch):
    monkeypatch.setattr(OfflineTransport, "reached", property(lambda self: 0))

    proof, _ = prove()

    assert (proof.stopped, proof.is_guarded, proof.holds) == (len(ATTEMPTS), False, False)


def test_an_allowed_call_among_the_attempts_counts_as_not_stopped(connects):
    query = {"fields[user]": "email", "page[size]": "1"}
    allowed = Attempt("Read users", "Nothing bad.", lambda client: client.send(LIST_USERS, query=query))

    proof, _ = prove(attempts=(*ATTEMPTS, allowed))

    assert [finding.is_stopped for finding in proof.findings] == [True] * len(ATTEMPTS) + [False]
    assert (proof.connections, proof.holds) == (1, False)
    assert connects == []
