"""Empty fields: counts senders without a value for a template's fields, and the text omitted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Count, Q, QuerySet, TextField, Value
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Coalesce

from portal.models import Domain
from signatures.models import Sender, Template, TemplateVersion
from signatures.rendering import CompiledTemplate, Field, Source, describe_absences
from signatures.rendering.fields import BUILT_IN
from signatures.senders.listing import get_senders_with
from signatures.senders.values import get_brand
from signatures.senders.vocabulary import get_vocabulary

# What Outreach keeps of a person, as the columns of their row; a name may also stand in two.
_COLUMNS = {
    field.name: (field.name.removeprefix("sender."),) for field in BUILT_IN.of_senders(Source.OUTREACH)
} | {"sender.name": ("name", "first_name", "last_name")}


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
    vocabulary = get_vocabulary(domain)
    senders = get_senders_with(domain, version.template_id, fallback)
    total, counts = count_missing(senders, version.fields)
    is_in_use = total > 0
    if not is_in_use:
        total, counts = count_missing(Sender.objects.filter(domain=domain, is_active=True), version.fields)
    counts |= _count_shared(domain, version.fields, total)
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


def count_missing(senders: QuerySet[Sender], names: Iterable[str]) -> tuple[int, dict[str, int]]:
    """Return the number of senders, and how many of them have no value for each field of a sender or group.

    One query, whatever their number. Invalid values are not counted.
    """
    own: dict[str, Coalesce] = {}
    counts: dict[str, Count] = {"total": Count("pk")}
    known = [name for name in names if name.startswith("sender.")]
    for number, name in enumerate(known):
        own[f"own_{number}"] = Coalesce(
            KeyTextTransform(name, "own_values"), Value(""), output_field=TextField()
        )
        is_missing = Q(**{f"own_{number}": ""})
        for column in _COLUMNS.get(name, ()):
            is_missing &= Q(**{f"person__{column}": ""})
        counts[f"missing_{number}"] = Count("pk", filter=is_missing)
    counts["without_group"] = Count("pk", filter=Q(group=None) | Q(group__is_default=True))
    answer = senders.annotate(**own).order_by().aggregate(**counts)
    found = {name: answer[f"missing_{number}"] for number, name in enumerate(known)}
    if "group.name" in names:
        found["group.name"] = answer["without_group"]
    return answer["total"], found


def _count_shared(domain: Domain, names: Iterable[str], total: int) -> dict[str, int]:
    """Return the number of all senders for each empty field of the brand."""
    brand = get_brand(domain)
    shared = (name for name in names if name.startswith("company."))
    return {name: 0 if getattr(brand, name.removeprefix("company.")) else total for name in shared}
