"""Assignment: decides a sender's template: their own, their group's or the default group's; pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import TypeVar

from signatures.conditions.conditions import Names

from .dates import Dates
from .group_membership import GroupRule, GroupTable, Member, explain_group

T = TypeVar("T")


class Why(StrEnum):
    """What decided a sender's template."""

    OWN = "own"
    GROUP = "group"
    DEFAULT = "default"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class DatedTemplate(Dates):
    """A template that a group or a sender has for some days; without dates, always."""

    template_id: int


def pick_template(dated: Iterable[DatedTemplate], template_id: int | None, day: date) -> DatedTemplate | None:
    """Return what a group or a sender is assigned on a day. template_id: on days without a dated one."""
    held = max((each for each in dated if each.holds(day)), key=lambda each: each.starts, default=None)
    return held or (DatedTemplate(template_id) if template_id is not None else None)


def choose_template(of_sender: T | None, of_group: T | None, of_default: T | None) -> tuple[T | None, Why]:
    """Return the template a sender has and what decided it: own, then group, then default group."""
    for found, why in ((of_sender, Why.OWN), (of_group, Why.GROUP), (of_default, Why.DEFAULT)):
        if found is not None:
            return found, why
    return None, Why.NONE


@dataclass(frozen=True, slots=True)
class Explanation:
    """A sender's group and template with reasons; template_id is None where nothing is assigned."""

    group_id: int | None
    template_id: int | None
    group_why: str
    template_why: str


def explain(
    *,
    member: Member,
    groups: Sequence[GroupRule],
    own: DatedTemplate | None,
    template_by_group: Mapping[int, DatedTemplate],
    names: Names | None = None,
) -> Explanation:
    """Return the group and template of one person, each with the reason.

    own: what is assigned to the person alone. template_by_group: group id -> what is assigned to it. names: of what
    rules name by an id.
    """
    table = GroupTable(groups)
    found = table.list_groups(member)
    group_id = found[0].id if found else None
    default_id = table.default.id if table.default else None
    chosen, why = choose_template(
        own,
        template_by_group.get(group_id) if group_id is not None else None,
        template_by_group.get(default_id) if default_id is not None else None,
    )
    dates = f" {chosen.words}" if chosen and chosen.words else ""
    return Explanation(
        group_id,
        chosen.template_id if chosen else None,
        explain_group(found, member, names),
        _SAY_TEMPLATE[why].format(dates=dates),
    )


_SAY_TEMPLATE = {
    Why.OWN: "Assigned to this sender{dates}; overrides the group.",
    Why.GROUP: "Assigned to the group{dates}.",
    Why.DEFAULT: "Inherited from the default group{dates}.",
    Why.NONE: "No template is assigned. Assign one to the group or to the default group.",
}
