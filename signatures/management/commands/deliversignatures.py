"""Plans a delivery and carries it out."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from portal.models import Domain
from signatures.delivery.base import DeliveryBlocked
from signatures.delivery.deliver import carry_out
from signatures.delivery.permission import say_why_unreadable
from signatures.delivery.planning import drop_run, plan_delivery
from signatures.delivery.report import describe_outcome, describe_plan
from signatures.delivery.runs import start_delivery
from signatures.management.followers import follow_last_sync, require_complete, require_senders
from signatures.management.progress import carry_out_with_bar
from signatures.models import UNFINISHED_DELIVERY, DeliveryRun


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
        connection = follow_last_sync(domain)
        try:
            if connection is not None and not say_why_unreadable(connection):
                require_senders(connection)
            if not options["dry_run"]:
                self._finish_earlier(domain)
            run = plan_delivery(domain, actor="command", overwrite_edits=options["overwrite_edits"])
            self.stdout.write(describe_plan(run))
            if options["dry_run"] or not run.planned:
                drop_run(run)
                return
            start_delivery(run, actor="command")
        except DeliveryBlocked as blocked:
            raise CommandError(str(blocked)) from blocked
        self._carry_out(run)

    def _finish_earlier(self, domain: Domain) -> None:
        """A delivery that waited or was left behind ends first, as no worker may be there to take it up."""
        runs = DeliveryRun.objects.filter(domain=domain, kind=DeliveryRun.Kind.DELIVER)
        earlier = runs.filter(state__in=UNFINISHED_DELIVERY).first()
        if earlier is not None:
            self.stdout.write(
                f"Delivery {earlier.pk}, of {earlier.created_at:%-d %b %Y, %H:%M} UTC, comes first."
            )
            self._carry_out(earlier)

    def _carry_out(self, run: DeliveryRun) -> None:
        run = carry_out_with_bar(run, carry_out, "Delivering")
        self.stdout.write(describe_outcome(run))
        require_complete(run)
