"""Dated assignments: gives a group or a sender a template for some days, as drafts of a release."""

from __future__ import annotations

from django.core.exceptions import ValidationError
from django.db import transaction

from integrations.ledger.record import record_act
from signatures.models import DatedAssignment
from signatures.releases.draft import note_edit
from signatures.senders.dates import say_dates


@transaction.atomic
def add_dated_assignment(assignment: DatedAssignment, *, actor: str) -> None:
    """Store a template for some days. Raises: ValidationError, where another one has one of them."""
    owner = assignment.group or assignment.sender
    if owner is not None:  # of two that are added at once, the second sees the first
        type(owner)._default_manager.select_for_update().get(pk=owner.pk)
    refuse_overlap(assignment)
    assignment.save()
    _note("dated template assigned", assignment, actor)


@transaction.atomic
def remove_dated_assignment(assignment: DatedAssignment, *, actor: str) -> None:
    """Delete a template for some days; mailboxes have it until that is published and delivered."""
    _note("dated template unassigned", assignment, actor)
    assignment.delete()


def refuse_overlap(assignment: DatedAssignment) -> None:
    """Raise ValidationError where another template of the same group or sender has one of these days."""
    other = assignment.list_overlapping().first()
    if other is not None:
        raise ValidationError(
            f"“{other.template}” is assigned {say_dates(other)}, and a day has one template only. "
            "Choose other days, or remove that one first."
        )


def _note(act: str, assignment: DatedAssignment, actor: str) -> None:
    owner = assignment.group or assignment.sender
    key = f"group:{assignment.group_id}" if assignment.group_id else f"person:{assignment.sender_id}"
    note_edit(assignment.domain, key, actor=actor)
    record_act(
        act,
        domain=assignment.domain,
        actor_label=actor,
        object_ref=str(owner),
        detail=f"{assignment.template} {say_dates(assignment)}",
    )
