"""Reads every mailbox and names those that no longer hold what was delivered."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from integrations.errors import IntegrationError
from signatures.delivery.base import DeliveryBlocked
from signatures.delivery.drift_check import check_drift
from signatures.management.followers import follow_last_sync, require_senders
from signatures.management.options import find_domain


class Command(BaseCommand):
    help = (
        "Read every mailbox and compare it with what was delivered to it. Changes no mailbox; fails if "
        "a mailbox drifted."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--domain", required=True)

    def handle(self, *args: Any, **options: Any) -> None:
        domain = find_domain(options["domain"])
        connection = follow_last_sync(domain)
        if connection is not None:
            require_senders(connection)
        try:
            report = check_drift(domain, actor="command")
        except (DeliveryBlocked, IntegrationError) as error:
            raise CommandError(str(error)) from error
        for drifted in report.edited:
            what = "holds its original again" if drifted.holds_original else "was edited"
            self.stdout.write(f"{drifted.email} (mailbox {drifted.mailbox_remote_id}) {what}.")
        for mailbox_id in report.missing:
            self.stdout.write(f"Mailbox {mailbox_id} is no longer listed by Outreach.")
        self.stdout.write(
            f"{report.matching:,} match, {len(report.edited):,} drifted, {len(report.missing):,} are no longer listed, "
            f"{report.untouched:,} were never delivered to."
        )
        if report.has_drift:
            raise CommandError("Some mailboxes drifted; they are named above.")
        if not report.matching:
            self.stdout.write("Nothing was delivered yet, so nothing could have drifted.")
