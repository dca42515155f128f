"""Vocabulary: the rules of one domain's merge fields, and the fields themselves, as they are edited now."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

from portal.models import Domain
from portal.page_reads import once_per_page
from portal.public_url import get_sandbox_origin
from signatures.models import EditedBy, FieldSetting
from signatures.rendering.cleanup import CleanUp
from signatures.rendering.fields import Vocabulary

from .draft_rows import FIELD_LISTS, read_draft_rows
from .value_sources import FieldRule, FieldRules


@once_per_page
def get_field_rules(domain: Domain) -> FieldRules:
    """Return what the domain says about its fields; one query."""
    return FieldRules(rule for _, rule in list_field_rules(domain))


def get_vocabulary(domain: Domain) -> Vocabulary:
    """Return the domain's merge fields; one query."""
    return take_own_images(get_field_rules(domain).vocabulary)


def take_own_images(vocabulary: Vocabulary) -> Vocabulary:
    """Return the merge fields as this portal has them: beside a sandbox, its own images fit without https."""
    origin = get_sandbox_origin()
    return replace(vocabulary, own_origin=origin) if origin else vocabulary


def list_closed_fields(domain: Domain) -> list[str]:
    """Return the fields whose values only owners and admins may edit; one query."""
    rows = FieldSetting.objects.filter(domain=domain, edited_by=EditedBy.ADMINS, removed_at=None)
    return list(rows.values_list("name", flat=True))


def list_field_rules(domain: Domain) -> Sequence[tuple[int, FieldRule]]:
    """Return id and rule of each setting that says something; one query, and for a page none of its own."""
    rules = [(row.id, make_rule(_load(row.text))) for row in read_draft_rows(domain, "setting")]
    return [(pk, rule) for pk, rule in rules if rule.is_said]


def _load(text: str) -> FieldSetting:
    said = json.loads(text)
    lists = {name: json.loads(said[name]) for name in FIELD_LISTS}
    return FieldSetting(**said | lists | {"is_required": bool(said["is_required"])})


def make_rule(row: FieldSetting) -> FieldRule:
    """Return the rule of one setting."""
    return FieldRule(
        name=row.name,
        label=row.label,
        help=row.help,
        default=row.default,
        is_required=row.is_required,
        is_removed=row.removed_at is not None,
        order=tuple(row.order),
        taken_from=row.taken_from,
        date_format=row.date_format,
        clean_up=CleanUp.from_json(row.clean_up),
    )
