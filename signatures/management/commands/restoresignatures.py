"""Puts the originals back, without disconnecting."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from portal.models import Domain
from signatures.delivery.base import DeliveryBlocked
from signatures.delivery.report import describe_outcome
from signatures.delivery.restore import carry_out_restore, preview_restore, start_restore
from signatures.management.followers import follow_last_sync, require_complete
from signatures.management.progress import carry_out_with_bar
from signatures.models import Sender


class Command(BaseCommand):
    help = "Give mailboxes that still hold our last write their original signature back."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--domain", required=True)
        parser.add_argument("--sender", metavar="EMAIL", help="only this sender's mailboxes")
        parser.add_argument("--dry-run", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        domain = Domain.objects.filter(name=options["domain"]).first()
        connection = follow_last_sync(domain) if domain else None
        if domain is None or connection is None:
            raise CommandError(f"{options['domain']} is not connected to Outreach.")
        sender = None
        if options["sender"]:
            sender = Sender.objects.filter(
                person__connection=connection, email__iexact=options["sender"]
            ).first()
            if sender is None:
                raise CommandError(f"{domain} has no sender {options['sender']}.")
        if options["dry_run"]:
            seen = preview_restore(connection, only_sender=sender)
            self.stdout.write(
                f"{seen.restored:,} originals would go back, {seen.conflicts:,} were edited since and would stay."
            )
            return
        try:
            run = start_restore(connection, actor="command", only_sender=sender)
        except DeliveryBlocked as blocked:
            raise CommandError(str(blocked)) from blocked
        run = carry_out_with_bar(run, carry_out_restore, "Restoring")
        self.stdout.write(describe_outcome(run))
        require_complete(run)
