"""Changes: what one content changes against another, thing by thing, with its differences and who edited it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from django.urls import reverse

from portal.models import Domain
from signatures.models import BannerPlace, Brand, Sender, TemplateVersion, ValueDraft
from signatures.rendering.fields import Vocabulary, get_custom_trust
from signatures.senders.assignment import DatedTemplate
from signatures.senders.disclaimers import DatedDisclaimer
from signatures.senders.draft_rows import read_draft_rows
from signatures.senders.field_words import list_rule_words
from signatures.senders.numbers import show_numbers
from signatures.senders.value_sources import DATE_FIELDS, FieldRule
from signatures.senders.vocabulary import get_vocabulary

from .content import (
    BANNER,
    BANNER_FIELDS,
    BRAND,
    COMPANY_FIELDS,
    ORDER,
    ReleaseContent,
    ReleasedGroup,
    digest_part,
)
from .differences import Difference, change_text, list_line_differences, replace_value
from .draft import list_edits
from .membership_words import MembershipWords
from .versions import load_versions

INHERITED = "Inherited (default)"
AS_COMPANY = "The company’s"
NOTHING = "None"
TEMPLATE = "Template with dates"
Dated = TypeVar("Dated", DatedTemplate, DatedDisclaimer)
KINDS = {
    "template": "Template",
    BRAND: "Brand",
    BANNER: "Banner",
    "group": "Group",
    ORDER: "Groups",
    "person": "Assignment",
    "values": "Values",
    "field": "Field",
}


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that differs. digest: of this draft, so that a later one is noticed. url: the page to edit it on."""

    key: str
    digest: str
    title: str
    note: str
    differences: list[Difference]
    url: str
    edited_by: str = ""
    edited_at: datetime | None = None

    @property
    def kind(self) -> str:
        return KINDS[self.key.partition(":")[0]]


def describe_changes(
    domain: Domain,
    before: ReleaseContent,
    after: ReleaseContent,
    keys: Collection[str],
    values: Collection[ValueDraft] = (),
) -> list[Change]:
    """Return the change of each key, in the order of the keys; six queries for any number of them.

    values: the drafts of values that the keys name, with their sender.
    """
    describer = _Describer(domain, before, after, keys, values)
    return [describer.describe(key) for key in keys]


class _Describer:
    def __init__(
        self,
        domain: Domain,
        before: ReleaseContent,
        after: ReleaseContent,
        keys: Collection[str],
        values: Collection[ValueDraft],
    ) -> None:
        self._domain, self._before, self._after = domain, before, after
        self._edits = {edit.key: edit for edit in list_edits(domain)}
        kinds = ("template", "other_template")
        self._templates = {row.id: row.text for kind in kinds for row in read_draft_rows(domain, kind)}
        self._vocabulary = get_vocabulary(domain)
        self._versions = self._load_versions(keys)
        people = {int(key.partition(":")[2]) for key in keys if key.startswith(("person:", "values:"))}
        changed = {int(key.partition(":")[2]) for key in keys if key.startswith("group:")}
        groups = [group for content in (before, after) for group in content.groups if group.id in changed]
        self._members = MembershipWords(domain, groups)
        self._people = Sender.objects.filter(domain=domain).in_bulk(people) if people else {}
        self._values: dict[int, list[ValueDraft]] = {}
        for draft in values:
            self._values.setdefault(draft.sender_id, []).append(draft)

    def _load_versions(self, keys: Collection[str]) -> Mapping[int, TemplateVersion]:
        ids = {int(key.partition(":")[2]) for key in keys if key.startswith("template:")}
        wanted = {content.templates.get(id) for content in (self._before, self._after) for id in ids}
        return load_versions(self._domain, wanted)

    def describe(self, key: str) -> Change:
        kind, _, id = key.partition(":")
        describe = {
            "template": self._describe_template,
            BRAND: self._describe_brand,
            BANNER: self._describe_banner,
            "group": self._describe_group,
            ORDER: self._describe_order,
            "person": self._describe_person,
            "values": self._describe_values,
            "field": self._describe_field,
        }[kind]
        return describe(key, int(id or 0))

    def _make(
        self, key: str, title: str, note: str, differences: list[Difference], page: str, id: int | str = 0
    ) -> Change:
        drafts = self._values.get(int(id), []) if key.startswith("values:") else []
        last = max(drafts, key=lambda draft: draft.edited_at) if drafts else self._edits.get(key)
        return Change(
            key,
            digest_part(self._after, key, [(draft.field, draft.value) for draft in drafts]),
            title,
            note,
            differences,
            reverse(f"signatures:{page}", args=[self._domain.name, id] if id else [self._domain.name]),
            last.edited_by_label if last else "",
            last.edited_at if last else None,
        )

    def _describe_template(self, key: str, id: int) -> Change:
        old = self._versions.get(self._before.templates.get(id, 0))
        new = self._versions.get(self._after.templates.get(id, 0))
        name = self._templates.get(id, f"Template {id}")
        if new is None:
            return self._make(key, name, "Archived", [], "templates")
        if old is None:
            note, found = f"New template, version {new.number}", []
        else:
            note = f"Draft version {new.number}, from version {old.number}"
            found = list_line_differences(old.source, new.source)
        return self._make(key, name, note, found, "template", id)

    def _describe_brand(self, key: str, id: int) -> Change:
        labels = _get_labels(Brand, COMPANY_FIELDS)
        found = _compare_values(labels, self._before.company, self._after.company)
        found += _compare_dated("Dated disclaimer", self._before.disclaimers, self._after.disclaimers, str)
        return self._make(key, "Brand settings", "", found, "brand")

    def _describe_banner(self, key: str, id: int) -> Change:
        labels = _get_labels(BannerPlace, [name for name in BANNER_FIELDS if name != "variable"])
        labels |= {"is_on": "Banner slot", "variable": "Recipient merge variable"}
        found = _compare_values(labels, _say_banner(self._before.banner), _say_banner(self._after.banner))
        return self._make(key, "Banner slot", "", found, "banner_place")

    def _describe_group(self, key: str, id: int) -> Change:
        old, new = self._before.group_by_id.get(id), self._after.group_by_id.get(id)
        if new is None:
            why = "Its team no longer exists in Outreach" if old and old.team_id else "Archived"
            return self._make(key, old.name if old else "", why, [], "groups")
        found = []
        if old is not None and old.name != new.name:
            found.append(change_text("Name", old.name, new.name))
        had, has = self._members.describe(old), self._members.describe(new)
        found += [replace_value(label, had[label], has[label]) for label in has if had[label] != has[label]]
        before, after = (self._name_template(group) for group in (old, new))
        if before != after:
            found.append(replace_value("Template", before, after))
        found += _compare_dated(TEMPLATE, old.assignments if old else (), new.assignments, self._say_dated)
        found += compare_group_fields(self._vocabulary, old, new)
        found += compare_group_brand(old, new)
        return self._make(key, new.name, "" if old else "New group", found, "group", id)

    def _name_template(self, group: ReleasedGroup | None) -> str:
        if group is None:
            return ""
        if group.template_id is None:
            return "None" if group.is_default else INHERITED
        return self._say_template(group.template_id)

    def _say_template(self, id: int) -> str:
        return self._templates.get(id, f"Template {id}")

    def _say_dated(self, assigned: DatedTemplate) -> str:
        return f"{self._say_template(assigned.template_id)} {assigned.words}"

    def _describe_order(self, key: str, id: int) -> Change:
        found = _compare_order(self._before, self._after)
        return self._make(key, "Order of groups", "", found, "groups")

    def _describe_person(self, key: str, id: int) -> Change:
        old, new = (
            "Inherited from the group" if template is None else self._say_template(template)
            for template in (self._before.people.get(id), self._after.people.get(id))
        )
        found = [replace_value("Template", old, new)] if old != new else []
        before, after = (content.dated_people.get(id, ()) for content in (self._before, self._after))
        found += _compare_dated(TEMPLATE, before, after, self._say_dated)
        return self._make(key, self._name(id), "", found, "sender", id)

    def _describe_values(self, key: str, id: int) -> Change:
        sender, found = self._people.get(id), []
        for draft in self._values.get(id, []):
            own = sender.own_values.get(draft.field, "") if sender else ""
            found.append(change_text(self._vocabulary.label_of(draft.field), own, draft.value))
        return self._make(key, self._name(id), "", found, "sender", id)

    def _describe_field(self, key: str, id: int) -> Change:
        old, new = (content.fields.get(id) for content in (self._before, self._after))
        name = new.name if new else old.name if old else ""
        found = list_rule_differences(old or FieldRule(name), new or FieldRule(name))
        if name == DATE_FIELDS:
            return self._make(key, "Custom fields with a date", "", found, "fields")
        is_new = old is None and get_custom_trust(name) is not None
        note = "Removed" if new and new.is_removed else "New field" if is_new else ""
        return self._make(key, self._vocabulary.label_of(name), note, found, "field", name)

    def _name(self, id: int) -> str:
        sender = self._people.get(id)
        return str(sender) if sender else f"Sender {id}"


def list_rule_differences(before: FieldRule, after: FieldRule) -> list[Difference]:
    """Return what is said differently about a field, in words."""
    old, new = list_rule_words(before), list_rule_words(after)
    return [change_text(label, old[label], new[label]) for label in new if old[label] != new[label]]


def _get_labels(model: Any, names: Collection[str]) -> dict[str, str]:
    labels = {name: str(model._meta.get_field(name).verbose_name) for name in names}
    return {name: label[:1].upper() + label[1:] for name, label in labels.items()}


def _say_banner(banner: Mapping[str, Any]) -> dict[str, str]:
    return {name: str(value) for name, value in banner.items()} | {
        "is_on": "On" if banner.get("is_on") else "Off"
    }


def compare_group_brand(old: ReleasedGroup | None, new: ReleasedGroup | None) -> list[Difference]:
    """Return how a group's company values and disclaimers differ; a value that is not named is the company's."""
    found = []
    before, after = (group.values if group else {} for group in (old, new))
    for name, label in _get_labels(Brand, COMPANY_FIELDS).items():
        was, now = (AS_COMPANY if name not in said else said[name] or NOTHING for said in (before, after))
        if was != now:
            found.append(replace_value(label, was, now))
    had, has = (group.disclaimers if group else () for group in (old, new))
    return found + _compare_dated("Dated disclaimer", had, has, str)


def compare_group_fields(
    vocabulary: Vocabulary, old: ReleasedGroup | None, new: ReleasedGroup | None
) -> list[Difference]:
    """Return how a group's values of fields differ."""
    before, after = (group.fields if group else {} for group in (old, new))
    labels = {name: vocabulary.label_of(name) for name in sorted({*before, *after})}
    return _compare_values(labels, show_numbers(before), show_numbers(after))


def _compare_order(before: ReleaseContent, after: ReleaseContent) -> list[Difference]:
    """Return which groups that both have were given another priority."""
    common = before.group_by_id.keys() & after.group_by_id.keys()
    old, new = ([group.id for group in content.groups if group.id in common] for content in (before, after))
    return [
        replace_value(after.group_by_id[pk].name, f"Priority {old.index(pk) + 1}", f"Priority {at}")
        for at, pk in enumerate(new, start=1)
        if old.index(pk) != at - 1
    ]


def _compare_dated(
    label: str, before: Collection[Dated], after: Collection[Dated], say: Callable[[Dated], str]
) -> list[Difference]:
    """Return what has dates and was removed, then what was added."""
    removed = [replace_value(label, say(each), "") for each in before if each not in after]
    return removed + [replace_value(label, "", say(each)) for each in after if each not in before]


def _compare_values(
    labels: Mapping[str, str], before: Mapping[str, str], after: Mapping[str, str]
) -> list[Difference]:
    return [
        change_text(label, before.get(name, ""), after.get(name, ""))
        for name, label in labels.items()
        if before.get(name, "") != after.get(name, "")
    ]
