"""Group membership: which groups a person is in, and which of them wins; pure.

A group takes the members of its teams, people chosen by hand and whom its rule matches; excluded people it never takes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Generic, TypeVar

from portal.hostnames import normalise_host
from signatures.conditions.conditions import Clause, ConditionError, Names, digest_conditions, hold, say

from .rule_attributes import parse_rule


@dataclass(frozen=True, slots=True)
class GroupRule:
    """A group and whom it takes. team_id: of the team it follows, '' for none; teams: ids of further ones.

    included, excluded: ids of senders. rule: conditions as stored.
    """

    id: int
    name: str
    team_id: str = ""
    is_default: bool = False
    teams: tuple[str, ...] = ()
    included: tuple[int, ...] = ()
    excluded: tuple[int, ...] = ()
    rule: tuple[Any, ...] = ()

    @property
    def team_ids(self) -> tuple[str, ...]:
        return (self.team_id, *self.teams) if self.team_id else self.teams


@dataclass(frozen=True, slots=True)
class Member:
    """What decides about a person's groups. values: merge field -> text, with local values over Outreach's.

    matched: digests of the rules that match, where they were evaluated before; None to evaluate them by `values`.
    """

    sender_id: int = 0
    team_ids: Collection[str] = ()
    values: Mapping[str, str] = field(default_factory=dict)
    matched: frozenset[str] | None = None

    def get_values(self, name: str) -> Collection[str]:
        """Return the values of an attribute of `rules`."""
        if name == "team":
            return self.team_ids
        if name == "email_domain":
            return (normalise_host(self.values.get("sender.email", "").rpartition("@")[2]),)
        return (self.values.get(f"sender.{name}", ""),)


G = TypeVar("G", bound=GroupRule)


class GroupTable(Generic[G]):
    """Groups by priority, the default group last, made once for any number of people."""

    def __init__(self, groups: Iterable[G]) -> None:
        self.groups = tuple(groups)
        self.default = next((group for group in self.groups if group.is_default), None)
        self.conditions = {group.id: read_rule(group) for group in self.groups if group.rule}
        self._by_team: dict[str, list[int]] = defaultdict(list)
        self._by_person: dict[int, list[int]] = defaultdict(list)
        self.rules: dict[str, tuple[Clause, ...]] = {}  # by their digest
        self._by_rule: list[tuple[int, str]] = []
        self._excluded = {group.id: frozenset(group.excluded) for group in self.groups if group.excluded}
        for rank, group in enumerate(self.groups):
            if group.is_default:
                continue
            for team_id in group.team_ids:
                self._by_team[team_id].append(rank)
            for sender_id in group.included:
                self._by_person[sender_id].append(rank)
            if clauses := self.conditions.get(group.id):
                digest = digest_conditions(clauses)
                self.rules[digest] = clauses
                self._by_rule.append((rank, digest))

    def list_groups(self, member: Member) -> list[G]:
        """Return every group that a person is in, the one that wins first; the default group where in no other."""
        ranks = set(self._by_person.get(member.sender_id, ()))
        for team_id in member.team_ids:
            ranks.update(self._by_team.get(team_id, ()))
        ranks.update(
            rank for rank, digest in self._by_rule if rank not in ranks and self._matches(digest, member)
        )
        found = [self.groups[rank] for rank in sorted(ranks)]
        found = [group for group in found if member.sender_id not in self._excluded.get(group.id, ())]
        return found or ([self.default] if self.default else [])

    def _matches(self, digest: str, member: Member) -> bool:
        return hold(self.rules[digest], member) if member.matched is None else digest in member.matched

    def find_group(self, member: Member) -> G | None:
        """Return the group whose template and values a person gets; None without a default group."""
        return next(iter(self.list_groups(member)), None)

    @cached_property
    def asks_values(self) -> bool:
        """Whether a rule asks about more than teams."""
        clauses = (clause for rule in self.rules.values() for clause in rule)
        return any(part.attribute.name != "team" for clause in clauses for part in clause.parts)


def read_rule(group: GroupRule) -> tuple[Clause, ...]:
    """Return a group's conditions; none, which match nobody, where they are not valid."""
    with suppress(ConditionError):
        return parse_rule(list(group.rule))
    return ()


def say_reason(group: GroupRule, member: Member, names: Names | None = None) -> str:
    """Return why a person is in a group, as part of a sentence."""
    if group.is_default:
        return "in no other group"
    if member.sender_id in group.included:
        return "chosen by hand"
    if not set(group.team_ids).isdisjoint(member.team_ids):
        return "in its team"
    return " and ".join(say(clause, names) for clause in read_rule(group))


def explain_group(groups: Collection[GroupRule], member: Member, names: Names | None = None) -> str:
    """Return why the first of a person's groups wins, as a sentence. groups: from `GroupTable.list_groups`."""
    if not groups:
        return "In no group until the next sync."
    winner, *others = groups
    if winner.is_default:
        return "In no other group, so in the default group."
    reason = f"Member of “{winner.name}”: {say_reason(winner, member, names)}."
    if others:
        reason += f" It has priority over {', '.join(f'“{group.name}”' for group in others)}."
    return reason
