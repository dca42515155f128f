"""Invitation retention: removes closed invitations of members and senders; open ones and accounts stay."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db.models import Q, QuerySet

from portal.batches import get_limit, remove_rows
from portal.models import Invitation
from signatures.models import SenderInvitation


def remove_closed_invitations(*, writes: bool = True) -> dict[str, int]:
    """Return how many closed invitations went, or without `writes` would go."""
    return {
        "invitations of members": remove_rows(get_closed_invitations(), writes=writes),
        "invitations of senders": remove_rows(get_closed_sender_invitations(), writes=writes),
    }


def get_closed_invitations() -> QuerySet[Invitation]:
    return Invitation.objects.filter(_was_closed())


def get_closed_sender_invitations() -> QuerySet[SenderInvitation]:
    return SenderInvitation.objects.filter(_was_closed())


def _was_closed() -> Any:
    """Return the condition: accepted, withdrawn or expired long ago."""
    limit = get_limit(settings.DECIDED_KEEP_DAYS)
    return Q(accepted_at__lt=limit) | Q(withdrawn_at__lt=limit) | Q(expires_at__lt=limit)
