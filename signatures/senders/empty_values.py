"""Empty values: which senders a signature shows nothing of a field for, after sources, defaults and clean-up.

A value that does not fit its field is not counted as empty: how it is written decides that, for each sender.
"""

from __future__ import annotations

from collections.abc import Sequence

from django.db.models import Case, CharField, F, Q, TextField, Value, When
from django.db.models.expressions import Combinable
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast, Coalesce, NullIf
from django.db.models.lookups import In

from portal.models import Domain
from signatures.models import Group, Sender
from signatures.rendering.cleanup import clean_value
from signatures.rendering.fields import BUILT_IN, Source

from .value_sources import (
    COMPANY,
    COMPANY_VALUES,
    GROUP,
    IMPORT,
    OUTREACH,
    OVERRIDE,
    FieldRule,
    FieldRules,
    complete_order,
)
from .values import get_brand

# Where a value may stand: in Outreach's columns of a person, and among local values. A name may also stand in two.
_COLUMNS = {
    field.name: (field.name.removeprefix("sender."),) for field in BUILT_IN.of_senders(Source.OUTREACH)
} | {"sender.name": ("name", "first_name", "last_name")}
_LOCAL = {"sender.name": ("sender.name", "sender.first_name", "sender.last_name")}

_EMPTY = Value("", output_field=TextField())


def is_empty(domain: Domain, name: str, rules: FieldRules) -> Q:
    """Return the condition that a signature shows nothing of a field for a sender of the domain, by these rules.

    Two queries more at most: for the brand, where the company's value stands in, and for the values that the domain's
    clean-up leaves nothing of.
    """
    rule = rules.find(name)
    if rule.is_removed:
        return Q(pk__isnull=False)
    text = _get_text(domain, rule)
    return Q(In(text, ["", *(_find_emptied(domain, rule, text) if rule.clean_up.can_empty else ())]))


def _get_text(domain: Domain, rule: FieldRule) -> Coalesce:
    """Return a field's value before its clean-up: that of the first source that has one, or the default."""
    places: dict[str, Sequence[Combinable]] = {
        OVERRIDE: [KeyTextTransform(name, "own_values") for name in _LOCAL.get(rule.name, (rule.name,))],
        OUTREACH: [F(f"person__{column}") for column in _COLUMNS.get(rule.taken_from or rule.name, ())],
        GROUP: [KeyTextTransform(rule.name, "group__field_values")],
        COMPANY: [_get_company(domain, rule)] if COMPANY in rule.order else [],
    }
    order = dict.fromkeys(OVERRIDE if source == IMPORT else source for source in complete_order(rule.order))
    texts = [NullIf(Cast(place, TextField()), _EMPTY) for source in order for place in places[source]]
    return Coalesce(*texts, Value(rule.default, output_field=TextField()), output_field=TextField())


def _get_company(domain: Domain, rule: FieldRule) -> Combinable:
    """Return the company's value that stands in for a field, or that of the sender's group where it differs."""
    name = COMPANY_VALUES[rule.name].removeprefix("company.")
    groups = Group.objects.filter(domain=domain, company_values__has_key=name)
    theirs = [When(group=group, then=Value(group.company_values[name])) for group in groups]
    company = getattr(get_brand(domain), name)
    return Case(*theirs, default=Value(company), output_field=CharField())


def _find_emptied(domain: Domain, rule: FieldRule, text: Coalesce) -> list[str]:
    """Return the values that senders have and the rule's clean-up leaves nothing of."""
    senders = Sender.objects.filter(domain=domain, is_active=True).order_by()
    found = senders.annotate(text=text).exclude(text="").values_list("text", flat=True).distinct()
    return [each for each in found if not clean_value(each, rule.clean_up).strip()]
