"""Release content: everything that a signature is rendered from except the directory's values; pure.

Each thing that can be published alone has a key: `template:ID`, `group:ID`, `person:ID` (a template of one sender's
own), `field:ID` (what is said about one merge field), `brand`, `banner` and `order` (of groups).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import date
from functools import cached_property
from typing import Any

from signatures.senders.disclaimers import DatedDisclaimer, apply_disclaimers
from signatures.senders.field_rules import FieldRule, FieldRules
from signatures.senders.membership import GroupRule, GroupTable, Member

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
    """

    template_id: int | None = None
    values: Mapping[str, str] = field(default_factory=dict)
    disclaimers: tuple[DatedDisclaimer, ...] = ()

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> ReleasedGroup:
        """Return what `to_json` gave."""
        lists = {name: tuple(stored[name]) for name in _LISTS if name in stored}
        return cls(**{**stored, **lists, "disclaimers": _read_disclaimers(stored)})

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
            **_write_disclaimers(self.disclaimers),
        }

    def on(self, day: date) -> ReleasedGroup:
        """Return the group with the disclaimer of a day."""
        return replace(self, values=apply_disclaimers(self.values, self.disclaimers, day), disclaimers=())


@dataclass(frozen=True)
class ReleaseContent:
    """What a release contains. templates: template id -> version id. groups: by priority, the default group last.

    people: sender id -> template id, for those with a template of their own. fields: setting id -> its rule.
    """

    templates: Mapping[int, int] = field(default_factory=dict)
    company: Mapping[str, str] = field(default_factory=dict)
    banner: Mapping[str, Any] = field(default_factory=dict)
    groups: Sequence[ReleasedGroup] = ()
    people: Mapping[int, int] = field(default_factory=dict)
    fields: Mapping[int, FieldRule] = field(default_factory=dict)
    disclaimers: tuple[DatedDisclaimer, ...] = ()

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
            **_write_disclaimers(self.disclaimers),
        }

    def _fields_as_json(self) -> dict[str, Any]:
        """Return the fields; nothing where there are none, so that releases made before keep their digest."""
        fields = {str(id): rule.to_json() for id, rule in sorted(self.fields.items())}
        return {"fields": fields} if fields else {}

    @property
    def is_dated(self) -> bool:
        """Whether it differs from day to day."""
        return bool(self.disclaimers) or any(group.disclaimers for group in self.groups)

    def on(self, day: date) -> ReleaseContent:
        """Return the content of a day: its disclaimers are the values of the company and the groups."""
        if not self.is_dated:
            return self
        return replace(
            self,
            company=apply_disclaimers(self.company, self.disclaimers, day),
            groups=tuple(group.on(day) for group in self.groups),
            disclaimers=(),
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
                **_write_disclaimers(self.disclaimers),
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
        for template_id in (
            self.people.get(sender_id),
            group.template_id if group else None,
            default.template_id if default else None,
        ):
            if template_id is not None and template_id in self.templates:
                return template_id
        return None

    def list_unpublished_templates(self) -> dict[int, list[str]]:
        """Return template id -> keys of what assigns it, for templates that the release does not hold."""
        missing: dict[int, list[str]] = {}
        for group in self.groups:
            if group.template_id is not None and group.template_id not in self.templates:
                missing.setdefault(group.template_id, []).append(f"group:{group.id}")
        for sender_id, template_id in self.people.items():
            if template_id not in self.templates:
                missing.setdefault(template_id, []).append(f"person:{sender_id}")
        return missing


def _read_disclaimers(stored: Mapping[str, Any]) -> tuple[DatedDisclaimer, ...]:
    return tuple(DatedDisclaimer(**each) for each in stored.get("disclaimers", ()))


def _write_disclaimers(disclaimers: Iterable[DatedDisclaimer]) -> dict[str, Any]:
    written = [asdict(each) for each in disclaimers]
    return {"disclaimers": written} if written else {}


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
    return keys + [f"person:{id}" for id in list_differing(live.people, draft.people)]


def _get_brand(content: ReleaseContent) -> tuple[object, ...]:
    return dict(content.company), content.disclaimers


def digest_part(content: ReleaseContent, key: str, values: Iterable[tuple[str, str]] = ()) -> str:
    """Return a short digest of a changed thing's state. values: (field, value) of a sender's drafts."""
    kind, _, id = key.partition(":")
    pk = int(id or 0)
    part: Any = {
        "template": lambda: content.templates.get(pk),
        BRAND: lambda: {"company": dict(content.company), **_write_disclaimers(content.disclaimers)},
        BANNER: lambda: dict(content.banner),
        "group": lambda: repr(content.group_by_id.get(pk)),
        ORDER: lambda: [group.id for group in content.groups],
        "person": lambda: content.people.get(pk),
        "field": lambda: repr(content.fields.get(pk)),
        "values": lambda: sorted(values),
    }[kind]()
    return digest_json({key: part})[:16]


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
