"""Campaign lint: finds campaigns that cannot show and audiences that match nobody, without database or clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from signatures.audiences.attributes import needs_prospect
from signatures.conditions.conditions import Clause, Kind, flatten

from .ruleset import Ruleset
from .selection import CampaignRule

ENOUGH_LOOKED_UP = 20


class Level(StrEnum):
    """Severity. NEVER: it cannot show; DOUBT: probably a mistake; INFO: a hint."""

    NEVER = "never"
    DOUBT = "doubt"
    INFO = "info"


@dataclass(frozen=True, slots=True)
class Finding:
    """A finding about a campaign: a code for lists, and a sentence that ends in what to do."""

    level: Level
    code: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Tally:
    """How many looked-up recipients an audience matched since `since`."""

    looked_up: int
    matched: int
    since: datetime


@dataclass(frozen=True, slots=True)
class Facts:
    """The linter's input besides the ruleset.

    why_not_published: why published signatures have no banner slot, '' where some have one.
    senders: group id -> how many active senders it has; None in it counts those in no group.
    group_names: group id -> name, of groups that are not archived.
    why_no_prospects: why prospects cannot be looked up, '' where they can.
    knows_recipients: whether anything ever tells us who receives: a key of the decision API or a variable.
    lists: recipient list id, as text -> (name, how many entries).
    unlabelled: campaign id -> what its audience names by number alone.
    """

    at: datetime
    place_is_on: bool = True
    why_not_published: str = ""
    senders: Mapping[int | None, int] = field(default_factory=dict)
    group_names: Mapping[int, str] = field(default_factory=dict)
    why_no_prospects: str = ""
    knows_recipients: bool = True
    lists: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    unlabelled: Mapping[int, Sequence[str]] = field(default_factory=dict)
    tallies: Mapping[int, Tally] = field(default_factory=dict)


def lint_campaigns(ruleset: Ruleset, facts: Facts) -> dict[int, list[Finding]]:
    """Return campaign id -> its findings, worst first; campaigns without any are left out."""
    found = {}
    for index, campaign in enumerate(ruleset.campaigns):
        conditions = ruleset.audiences.get(campaign.id, ())
        findings = [
            *_lint_alone(campaign, facts),
            *_lint_audience(campaign, conditions, facts),
            *_lint_beside(campaign, ruleset.campaigns[:index], ruleset.campaigns[index + 1 :], facts),
        ]
        if findings:
            found[campaign.id] = sorted(findings, key=lambda one: list(Level).index(one.level))
    return found


def get_blockers(findings: Sequence[Finding]) -> list[Finding]:
    """Return what keeps a campaign from showing, except a pause and its end, which its state shows."""
    return [one for one in findings if one.level == Level.NEVER and one.code not in ("paused", "over")]


def _lint_alone(campaign: CampaignRule, facts: Facts) -> list[Finding]:
    found = []
    if campaign.ends_at is not None and campaign.ends_at <= facts.at:
        found.append(
            Finding(
                Level.NEVER,
                "over",
                "The end date has passed. Set a later one, or archive the campaign; its results are kept.",
            )
        )
    if not campaign.banners:
        found.append(Finding(Level.NEVER, "no_banner", "No banner. Add one."))
    if campaign.is_paused:
        found.append(Finding(Level.NEVER, "paused", "Paused. Start it when it is ready."))
    if not facts.place_is_on:
        found.append(
            Finding(
                Level.NEVER,
                "place_off",
                "The banner slot is off, so signatures show no banner. Turn it on.",
            )
        )
    elif facts.why_not_published:
        found.append(Finding(Level.NEVER, "not_published", facts.why_not_published))
    if not _count_senders(campaign, facts):
        named = ", ".join(
            f"“{facts.group_names[pk]}”" for pk in sorted(campaign.group_ids & facts.group_names.keys())
        )
        found.append(
            Finding(
                Level.NEVER,
                "no_senders",
                f"No senders: {named} {'have' if len(campaign.group_ids) > 1 else 'has'} none. "
                "Choose other groups."
                if named
                else "No senders in its sender groups. Choose other groups."
                if campaign.group_ids
                else "No senders yet.",
            )
        )
    return found


def _count_senders(campaign: CampaignRule, facts: Facts) -> int:
    if not campaign.group_ids:
        return sum(facts.senders.values())
    return sum(facts.senders.get(group_id, 0) for group_id in campaign.group_ids)


def _lint_audience(campaign: CampaignRule, conditions: Sequence[Clause], facts: Facts) -> list[Finding]:
    if not campaign.has_audience:
        return []
    if not conditions:
        return [
            Finding(Level.NEVER, "audience_unreadable", "The stored audience is not valid. Save it again.")
        ]
    found = []
    if not facts.knows_recipients:
        found.append(
            Finding(
                Level.NEVER,
                "nobody_known",
                "The campaign has an audience, but recipients are unknown: there is no API key and no merge variable. "
                "Set one up under “Recipients”, or remove the audience.",
            )
        )
    if facts.why_no_prospects and needs_prospect(conditions):
        found.append(
            Finding(
                Level.NEVER,
                "prospects_closed",
                f"Blocked: its audience needs prospects. {facts.why_no_prospects}",
            )
        )
    found += _lint_lists(conditions, facts)
    tally = facts.tallies.get(campaign.id)
    if tally is not None and tally.looked_up >= ENOUGH_LOOKED_UP and not tally.matched:
        found.append(
            Finding(
                Level.DOUBT,
                "nobody_matched",
                f"None of {tally.looked_up:,} recipients was in its audience since {tally.since.day} "
                f"{tally.since:%B %Y}. Review its conditions.",
            )
        )
    missing = facts.unlabelled.get(campaign.id, ())
    if missing:
        found.append(
            Finding(
                Level.INFO,
                "no_label",
                f"{', '.join(missing)} {'has' if len(missing) == 1 else 'have'} no label. "
                "Add one to make the audience readable.",
            )
        )
    return found


def _lint_lists(conditions: Sequence[Clause], facts: Facts) -> list[Finding]:
    found = []
    for condition in flatten(conditions):
        if condition.attribute.kind is not Kind.LIST:
            continue
        for value in condition.values:
            name, count = facts.lists.get(value, ("", 0))
            if not name:
                sentence = "The audience uses a recipient list that was deleted. Choose another."
                found.append(Finding(Level.DOUBT, "list_gone", sentence))
            elif not count:
                sentence = f"The recipient list “{name}” is empty. Upload its file again."
                found.append(Finding(Level.DOUBT, "list_empty", sentence))
    return found


def _lint_beside(
    campaign: CampaignRule, before: Sequence[CampaignRule], after: Sequence[CampaignRule], facts: Facts
) -> list[Finding]:
    """Find campaigns that outrank this one or overlap with it. before, after: in the order of `campaigns.rank`."""
    found = []
    if any(one.name == campaign.name for one in (*before, *after)):
        sentence = "Another campaign has the same name. Rename one of them to tell their results apart."
        found.append(Finding(Level.DOUBT, "same_name", sentence))
    winner = next((one for one in before if _always_wins(one, campaign, facts)), None)
    if winner is not None:
        found.append(
            Finding(
                Level.NEVER,
                "outranked",
                f"It is always outranked by “{winner.name}”: for everyone, in all its sender groups, for "
                "its whole schedule. "
                "Raise its priority or change its dates.",
            )
        )
    else:
        ties = [
            one.name
            for one in (*before, *after)
            if one.priority == campaign.priority and _can_meet(one, campaign, facts.at)
        ]
        if ties:
            names = ", ".join(f"“{name}”" for name in ties[:3]) + (
                f" and {len(ties) - 3} more" if len(ties) > 3 else ""
            )
            found.append(
                Finding(
                    Level.INFO,
                    "same_priority",
                    f"Overlaps with {names} at the same priority; the older campaign wins.",
                )
            )
    return found


def _always_wins(winner: CampaignRule, campaign: CampaignRule, facts: Facts) -> bool:
    """Return whether `winner`, which has priority, shows wherever and whenever `campaign` could."""
    if winner.is_paused or not winner.banners or winner.has_audience or winner.cap is not None:
        return False
    if winner.group_ids:
        open_groups = campaign.group_ids or {pk for pk, count in facts.senders.items() if count}
        if not winner.group_ids >= open_groups:
            return False
    if winner.starts_at > max(campaign.starts_at, facts.at):
        return False
    return winner.ends_at is None or (campaign.ends_at is not None and winner.ends_at >= campaign.ends_at)


def _can_meet(one: CampaignRule, other: CampaignRule, at: datetime) -> bool:
    """Return whether both could show in one signature at the same time from `at` on."""
    if one.is_paused or other.is_paused or not one.banners or not other.banners:
        return False
    if one.group_ids and other.group_ids and not one.group_ids & other.group_ids:
        return False
    starts = max(one.starts_at, other.starts_at, at)
    return all(each.ends_at is None or each.ends_at > starts for each in (one, other))
