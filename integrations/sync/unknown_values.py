"""Unknown values: what Outreach left unsaid in a run, counted by attribute, and in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from django.contrib.humanize.templatetags.humanize import intcomma

from integrations.connection.health import find_incomplete, find_unknown, list_ended
from integrations.connector import UnknownValue
from integrations.models import Connection, SyncRun

from .rejections import KINDS

KEPT = "the stored value stays"
WHAT_FOLLOWS = {
    "locked": "nothing is written to them until it is known, and a known lock stays",
    "editable": "nothing is written to them until it is known",
    "updatedAt": "changes are dated by this portal’s clock",
}
Counted = tuple[str, UnknownValue]


def as_json(counted: Mapping[Counted, int]) -> list[dict[str, Any]]:
    """Return counts as a run keeps them, in a stable order."""
    return [
        {"kind": kind, "attribute": value.attribute, "was_sent": value.was_sent, "records": count}
        for (kind, value), count in sorted(counted.items())
    ]


def add_page(counted: Counter[Counted], kind: str, unknown: Mapping[UnknownValue, int]) -> None:
    """The counts of one page are in those of the run."""
    counted.update({(kind, value): count for value, count in unknown.items()})


def describe_gaps(connection: Connection | None, recent: Sequence[SyncRun] = ()) -> dict[str, Any]:
    """Return what a page's notes say of records that were rejected and of values that were not told.

    recent: the newest runs, where they were read already.
    synced_at: when the directory was last read to its end; None where it never was.
    """
    ended = list_ended(connection, recent)
    unknown_run = find_unknown(ended)
    return {
        "incomplete_run": find_incomplete(ended),
        "unknown_run": unknown_run,
        "unknown": describe_unknown(unknown_run),
        "synced_at": ended[0].finished_at if ended else None,
    }


def describe_unknown(run: SyncRun | None) -> list[str]:
    """Return a sentence for each attribute that did not come, or did not fit, and what follows from that."""
    return [_describe(one) for one in (run.unknown_values if run else ())]


def _describe(one: Mapping[str, Any]) -> str:
    meta = KINDS[one["kind"]]._meta
    number = one["records"]
    whom = f"{intcomma(number)} {meta.verbose_name if number == 1 else meta.verbose_name_plural}"
    follows = WHAT_FOLLOWS.get(one["attribute"], KEPT)
    if one["was_sent"]:
        return f"Outreach sent {one['attribute']} for {whom} in an unknown form; {follows}."
    return f"Outreach did not send {one['attribute']} for {whom}; {follows}."
