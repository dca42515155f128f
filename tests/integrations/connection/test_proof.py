"""The proof for one domain: its page, its command, and what it leaves in the ledger; never a request."""

from __future__ import annotations

import pytest
from django.core.management import CommandError, call_command
from django.urls import reverse

from integrations.connection.proof import get_last_proof, prove
from integrations.models import LedgerEntry
from integrations.outreach import policy
from integrations.outreach.proof import ATTEMPTS
from portal.models import Role
from tests.support.page_text import words_of


def get_entries(domain) -> list[tuple[str, str, str]]:
    entries = LedgerEntry.objects.filter(domain=domain).order_by("id")
    return list(entries.values_list("action", "outcome", "connection_ref"))


@pytest.mark.django_db
def test_a_domain_that_was_never_connected_can_be_proved(domain, other_domain):
    assert get_last_proof(domain) is None

    proof = prove(domain, actor="dana@acme.example")

    assert proof.holds
    assert get_entries(domain) == [("call", "refused", "")] * len(ATTEMPTS) + [
        ("proof of refusals", "done", "")
    ]
    last = get_last_proof(domain)
    assert last.actor_label == "dana@acme.example"
    assert last.detail == (
        f"holds: {len(ATTEMPTS)} of {len(ATTEMPTS)} forbidden calls refused, 0 connections opened, "
        "0 times a token asked for"
    )
    assert set(LedgerEntry.objects.values_list("job", flat=True)) == {last.job}
    assert (get_entries(other_domain), get_last_proof(other_domain)) == ([], None)


def test_the_page_shows_how_each_attempt_was_stopped_and_when_it_was_last_tried(
    client, sandbox, connection, domain, owner
):
    client.force_login(owner)
    page = reverse("integrations:outreach_proof", args=[domain.name])

    before = words_of(client.get(page))
    after = client.post(page)
    words = words_of(after)

    assert "The test has not been run" in before and "Run least-privilege test" in before
    assert after.status_code == 200
    assert "Least-privilege test passed" in words
    assert words.count("Blocked locally") == 1 + len(ATTEMPTS)  # the figure, and each call
    for attempt in ATTEMPTS:
        assert attempt.title in words and attempt.would in words
    assert f"by {owner.email}: holds" in words_of(client.get(page))
    assert list(sandbox.requests) == []
    assert {ref for action, _, ref in get_entries(domain) if action == "proof of refusals"} == {
        str(connection.pk)
    }


@pytest.mark.django_db
def test_an_auditor_runs_it_and_an_editor_does_not(client, domain, make_member):
    page = reverse("integrations:outreach_proof", args=[domain.name])
    answers = {}
    for role in (Role.AUDITOR, Role.EDITOR):
        client.force_login(make_member(domain, role))
        answers[role] = client.post(page).status_code

    assert answers == {Role.AUDITOR: 200, Role.EDITOR: 403}
    assert LedgerEntry.objects.filter(action="proof of refusals").count() == 1


@pytest.mark.django_db
def test_the_command_says_each_blocked_call_and_fails_where_one_is_not(domain, capsys, monkeypatch):
    call_command("checkconnection", "--domain", domain.name, "--prove")
    said = capsys.readouterr().out.splitlines()
    with pytest.raises(CommandError, match="no domain nowhere"):
        call_command("checkconnection", "--domain", "nowhere.example", "--prove")
    monkeypatch.setattr(policy, "check", lambda *args, **kwargs: None)
    with pytest.raises(CommandError, match="Least-privilege test failed"):
        call_command("checkconnection", "--domain", domain.name, "--prove")

    assert [line.partition(":")[0] for line in said[:-1]] == ["blocked"] * len(ATTEMPTS)
    assert said[-1].startswith(
        f"Least-privilege test passed: {len(ATTEMPTS)} forbidden calls blocked locally, 0 connections"
    )


@pytest.mark.django_db
def test_a_failed_test_is_said_on_the_page(client, domain, owner, monkeypatch):
    client.force_login(owner)
    monkeypatch.setattr(policy, "check", lambda *args, **kwargs: None)

    words = words_of(client.post(reverse("integrations:outreach_proof", args=[domain.name])))

    assert "Least-privilege test failed" in words and "Report this to the operator at once" in words
    assert get_last_proof(domain).detail.startswith("DOES NOT HOLD")
