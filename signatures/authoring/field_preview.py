"""Field preview: whose value a rule would change, before and after, for real people of a domain."""

from __future__ import annotations

from dataclasses import dataclass

from portal.models import Domain
from signatures.models import Sender
from signatures.rendering.context import build_context
from signatures.rendering.fields import Trust, Vocabulary
from signatures.senders.value_sources import FieldRule, FieldRules
from signatures.senders.values import get_brand, get_group_values, get_person_values

MOST_SHOWN = 10


@dataclass(frozen=True, slots=True)
class ChangedValue:
    """One person's value as the live release shows it, and as the rule would make it."""

    sender: Sender
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class FieldPreview:
    """shown: at most ten of those whose value changes. lacking: how many have no value then."""

    shown: list[ChangedValue]
    changed: int
    lacking: int
    senders: int


def preview_rule(domain: Domain, before: FieldRules, rule: FieldRule) -> FieldPreview:
    """Return what a rule would change against the rules `before`, for the active senders; two queries."""
    after, brand = before.replace(rule), get_brand(domain)
    shown: list[ChangedValue] = []
    changed = lacking = total = 0
    people = Sender.objects.filter(domain=domain, is_active=True).select_related("person", "group")
    for sender in people.order_by("name", "pk").iterator(chunk_size=1_000):
        of_group = get_group_values(sender)
        old, new = (
            _show(rules, rule.name, get_person_values(sender, brand, rules, of_group).get(rule.name) or "")
            for rules in (before, after)
        )
        total += 1
        lacking += not new
        if old != new:
            changed += 1
            if len(shown) < MOST_SHOWN:
                shown.append(ChangedValue(sender, old, new))
    return FieldPreview(shown, changed, lacking, total)


def _show(rules: FieldRules, name: str, value: str) -> str:
    """Return a value as signatures show it: a date in its format."""
    field = rules.vocabulary.by_name.get(name)
    if field is None or field.trust is not Trust.DATE:
        return value
    return build_context({name: value}, Vocabulary((field,))).value(name) or ""
