"""Restores originals without disconnecting."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.core.management.base import BaseCommand, CommandError

from portal.models import Domain
from signatures.delivery.base import DeliveryBlocked
from signatures.delivery.planning import drop_run
from signatures.delivery.report import describe_outcome, describe_plan
from signatures.delivery.restore_originals import carry_out_restore, preview_restore, start_restore
from signatures.delivery.restore_plan import Target, plan_restore
from signatures.delivery.runs import start_delivery
from signatures.management.followers import follow_last_sync, require_complete
from signatures.management.options import find_domain, find_group, find_row, find_sender
from signatures.management.progress import carry_out_with_bar
from signatures.models import DeliveryRun, Sender


class Command(BaseCommand):
    help = "Restore originals, or earlier signatures, in mailboxes that still hold our last write."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--domain", required=True)
        parser.add_argument("--sender", metavar="EMAIL", help="only this sender's mailboxes")
        parser.add_argument("--group", metavar="NAME", help="only the senders of this group")
        parser.add_argument(
            "--run",
            type=int,
            metavar="NUMBER",
            help="restore what each mailbox held before this delivery",
        )
        parser.add_argument(
            "--to-date",
            metavar="TIME",
            help="the signature delivered by then instead of the original, such as 2027-03-01T09:00 (domain's zone)",
        )
        parser.add_argument("--overwrite-edits", action="store_true", help="also overwrite manual edits")
        parser.add_argument("--dry-run", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        domain = find_domain(options["domain"])
        connection = follow_last_sync(domain)
        if connection is None:
            raise CommandError(f"{domain} is not connected to Outreach.")
        sender = find_sender(domain, options["sender"]) if options["sender"] else None
        if any(options[name] for name in ("group", "run", "to_date", "overwrite_edits")):
            self._restore_planned(domain, sender, options)
            return
        if options["dry_run"]:
            seen = preview_restore(connection, only_sender=sender)
            self.stdout.write(
                f"{seen.restored:,} originals would be restored, {seen.conflicts:,} were edited since and would stay."
            )
            return
        try:
            run = start_restore(connection, actor="command", only_sender=sender)
        except DeliveryBlocked as blocked:
            raise CommandError(str(blocked)) from blocked
        run = carry_out_with_bar(run, carry_out_restore, "Restoring")
        self.stdout.write(describe_outcome(run))
        require_complete(run)

    def _restore_planned(self, domain: Domain, sender: Sender | None, options: dict[str, Any]) -> None:
        run = group = None
        if options["run"]:
            runs = DeliveryRun.objects.filter(domain=domain, pk=options["run"])
            run = find_row(runs, f"{domain} has no run {options['run']}.")
        if options["group"]:
            group = find_group(domain, options["group"])
        at = _read_time(options["to_date"], domain) if options["to_date"] else None
        try:
            planned = plan_restore(
                domain,
                Target(at=at, before_run=None if at else run),
                actor="command",
                sender_ids=[sender.pk] if sender else None,
                group_ids=[group.pk] if group else [],
                of_run=run,
                overwrite_edits=options["overwrite_edits"],
            )
            self.stdout.write(describe_plan(planned))
            if options["dry_run"] or not planned.planned:
                drop_run(planned)
                return
            start_delivery(planned, actor="command")
        except DeliveryBlocked as blocked:
            raise CommandError(str(blocked)) from blocked
        planned = carry_out_with_bar(planned, carry_out_restore, "Restoring")
        self.stdout.write(describe_outcome(planned))
        require_complete(planned)


def _read_time(text: str, domain: Domain) -> datetime:
    try:
        wall = datetime.fromisoformat(text)
    except ValueError as error:
        raise CommandError(f"{text} is not a time such as 2027-03-01T09:00.") from error
    return wall if wall.tzinfo else wall.replace(tzinfo=ZoneInfo(domain.time_zone))
