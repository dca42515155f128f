"""Dated rows: the templates that groups and senders have for some days, as a page and a draft read them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date

from portal.models import Domain
from signatures.models import DatedAssignment, Template

from .draft_rows import read_draft_rows


def list_dated(domain: Domain) -> Sequence[DatedAssignment]:
    """Return the domain's templates with dates, the earliest first; not to be saved. Archived ones are left out."""
    rows = read_draft_rows(domain, "dated")
    kinds = ("template", "other_template") if rows else ()
    names = {row.id: row.text for kind in kinds for row in read_draft_rows(domain, kind)}
    found = []
    for row in rows:
        said, template_id = json.loads(row.text), row.other or 0
        template = Template(pk=template_id, domain=domain, name=names.get(template_id, ""))
        days = {name: _read_day(said.pop(name)) for name in ("starts_on", "ends_on")}
        found.append(DatedAssignment(pk=row.id, domain=domain, template=template, **said, **days))
    return sorted(found, key=lambda each: each.starts_on or date.min)


def _read_day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None
