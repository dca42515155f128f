"""Events and files of the spool of banner events."""

from __future__ import annotations

from pathlib import Path

from portal.models import Domain
from signatures.analytics.spool import Event

AGENT = "Mozilla/5.0 (Windows NT 10.0; Win64; x64)"


def make(domain: Domain, **columns: object) -> Event:
    values = {
        "kind": "image", "method": "GET", "domain_id": domain.pk, "sender_id": 1, "group_id": 2, "campaign_id": 3,
        "banner_id": 4, "visitor": "203.0.113.77", "agent": AGENT,
    }  # fmt: skip
    return Event(**{**values, **columns})  # type: ignore[arg-type]


def spool_files(folder: Path) -> list[Path]:
    return sorted((folder / "spool").glob("*"))
