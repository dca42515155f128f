"""Assign many: gives many senders a template of their own, or takes it from them, as drafts."""

from __future__ import annotations

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from integrations.ledger.record import record_act
from portal.models import Domain
from signatures.models import Assignment, DraftEdit, Sender, Template

CHUNK = 500


@transaction.atomic
def assign_to_senders(
    domain: Domain, senders: QuerySet[Sender], *, template: Template | None, actor: str
) -> int:
    """Assign the template to each of the senders, and return how many they are; None has them inherit their group's.

    Everything must belong to the domain. All are assigned, or none; it is a draft until it is published.
    """
    if template is not None and template.domain_id != domain.pk:
        raise ValueError("Template and senders must be of the same domain.")
    ids = senders.filter(domain=domain).order_by("pk").values_list("pk", flat=True)
    # Whom filters find may follow from what they are assigned, so they are found before anything is changed.
    found = list(ids)
    for start in range(0, len(found), CHUNK):
        _assign(domain, found[start : start + CHUNK], template, actor)
    if found:
        action = "template unassigned" if template is None else "template assigned"
        what = f"From {len(found):,} senders" if template is None else f"{template} to {len(found):,} senders"
        record_act(action, domain=domain, actor_label=actor, detail=what)
    return len(found)


def _assign(domain: Domain, sender_ids: list[int], template: Template | None, actor: str) -> None:
    now = timezone.now()
    DraftEdit.objects.bulk_create(
        [
            DraftEdit(domain=domain, key=f"person:{pk}", edited_by_label=actor, edited_at=now)
            for pk in sender_ids
        ],
        update_conflicts=True,
        unique_fields=["domain", "key"],
        update_fields=["edited_by_label", "edited_at"],
    )
    if template is None:
        Assignment.objects.filter(domain=domain, sender__in=sender_ids).delete()
        return
    Assignment.objects.bulk_create(
        [Assignment(domain=domain, sender_id=pk, template=template) for pk in sender_ids],
        update_conflicts=True,
        unique_fields=["sender"],
        update_fields=["template"],
    )
