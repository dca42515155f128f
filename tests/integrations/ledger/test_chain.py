"""The ledger's chain: whatever is done to a row behind the portal's back is found, and named."""

# ruff: noqa: S608 - statements on our own table, with numbers of our own

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction
from django_q.models import OrmQ

from integrations import tasks
from integrations.ledger import chain
from integrations.ledger.record import record_act
from integrations.ledger.verification import check_and_note, check_chain
from integrations.models import GENESIS, ChainCheck, LedgerChain, LedgerDay, LedgerEntry
from portal.models import Domain
from portal.worker.schedules import SCHEDULES
from tests.support.tampering import tamper, without_guards

pytestmark = pytest.mark.django_db

ENTRY = "integrations_ledgerentry"
COUNT = 6


@pytest.fixture
def written(domain: Domain, other_domain: Domain) -> list[LedgerEntry]:
    """Six acts of one domain, and as many of the bystander between them."""
    found = []
    for number in range(1, COUNT + 1):
        found.append(record_act(f"act {number}", domain=domain, actor_label="dana@acme.example"))
        record_act(f"act {number}", domain=other_domain, actor_label="eve@bystander.example")
    return found


def check(domain: Domain) -> str:
    """The first bad entry of the domain's chain; '' where it is intact."""
    return check_chain(LedgerChain.objects.get(pk=domain.pk)).finding


def set_columns(domain: Domain, number: int, **columns: object) -> None:
    words = ", ".join(f"{name} = %s" for name in columns)
    touched = tamper(
        f"UPDATE {ENTRY} SET {words} WHERE domain_id = %s AND sequence = %s",
        *columns.values(),
        domain.pk,
        number,
    )
    assert touched == 1


def edit(domain: Domain) -> None:
    set_columns(domain, 3, actor_label="somebody@else.example")


def edit_and_digest_anew(domain: Domain) -> None:
    entry = LedgerEntry.objects.get(domain=domain, sequence=3)
    entry.actor_label = "somebody@else.example"
    digest = chain.digest_entry({name: getattr(entry, name) for name in chain.FIELDS})
    set_columns(domain, 3, actor_label=entry.actor_label, digest=digest)


def edit_the_newest_and_digest_anew(domain: Domain) -> None:
    entry = LedgerEntry.objects.get(domain=domain, sequence=COUNT)
    entry.actor_label = "somebody@else.example"
    digest = chain.digest_entry({name: getattr(entry, name) for name in chain.FIELDS})
    set_columns(domain, COUNT, actor_label=entry.actor_label, digest=digest)


def edit_the_heads_digest(domain: Domain) -> None:
    LedgerChain.objects.filter(pk=domain.pk).update(digest="0" * 64)


def edit_the_heads_count(domain: Domain) -> None:
    LedgerChain.objects.filter(pk=domain.pk).update(count=COUNT - 1)


def delete(domain: Domain) -> None:
    tamper(f"DELETE FROM {ENTRY} WHERE domain_id = %s AND sequence = 3", domain.pk)


def delete_the_first(domain: Domain) -> None:
    tamper(f"DELETE FROM {ENTRY} WHERE domain_id = %s AND sequence = 1", domain.pk)


def cut_the_tail(domain: Domain) -> None:
    tamper(f"DELETE FROM {ENTRY} WHERE domain_id = %s AND sequence >= 5", domain.pk)


def cut_the_tail_and_the_head(domain: Domain) -> None:
    cut_the_tail(domain)
    digest = LedgerEntry.objects.get(domain=domain, sequence=4).digest
    LedgerChain.objects.filter(pk=domain.pk).update(count=4, digest=digest)


def swap(domain: Domain) -> None:
    set_columns(domain, 3, sequence=99)
    set_columns(domain, 4, sequence=3)
    set_columns(domain, 99, sequence=4)


def swap_rows(domain: Domain) -> None:
    three, four = LedgerEntry.objects.filter(domain=domain, sequence__in=[3, 4]).order_by("sequence")
    for old, new in [(three.pk, 999), (four.pk, three.pk), (999, four.pk)]:
        tamper(f"UPDATE {ENTRY} SET id = %s WHERE id = %s", new, old)


def copy_row(domain: Domain, number: int, sequence: int) -> None:
    names = ", ".join(
        str(field.column)
        for field in LedgerEntry._meta.concrete_fields
        if field.column not in ("id", "sequence")
    )
    tamper(
        f"INSERT INTO {ENTRY} (sequence, {names}) SELECT {sequence}, {names} FROM {ENTRY} "
        "WHERE domain_id = %s AND sequence = %s",
        domain.pk,
        number,
    )


def insert(domain: Domain) -> None:
    for number in range(COUNT, 2, -1):
        set_columns(domain, number, sequence=number + 1)
    copy_row(domain, 2, 3)


def append_past_the_head(domain: Domain) -> None:
    copy_row(domain, 6, 7)


def move_to_the_other_domain(domain: Domain) -> None:
    set_columns(domain, 3, domain_id=None, sequence=1)


def drop_the_head(domain: Domain) -> None:
    LedgerDay.objects.filter(chain=domain.pk).delete()
    LedgerChain.objects.filter(pk=domain.pk).delete()


def edit_the_figures(domain: Domain) -> None:
    LedgerDay.objects.filter(chain=domain.pk, action="act 3").update(calls=0)


TAMPERINGS: list[tuple[Callable[[Domain], None], str]] = [
    (edit, r"Entry 3 \(act 3, .* UTC\) is not as it was written: it was edited"),
    (edit_and_digest_anew, r"Entry 4 \(act 4, .*\) does not follow entry 3"),
    (edit_the_newest_and_digest_anew, "The head does not match entry 6, the newest: entries were added past it"),
    (edit_the_heads_digest, "The head does not match entry 6, the newest: .* or the head was edited"),
    (edit_the_heads_count, "The head does not match entry 6, the newest: .* or the head was edited"),
    (delete, r"Entry 3 is missing: deleted, or moved elsewhere. The next one is Entry 4 \(act 4"),
    (delete_the_first, "Entry 1 is missing: deleted"),
    (cut_the_tail, "The newest 2 entries are missing: the head counts 6, the last one present is entry 4"),
    (cut_the_tail_and_the_head, "daily figures were edited: for “done” they say 6 calls where the entries say 4"),
    (swap, r"Entry 3 \(act 4, .*\) does not follow entry 2: it was inserted, or entries were reordered"),
    (swap_rows, r"Entry 4 \(act 4, .*\) has the row of an earlier one: entries were reordered"),
    (insert, r"Entry 3 \(act 2, .*\) does not follow entry 2: it was inserted"),
    (append_past_the_head, r"Entry 7 \(act 6, .*\) does not follow entry 6: it was inserted"),
    (move_to_the_other_domain, "Entry 3 is missing: deleted, or moved elsewhere"),
    (drop_the_head, "The head of the chain is missing"),
    (edit_the_figures, "the daily figures were edited: for “done” they say 5 calls where the entries say 6"),
]  # fmt: skip


@pytest.mark.parametrize(("harm", "words"), TAMPERINGS, ids=[harm.__name__ for harm, _ in TAMPERINGS])
def test_verifyledger_names_the_first_bad_entry_and_leaves_the_bystander_intact(
    written, domain, other_domain, harm, words
):
    harm(domain)
    said = StringIO()

    with pytest.raises(CommandError, match="The ledger was altered"):
        call_command("verifyledger", stdout=said)

    lines = dict(line.split(": ", 1) for line in said.getvalue().splitlines())
    assert lines["acme.example"].startswith("BROKEN. ")
    assert re.search(words, lines["acme.example"]), lines["acme.example"]
    assert lines["bystander.example"].startswith("intact, 6 entries read. Head: 6 ")


def test_entries_form_one_chain_a_domain_over_all_that_they_say(written, domain, other_domain):
    chain.append([LedgerEntry(action="key made", outcome="done", fields=["a", "b"])], domain=None)

    for key, count in ((domain.pk, 6), (other_domain.pk, 6), (None, 1)):
        entries = list(LedgerEntry.objects.filter(domain=key).order_by("id"))
        assert [entry.sequence for entry in entries] == list(range(1, count + 1))
        assert [entry.previous_digest for entry in entries] == [
            GENESIS,
            *(one.digest for one in entries[:-1]),
        ]
        head = LedgerChain.objects.get(pk=key or 0)
        assert (head.count, head.digest) == (count, entries[-1].digest)
    columns = {field.attname for field in LedgerEntry._meta.concrete_fields}
    assert columns - {"id", "digest"} == {*chain.FIELDS, *chain.LATER_FIELDS}


def test_a_digest_is_that_of_documented_bytes(written):
    entry = LedgerEntry.objects.get(pk=written[1].pk)

    told = {name: getattr(entry, name) for name in chain.FIELDS}
    told["at"] = entry.at.strftime("%Y-%m-%dT%H:%M:%S.%f+00:00")
    line = json.dumps(told, sort_keys=True, separators=(",", ":"))
    assert hashlib.sha256(f"countersign ledger entry 1\n{line}".encode()).hexdigest() == entry.digest


@pytest.mark.parametrize(
    ("traced_by", "edited"), [("a" * 32, "b" * 32), ("a" * 32, None), ("a" * 32, ""), ("", "b" * 32)]
)
def test_an_id_that_was_edited_removed_or_put_in_is_found(
    domain, other_domain, write_entry, traced_by, edited
):
    for one in (domain, other_domain):
        write_entry(one, action="act", trace=traced_by)
    assert (check(domain), check(other_domain)) == ("", "")

    set_columns(domain, 1, trace=edited)

    assert "Entry 1 (act" in check(domain) and "was edited" in check(domain)
    assert check(other_domain) == ""


def test_a_head_noted_down_outside_is_found_again_or_missed(written, domain, other_domain):
    noted = written[3].digest
    record_act("one more", domain=domain)
    said = StringIO()

    call_command("verifyledger", domain=domain.name, head=noted.upper(), stdout=said)
    with pytest.raises(CommandError):
        call_command("verifyledger", domain=other_domain.name, head=noted, stdout=said)

    assert said.getvalue().splitlines()[0].startswith("acme.example: intact, 7 entries read. Head: 7 ")
    assert "the head you noted is not in the chain any more" in said.getvalue().splitlines()[-1]


def test_a_chain_written_anew_from_an_early_entry_misses_the_head_that_was_signed(
    written, domain, other_domain
):
    assert check_and_note(LedgerChain.objects.get(pk=domain.pk)).is_intact
    record_act("act 7", domain=domain)
    head = LedgerChain.objects.get(pk=domain.pk)
    digest = LedgerEntry.objects.get(domain=domain, sequence=2).digest
    for entry in LedgerEntry.objects.filter(domain=domain, sequence__gt=2).order_by("sequence"):
        entry.detail, entry.previous_digest = "nothing happened", digest
        digest = chain.digest_entry({name: getattr(entry, name) for name in chain.FIELDS})
        set_columns(
            domain, entry.sequence, detail=entry.detail, previous_digest=entry.previous_digest, digest=digest
        )
    LedgerChain.objects.filter(pk=domain.pk).update(digest=digest)

    assert head.count == 7
    assert "Entry 6 (act 6" in check(domain)
    assert "is not the head that an earlier check signed" in check(domain)
    assert check(other_domain) == ""


@pytest.mark.parametrize(
    "forged",
    [
        {"digest": "0" * 64},
        {"count": COUNT + 1},
        {"count": COUNT - 1},
        {"signature": "AAAA"},
        {"digest": "0" * 64, "signature": ""},
        {"digest": "0" * 64, "public_key": "AAAA"},
    ],
)
def test_a_check_that_this_installation_did_not_sign_says_nothing_of_the_chain(
    written, domain, other_domain, forged
):
    """Else a row put in beside the ledger could call an intact chain broken."""
    for one in (domain, other_domain):
        assert check_and_note(LedgerChain.objects.get(pk=one.pk)).is_intact
    assert ChainCheck.objects.filter(chain=domain.pk).update(**forged) == 1

    assert check(domain) == ""
    assert check(other_domain) == ""
    cut_the_tail(other_domain)
    LedgerChain.objects.filter(pk=other_domain.pk).update(
        count=4, digest=LedgerEntry.objects.get(domain=other_domain, sequence=4).digest
    )
    assert check(other_domain) == "An earlier check signed a head of 6 entries: the newest are missing."


def test_a_domain_that_was_deleted_keeps_its_chain(written, domain, other_domain):
    domain.delete()
    said = StringIO()

    call_command("verifyledger", stdout=said)

    assert [line.partition(" entries")[0] for line in said.getvalue().splitlines()] == [
        "acme.example: intact, 6",
        "bystander.example: intact, 6",
    ]


@pytest.mark.parametrize(
    "statement",
    [
        f"UPDATE {ENTRY} SET detail = 'x'",
        f"DELETE FROM {ENTRY}",
        f"INSERT OR REPLACE INTO {ENTRY} SELECT * FROM {ENTRY} WHERE sequence = 2",
        f"REPLACE INTO {ENTRY} (id, at, domain_name, connection_ref, action, endpoint, method, scope, verb, fields, "
        "object_ref, actor_label, job, outcome, status, times, item_count, detail, sequence, previous_digest, digest) "
        f"SELECT id, at, 'x', '', 'x', '', '', '', '', '[]', '', '', '', 'done', 0, 1, 0, '', 1, '', '' FROM {ENTRY}",
    ],
    ids=["update", "delete", "replace", "replace by id"],
)
def test_i12_sqlite_itself_refuses_to_change_or_delete_an_entry(written, domain, other_domain, statement):
    with pytest.raises(IntegrityError, match="never changed or deleted"), transaction.atomic():
        connection.cursor().execute(statement)

    assert (check(domain), check(other_domain)) == ("", "")


def test_missing_guards_are_told(written):
    said = StringIO()

    with without_guards(), pytest.raises(CommandError):
        call_command("verifyledger", stdout=said)
    call_command("verifyledger")

    assert "The database no longer protects the ledger: ledger_refuses_update" in said.getvalue()


def test_a_check_reads_a_page_at_a_time(domain, monkeypatch, django_assert_num_queries):
    chain.append(
        [
            LedgerEntry(domain=domain, domain_name=domain.name, action=f"act {n}", outcome="done")
            for n in range(25)
        ],
        domain=domain,
    )
    head = LedgerChain.objects.get(pk=domain.pk)
    with django_assert_num_queries(10) as at_once:
        assert check_chain(head).is_intact
    monkeypatch.setattr("integrations.ledger.verification.PAGE", 5)
    told: list[int] = []

    with django_assert_num_queries(len(at_once) + 4):
        assert check_chain(head, progress=told.append).entries == 25

    assert told == [5, 10, 15, 20, 25]


def test_the_nightly_check_stores_what_it_found_in_each_chain(written, domain, other_domain, caplog):
    edit(domain)

    for chain_id in (domain.pk, other_domain.pk):
        tasks.check_chain(chain_id=chain_id)

    found = {check.chain_id: check for check in ChainCheck.objects.all()}
    assert (found[domain.pk].is_intact, found[domain.pk].signature) == (False, "")
    assert found[domain.pk].finding.startswith("Entry 3 (act 3,")
    assert (found[other_domain.pk].is_intact, found[other_domain.pk].entries) == (True, 6)
    assert found[other_domain.pk].signature != ""
    assert [record.getMessage().partition(" Entry")[0] for record in caplog.records] == [
        "The ledger of acme.example is broken:"
    ]


def test_the_schedule_checks_every_chain_in_a_task_of_its_own(
    written, domain, other_domain, django_capture_on_commit_callbacks
):
    with django_capture_on_commit_callbacks(execute=True):
        tasks.check_ledger()

    queued = [(task.task["func"], task.task["kwargs"]) for task in OrmQ.objects.order_by("id")]
    assert queued == [
        ("integrations.tasks.check_chain", {"chain_id": key}) for key in (domain.pk, other_domain.pk)
    ]
    assert "integrations.tasks.check_ledger" in {regular.task for regular in SCHEDULES}
