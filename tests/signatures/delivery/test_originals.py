"""Originals as a file: exact where a program reads it, harmless where a spreadsheet does."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from hashlib import sha256

import pytest

from signatures.delivery.originals import COLUMNS, write_archive, write_originals
from signatures.models import Snapshot


@pytest.fixture
def kept(domain, other_domain) -> dict[str, str]:
    htmls = {"1": "<p>Ana &amp; co</p>\r\n", "2": "", "3": "=HYPERLINK(0)", "4": "Grüße, “你好”"}
    for id, html in htmls.items():
        Snapshot.objects.create(
            domain=domain, mailbox_remote_id=id, mailbox_email=f"m{id}@acme.example", original_html=html
        )
    Snapshot.objects.create(domain=other_domain, mailbox_remote_id="9", mailbox_email="x@bystander.example")
    return htmls


@pytest.mark.django_db
def test_json_lines_hold_every_original_of_the_domain_byte_for_byte(domain, kept):
    stream = io.StringIO()

    count = write_originals(domain, stream, "jsonl")

    rows = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert {row["mailbox_id"]: row["original_html"] for row in rows} == kept
    assert count == len(kept)


@pytest.mark.django_db
def test_csv_has_a_heading_and_no_formula(domain, kept):
    stream = io.StringIO(newline="")

    write_originals(domain, stream, "csv")

    mark, text = stream.getvalue()[:1], stream.getvalue()[1:]
    assert mark == "\ufeff"
    heading, *rows = csv.reader(io.StringIO(text, newline=""))
    assert tuple(heading) == COLUMNS
    assert [row[4] for row in rows] == [kept["1"], kept["2"], "'=HYPERLINK(0)", kept["4"]]


@pytest.mark.django_db
def test_unknown_format_is_refused(domain):
    with pytest.raises(ValueError, match="csv, jsonl"):
        write_originals(domain, io.StringIO(), "xlsx")


@pytest.mark.django_db
def test_the_archive_has_a_file_for_each_mailbox_and_a_manifest_of_digests(domain, kept):
    Snapshot.objects.create(
        domain=domain,
        mailbox_remote_id="5",
        mailbox_email="../../etc/x@acme.example",
        original_html="<p>5</p>",
    )
    stream = io.BytesIO()

    count = write_archive(domain, stream)

    archive = zipfile.ZipFile(stream)
    manifest = json.loads(archive.read("manifest.json"))
    assert manifest["domain"] == domain.name
    assert {row["mailbox_id"]: archive.read(row["file"]).decode() for row in manifest["originals"]} == (
        kept | {"5": "<p>5</p>"}
    )
    assert all(
        sha256(archive.read(row["file"])).hexdigest() == row["sha256"] for row in manifest["originals"]
    )
    assert all(row["taken_at"] and row["mailbox"] for row in manifest["originals"])
    names = set(archive.namelist()) - {"manifest.json"}
    assert len(names) == count == len(kept) + 1
    assert all(name.startswith("originals/") and name.count("/") == 1 for name in names)
