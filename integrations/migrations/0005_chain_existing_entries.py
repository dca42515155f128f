"""Existing entries are chained domain by domain in the order they were written, and counted by day.

What was there before cannot be proven to be what was written; from here on a change shows. Nothing of an
entry changes but its place in the chain. On SQLite some 30,000 rows a second.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import defaultdict
from datetime import UTC
from zoneinfo import ZoneInfo

from django.db import migrations

GENESIS = "0" * 64
BATCH = 1000
VERSION = "countersign ledger entry 1"
FIELDS = (
    "sequence", "previous_digest", "at", "domain_id", "domain_name", "connection_ref", "action", "endpoint", "method",
    "scope", "verb", "fields", "object_ref", "actor_label", "job", "outcome", "status", "times", "item_count", "detail",
)
NUMBER = re.compile(r"(?:(?<!\s)\s++|(?<![\s\d]))\d++$")
COLUMNS = [name for name in FIELDS if name not in ("sequence", "previous_digest")]


# The three functions below are as they were when this migration was written: it must not change with the code.


def get_job_kind(job):
    """Return a job without its number: 'sync' for 'sync 12'."""
    return NUMBER.sub("", job)


def write_json(value):
    """Return JSON in ASCII, keys sorted, no space between."""
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode("ascii")


def digest_entry(entry):
    """Return the SHA-256, in hex, of an entry with all of FIELDS."""
    row = {name: entry[name] for name in FIELDS}
    row["at"] = entry["at"].astimezone(UTC).isoformat(timespec="microseconds")
    return hashlib.sha256(f"{VERSION}\n".encode() + write_json(row)).hexdigest()


def chain_entries(apps, schema_editor):
    Entry = apps.get_model("integrations", "LedgerEntry")
    Chain = apps.get_model("integrations", "LedgerChain")
    Domain = apps.get_model("portal", "Domain")
    zones = dict(Domain.objects.values_list("pk", "time_zone"))
    Day = apps.get_model("integrations", "LedgerDay")
    for key in list(Entry.objects.order_by().values_list("domain_id", flat=True).distinct()):
        last = Entry.objects.filter(domain_id=key).order_by("-id").values("domain_name").first()
        chain = Chain(id=key or 0, domain_id=key, domain_name=last["domain_name"] if key else "", count=0, digest=GENESIS)
        chain.save(force_insert=True)
        days = defaultdict(lambda: {"entries": 0, "calls": 0, "items": 0})
        last_id = 0
        while rows := list(
            Entry.objects.filter(domain_id=key, id__gt=last_id).order_by("id").values("id", *COLUMNS)[:BATCH]
        ):
            last_id = rows[-1]["id"]
            _chain_rows(chain, rows, schema_editor.connection)
            for row in rows:
                _count(days, row, ZoneInfo(zones.get(key, "UTC")))
        chain.save(update_fields=["count", "digest"])
        Day.objects.bulk_create(
            (Day(chain=chain, day=day, shape=shape, **sums) for (day, shape), sums in days.items()), batch_size=200
        )


def _chain_rows(chain, rows, connection):
    changes = []
    for row in rows:
        chain.count += 1
        row |= {"sequence": chain.count, "previous_digest": chain.digest}
        chain.digest = digest_entry(row)
        changes.append((chain.count, row["previous_digest"], chain.digest, row["id"]))
    with connection.cursor() as cursor:
        cursor.executemany(
            "UPDATE integrations_ledgerentry SET sequence = %s, previous_digest = %s, digest = %s WHERE id = %s",
            changes,
        )


def _count(days, row, zone):
    job_kind = get_job_kind(row["job"])
    kind = (
        row["action"], row["endpoint"], row["scope"], row["verb"], row["outcome"],
        json.dumps(row["fields"]), job_kind, row["actor_label"], row["connection_ref"],
    )
    shape = hashlib.sha256(write_json(kind)).hexdigest()
    sums = days[row["at"].astimezone(zone).date(), shape]
    sums |= {name: row[name] for name in ("action", "endpoint", "scope", "verb", "outcome", "fields", "actor_label", "connection_ref")}
    sums["job_kind"] = job_kind
    sums["entries"] += 1
    sums["calls"] += row["times"]
    sums["items"] += row["item_count"]
    sums["first_at"] = min(sums.get("first_at", row["at"]), row["at"])
    if row["at"] >= sums.get("last_at", row["at"]):
        sums |= {"last_at": row["at"], "last_job": row["job"]}


class Migration(migrations.Migration):
    dependencies = [("integrations", "0004_ledger_chain"), ("portal", "0001_initial")]
    operations = [migrations.RunPython(chain_entries, migrations.RunPython.noop)]
