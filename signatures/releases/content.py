"""Release content: everything that a signature is rendered from except the directory's values; pure.

Each thing that can be published alone has a key: `template:ID`, `group:ID`, `person:ID` (templates of one sender's
own), `field:ID` (what is said about one merge field), `brand`, `banner` and `order` (of groups).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import date
from functools import cached_property
from typing import Any

from signatures.senders.assignment import DatedTemplate, choose_template, pick_template
from signatures.senders.disclaimers import DatedDisclaimer, apply_disclaimers
from signatures.senders.group_membership import GroupRule, GroupTable, Member
from signatures.senders.value_sources import FieldRule, FieldRules

FORMAT = 1

FIRST_COMPANY_FIELDS = ("name", "tagline", "website", "phone", "address", "logo_url", "accent", "legal")
LATER_COMPANY_FIELDS = (
    "secondary",
    "linkedin_url",
    "x_url",
    "youtube_url",
    "instagram_url",
    "facebook_url",
)
"""Left out of a content where empty, so that contents from before these fields are still the same."""

COMPANY_FIELDS = FIRST_COMPANY_FIELDS + LATER_COMPANY_FIELDS
BANNER_FIELDS = ("is_on", "width", "height", "alt", "variable")

_LISTS = ("teams", "included", "excluded", "rule")  # of a group
BRAND, BANNER, ORDER = "brand", "banner", "order"


@dataclass(frozen=True, slots=True)
class ReleasedGroup(GroupRule):
    """One group as published. template_id: None inherits.

    values: company field -> what it is for this group, '' for nothing; the company's own where it is not named.
    fields: merge field of a sender -> its value for this group, as one of its sources. assignments: templates for some
    days, in place of `template_id`.
    """

    template_id: int | None = None
    values: Mapping[str, str] = field(default_factory=dict)
    fields: Mapping[str, str] = field(default_factory=dict)
    disclaimers: tuple[DatedDisclaimer, ...] = ()
    assignments: tuple[DatedTemplate, ...] = ()

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> ReleasedGroup:
        """Return what `to_json` gave."""
        lists = {name: tuple(stored[name]) for name in _LISTS if name in stored}
        dated = {
            "disclaimers": _read_disclaimers(stored),
            "assignments": _read_assignments(stored.get("assignments", ())),
        }
        return cls(**{**stored, **lists, **dated})

    def to_json(self) -> dict[str, Any]:
        """Return it as plain values; what came after the first releases is left out where it is empty."""
        return {
            "id": self.id,
            "name": self.name,
            "team_id": self.team_id,
            "is_default": self.is_default,
            "template_id": self.template_id,
            **{name: list(getattr(self, name)) for name in _LISTS if getattr(self, name)},
            **({"values": dict(self.values)} if self.values else {}),
            **({"fields": dict(self.fields)} if self.fields else {}),
            **_write_dated("disclaimers", self.disclaimers),
            **_write_dated("assignments", self.assignments),
        }

    def on(self, day: date) -> ReleasedGroup:
        """Return the group with the disclaimer and the template of a day."""
        assigned = pick_template(self.assignments, self.template_id, day)
        return replace(
            self,
            template_id=assigned.template_id if assigned else None,
            values=apply_disclaimers(self.values, self.disclaimers, day),
            disclaimers=(),
            assignments=(),
        )


@dataclass(frozen=True)
class ReleaseContent:
    """What a release contains. templates: template id -> version id. groups: by priority, the default group last.

    people: sender id -> template id, for those with a template of their own; dated_people: those for some days, which
    take its place. fields: setting id -> its rule.
    """

    templates: Mapping[int, int] = field(default_factory=dict)
    company: Mapping[str, str] = field(default_factory=dict)
    banner: Mapping[str, Any] = field(default_factory=dict)
    groups: Sequence[ReleasedGroup] = ()
    people: Mapping[int, int] = field(default_factory=dict)
    fields: Mapping[int, FieldRule] = field(default_factory=dict)
    disclaimers: tuple[DatedDisclaimer, ...] = ()
    dated_people: Mapping[int, tuple[DatedTemplate, ...]] = field(default_factory=dict)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> ReleaseContent:
        """Return what `to_json` gave. Raises: ValueError for a format of a later version."""
        if content.get("format", FORMAT) != FORMAT:
            raise ValueError("This release was made by a later version of Countersign.")
        return cls(
            templates={int(id): version for id, version in content["templates"].items()},
            company=content["company"],
            banner=content["banner"],
            groups=tuple(ReleasedGroup.from_json(group) for group in content["groups"]),
            people={int(id): template for id, template in content["people"].items()},
            fields={int(id): FieldRule.from_json(rule) for id, rule in content.get("fields", {}).items()},
            disclaimers=_read_disclaimers(content),
            dated_people={
                int(id): _read_assignments(dated) for id, dated in content.get("dated_people", {}).items()
            },
        )

    def to_json(self) -> dict[str, Any]:
        """Return it as plain values for a JSON column."""
        return {
            "format": FORMAT,
            "templates": {str(id): version for id, version in sorted(self.templates.items())},
            "company": dict(self.company),
            "banner": dict(self.banner),
            "groups": [group.to_json() for group in self.groups],
            "people": {str(id): template for id, template in sorted(self.people.items())},
            **self._fields_as_json(),
            **_write_dated("disclaimers", self.disclaimers),
            **_write_people(self.dated_people),
        }

    def _fields_as_json(self) -> dict[str, Any]:
        """Return the fields; nothing where there are none, so that releases made before keep their digest."""
        fields = {str(id): rule.to_json() for id, rule in sorted(self.fields.items())}
        return {"fields": fields} if fields else {}

    @property
    def is_dated(self) -> bool:
        """Whether it differs from day to day."""
        return bool(self.disclaimers or self.dated_people) or any(
            group.disclaimers or group.assignments for group in self.groups
        )

    def on(self, day: date) -> ReleaseContent:
        """Return the content of a day: dated disclaimers and templates that hold then take the place of the others."""
        if not self.is_dated:
            return self
        return replace(
            self,
            company=apply_disclaimers(self.company, self.disclaimers, day),
            groups=tuple(group.on(day) for group in self.groups),
            people={**self.people, **_pick_people(self.dated_people, day)},
            disclaimers=(),
            dated_people={},
        )

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the canonical JSON, in hex."""
        return digest_json(self.to_json())

    @cached_property
    def shared_digest(self) -> str:
        """Digest of what is the same for every sender: company values, the banner slot and the fields."""
        return digest_json(
            {
                "company": dict(self.company),
                "banner": dict(self.banner),
                **self._fields_as_json(),
                **_write_dated("disclaimers", self.disclaimers),
            }
        )

    @cached_property
    def field_rules(self) -> FieldRules:
        return FieldRules(self.fields.values())

    @cached_property
    def group_by_id(self) -> dict[int, ReleasedGroup]:
        return {group.id: group for group in self.groups}

    @cached_property
    def table(self) -> GroupTable[ReleasedGroup]:
        return GroupTable(self.groups)

    def find_group(self, member: Member) -> ReleasedGroup | None:
        """Return the group of a person: of several the one with priority, else the default group."""
        return self.table.find_group(member)

    def find_template(self, sender_id: int, group: ReleasedGroup | None) -> int | None:
        """Return the template id of a sender: their own, their group's or the default group's."""
        default = self.table.default
        assigned = (
            self.people.get(sender_id),
            group.template_id if group else None,
            default.template_id if default else None,
        )
        return choose_template(*(each if each in self.templates else None for each in assigned))[0]

    def list_dated(self, sender_id: int, group: ReleasedGroup | None) -> tuple[DatedTemplate, ...]:
        """Return the templates that a sender has for some days: their own, their group's, the default group's.

        One that another assignment without dates always comes before is left out.
        """
        found = list(self.dated_people.get(sender_id, ()))
        if sender_id in self.people:
            return tuple(found)
        default = self.table.default
        for each in (group, default if default is not group else None):
            if each is not None:
                found += each.assignments
                if each.template_id is not None:
                    break
        return tuple(found)

    def list_unpublished_templates(self) -> dict[int, list[str]]:
        """Return template id -> keys of what assigns it, for templates that the release does not hold."""
        missing: dict[int, list[str]] = {}
        for key, template_id in _list_assigned(self):
            if template_id not in self.templates and key not in missing.get(template_id, ()):
                missing.setdefault(template_id, []).append(key)
        return missing


def _list_assigned(content: ReleaseContent) -> Iterator[tuple[str, int]]:
    """Yield the key of each group and sender with each template that it is assigned, on any day."""
    for group in content.groups:
        if group.template_id is not None:
            yield f"group:{group.id}", group.template_id
        yield from ((f"group:{group.id}", each.template_id) for each in group.assignments)
    for id, template_id in content.people.items():
        yield f"person:{id}", template_id
    for id, dated in content.dated_people.items():
        yield from ((f"person:{id}", each.template_id) for each in dated)


def _read_disclaimers(stored: Mapping[str, Any]) -> tuple[DatedDisclaimer, ...]:
    return tuple(DatedDisclaimer(**each) for each in stored.get("disclaimers", ()))


def _read_assignments(stored: Iterable[Mapping[str, Any]]) -> tuple[DatedTemplate, ...]:
    return tuple(DatedTemplate(**each) for each in stored)


def _pick_people(dated_people: Mapping[int, tuple[DatedTemplate, ...]], day: date) -> dict[int, int]:
    """Return sender id -> template id, for those who have a dated one on that day."""
    picked = {id: pick_template(dated, None, day) for id, dated in dated_people.items()}
    return {id: found.template_id for id, found in picked.items() if found}


def _list_plain(dated: Iterable[DatedDisclaimer | DatedTemplate]) -> list[dict[str, Any]]:
    return [asdict(each) for each in dated]


def _write_people(dated_people: Mapping[int, tuple[DatedTemplate, ...]]) -> dict[str, Any]:
    """Return the dated templates of senders; nothing where there are none, as with the fields."""
    dated = {str(id): _list_plain(each) for id, each in sorted(dated_people.items())}
    return {"dated_people": dated} if dated else {}


def _write_dated(name: str, dated: Iterable[DatedDisclaimer | DatedTemplate]) -> dict[str, Any]:
    """Return what has dates under its name; nothing where there is none, so that earlier digests stay."""
    written = _list_plain(dated)
    return {name: written} if written else {}


def digest_json(value: Mapping[str, Any]) -> str:
    """Return the SHA-256 of a value's canonical JSON, in hex."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def digest_outcome(base: int | None, content: ReleaseContent, values: Sequence[Mapping[str, Any]]) -> str:
    """Return what tells one outcome of publishing from another. base: the live release's number; values: with it."""
    return digest_json({"base": base, "content": content.digest, "values": list(values)})


def list_changed_keys(live: ReleaseContent, draft: ReleaseContent) -> list[str]:
    """Return the keys of everything that differs: templates, brand, banner, groups, order, fields, people."""
    keys = [f"template:{id}" for id in list_differing(live.templates, draft.templates)]
    keys += [BRAND] if _get_brand(live) != _get_brand(draft) else []
    keys += [BANNER] if dict(live.banner) != dict(draft.banner) else []
    keys += [f"group:{id}" for id in list_differing(live.group_by_id, draft.group_by_id)]
    common = live.group_by_id.keys() & draft.group_by_id.keys()
    if _order(live, common) != _order(draft, common):
        keys.append(ORDER)
    keys += [f"field:{id}" for id in list_differing(live.fields, draft.fields)]
    people = {
        *list_differing(live.people, draft.people),
        *list_differing(live.dated_people, draft.dated_people),
    }
    return keys + [f"person:{id}" for id in sorted(people)]


def _get_brand(content: ReleaseContent) -> tuple[object, ...]:
    return dict(content.company), content.disclaimers


def digest_part(content: ReleaseContent, key: str, values: Iterable[tuple[str, str]] = ()) -> str:
    """Return a short digest of a changed thing's state. values: (field, value) of a sender's drafts."""
    kind, _, id = key.partition(":")
    pk = int(id or 0)
    part: Any = {
        "template": lambda: content.templates.get(pk),
        BRAND: lambda: {"company": dict(content.company), **_write_dated("disclaimers", content.disclaimers)},
        BANNER: lambda: dict(content.banner),
        "group": lambda: content.group_by_id[pk].to_json() if pk in content.group_by_id else None,
        ORDER: lambda: [group.id for group in content.groups],
        "person": lambda: _digest_person(content, pk),
        "field": lambda: repr(content.fields.get(pk)),
        "values": lambda: sorted(values),
    }[kind]()
    return digest_json({key: part})[:16]


def _digest_person(content: ReleaseContent, pk: int) -> Any:
    template_id, dated = content.people.get(pk), content.dated_people.get(pk)
    return [template_id, _list_plain(dated)] if dated else template_id


def merge(live: ReleaseContent, draft: ReleaseContent, keys: Collection[str]) -> ReleaseContent:
    """Return the live content with the named changes of the draft, and no others."""
    chosen = set(keys)
    groups = _choose(live.group_by_id, draft.group_by_id, "group", chosen)
    first, other = (draft, live) if ORDER in chosen else (live, draft)
    return replace(
        live,
        templates=_choose(live.templates, draft.templates, "template", chosen),
        company=draft.company if BRAND in chosen else live.company,
        disclaimers=draft.disclaimers if BRAND in chosen else live.disclaimers,
        banner=draft.banner if BANNER in chosen else live.banner,
        groups=_arrange(groups, [group.id for group in first.groups], [group.id for group in other.groups]),
        people=_choose(live.people, draft.people, "person", chosen),
        dated_people=_choose(live.dated_people, draft.dated_people, "person", chosen),
        fields=_choose(live.fields, draft.fields, "field", chosen),
    )


def _arrange(
    groups: Mapping[int, ReleasedGroup], order: Sequence[int], other: Sequence[int]
) -> tuple[ReleasedGroup, ...]:
    """Return the groups in `order`; one that it lacks keeps its place after its predecessor in `other`."""
    arranged = [id for id in order if id in groups]
    for index, id in enumerate(other):
        if id in groups and id not in arranged:
            before = next((known for known in reversed(other[:index]) if known in arranged), None)
            arranged.insert(0 if before is None else arranged.index(before) + 1, id)
    return tuple(sorted((groups[id] for id in arranged), key=lambda group: group.is_default))


def list_differing(live: Mapping[int, Any], draft: Mapping[int, Any]) -> list[int]:
    """Return the ids whose values differ, or that only one of the two has."""
    return sorted(id for id in live.keys() | draft.keys() if live.get(id) != draft.get(id))


def _order(content: ReleaseContent, ids: Collection[int]) -> list[int]:
    return [group.id for group in content.groups if group.id in ids]


def _choose(
    live: Mapping[int, Any], draft: Mapping[int, Any], kind: str, chosen: Collection[str]
) -> dict[int, Any]:
    """Return what each id is after the chosen changes; one that is gone after them is left out."""
    found = {id: (draft if f"{kind}:{id}" in chosen else live).get(id) for id in live.keys() | draft.keys()}
    return {id: value for id, value in sorted(found.items()) if value is not None}
