"""Empty fields: counts senders without a value for a template's fields, and says what is omitted for them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from django.db.models import Count, Q, QuerySet

from portal.models import Domain
from signatures.models import Sender, Template, TemplateVersion
from signatures.rendering import CompiledTemplate, Field, describe_absences
from signatures.rendering.findings import Finding, Severity, TagPlaces
from signatures.senders.empty_values import is_empty
from signatures.senders.listing import get_senders_with
from signatures.senders.mailbox_status import get_fallback_template
from signatures.senders.value_sources import FieldRules
from signatures.senders.values import get_company
from signatures.senders.vocabulary import get_field_rules


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
    """

    senders: int
    is_in_use: bool
    fields: list[MissingValue]


def find_missing_values(version: TemplateVersion, fallback: Template | None) -> MissingValues:
    """Return the empty fields of the template's senders, or of all active senders if it has none; two queries."""
    domain = version.template.domain
    rules = get_field_rules(domain)
    vocabulary = rules.vocabulary
    senders = get_senders_with(domain, version.template_id, fallback)
    total, counts = count_missing(domain, senders, version.fields, rules)
    is_in_use = total > 0
    if not is_in_use:
        everyone = Sender.objects.filter(domain=domain, is_active=True)
        total, counts = count_missing(domain, everyone, version.fields, rules)
    counts |= count_shared(domain, version.fields, total)
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
    return MissingValues(total, is_in_use, sorted(found, key=lambda one: -one.senders))


def count_missing(
    domain: Domain, senders: QuerySet[Sender], names: Iterable[str], rules: FieldRules
) -> tuple[int, dict[str, int]]:
    """Return the number of senders, and for how many of them each field of a sender or group shows nothing.

    One query, whatever their number, and what `is_empty` needs. Invalid values are not counted.
    """
    known = [name for name in names if name.startswith("sender.")]
    counts: dict[str, Count] = {"total": Count("pk")}
    counts |= {
        f"missing_{at}": Count("pk", filter=is_empty(domain, name, rules)) for at, name in enumerate(known)
    }
    counts["without_group"] = Count("pk", filter=Q(group=None) | Q(group__is_default=True))
    answer = senders.order_by().aggregate(**counts)
    found = {name: answer[f"missing_{number}"] for number, name in enumerate(known)}
    if "group.name" in names:
        found["group.name"] = answer["without_group"]
    return answer["total"], found


def check_empty_fields(
    template: Template, compiled: CompiledTemplate, source: str, rules: FieldRules
) -> Iterator[Finding]:
    """Yield a note or warning for each field that is empty for people who get the template; five queries at most.

    It warns where nothing is delivered without the field, and where a line is only the field as a link.
    """
    domain, places = template.domain, TagPlaces(source)
    senders = get_senders_with(domain, template.pk, get_fallback_template(domain))
    total, counts = count_missing(domain, senders, compiled.fields, rules)
    counts |= count_shared(domain, compiled.fields, total)
    required = {field.name for field in rules.required}
    for name, people in counts.items():
        field = rules.vocabulary.by_name[name]
        if people and not field.is_removed:
            sentence = f"{field.label} ({name}) is empty for {people:,} of {total:,}."
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
