"""Assignment: decides a sender's template: their own, their group's or the default group's; pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum

from .membership import GroupRule, choose_group, describe_group


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
    team_ids: Collection[str],
    groups: Sequence[GroupRule],
    sender_template_id: int | None,
    template_by_group: dict[int, int],
) -> Explanation:
    """Return the group and template of one person, each with the reason.

    template_by_group: group id -> id of the template assigned to it.
    """
    group_id = choose_group(team_ids, groups)
    default_id = next((group.id for group in groups if group.is_default), None)
    template_id, why = choose_template(
        sender_template_id,
        template_by_group.get(group_id) if group_id is not None else None,
        template_by_group.get(default_id) if default_id is not None else None,
    )
    return Explanation(group_id, template_id, describe_group(group_id, team_ids, groups), _SAY_TEMPLATE[why])


_SAY_TEMPLATE = {
    Why.OWN: "Assigned to this sender; overrides the group.",
    Why.GROUP: "Assigned to the group.",
    Why.DEFAULT: "Inherited from the default group.",
    Why.NONE: "No template is assigned. Assign one to the group or to the default group.",
}
