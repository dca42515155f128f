"""Result: what the demo came to, and whether each mailbox holds what the portal says it delivered."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from integrations.models import Connection, LedgerEntry, Mailbox, SyncRun
from signatures.delivery.digest import digest
from signatures.models import Delivery, DeliveryRun, DeliveryState, Group, Placement

from .browser import Browser
from .environment import DOMAIN
from .sample_mails import Mails


@dataclass(frozen=True, slots=True)
class ReadBack:
    """The mailboxes of the sandbox that can be edited. mismatches: those that hold something else than delivered."""

    compared: int
    mismatches: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Result:
    """What the job came to."""

    connected_as: str
    scopes: tuple[str, ...]
    people: int
    teams: int
    groups: int
    mailboxes: int
    delivered: int
    unchanged: int
    refused: tuple[tuple[str, int], ...]
    calls: int
    mails: Mails
    read_back: ReadBack
    seconds: float


def read_back(browser: Browser, sandbox_url: str) -> ReadBack:
    """Compare every mailbox that can be edited with what the portal says it delivered."""
    placed = dict(
        Placement.objects.filter(domain__name=DOMAIN).values_list("mailbox_remote_id", "returned_sha256")
    )
    mirrored = Mailbox.objects.filter(connection__domain__name=DOMAIN)
    originals = dict(mirrored.values_list("remote_id", "signature_html"))
    held = [one for one in browser.read_json(f"{sandbox_url}/_sandbox/mailboxes") if one["editable"]]
    mismatches = [
        mailbox["email"]
        for mailbox in held
        if digest(mailbox["email_signature"] or "")
        != (placed.get(str(mailbox["id"])) or digest(originals[str(mailbox["id"])]))
    ]
    return ReadBack(len(held), tuple(mismatches))


def get_result(run: SyncRun, delivery: DeliveryRun, mails: Mails, found: ReadBack, seconds: float) -> Result:
    connection = Connection.objects.get(domain__name=DOMAIN)
    refused = Delivery.objects.filter(
        run=delivery, state__in=[DeliveryState.REFUSED, DeliveryState.FAILED, DeliveryState.SKIPPED]
    ).values_list("reason", flat=True)
    calls = LedgerEntry.objects.filter(domain__name=DOMAIN, action="call").values_list("times", flat=True)
    return Result(
        connected_as=f"{connection.account_label or 'Outreach'}, authorised by {connection.authorised_by_label}",
        scopes=tuple(connection.scopes_granted),
        people=run.people_read,
        teams=run.teams_read,
        groups=Group.objects.filter(domain__name=DOMAIN).count(),
        mailboxes=run.mailboxes_read,
        delivered=delivery.delivered,
        unchanged=delivery.unchanged,
        refused=tuple(Counter(refused).most_common()),
        calls=sum(calls),
        mails=mails,
        read_back=found,
        seconds=seconds,
    )
