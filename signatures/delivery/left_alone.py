"""Mailboxes left alone: restored, or with an edit that somebody decided to keep; no delivery changes them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from integrations.ledger.record import record_act
from integrations.models import Connection
from portal.models import Domain
from signatures.models import LeftAlone, LeftAloneWhy

from .placements import get_account_keys


def list_left_alone(domain: Domain) -> QuerySet[LeftAlone]:
    """Return the mailboxes of a domain that are left alone now, latest decision first."""
    return LeftAlone.objects.filter(_is_on(), domain=domain)


def get_left_alone(connection: Connection, mailbox_ids: Iterable[str]) -> dict[str, LeftAlone]:
    """Return mailbox id -> the decision to leave it alone, for those of which there is one now."""
    rows = LeftAlone.objects.filter(
        _is_on(),
        domain=connection.domain_id,
        account_key__in=get_account_keys(connection),
        mailbox_remote_id__in=mailbox_ids,
    )
    return {row.mailbox_remote_id: row for row in rows}


def _is_on() -> Q:
    return Q(until=None) | Q(until__gt=timezone.now())


def leave_alone(
    connection: Connection,
    held: Sequence[tuple[str, str, str]],
    *,
    why: LeftAloneWhy,
    actor: str,
    until: datetime | None = None,
) -> None:
    """Keep deliveries from changing these mailboxes. held: mailbox id, address and digest of what each holds."""
    now = timezone.now()
    LeftAlone.objects.bulk_create(
        [
            LeftAlone(
                domain_id=connection.domain_id,
                account_key=connection.account_key,
                mailbox_remote_id=mailbox_id,
                mailbox_email=email,
                why=why,
                held_sha256=sha256,
                decided_by_label=actor,
                decided_at=now,
                until=until,
            )
            for mailbox_id, email, sha256 in held
        ],
        update_conflicts=True,
        unique_fields=["domain", "account_key", "mailbox_remote_id"],
        update_fields=["mailbox_email", "why", "held_sha256", "decided_by_label", "decided_at", "until"],
        batch_size=100,
    )


def end_exceptions(connection: Connection, mailbox_ids: Sequence[str]) -> None:
    """Stop leaving these mailboxes alone: a person had them written, or they have a new owner."""
    LeftAlone.objects.filter(
        domain=connection.domain_id,
        account_key__in=get_account_keys(connection),
        mailbox_remote_id__in=mailbox_ids,
    ).delete()


@transaction.atomic
def end_leaving_alone(domain: Domain, ids: Sequence[int], *, actor: str) -> list[str]:
    """Let deliveries change these mailboxes again; return their ids at the provider. ids: of LeftAlone rows."""
    rows = LeftAlone.objects.select_for_update().filter(domain=domain, pk__in=ids)
    ended = {row.pk: row for row in rows}
    LeftAlone.objects.filter(pk__in=ended).delete()
    for row in ended.values():
        record_act("mailbox managed again", domain=domain, actor_label=actor, object_ref=row.mailbox_email)
    return [row.mailbox_remote_id for row in ended.values()]
