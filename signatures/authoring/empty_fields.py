"""Empty fields: how many senders have no value for a template's fields, and what is omitted for them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from portal.models import Domain
from signatures.models import Template, TemplateVersion
from signatures.rendering import CompiledTemplate, Field, describe_absences
from signatures.rendering.findings import Finding, Severity, TagPlaces
from signatures.senders.value_sources import FieldRules
from signatures.senders.values import get_company
from signatures.senders.vocabulary import get_vocabulary

from .empty_counts import count_empty

BEING_COUNTED = "How many people have no value for a field is being counted."


@dataclass(frozen=True, slots=True)
class MissingValue:
    """A field that is empty for some senders: how many, and the omitted text of each line with sample values."""

    field: Field
    senders: int
    gone: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MissingValues:
    """A version's empty fields, most frequent first.

    senders: how many were checked. is_in_use: those with the template; else all active senders.
    outdated_at: when they were counted, where something changed since.
    """

    senders: int
    is_in_use: bool
    fields: list[MissingValue]
    outdated_at: datetime | None = None


def find_missing_values(domain: Domain, version: TemplateVersion) -> MissingValues | None:
    """Return the empty fields of the template's senders, or of all active senders if it has none.

    None before the first count of a large domain.
    """
    vocabulary = get_vocabulary(domain)
    counted = count_empty(domain, version.template_id, version.fields)
    if counted is None:
        return None
    is_in_use = counted.senders > 0
    if not is_in_use:
        counted = count_empty(domain, None, version.fields) or counted
    counts = {**counted.empty, **count_shared(domain, version.fields, counted.senders)}
    compiled = CompiledTemplate.from_stored(version.compiled_html, version.fields)
    gone = (
        {absence.field: absence.gone for absence in describe_absences(compiled, vocabulary=vocabulary)}
        if any(counts.values())
        else {}
    )
    found = [
        MissingValue(vocabulary.by_name[name], count, gone.get(name, ()))
        for name, count in counts.items()
        if count
    ]
    return MissingValues(
        counted.senders, is_in_use, sorted(found, key=lambda one: -one.senders), counted.outdated_at
    )


def check_empty_fields(
    domain: Domain, template: Template, compiled: CompiledTemplate, source: str, rules: FieldRules
) -> Iterator[Finding]:
    """Yield a note or warning for each field that is empty for people who get the template.

    It warns where nothing is delivered without the field, and where a line is only the field as a link. One note
    before the first count of a large domain.
    """
    places = TagPlaces(source)
    counted = count_empty(domain, template.pk, compiled.fields)
    if counted is None:
        yield Finding(Severity.NOTE, "fields-uncounted", BEING_COUNTED, "Open this page again in a minute.")
        return
    counts = {**counted.empty, **count_shared(domain, compiled.fields, counted.senders)}
    as_of = " as last counted" if counted.outdated_at else ""
    required = {field.name for field in rules.required}
    for name, people in counts.items():
        field = rules.vocabulary.by_name[name]
        if people and not field.is_removed:
            sentence = f"{field.label} ({name}) is empty for {people:,} of {counted.senders:,}{as_of}."
            severity, remedy = Severity.NOTE, "What depends on it is left out for them."
            if name in required:
                severity, remedy = Severity.WARNING, "Nothing is delivered to them until it is filled."
            elif _is_link_line(compiled.html, name):
                severity, remedy = Severity.WARNING, "A whole line, the link, is left out for them."
            finding = Finding(severity, "field-empty", sentence, remedy, people=people, field=name)
            yield finding.at(places.find_text(name))


def _is_link_line(html: str, name: str) -> bool:
    """Return whether a line of a compiled template is only the field, as a link."""
    output = rf"\{{\{{\s*{re.escape(name)}\b[^{{}}]*\}}\}}"
    line = (
        rf"(?:<br>|<(?:td|p|div|li)\b[^<>]*>)\s*<a\b[^<>]*>\s*{output}\s*</a>\s*(?:<br>|</(?:td|p|div|li)>)"
    )
    return re.search(line, html) is not None


def count_shared(domain: Domain, names: Iterable[str], total: int) -> dict[str, int]:
    """Return the number of all senders for each empty field of the brand."""
    brand, _ = get_company(domain)
    shared = (name for name in names if name.startswith("company."))
    return {name: 0 if getattr(brand, name.removeprefix("company.")) else total for name in shared}
