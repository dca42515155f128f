"""Exports: everything that matches and nothing else, unforgeable, and safe to open in a spreadsheet."""

from __future__ import annotations

import codecs
import csv
import io
import json
import subprocess
import sys
import zipfile
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from integrations.crypto.signing import get_key
from integrations.ledger.digests import digest_entry
from integrations.ledger.pruning import get_limit, prune_chain
from integrations.ledger.record import record_act
from integrations.models import LedgerChain, LedgerEntry, Mailbox, Person
from portal.models import Role
from tests.support.page_text import words_of

DOCS = Path(__file__).parents[3] / "docs" / "audit.md"
FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "＝1", "＠1", ' "=1"']


@pytest.fixture
def filled(domain, other_domain, write_entry):
    """A read, a write, one act for each formula, and a bystander's secret."""
    write_entry(
        domain, action="call", endpoint="list_users", method="GET", scope="users.all", verb="read",
        fields=["name"], job="sync 12", outcome="answered", status=200, times=3,
    )  # fmt: skip
    write_entry(
        domain, action="call", endpoint="write_signature", method="PATCH", scope="mailboxes.all", verb="write",
        fields=["emailSignature"], object_ref="7", job="delivery 5", actor_label="dana@acme.example",
        outcome="answered", status=200,
    )  # fmt: skip
    for formula in FORMULAS:
        record_act("sender values changed", domain=domain, actor_label=formula, detail=formula)
    record_act("a secret of others", domain=other_domain)
    return domain


@pytest.fixture
def export(signed_in, filled, tmp_path):
    """Press the button as an auditor; the file that comes."""
    client = signed_in(Role.AUDITOR)

    def press(format: str = "jsonl", **filters: str) -> Path:
        response = client.post(
            reverse("integrations:ledger_export", args=[filled.name]), {"format": format, **filters}
        )
        assert response.status_code == 200, response
        assert response["Content-Type"] == "application/zip"
        path = tmp_path / f"{format}.zip"
        path.write_bytes(b"".join(response.streaming_content))
        assert (
            f"ledger-acme.example-{timezone.now():%Y-%m-%d}-{format}.zip" in response["Content-Disposition"]
        )
        return path

    return press


def read(path: Path, name: str) -> bytes:
    with zipfile.ZipFile(path) as archive:
        return archive.read(name)


def change(path: Path, name: str, old: bytes, new: bytes) -> None:
    """The same zip with one file of it changed."""
    with zipfile.ZipFile(path) as archive:
        held = {each: archive.read(each) for each in archive.namelist()}
    assert old in held[name]
    held[name] = held[name].replace(old, new, 1)
    with zipfile.ZipFile(path, "w") as archive:
        for each, content in held.items():
            archive.writestr(each, content)


def verify(path: Path, **options: str) -> list[str]:
    said = io.StringIO()
    call_command("verifyexport", str(path), stdout=said, **options)
    return said.getvalue().splitlines()


def test_the_whole_ledger_as_json_lines_proves_itself_to_an_outsider(export, filled):
    head = LedgerEntry.objects.filter(domain=filled).latest("sequence")

    path = export()

    lines = [json.loads(line) for line in read(path, "entries.jsonl").splitlines()]
    assert [line["sequence"] for line in lines] == list(range(1, 3 + len(FORMULAS)))
    assert [digest_entry(line) for line in lines] == [line["digest"] for line in lines]
    assert {line["domain_name"] for line in lines} == {"acme.example"}
    said = verify(path, key=get_key().public_key)
    assert said[0].startswith("acme.example: 11 entries (everything), exported ")
    assert said[0].endswith("by auditor@acme.example, are unchanged.")
    assert said[2:] == [
        f"Head of the chain then: 11 {head.digest}",
        "They are the whole chain up to that head.",
    ]


def test_the_export_is_an_entry_itself(export, filled):
    export(verb="write", person="dana@acme.example")

    act = LedgerEntry.objects.filter(domain=filled).latest("id")
    assert (act.action, act.actor_label) == ("ledger exported", "auditor@acme.example")
    assert act.detail == "Verb: write, Person: dana@acme.example, as JSON Lines, up to entry 11"


def test_what_was_filtered_is_what_is_given_and_said(export):
    path = export(verb="write")

    (line,) = [json.loads(line) for line in read(path, "entries.jsonl").splitlines()]
    assert (line["endpoint"], line["object_ref"]) == ("write_signature", "7")
    said = verify(path)
    assert said[0].startswith("acme.example: 1 entries (Verb: write), ")
    assert said[-1] == "Each matches its digest. They are a part of the chain."


def test_i6_no_cell_of_the_csv_is_a_formula(export):
    path = export("csv")

    assert read(path, "entries.csv").startswith(codecs.BOM_UTF8)
    rows = list(csv.reader(io.StringIO(read(path, "entries.csv").decode("utf-8-sig"), newline="")))
    acts = rows[3:]
    assert [row[rows[0].index("actor_label")] for row in acts] == [f"'{formula}" for formula in FORMULAS]
    assert [row[rows[0].index("detail")] for row in acts] == [f"'{formula}" for formula in FORMULAS]
    assert rows[2][rows[0].index("fields")] == "emailSignature"
    assert not [cell for row in rows for cell in row if cell[:1] in ("=", "+", "-", "@", "\t", "\r", "＝")]
    assert verify(path)[-1].startswith("For the chain itself, export JSON Lines")


@pytest.mark.parametrize(
    ("name", "old", "new", "words"),
    [
        ("entries.jsonl", b"sync 12", b"sync 13", "entries.jsonl was changed: its SHA-256"),
        ("entries.jsonl", b"\n", b"\n\n", "entries.jsonl was changed: its SHA-256"),
        ("proof.json", b'"count": 11', b'"count": 10', "The proof was changed: its signature does not match"),
        ("proof.json", b"export 1", b"export 2", "does not know the format of the proof"),
    ],
)
def test_a_file_that_was_changed_is_told(export, name, old, new, words):
    path = export()
    change(path, name, old, new)

    with pytest.raises(CommandError, match=words):
        verify(path)


def test_a_file_that_somebody_else_signed_is_told(export):
    path = export()

    with pytest.raises(CommandError, match="It was signed by another key"):
        verify(path, key="A" * 43 + "=")


@pytest.mark.parametrize("content", [b"", b"PK\x05\x06" + bytes(18), b"no zip at all"])
def test_what_is_no_export_is_told(tmp_path, content):
    (tmp_path / "other.zip").write_bytes(content)

    with pytest.raises(CommandError, match="This is not a ledger export"):
        verify(tmp_path / "other.zip")


def test_the_documented_commands_verify_it_without_us(export, tmp_path):
    with zipfile.ZipFile(export()) as archive:
        archive.extractall(tmp_path)

    def run(*command: str) -> str:
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    assert run(
        "openssl", "pkeyutl", "-verify", "-pubin", "-inkey", "key.pem", "-rawin", "-in", "proof.json",
        "-sigfile", "proof.sig",
    ) == "Signature Verified Successfully"  # fmt: skip
    sha256 = run("sha256sum", "entries.jsonl").split()[0]
    assert sha256 == json.loads((tmp_path / "proof.json").read_text())["sha256"]
    key = run("sh", "-c", "openssl pkey -pubin -in key.pem -outform DER | tail -c 32 | base64")
    assert key == get_key().public_key
    script = DOCS.read_text().partition("```python\n")[2].partition("```")[0]
    assert run(sys.executable, "-c", script) == "one chain of 11 entries"


def test_an_export_after_pruning_is_whole_from_the_checkpoint_on(signed_in, domain, write_entry, tmp_path):
    for days in (500, 450, 0):
        write_entry(domain, action="paused", outcome="done", at=timezone.now() - timedelta(days=days))
    prune_chain(LedgerChain.objects.get(pk=domain.pk), before=get_limit(), actor="command")

    response = signed_in(Role.OWNER).post(
        reverse("integrations:ledger_export", args=[domain.name]), {"format": "jsonl"}
    )
    (tmp_path / "it.zip").write_bytes(b"".join(response.streaming_content))

    assert verify(tmp_path / "it.zip")[-1] == "They are the whole chain up to that head."


@pytest.mark.parametrize("form", [{"format": "exe"}, {}, {"format": "csv", "since": "tomorrow"}])
def test_an_export_that_makes_no_sense_gives_nothing_and_says_so(signed_in, filled, form):
    count = LedgerEntry.objects.count()

    response = signed_in(Role.AUDITOR).post(
        reverse("integrations:ledger_export", args=[filled.name]), form, follow=True
    )

    assert "Nothing was exported: the filter is not valid." in words_of(response)
    assert LedgerEntry.objects.count() == count


def test_an_export_that_cannot_be_signed_is_not_begun(signed_in, filled, settings):
    get_key()
    settings.TOKEN_KEYS = [Fernet.generate_key().decode()]
    count = LedgerEntry.objects.count()

    response = signed_in(Role.AUDITOR).post(
        reverse("integrations:ledger_export", args=[filled.name]), {"format": "csv"}, follow=True
    )

    assert "Nothing was exported: it cannot be signed." in words_of(response)
    assert LedgerEntry.objects.count() == count


def test_a_long_ledger_is_read_a_page_at_a_time(export, monkeypatch):
    monkeypatch.setattr("integrations.ledger.export.PAGE", 4)

    with CaptureQueriesContext(connection) as asked:
        path = export()

    pages = [query for query in asked if "sequence" in query["sql"] and "LIMIT 4" in query["sql"]]
    assert len(pages) == 4
    assert verify(path)[-1] == "They are the whole chain up to that head."


def test_mailboxes_are_named_beside_the_chain_and_each_entry_is_still_what_its_digest_says(
    export, filled, connect, owner, write_entry
):
    connection = connect(filled, owner)
    now = timezone.now()
    common = {"connection": connection, "digest": "d", "changed_at": now}
    Person.objects.create(remote_id="3", email="ana@acme.example", name="Ana Silva", **common)
    Mailbox.objects.create(
        remote_id="7", email="ana.s@acme.example", person_remote_id="3", read_at=now, **common
    )
    write_entry(
        filled, action="call", endpoint="write_signature", method="PATCH", scope="mailboxes.all", verb="write",
        object_ref="7", job="delivery 5", outcome="answered", connection_ref=str(connection.pk),
    )  # fmt: skip

    whole = zipfile.ZipFile(export())
    table = zipfile.ZipFile(export("csv"))

    entries = [json.loads(line) for line in whole.read("entries.jsonl").splitlines()]
    assert all(digest_entry(entry) == entry["digest"] for entry in entries)
    assert [json.loads(line) for line in whole.read("mailboxes.jsonl").splitlines()] == [
        {
            "connection_ref": str(connection.pk),
            "mailbox": "ana.s@acme.example",
            "mailbox_id": "7",
            "person": "Ana Silva",
        }
    ]
    rows = csv.DictReader(io.StringIO(table.read("entries.csv").decode("utf-8-sig")))
    ours = [row for row in rows if row["connection_ref"] == str(connection.pk) and row["object_ref"] == "7"]
    named = {(row["mailbox"], row["person"]) for row in ours}
    assert named == {("ana.s@acme.example", "Ana Silva")}
