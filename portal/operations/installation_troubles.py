"""Troubles of the installation, for notices: workers that are gone, full disks, mails that are not sent."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import timedelta

from django.conf import settings
from django.urls import reverse
from django.utils import timezone

from integrations.models import NoticeKind
from integrations.notices import sending
from integrations.trouble import Trouble
from portal.accounts import sender_invitations
from portal.db import count_each
from portal.worker.machines import MachineState, list_machines
from signatures.releases import request_mails
from signatures.self_service import change_mails

MAILS_LATE_AFTER = timedelta(hours=1)
MOST_COUNTED = 10_000


def list_troubles(kinds: Collection[str]) -> Iterator[Trouble]:
    """Yield what needs an operator now, of these kinds."""
    machines = list_machines() if {NoticeKind.WORKER, NoticeKind.DISK}.intersection(kinds) else []
    yield from _list_dead(machines)
    yield from _list_full(machines)
    if NoticeKind.MAILS in kinds:
        yield from _list_stuck_mails()


def _list_dead(machines: list[MachineState]) -> Iterator[Trouble]:
    """Yield each machine of which no supervisor is alive; one that was replaced on the same machine is none."""
    alive = {machine.name for machine in machines if machine.is_alive}
    for name in sorted({machine.name for machine in machines} - alive):
        others = "Others take over what it did." if alive else "Nobody takes over what it did."
        yield Trouble(
            NoticeKind.WORKER,
            f"The background worker on {name} is not seen any more. {others}",
            "Check the machine and start the worker again, or remove it from the list on the page System status.",
            reverse("portal:status"),
            subject=name,
        )


def _list_full(machines: list[MachineState]) -> Iterator[Trouble]:
    free: dict[str, int] = {}
    for machine in machines:
        if machine.is_alive and machine.disk_free_mb is not None:
            free[machine.name] = min(machine.disk_free_mb, free.get(machine.name, machine.disk_free_mb))
    for name, megabytes in sorted(free.items()):
        if megabytes < settings.DISK_LOW_MB:
            yield Trouble(
                NoticeKind.DISK,
                f"{megabytes:,} MB are free on {name}.",
                "Free space where SPOOL_FOLDER and the temporary folder are. Without space, banner events are lost.",
                reverse("portal:status"),
                subject=name,
            )


def _list_stuck_mails() -> Iterator[Trouble]:
    before = timezone.now() - MAILS_LATE_AFTER
    modules = (request_mails, change_mails, sender_invitations)
    owed = [rows for module in modules for rows in module.list_owed(before=before)]
    (number,) = count_each([[sending.list_stuck(), *owed]], most=MOST_COUNTED)
    if number:
        yield Trouble(
            NoticeKind.MAILS,
            f"{number:,} {'e-mail was' if number == 1 else 'e-mails were'} not sent for a quarter of an hour or more.",
            "See the worker’s log, and check EMAIL_URL with sendtestemail.",
            reverse("portal:status"),
        )
