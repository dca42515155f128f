"""Plans a delivery and carries it out."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from portal.models import Domain
from signatures.delivery import DeliveryBlocked, carry_out, drop_run, plan_delivery, start_delivery
from signatures.management.bars import carry_out_with_bar
from signatures.models import DeliveryRunState
from signatures.tally import describe_outcome, describe_plan


class Command(BaseCommand):
    help = (
        "Deliver the signatures of a domain. With --dry-run, tell who changes, who stays, who cannot and why."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--domain", required=True)
        parser.add_argument("--dry-run", action="store_true")
        parser.add_argument(
            "--overwrite-edits", action="store_true", help="also where somebody edited theirs"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        domain = Domain.objects.filter(name=options["domain"]).first()
        if domain is None:
            raise CommandError(f"There is no domain {options['domain']}. `createdomain` makes one.")
        try:
            run = plan_delivery(domain, by_label="command", overwrite_edits=options["overwrite_edits"])
            self.stdout.write(describe_plan(run))
            if options["dry_run"] or not run.planned:
                drop_run(run)
                return
            start_delivery(run, by_label="command")
        except DeliveryBlocked as blocked:
            raise CommandError(str(blocked)) from blocked
        run = carry_out_with_bar(run, carry_out, "Delivering")
        self.stdout.write(describe_outcome(run))
        if run.state != DeliveryRunState.COMPLETE:
            raise CommandError(f"{run.get_state_display()}. {run.cause}".strip())
