"""Field sources: each merge field of a sender with its value, where that comes from, and who set it."""

from __future__ import annotations

from dataclasses import dataclass

from signatures.models import Sender
from signatures.rendering.fields import Field, Source

from .origins import ValueRecord
from .value_sources import GROUP
from .values import (
    get_brand_for,
    get_company,
    get_group_name,
    get_group_values,
    get_own_values,
    get_values,
    read_sources,
)
from .vocabulary import get_field_rules

FROM_GROUP = "from group"


@dataclass(frozen=True, slots=True)
class FieldSource:
    """One merge field of one sender: its value ('' for none) and source.

    source: 'own' (local override), FROM_GROUP (what the group has for this field), 'outreach', 'portal', 'company',
    'group' or 'missing'.
    record: who set the local value; None for values of elsewhere, and of before that was on record.
    """

    field: Field
    value: str
    source: str
    record: ValueRecord | None = None


def get_field_sources(sender: Sender) -> list[FieldSource]:
    """Return every merge field of a sender with its value and source, in the table's order."""
    rules = get_field_rules(sender.domain)
    brand, slot = get_company(sender.domain)
    shown = get_brand_for(brand, sender.group)
    of_group = get_group_values(sender)
    values = get_values(sender, shown, slot, get_group_name(sender), rules, of_group)
    sources = read_sources(sender, shown, of_group)
    own, records = get_own_values(sender), sender.value_origins
    found = []
    for field in rules.vocabulary.fields:
        value = values.get(field.name) or ""
        if field.name in own and field.source is Source.OUTREACH:
            source = "own"
        elif value and field.name in of_group and rules.find_source(field.name, sources) == GROUP:
            source = FROM_GROUP
        else:
            source = field.source.value if value else "missing"
        record = records.get(field.name)
        known = ValueRecord.from_json(record) if record and "at" in record else None
        found.append(FieldSource(field, value, source, known))
    return found
