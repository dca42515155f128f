"""Explanation: which group and template a content gives a sender on a day, and why."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from signatures.models import Sender
from signatures.senders.assignment import DatedTemplate, Explanation, explain, pick_template
from signatures.senders.values import get_member

from .content import ReleaseContent
from .membership_words import get_rule_names


def explain_on(content: ReleaseContent, sender: Sender, day: date) -> Explanation:
    """Return the group and template of a sender (person loaded) by a content, with what is dated as on a day."""

    def pick(dated: Iterable[DatedTemplate], template_id: int | None) -> DatedTemplate | None:
        found = pick_template(dated, template_id, day)
        return found if found and found.template_id in content.templates else None

    assigned = {group.id: pick(group.assignments, group.template_id) for group in content.groups}
    return explain(
        member=get_member(sender),
        groups=content.groups,
        names=get_rule_names(sender.domain) if any(group.rule for group in content.groups) else None,
        own=pick(content.dated_people.get(sender.pk, ()), content.people.get(sender.pk)),
        template_by_group={id: found for id, found in assigned.items() if found},
    )
