"""Company values: what differs for a group, its values of fields, and dated disclaimers; drafts of a release."""

from __future__ import annotations

from collections.abc import Mapping

from django.db import transaction

from integrations.ledger.record import record_act
from signatures.models import Disclaimer, Group


@transaction.atomic
def set_group_values(group: Group, values: Mapping[str, str], *, actor: str) -> bool:
    """Store which company values differ for a group; return whether that changed.

    values: company field -> value, '' for none; what is not named is the company's.
    """
    return _set_values(group, "company_values", values, "group values changed", actor)


@transaction.atomic
def set_field_values(group: Group, values: Mapping[str, str], *, actor: str) -> bool:
    """Store what a group has for fields of its senders; return whether that changed. values: merge field -> value."""
    return _set_values(group, "field_values", values, "group field values changed", actor)


def _set_values(group: Group, column: str, values: Mapping[str, str], act: str, actor: str) -> bool:
    stored = getattr(Group.objects.select_for_update().get(pk=group.pk), column)
    changed = [name for name in {**stored, **values} if stored.get(name) != values.get(name)]
    if not changed:
        return False
    Group.objects.filter(pk=group.pk).update(**{column: dict(values)})
    setattr(group, column, dict(values))
    record_act(
        act,
        domain=group.domain,
        actor_label=actor,
        object_ref=group.name,
        detail=", ".join(changed),
    )
    return True


@transaction.atomic
def add_disclaimer(disclaimer: Disclaimer, *, actor: str) -> None:
    """Store a new dated disclaimer of a company or a group."""
    disclaimer.save()
    _record("dated disclaimer added", disclaimer, actor)


@transaction.atomic
def remove_disclaimer(disclaimer: Disclaimer, *, actor: str) -> None:
    """Delete a dated disclaimer; mailboxes show it until that is published and delivered."""
    _record("dated disclaimer removed", disclaimer, actor)
    disclaimer.delete()


def _record(act: str, disclaimer: Disclaimer, actor: str) -> None:
    record_act(
        act,
        domain=disclaimer.domain,
        actor_label=actor,
        object_ref=disclaimer.group.name if disclaimer.group else "Company",
        detail=disclaimer.text,
    )
