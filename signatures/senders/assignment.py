"""Assignment: decides a sender's template: their own, their group's or the default group's; pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from signatures.conditions.conditions import Names

from .membership import GroupRule, GroupTable, Member, explain_group


class Why(StrEnum):
    """What decided a sender's template."""

    OWN = "own"
    GROUP = "group"
    DEFAULT = "default"
    NONE = "none"


def choose_template(
    sender_template_id: int | None, group_template_id: int | None, default_group_template_id: int | None
) -> tuple[int | None, Why]:
    """Return the template a sender has and what decided it: own, then group, then default group."""
    if sender_template_id is not None:
        return sender_template_id, Why.OWN
    if group_template_id is not None:
        return group_template_id, Why.GROUP
    if default_group_template_id is not None:
        return default_group_template_id, Why.DEFAULT
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
    sender_template_id: int | None,
    template_by_group: dict[int, int],
    names: Names | None = None,
) -> Explanation:
    """Return the group and template of one person, each with the reason.

    template_by_group: group id -> id of the template assigned to it. names: of what rules name by an id.
    """
    table = GroupTable(groups)
    found = table.list_groups(member)
    group_id = found[0].id if found else None
    default_id = table.default.id if table.default else None
    template_id, why = choose_template(
        sender_template_id,
        template_by_group.get(group_id) if group_id is not None else None,
        template_by_group.get(default_id) if default_id is not None else None,
    )
    return Explanation(group_id, template_id, explain_group(found, member, names), _SAY_TEMPLATE[why])


_SAY_TEMPLATE = {
    Why.OWN: "Assigned to this sender; overrides the group.",
    Why.GROUP: "Assigned to the group.",
    Why.DEFAULT: "Inherited from the default group.",
    Why.NONE: "No template is assigned. Assign one to the group or to the default group.",
}
