"""Plans a delivery and carries it out."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from portal.models import Domain
from signatures.delivery.base import PAUSED_CODE, DeliveryBlocked
from signatures.delivery.control import retry_delivery
from signatures.delivery.deliver import carry_out
from signatures.delivery.permission import get_delivery_block_reason
from signatures.delivery.planning import drop_run, plan_delivery
from signatures.delivery.report import count_mailboxes, describe_outcome, describe_plan
from signatures.delivery.runs import is_due, start_delivery
from signatures.delivery.stages import AT_ONCE, STAGE_CODE, get_rollout
from signatures.management.followers import follow_last_sync, require_complete, require_senders
from signatures.management.options import find_domain, find_group, find_row, find_sender
from signatures.management.progress import carry_out_with_bar
from signatures.models import UNFINISHED_DELIVERY, DeliveryRun
from signatures.releases.live import get_live


class Command(BaseCommand):
    help = "Deliver the signatures of a domain. With --dry-run, show what would change, stay unchanged or be blocked."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--domain", required=True)
        parser.add_argument("--dry-run", action="store_true")
        parser.add_argument("--overwrite-edits", action="store_true", help="also overwrite manual edits")
        parser.add_argument(
            "--group", action="append", metavar="NAME", help="only this group; may be repeated"
        )
        parser.add_argument(
            "--sender", action="append", metavar="EMAIL", help="only this sender; may be repeated"
        )
        parser.add_argument("--first", type=int, metavar="N", help="at most this many mailboxes")
        parser.add_argument(
            "--release", type=int, metavar="N", help="deliver only if this release is the live one"
        )
        parser.add_argument(
            "--stages", action="store_true", help="in the stages of the domain's delivery settings"
        )
        parser.add_argument(
            "--retry", type=int, metavar="RUN", help="retry the mailboxes that this delivery could not write"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        domain = find_domain(options["domain"])
        if options["first"] is not None and options["first"] < 1:
            raise CommandError("--first needs a number from 1.")
        connection = follow_last_sync(domain)
        try:
            if connection is not None and not get_delivery_block_reason(connection):
                require_senders(connection)
            _require_live(domain, options["release"])
            if options["retry"] is not None:
                self._retry(domain, options["retry"])
                return
            if not options["dry_run"]:
                self._finish_earlier(domain)
            run = self._plan(domain, options)
            if options["dry_run"] or not run.planned:
                drop_run(run)
                return
            start_delivery(
                run, actor="command", rollout=get_rollout(domain) if options["stages"] else AT_ONCE
            )
        except DeliveryBlocked as blocked:
            raise CommandError(str(blocked)) from blocked
        self._carry_out(run)

    def _plan(self, domain: Domain, options: dict[str, Any]) -> DeliveryRun:
        run = plan_delivery(
            domain,
            actor="command",
            overwrite_edits=options["overwrite_edits"],
            sender_ids=[find_sender(domain, each).pk for each in options["sender"] or ()] or None,
            group_ids=[find_group(domain, each).pk for each in options["group"] or ()],
            first=options["first"],
        )
        self.stdout.write(describe_plan(run))
        return run

    def _retry(self, domain: Domain, run_id: int) -> None:
        runs = DeliveryRun.objects.select_related("connection", "domain", "release")
        run = find_row(runs.filter(domain=domain, pk=run_id), f"{domain} has no delivery {run_id}.")
        number = retry_delivery(run, actor="command")
        self.stdout.write(f"Retrying {count_mailboxes(number)} of delivery {run_id}.")
        self._carry_out(run)

    def _finish_earlier(self, domain: Domain) -> None:
        """Deliveries that waited or were left behind end first, as no worker may be there to take them up.

        One that waits between its stages, or for a person, stays: this plan leaves out what it has yet to write.
        """
        runs = DeliveryRun.objects.filter(domain=domain, kind=DeliveryRun.Kind.DELIVER)
        for earlier in runs.filter(state__in=UNFINISHED_DELIVERY).order_by("pk"):
            which = f"Delivery {earlier.pk}, of {earlier.created_at:%-d %b %Y, %H:%M} UTC,"
            if earlier.cause_code in (STAGE_CODE, PAUSED_CODE) and not runs.filter(is_due(), pk=earlier.pk):
                self.stdout.write(f"{which} waits. {earlier.cause}")
                continue
            self.stdout.write(f"{which} comes first.")
            self._carry_out(earlier)

    def _carry_out(self, run: DeliveryRun) -> None:
        run = carry_out_with_bar(run, carry_out, "Delivering")
        self.stdout.write(describe_outcome(run))
        require_complete(run)


def _require_live(domain: Domain, number: int | None) -> None:
    live = get_live(domain)
    if number is not None and (live is None or live.number != number):
        raise CommandError(
            f"Release {number} is not live: {live or 'nothing'} is. Mailboxes get what is live; "
            "publish that release again first (`publishrelease`)."
        )
