"""Explanation: which group and template a content gives a sender on a day, and why."""

from __future__ import annotations

from datetime import date

from signatures.models import Sender
from signatures.senders.assignment import Explanation, explain, pick_template
from signatures.senders.values import get_member

from .content import ReleaseContent
from .membership_words import get_rule_names


def explain_on(content: ReleaseContent, sender: Sender, day: date) -> Explanation:
    """Return the group and template of a sender (person loaded) by a content, with what is dated as on a day."""
    assigned = {
        group.id: pick_template(group.assignments, group.template_id, day) for group in content.groups
    }
    return explain(
        member=get_member(sender),
        groups=content.groups,
        names=get_rule_names(sender.domain) if any(group.rule for group in content.groups) else None,
        own=pick_template(content.dated_people.get(sender.pk, ()), content.people.get(sender.pk), day),
        template_by_group={id: found for id, found in assigned.items() if found},
    )
