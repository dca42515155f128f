"""Export: writes the ledger as a file with a signed proof that its entries are what the portal held.

A zip of five: the entries (JSON Lines is exact, CSV is for spreadsheets), `mailboxes.jsonl` (whose the mailboxes
are that they wrote to, which is no part of the chain), `proof.json` (what was asked for, how many entries, their
SHA-256, the head of the chain), its Ed25519 signature, and the public key.
Written as it is read, so that it takes no more memory for millions of entries.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone

from integrations.crypto.signing import export_pem, get_key, refuse_unsignable, sign
from integrations.models import LedgerChain, LedgerEntry
from portal.csv_export import BYTE_ORDER_MARK, defuse_cell
from portal.models import Domain

from .digests import FIELDS, LATER_FIELDS, write_instant, write_json
from .subjects import Write, name_writes
from .verification import get_checkpoint

FORMATS = {"csv": "CSV", "jsonl": "JSON Lines"}
COLUMNS = (*FIELDS, "digest", *LATER_FIELDS)
PAGE = 1000
KIND = "countersign ledger export 1"
NAMES = ("mailbox", "person")  # of a CSV, after the columns of the chain
MAILBOXES = "mailboxes.jsonl"
PROOF, SIGNATURE, PUBLIC_KEY = "proof.json", "proof.sig", "key.pem"


@dataclass(frozen=True, slots=True)
class Export:
    """What was asked for. filters: what the page's filter said, in words; empty where everything was."""

    domain: Domain
    entries: QuerySet[LedgerEntry]
    format: str
    filters: Mapping[str, str]
    actor: str
    head: LedgerChain
    at: datetime

    @property
    def entries_name(self) -> str:
        return f"entries.{self.format}"

    @property
    def filename(self) -> str:
        return f"ledger-{self.domain.name}-{self.at:%Y-%m-%d}-{self.format}.zip"


def plan_export(
    domain: Domain, entries: QuerySet[LedgerEntry], *, format: str, filters: Mapping[str, str], actor: str
) -> Export:
    """Return what will be given: the entries that match and are in the chain at this moment.

    entries: of this domain, narrowed as the page was. Raises Unsealable where nothing can be signed.
    """
    refuse_unsignable()
    head = LedgerChain.objects.filter(pk=domain.pk).first() or LedgerChain(id=domain.pk, domain=domain)
    bounded = entries.filter(sequence__lte=head.count)
    return Export(domain, bounded, format, filters, actor, head, timezone.now())


def stream_export(export: Export) -> Iterator[bytes]:
    """Yield the zip, piece by piece."""
    pipe = _Pipe()
    tally = _Tally()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open(export.entries_name, "w", force_zip64=True) as file:
            for piece in _write_entries(export, tally):
                file.write(piece)
                yield pipe.take()
        mailboxes = _write_lines([tally.mailboxes[key] for key in sorted(tally.mailboxes)])
        archive.writestr(MAILBOXES, mailboxes)
        proof = _write_proof(export, tally, mailboxes)
        signature = sign(proof)
        archive.writestr(PROOF, proof)
        archive.writestr(SIGNATURE, base64.b64decode(signature.value))
        archive.writestr(PUBLIC_KEY, export_pem(signature.public_key))
    yield pipe.take()


class _Pipe(io.RawIOBase):
    """A file that is only written to; what was written is taken out again."""

    def __init__(self) -> None:
        self._held = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._held += data
        return len(data)

    def take(self) -> bytes:
        taken, self._held = bytes(self._held), bytearray()
        return taken


class _Tally:
    """What the proof says of the entries, added up as they are written."""

    def __init__(self) -> None:
        self.count = 0
        self.first = self.last = 0
        self.sha256 = hashlib.sha256()
        self.mailboxes: dict[tuple[str, str], dict[str, str]] = {}


def _write_entries(export: Export, tally: _Tally) -> Iterator[bytes]:
    write = _write_csv if export.format == "csv" else _write_lines
    if export.format == "csv":
        heading = BYTE_ORDER_MARK.encode() + _write_csv([{name: name for name in (*COLUMNS, *NAMES)}])
        tally.sha256.update(heading)
        yield heading
    last = 0
    while page := list(export.entries.filter(sequence__gt=last).order_by("sequence").values(*COLUMNS)[:PAGE]):
        last = page[-1]["sequence"]
        tally.first = tally.first or page[0]["sequence"]
        tally.last = last
        tally.count += len(page)
        subjects = _name_rows(export.domain, page, tally)
        piece = write(
            [
                {**row, "at": write_instant(row["at"])} | (named if export.format == "csv" else {})
                for row, named in zip(page, subjects, strict=True)
            ]
        )
        tally.sha256.update(piece)
        yield piece


def _name_rows(domain: Domain, rows: Sequence[Mapping[str, Any]], tally: _Tally) -> list[dict[str, str]]:
    """Return the mailbox and the person of each row, '' where it wrote to none; each is noted for its own file."""
    writes = [
        Write(row["connection_ref"], row["job"], row["object_ref"]) if row["verb"] == "write" else None
        for row in rows
    ]
    subjects = name_writes(domain, [write for write in writes if write is not None])
    named = []
    for write in writes:
        subject = subjects.get(write) if write else None
        names = {"mailbox": subject.email, "person": subject.person} if subject else dict.fromkeys(NAMES, "")
        if write and subject:
            key = (write.connection_ref, write.mailbox_id)
            tally.mailboxes[key] = {"connection_ref": key[0], "mailbox_id": key[1], **names}
        named.append(names)
    return named


def _write_lines(rows: list[dict[str, Any]]) -> bytes:
    """Return rows as JSON Lines; a member that later versions added is left out where it is empty, as digests do."""
    return b"".join(
        write_json({name: value for name, value in row.items() if value or name not in LATER_FIELDS}) + b"\n"
        for row in rows
    )


def _write_csv(rows: list[dict[str, Any]]) -> bytes:
    text = io.StringIO(newline="")
    table = csv.writer(text, quoting=csv.QUOTE_ALL)
    for row in rows:
        table.writerow([defuse_cell(_write_cell(row[column])) for column in (*COLUMNS, *NAMES)])
    return text.getvalue().encode()


def _write_cell(value: Any) -> str:
    if isinstance(value, list):
        return " ".join(str(one) for one in value)
    return "" if value is None else str(value)


def _write_proof(export: Export, tally: _Tally, mailboxes: bytes) -> bytes:
    checkpoint = get_checkpoint(export.head)
    key = get_key()
    proof = {
        "kind": KIND,
        "domain": export.domain.name,
        "domain_id": export.domain.pk,
        "exported_at": write_instant(export.at),
        "exported_by": export.actor,
        "filters": dict(export.filters),
        "file": export.entries_name,
        "sha256": tally.sha256.hexdigest(),
        "mailboxes_sha256": hashlib.sha256(mailboxes).hexdigest(),
        "count": tally.count,
        "first_sequence": tally.first,
        "last_sequence": tally.last,
        "head": {"count": export.head.count, "digest": export.head.digest},
        "pruned": {"last_sequence": checkpoint.last_sequence, "digest": checkpoint.digest}
        if checkpoint
        else None,
        "key_id": key.key_id,
        "public_key": key.public_key,
    }
    return json.dumps(proof, indent=2, sort_keys=True).encode() + b"\n"
