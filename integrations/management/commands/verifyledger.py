"""Checks that the ledger is as it was written."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Callable
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from integrations.ledger import triggers
from integrations.ledger.verification import check_chain, list_chains
from integrations.models import LedgerChain


class Command(BaseCommand):
    help = (
        "Read every entry of the ledger, of one domain or of all, and name the first that was edited, "
        "deleted, moved or inserted. Changes nothing; ends with an error where something is not as it was written."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--domain", default="", help="check this domain alone")
        parser.add_argument(
            "--head",
            default="",
            help="a digest noted down earlier, which must still be in the domain's chain",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["head"] and not options["domain"]:
            raise CommandError("Name the domain whose head you noted down: --domain NAME --head DIGEST.")
        chains = list_chains(options["domain"])
        if not chains and options["domain"]:
            raise CommandError(f"The ledger has no entry of {options['domain']}.")
        verdicts = [
            check_chain(chain, pinned=options["head"], progress=self._show(chain)) for chain in chains
        ]
        problems = 0
        for verdict in verdicts:
            head, name = verdict.chain, verdict.chain.domain_name or "no domain"
            problems += not verdict.is_intact
            self.stdout.write(
                f"{name}: intact, {verdict.entries:,} entries read. Head: {head.count:,} {head.digest}"
                if verdict.is_intact
                else f"{name}: BROKEN. {verdict.finding}"
            )
        if options["head"] and not any(verdict.has_pinned for verdict in verdicts):
            problems += 1
            self.stdout.write(
                f"{options['domain']}: the head you noted is not in the chain any more. Either entries up to it "
                "were pruned since, which its page says, or the history before it was rewritten."
            )
        if missing := triggers.list_missing():
            problems += 1
            self.stdout.write(f"The database no longer protects the ledger: {', '.join(missing)} missing.")
        if problems:
            raise CommandError("The ledger was altered, or is no longer protected. See above.")

    def _show(self, chain: LedgerChain) -> Callable[[int], None] | None:
        if not self.stderr.isatty():
            return None
        name = chain.domain_name or "no domain"
        return lambda read: self.stderr.write(f"\r{name}: {read:,} entries read", ending="")
