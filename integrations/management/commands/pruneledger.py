"""Removes old entries from the ledger and stores a signed checkpoint."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from integrations.crypto.sealing import Unsealable
from integrations.ledger.pruning import PruningRefused, get_limit, prune_chain
from integrations.ledger.verification import list_chains


class Command(BaseCommand):
    help = (
        "Delete entries of the ledger that are older than LEDGER_KEEP_DAYS, or than --days or --before where that "
        "is longer ago. Each chain is checked first; a signed checkpoint stays, and so do the figures by day."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--domain", default="", help="prune this domain alone")
        when = parser.add_mutually_exclusive_group()
        when.add_argument("--days", type=int, help="keep this many days")
        when.add_argument(
            "--before", type=date.fromisoformat, metavar="YYYY-MM-DD", help="keep this day (UTC) and later"
        )
        parser.add_argument("--dry-run", action="store_true", help="only count")

    def handle(self, *args: Any, **options: Any) -> None:
        before = get_limit()
        if options["days"] is not None:
            before = timezone.now() - timedelta(days=options["days"])
        elif options["before"]:
            before = datetime.combine(options["before"], datetime.min.time(), UTC)
        chains = list_chains(options["domain"])
        if not chains and options["domain"]:
            raise CommandError(f"The ledger has no entry of {options['domain']}.")
        refusals = []
        for chain in chains:
            try:
                done = prune_chain(chain, before=before, actor="command", writes=not options["dry_run"])
            except (PruningRefused, Unsealable) as refusal:
                refusals.append(str(refusal))
                continue
            verb = "would go" if options["dry_run"] else "went"
            self.stdout.write(f"{chain.domain_name or 'no domain'}: {done.entries:,} entries {verb}.")
        if refusals:
            raise CommandError(" ".join(dict.fromkeys(refusals)))
