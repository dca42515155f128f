"""Team counts: how many senders and mailboxes of each status a domain has, by the teams of their people.

People in the same teams get the same from a release, so these few rows answer what a page would count over every
sender otherwise. They are stored when a sender or a status changes, under the lock of whoever stores statuses.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence

from django.db import transaction
from django.db.models import Count, Sum

from integrations.models import Connection
from portal.counters import Sums
from portal.db import create_rows, upsert_rows
from portal.models import Domain
from portal.page_reads import once_per_page
from signatures.models import Following, MailboxState, Sender, TeamsCount

Teams = tuple[str, ...]
SENDERS = ""  # as a status: the active senders themselves


def count_again(connection: Connection) -> None:
    """Count the senders of the connection's domain and its live mailboxes anew."""
    domain_id = connection.domain_id
    senders = (
        Sender.objects.filter(domain=domain_id, is_active=True).order_by().values_list("person__team_ids")
    )
    states = MailboxState.objects.filter(mailbox__connection=connection, mailbox__retired_at=None).order_by()
    Following.objects.get_or_create(connection=connection)
    with transaction.atomic():
        Following.objects.select_for_update().get(connection=connection)
        counted = Counter(
            {(tuple(teams), SENDERS): number for teams, number in senders.annotate(number=Count("pk"))}
        )
        by_status = states.values_list("sender__person__team_ids", "status").annotate(number=Count("pk"))
        for teams, status, number in by_status:
            counted[tuple(teams or ()), status] += number
        TeamsCount.objects.filter(domain=domain_id).delete()
        create_rows(
            (
                TeamsCount(
                    domain_id=domain_id, teams=_digest(teams), team_ids=teams, status=status, number=number
                )
                for (teams, status), number in counted.items()
            ),
            ignore_conflicts=True,
        )


def add(domain_id: int, moves: Mapping[tuple[Teams, str], int]) -> None:
    """Add to the numbers of teams and status what came, negative for what went. Runs in the caller's transaction."""
    upsert_rows(
        TeamsCount,
        unique=("domain", "teams", "status"),
        columns=("teams", "team_ids", "status", "number"),
        rows=[
            (_digest(teams), json.dumps(teams), status, number)
            for (teams, status), number in sorted(moves.items())
            if number
        ],
        same={"domain": domain_id},
        merge={"number": "old.number + EXCLUDED.number"},
    )


@once_per_page
def get_statuses(domain: Domain) -> Mapping[str, int]:
    """Return status -> how many live mailboxes have it; SENDERS -> how many active senders there are."""
    rows = TeamsCount.objects.filter(domain=domain).order_by().values_list("status")
    return {status: number for status, number in rows.annotate(total=Sum("number")) if number > 0}


def list_teams(domain: Domain, statuses: Collection[str]) -> list[tuple[Teams, str, int]]:
    """Return teams, status and number of what has one of these statuses."""
    return [row for row in _list_rows(domain) if row[1] in statuses]


@once_per_page
def _list_rows(domain: Domain) -> Sequence[tuple[Teams, str, int]]:
    rows = TeamsCount.objects.filter(domain=domain, number__gt=0).order_by("pk")
    found = rows.values_list("team_ids", "status", "number")
    return [(tuple(teams), status, number) for teams, status, number in found]


def _digest(teams: Iterable[str]) -> str:
    return hashlib.sha256(json.dumps(list(teams)).encode()).hexdigest()


def list_domain_statuses() -> Sums:
    """Return (domain, status) -> how many live mailboxes of every domain have it."""
    rows = TeamsCount.objects.exclude(status=SENDERS).order_by().values_list("domain__name", "status")
    return {(domain, status): number for domain, status, number in rows.annotate(total=Sum("number"))}
