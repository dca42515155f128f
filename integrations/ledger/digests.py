"""Digests: the bytes that a ledger entry's digest is taken of. Pure, so that an auditor can write it again.

One version for ever: what was chained under it must verify for as long as it is kept. What entries hold since goes
into LATER_FIELDS; any other change of what an entry holds is a new version beside this one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

VERSION = "countersign ledger entry 1"
FIELDS = (
    "sequence",
    "previous_digest",
    "at",
    "domain_id",
    "domain_name",
    "connection_ref",
    "action",
    "endpoint",
    "method",
    "scope",
    "verb",
    "fields",
    "object_ref",
    "actor_label",
    "job",
    "outcome",
    "status",
    "times",
    "item_count",
    "detail",
)
LATER_FIELDS = ("trace",)
"""Added since: a part of what the digest is taken of where there is one, so that earlier entries keep theirs."""


def write_instant(at: datetime) -> str:
    """Return an instant as digests and exports have it: UTC, to the microsecond."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def write_json(value: Any) -> bytes:
    """Return a value as digests and signatures have it: JSON in ASCII, keys sorted, no space between."""
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode("ascii")


def digest_entry(entry: Mapping[str, Any]) -> str:
    """Return the SHA-256, in hex, of an entry with all of FIELDS; `at` may be an instant or its text."""
    at = entry["at"]
    row = {name: entry[name] for name in FIELDS}
    row |= {name: entry[name] for name in LATER_FIELDS if entry.get(name)}
    row["at"] = write_instant(at) if isinstance(at, datetime) else at
    return hashlib.sha256(f"{VERSION}\n".encode() + write_json(row)).hexdigest()
