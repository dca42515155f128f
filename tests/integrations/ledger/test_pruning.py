"""Pruning: what is old goes, what is left verifies, the figures stay, and nothing else opens that door."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO

import pytest
from cryptography.fernet import Fernet
from django.core.checks import run_checks
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from integrations import tasks
from integrations.ledger import pruning
from integrations.ledger.pruning import prune_chain
from integrations.ledger.usage import count_refused, summarise
from integrations.ledger.verification import check_and_note, check_chain
from integrations.models import ChainCheck, LedgerChain, LedgerCheckpoint, LedgerEntry
from integrations.retention import remove_old_syncs
from portal.models import Domain
from tests.support.tampering import tamper

pytestmark = pytest.mark.django_db

CALL = {
    "action": "call",
    "endpoint": "list_users",
    "method": "GET",
    "scope": "users.all",
    "verb": "read",
    "fields": ["name"],
    "outcome": "answered",
}


@pytest.fixture
def aged(domain: Domain, other_domain: Domain, write_entry) -> Domain:
    """Entries of 600, 500 and 450 days ago and of today, in two domains."""
    for each in (domain, other_domain):
        for number, days in enumerate((600, 500, 450, 0), start=1):
            write_entry(each, **CALL, times=number, at=timezone.now() - timedelta(days=days))
        write_entry(each, **{**CALL, "outcome": "refused"}, times=7)
    return domain


def prune(**options: object) -> str:
    said = StringIO()
    call_command("pruneledger", stdout=said, **options)
    return said.getvalue()


def check(domain: Domain) -> str:
    return check_chain(LedgerChain.objects.get(pk=domain.pk)).finding


def list_left(domain: Domain) -> list[int]:
    return list(LedgerEntry.objects.filter(domain=domain).order_by("id").values_list("sequence", flat=True))


def test_old_entries_go_and_the_rest_still_verifies_with_its_figures(aged, other_domain):
    figures = [(use.scope, use.calls) for use in summarise(aged, None)]

    assert prune(domain=aged.name, days=460, dry_run=True) == "acme.example: 2 entries would go.\n"
    assert list_left(aged) == [1, 2, 3, 4, 5]
    assert prune(domain=aged.name, days=460) == "acme.example: 2 entries went.\n"

    assert list_left(aged) == [3, 4, 5, 6]
    act = LedgerEntry.objects.get(domain=aged, sequence=6)
    assert (act.action, act.actor_label) == ("ledger pruned", "command")
    assert act.detail.startswith("acme.example up to entry 2, of ")
    checkpoint = LedgerCheckpoint.objects.get()
    assert checkpoint.totals == [
        {"scope": "users.all", "verb": "read", "outcome": "answered", "entries": 2, "calls": 3}
    ]
    assert check(aged) == ""
    assert [(use.scope, use.calls) for use in summarise(aged, None)] == figures
    assert count_refused(aged) == 7
    assert (list_left(other_domain), check(other_domain)) == ([1, 2, 3, 4, 5], "")


def test_pruning_again_adds_to_what_went_before_and_twice_is_as_once(aged):
    prune(domain=aged.name, days=460)

    assert prune(domain=aged.name) == "acme.example: 1 entries went.\n"
    assert prune(domain=aged.name) == "acme.example: 0 entries went.\n"

    assert LedgerCheckpoint.objects.first().totals[0]["calls"] == 1 + 2 + 3
    assert (list_left(aged)[0], check(aged)) == (4, "")


def test_checks_of_heads_that_were_pruned_stand_in_nobodys_way(aged, write_entry):
    assert check_and_note(LedgerChain.objects.get(pk=aged.pk)).is_intact
    prune()
    write_entry(aged, **CALL)

    assert check_and_note(LedgerChain.objects.get(pk=aged.pk)).is_intact


@pytest.mark.parametrize("options", [{"days": 7}, {"before": timezone.now().date()}, {"days": -1}])
def test_what_is_younger_than_the_setting_is_kept(aged, options):
    with pytest.raises(CommandError, match="Entries of the last 400 days are kept"):
        prune(**options)

    assert list_left(aged) == [1, 2, 3, 4, 5]


def test_the_schedule_prunes_in_steps_each_with_a_checkpoint_and_goes_on_after_a_kill(
    aged, other_domain, monkeypatch
):
    class Killed(BaseException):
        pass

    def die(*args: object, **kwargs: object) -> None:
        raise Killed

    monkeypatch.setattr(pruning, "MOST_AT_ONCE", 2)
    real, steps = pruning._record, iter((True, False))
    with monkeypatch.context() as patched:  # killed in the second step
        patched.setattr(
            pruning,
            "_record",
            lambda *args, **kwargs: (real if next(steps) else die)(*args, **kwargs),
        )
        with pytest.raises(Killed):
            tasks.prune_chain(chain_id=aged.pk)
    assert LedgerCheckpoint.objects.filter(chain=aged.pk).count() == 1
    assert list_left(aged) == [3, 4, 5, 6]
    assert check(aged) == ""

    tasks.prune_chain(chain_id=aged.pk)

    assert LedgerCheckpoint.objects.filter(chain=aged.pk).count() == 2
    assert list_left(aged)[:2] == [4, 5]
    assert check(aged) == ""
    assert set(LedgerEntry.objects.filter(action="ledger pruned").values_list("actor_label", flat=True)) == {
        "schedule"
    }
    assert list_left(other_domain) == [1, 2, 3, 4, 5]


def test_the_schedule_leaves_a_broken_chain_as_it_is(aged, other_domain, caplog):
    tamper("UPDATE integrations_ledgerentry SET detail = 'x' WHERE domain_id = %s AND sequence = 1", aged.pk)

    for each in (aged, other_domain):
        tasks.prune_chain(chain_id=each.pk)

    assert (list_left(aged), list_left(other_domain)[:2]) == ([1, 2, 3, 4, 5], [4, 5])
    assert "The ledger was not pruned: The chain of acme.example is broken" in caplog.text


def test_checks_of_pruned_entries_go_except_the_newest_of_a_chain(aged, other_domain):
    for each in (aged, other_domain):
        chain = LedgerChain.objects.get(pk=each.pk)
        ChainCheck.objects.create(chain=chain, is_intact=False, entries=2, count=2, digest="0" * 64)
    kept = [check_and_note(LedgerChain.objects.get(pk=each.pk)).pk for each in (aged, other_domain)]
    theirs = ChainCheck.objects.filter(chain=other_domain.pk).earliest("pk").pk
    prune(domain=aged.name)

    assert remove_old_syncs()["checks of the ledger"] == 1

    assert set(ChainCheck.objects.values_list("pk", flat=True)) == {*kept, theirs}
    assert check(aged) == ""


def test_no_setting_lets_last_week_be_pruned(aged, settings):
    settings.LEDGER_KEEP_DAYS = 1

    assert [problem.id for problem in run_checks() if problem.id.startswith("integrations.")] == [
        "integrations.E001"
    ]
    with pytest.raises(CommandError, match="Entries of the last 90 days are kept"):
        prune(days=7)


def test_a_broken_chain_is_not_pruned_as_that_would_hide_it(aged, other_domain):
    tamper("UPDATE integrations_ledgerentry SET detail = 'x' WHERE domain_id = %s AND sequence = 1", aged.pk)

    with pytest.raises(
        CommandError, match=r"The chain of acme\.example is broken, and pruning would hide it"
    ):
        prune()

    assert list_left(aged) == [1, 2, 3, 4, 5]
    assert list_left(other_domain) == [4, 5, 6]


def test_without_the_signing_key_nothing_goes(aged, settings):
    assert check_and_note(LedgerChain.objects.get(pk=aged.pk)).is_intact  # a key was made
    settings.TOKEN_KEYS = [Fernet.generate_key().decode()]

    with pytest.raises(CommandError, match="cannot be decrypted"):
        prune()

    assert (list_left(aged), LedgerCheckpoint.objects.count()) == ([1, 2, 3, 4, 5], 0)


def test_entries_before_a_checkpoint_are_put_in_by_nobody(aged):
    prune(domain=aged.name)
    tamper(
        "INSERT INTO integrations_ledgerentry (sequence, domain_id, at, domain_name, connection_ref, action, endpoint, "
        "method, scope, verb, fields, object_ref, actor_label, job, outcome, status, times, item_count, detail, "
        "previous_digest, digest) SELECT 2, domain_id, at, domain_name, '', 'connected', '', '', '', '', '[]', '', "
        "'', '', 'done', 0, 1, 0, '', '', '' FROM integrations_ledgerentry WHERE domain_id = %s AND sequence = 4",
        aged.pk,
    )

    assert "Entry 2 (connected" in check(aged)
    assert "follows the end of the chain: it was inserted" in check(aged)


def test_a_forged_checkpoint_opens_the_trigger_and_is_found(aged):
    first = LedgerEntry.objects.get(domain=aged, sequence=1)
    prune_chain(
        LedgerChain.objects.get(pk=aged.pk), before=timezone.now() - timedelta(days=550), actor="command"
    )
    real = LedgerCheckpoint.objects.get()
    second = LedgerEntry.objects.get(domain=aged, sequence=2)
    LedgerCheckpoint.objects.create(
        chain=real.chain, last_sequence=2, digest=second.digest, older_than=real.older_than, totals=real.totals,
        actor_label="command", key_id=real.key_id, public_key=real.public_key, signature=real.signature,
    )  # fmt: skip
    LedgerEntry.objects.delete_pruned(aged.pk, 2)

    assert first.sequence == 1
    assert check(aged) == "The checkpoint at entry 2 was not signed by this installation."


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE integrations_ledgercheckpoint SET last_sequence = 5",
        "DELETE FROM integrations_ledgercheckpoint",
        "DELETE FROM integrations_ledgerentry WHERE sequence = 4",
    ],
)
def test_i12_a_checkpoint_is_never_changed_and_opens_nothing_beyond_itself(aged, statement):
    prune(domain=aged.name)

    with pytest.raises(IntegrityError, match="never changed or deleted"), transaction.atomic():
        connection.cursor().execute(statement)

    assert check(aged) == ""
