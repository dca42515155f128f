"""Values are imported and exported by commands as on the pages: all rows or none, and as acts in the ledger."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from integrations.models import LedgerEntry
from signatures.models import SenderImport
from tests.support.company import Company
from tests.support.senders import add_sender, get_own

BEFORE = {
    "ana@acme.example": {"sender.mobile": "+49 171 5550113"},
    "tom@acme.example": {},
    "bea@bystander.example": {"sender.mobile": "1234"},
}


@pytest.fixture
def people(company: Company, bystanders: Company) -> Company:
    add_sender(company, "Ana", BEFORE["ana@acme.example"])
    add_sender(company, "Tom")
    add_sender(bystanders, "Bea", BEFORE["bea@bystander.example"])
    return company


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "people.csv"
    path.write_text("email;mobile\nana@acme.example;+1 206 555 0100\nnobody@acme.example;+1 206 555 0101\n")
    return path


def run(name: str, *args: object) -> str:
    stream = io.StringIO()
    call_command(name, "acme.example", *map(str, args), stdout=stream)
    return stream.getvalue()


def test_a_dry_run_says_every_row_and_fails_for_one_that_cannot_be_applied(people, file):
    with pytest.raises(CommandError, match="1 rows cannot be applied"):
        run("importvalues", file, "--dry-run")

    assert get_own() == BEFORE
    assert SenderImport.objects.get().state == "previewed"


def test_nothing_is_applied_while_a_row_cannot_be(people, file):
    with pytest.raises(CommandError, match=r"Leave them out, .* Nothing was changed\."):
        run("importvalues", file)

    assert get_own() == BEFORE


def test_the_other_rows_are_applied_where_that_is_said(people, file):
    said = run("importvalues", file, "--leave-out-refused").splitlines()

    assert said[:3] == [
        "Read as UTF-8: email → email; mobile → sender.mobile.",
        "Line 3, nobody@acme.example: No sender has this e-mail address.",
        "2 rows: 0 same, 0 new, 1 changed, 1 unknown, 0 refused.",
    ]
    assert said[3].endswith("values of 1 senders saved.")
    assert get_own() == BEFORE | {"ana@acme.example": {"sender.mobile": "+12065550100"}}
    acts = LedgerEntry.objects.filter(
        domain=people.domain, actor_label="command", action__startswith="sender values"
    )
    assert set(acts.values_list("action", flat=True)) == {
        "sender values uploaded",
        "sender values changed",
        "sender values imported",
    }


def test_what_is_exported_imports_unchanged(people, tmp_path):
    path = tmp_path / "values.csv"
    path.write_text(run("exportvalues", "--fields", "mobile", "sender.title"), encoding="utf-8")

    said = run("importvalues", path, "--separator", "comma", "--encoding", "utf-8")

    assert said.endswith("2 rows: 2 same, 0 new, 0 changed, 0 unknown, 0 refused.\n")
    assert "bea" not in path.read_text()
    assert LedgerEntry.objects.filter(action="sender values downloaded", domain=people.domain).count() == 1


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("importvalues", "missing.csv"), "missing.csv cannot be read: No such file or directory."),
        (("exportvalues", "--fields", "shoe_size"), "There is no field shoe_size. There are: first_name, "),
    ],
)
def test_what_cannot_be_done_is_said(people, args, said):
    with pytest.raises(CommandError) as refused:
        run(*args)

    assert str(refused.value).startswith(said)
    assert get_own() == BEFORE


def test_a_workbook_is_refused(people, tmp_path):
    path = tmp_path / "people.xlsx"
    path.write_bytes(b"PK\x03\x04" + b"\0" * 40)

    with pytest.raises(CommandError, match="save it as “CSV UTF-8”"):
        run("importvalues", path)
