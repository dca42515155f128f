"""Export: writes the ledger as a file with a signed proof that its entries are what the portal held.

A zip of four: the entries (JSON Lines is exact, CSV is for spreadsheets), `proof.json` (what was asked
for, how many entries, their SHA-256, the head of the chain), its Ed25519 signature, and the public key.
Written as it is read, so that it takes no more memory for millions of entries.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone

from integrations.crypto.signing import export_pem, get_key, refuse_unsignable, sign
from integrations.models import LedgerChain, LedgerEntry
from portal.csv_export import BYTE_ORDER_MARK, defuse_cell
from portal.models import Domain

from .digests import FIELDS, write_instant, write_json
from .verification import get_checkpoint

FORMATS = {"csv": "CSV", "jsonl": "JSON Lines"}
COLUMNS = (*FIELDS, "digest")
PAGE = 1000
KIND = "countersign ledger export 1"
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
        proof = _write_proof(export, tally)
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


def _write_entries(export: Export, tally: _Tally) -> Iterator[bytes]:
    write = _write_csv if export.format == "csv" else _write_lines
    if export.format == "csv":
        heading = BYTE_ORDER_MARK.encode() + _write_csv([dict(zip(COLUMNS, COLUMNS, strict=True))])
        tally.sha256.update(heading)
        yield heading
    last = 0
    while page := list(export.entries.filter(sequence__gt=last).order_by("sequence").values(*COLUMNS)[:PAGE]):
        last = page[-1]["sequence"]
        tally.first = tally.first or page[0]["sequence"]
        tally.last = last
        tally.count += len(page)
        piece = write([{**row, "at": write_instant(row["at"])} for row in page])
        tally.sha256.update(piece)
        yield piece


def _write_lines(rows: list[dict[str, Any]]) -> bytes:
    return b"".join(write_json(row) + b"\n" for row in rows)


def _write_csv(rows: list[dict[str, Any]]) -> bytes:
    text = io.StringIO(newline="")
    table = csv.writer(text, quoting=csv.QUOTE_ALL)
    for row in rows:
        table.writerow([defuse_cell(_write_cell(row[column])) for column in COLUMNS])
    return text.getvalue().encode()


def _write_cell(value: Any) -> str:
    if isinstance(value, list):
        return " ".join(str(one) for one in value)
    return "" if value is None else str(value)


def _write_proof(export: Export, tally: _Tally) -> bytes:
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
