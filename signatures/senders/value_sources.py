"""Value sources: the order in which a field asks them, what else a domain says about fields, and the values; pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import Any

from signatures.rendering.cleanup import NOTHING, CleanUp, clean_value
from signatures.rendering.context import PHONE_REGION
from signatures.rendering.fields import (
    BUILT_IN,
    CUSTOM_PREFIX,
    CUSTOM_SAMPLES,
    Field,
    Source,
    Trust,
    Vocabulary,
    get_custom_trust,
)
from signatures.rendering.phones import get_region

OVERRIDE, IMPORT, OUTREACH, GROUP, COMPANY = "override", "import", "outreach", "group", "company"
SOURCES = (OVERRIDE, IMPORT, OUTREACH, GROUP, COMPANY)
USUAL_ORDER = (
    OVERRIDE,
    IMPORT,
    OUTREACH,
)  # the group's value follows, and the company's where a field says so
# Field of a sender -> the company's value that may stand in for it.
COMPANY_VALUES = {
    "sender.phone": "company.phone",
    "sender.mobile": "company.phone",
    "sender.office_address": "company.address",
    "sender.linkedin_url": "company.website",
    "sender.calendar_url": "company.website",
    "sender.photo_url": "company.logo_url",
}
_NAME_PARTS = ("sender.first_name", "sender.last_name")
OF_ONE_PERSON = frozenset({*_NAME_PARTS, "sender.name", "sender.email"})  # no group has a value for these
DATE_FIELDS = f"{CUSTOM_PREFIX}date"  # in place of a name: what is said about all custom fields with a date


def complete_order(order: tuple[str, ...]) -> tuple[str, ...]:
    """Return a source order with the group's value in it: after the others and before the company's, if nowhere."""
    order = order or USUAL_ORDER
    if GROUP in order:
        return order
    at = order.index(COMPANY) if COMPANY in order else len(order)
    return (*order[:at], GROUP, *order[at:])


@dataclass(frozen=True, slots=True)
class SenderSources:
    """What each source has of one sender, by merge field.

    mirrored: Outreach's values. own: local ones. imported: names of those that a file set. group: of the group that
    wins. company: brand values.
    """

    mirrored: Mapping[str, str | None]
    own: Mapping[str, str]
    company: Mapping[str, str | None]
    imported: frozenset[str] = frozenset()
    group: Mapping[str, str] = field(default_factory=dict)

    def find(self, rule: FieldRule, order: tuple[str, ...]) -> tuple[str, str]:
        """Return the first source in the order that has a value, and the value; twice '' for none."""
        kept, is_imported = self.own.get(rule.name), rule.name in self.imported
        found = {
            OVERRIDE: None if is_imported else kept,
            IMPORT: kept if is_imported else None,
            OUTREACH: self.mirrored.get(rule.taken_from or rule.name),
            GROUP: self.group.get(rule.name),
            COMPANY: self.company.get(COMPANY_VALUES.get(rule.name, "")),
        }
        return next(((source, text) for source in order if (text := found[source])), ("", ""))


@dataclass(frozen=True, slots=True)
class FieldRule:
    """What a domain says about one field. '' and () leave it as it is built in.

    order: which sources are asked, in this order. taken_from: the field of Outreach whose value it takes.
    """

    name: str
    label: str = ""
    help: str = ""
    default: str = ""
    is_required: bool = False
    is_removed: bool = False
    order: tuple[str, ...] = ()
    taken_from: str = ""
    date_format: str = ""
    clean_up: CleanUp = NOTHING

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> FieldRule:
        """Return what `to_json` gave."""
        rule = {**stored, "order": tuple(stored.get("order", ()))}
        return cls(**{**rule, "clean_up": CleanUp.from_json(stored.get("clean_up", {}))})

    def to_json(self) -> dict[str, Any]:
        """Return what is not as it is built in, as plain values."""
        chosen = {one.name: getattr(self, one.name) for one in fields(self) if getattr(self, one.name)}
        chosen |= {"order": list(self.order)} if self.order else {}
        clean_up = self.clean_up.to_json()
        del chosen["clean_up"]
        return chosen | ({"clean_up": clean_up} if clean_up else {})

    @property
    def is_said(self) -> bool:
        """Whether it says anything at all: a custom field is said to exist."""
        return self != FieldRule(self.name) or get_custom_trust(self.name) is not None

    def apply_to(self, field: Field) -> Field:
        """Return the field with this label, help and date format."""
        return replace(
            field,
            label=self.label or field.label,
            doc=self.help or field.doc,
            date_format=self.date_format,
            is_removed=self.is_removed,
        )

    @property
    def changes_values(self) -> bool:
        return (
            bool(self.default or self.order or self.taken_from or self.is_removed) or self.clean_up != NOTHING
        )


class FieldRules:
    """The rules of one domain, or of one release."""

    def __init__(self, rules: Iterable[FieldRule] = ()) -> None:
        self._by_name = {rule.name: rule for rule in rules if rule.is_said}
        self._changing = {
            rule: complete_order(rule.order) for rule in self._by_name.values() if rule.changes_values
        }

    def find(self, name: str) -> FieldRule:
        """Return the rule of a field; one that says nothing where there is none."""
        return self._by_name.get(name) or FieldRule(name)

    @property
    def tells_imports(self) -> bool:
        """Whether it matters if a value was imported or typed."""
        return any(rule.order for rule in self._changing)

    def replace(self, rule: FieldRule) -> FieldRules:
        """Return these rules with another one for its field."""
        return FieldRules({**self._by_name, rule.name: rule}.values())

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """The built-in fields as this domain calls them, and behind the last one of a sender its custom ones."""
        if not self._by_name:
            return BUILT_IN
        built_in = [self.find(field.name).apply_to(field) for field in BUILT_IN.fields]
        end = 1 + max(at for at, field in enumerate(built_in) if field.name.startswith("sender."))
        custom = [
            _make_custom(rule, trust, self.find(DATE_FIELDS).date_format)
            for rule in self._by_name.values()
            if (trust := get_custom_trust(rule.name)) is not None
        ]
        return Vocabulary((*built_in[:end], *custom, *built_in[end:]))

    @cached_property
    def required(self) -> tuple[Field, ...]:
        """The fields without which nothing is written to a person's mailboxes."""
        return tuple(
            field
            for field in self.vocabulary.of_senders()
            if self.find(field.name).is_required and not field.is_removed
        )

    def resolve(self, sources: SenderSources) -> dict[str, str | None]:
        """Return a sender's values by these rules."""
        mirrored, own = sources.mirrored, sources.own
        values = {**mirrored, **own}
        for name, text in sources.group.items():
            values[name] = values.get(name) or text
        if not self._changing:
            return name_by_parts(values, mirrored, own)
        region = get_home_region(mirrored, sources.company)
        for rule, order in self._changing.items():
            text = "" if rule.is_removed else sources.find(rule, order)[1] or rule.default
            values[rule.name] = clean_value(text, rule.clean_up, region)
        return self._clean_name(name_by_parts(values, mirrored, own), own, region)

    def find_source(self, name: str, sources: SenderSources) -> str:
        """Return which source gives the value of a field, or ''."""
        rule = self.find(name)
        return sources.find(rule, complete_order(rule.order))[0]

    def _clean_name(
        self, values: dict[str, str | None], own: Mapping[str, str], region: str
    ) -> dict[str, str | None]:
        rule = self.find("sender.name")
        if not own.get("sender.name") and rule.clean_up != NOTHING:
            values["sender.name"] = clean_value(values.get("sender.name") or "", rule.clean_up, region)
        return values


def get_home_region(mirrored: Mapping[str, str | None], company: Mapping[str, str | None]) -> str:
    """Return the country of a sender's numbers without a country code: their own, or that of the company's number."""
    return (mirrored.get(PHONE_REGION) or "").upper() or get_region(company.get("company.phone") or "")


def name_by_parts(
    values: dict[str, str | None], mirrored: Mapping[str, str | None], own: Mapping[str, str]
) -> dict[str, str | None]:
    """Return `values` with the full name made of its parts where one of them is not Outreach's; in place."""
    parts = [values.get(name) or "" for name in _NAME_PARTS]
    if not own.get("sender.name") and parts != [mirrored.get(name) or "" for name in _NAME_PARTS]:
        values["sender.name"] = " ".join(part for part in parts if part)
    return values


def _make_custom(rule: FieldRule, trust: Trust, date_format: str) -> Field:
    label = rule.label or rule.name.rpartition("_")[2].capitalize()
    field = Field(rule.name, label, trust, Source.PORTAL, CUSTOM_SAMPLES[trust], "A field of this domain.")
    made = rule.apply_to(field)
    return made if made.date_format else replace(made, date_format=date_format)


NO_RULES = FieldRules()
