"""Export check: verifies an exported ledger with nothing but the file and, if given, the expected key."""

from __future__ import annotations

import base64
import hashlib
import json
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from integrations.crypto.signing import is_signed_by
from integrations.models import GENESIS

from .digests import digest_entry
from .export import KIND, MAILBOXES, PROOF, SIGNATURE

BLOCK = 1 << 20
LONGEST_PROOF = 100_000


class ExportBroken(Exception):
    """The file is not what the portal gave; the words say what is wrong."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What a sound export proves. is_chained: every entry's own digest was computed anew and agrees;
    is_whole: and they are the whole chain, from its start or its checkpoint to the head."""

    said: dict[str, Any]
    is_chained: bool
    is_whole: bool


def check_export(path: Path) -> Proof:
    """Return what the file proves. Raises ExportBroken."""
    try:
        with zipfile.ZipFile(path) as archive:
            return _check(archive)
    except (zipfile.BadZipFile, KeyError, OSError, EOFError) as error:
        raise ExportBroken(f"This is not a ledger export, or it is damaged: {error}") from error


def _check(archive: zipfile.ZipFile) -> Proof:
    if archive.getinfo(PROOF).file_size > LONGEST_PROOF or archive.getinfo(SIGNATURE).file_size > BLOCK:
        raise ExportBroken("The proof is too long to be genuine.")
    proof = archive.read(PROOF)
    said = _read_proof(proof)
    signature = base64.b64encode(archive.read(SIGNATURE)).decode()
    if not is_signed_by(said["public_key"], proof, signature):
        raise ExportBroken("The proof was changed: its signature does not match.")
    _refuse_changed(archive, said["file"], said["sha256"])
    if "mailboxes_sha256" in said:  # not in exports of earlier versions
        _refuse_changed(archive, MAILBOXES, said["mailboxes_sha256"])
    if not said["file"].endswith(".jsonl"):
        return Proof(said, is_chained=False, is_whole=False)
    return Proof(said, is_chained=True, is_whole=_follow(archive, said))


def _refuse_changed(archive: zipfile.ZipFile, name: str, expected: str) -> None:
    sha256 = hashlib.sha256()
    with archive.open(name) as file:
        while block := file.read(BLOCK):
            sha256.update(block)
    if sha256.hexdigest() != expected:
        raise ExportBroken(f"{name} was changed: its SHA-256 is not the one in the proof.")


def _read_proof(proof: bytes) -> dict[str, Any]:
    try:
        said = json.loads(proof)
    except ValueError as error:
        raise ExportBroken("The proof cannot be read.") from error
    if not isinstance(said, dict) or said.get("kind") != KIND:
        raise ExportBroken("This version does not know the format of the proof.")
    return said


def _follow(archive: zipfile.ZipFile, said: dict[str, Any]) -> bool:
    """Return whether the entries are the whole chain. Raises ExportBroken where one does not match its digest."""
    pruned = said["pruned"] or {"last_sequence": 0, "digest": GENESIS}
    number, digest = pruned["last_sequence"], pruned["digest"]
    is_whole = True
    for entry in _read_lines(archive, said["file"]):
        if digest_entry(entry) != entry["digest"]:
            raise ExportBroken(f"Entry {entry['sequence']:,} does not match its digest.")
        is_whole &= (entry["sequence"], entry["previous_digest"]) == (number + 1, digest)
        number, digest = entry["sequence"], entry["digest"]
    return is_whole and (number, digest) == (said["head"]["count"], said["head"]["digest"])


def _read_lines(archive: zipfile.ZipFile, name: str) -> Iterator[dict[str, Any]]:
    with archive.open(name) as file:
        for line in file:
            yield json.loads(line)
