"""Membership: which group a person is in, by team and priority; pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class GroupRule:
    """A group with its priority. team_id: '' for a group that follows no team."""

    id: int
    name: str
    position: int
    team_id: str = ""
    is_default: bool = False


def choose_group(team_ids: Collection[str], groups: Sequence[GroupRule]) -> int | None:
    """Return the id of the group a person of these teams is in, or None without a default group.

    The group with the smallest position has priority, then the older one.
    """
    following = [group for group in groups if group.team_id and group.team_id in team_ids]
    if following:
        return min(following, key=lambda group: (group.position, group.id)).id
    return next((group.id for group in groups if group.is_default), None)


def describe_group(group_id: int | None, team_ids: Collection[str], groups: Sequence[GroupRule]) -> str:
    """Return why a person of these teams is in this group, as a sentence."""
    chosen = next((group for group in groups if group.id == group_id), None)
    if chosen is None:
        return "In no group until the next sync."
    if chosen.is_default:
        return "In no team that a group follows, so in the default group."
    others = [
        group.name for group in groups if group.team_id in team_ids and group.team_id and group.id != group_id
    ]
    if not others:
        return f"In the team that “{chosen.name}” follows."
    return f"“{chosen.name}” has priority over {', '.join(f'“{name}”' for name in others)}."
