"""Erases what is kept about one recipient: decisions, list entries, and what the last hour's look-up left."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from signatures.audiences.mail_addresses import is_address
from signatures.management.options import find_domain
from signatures.recipients.subject_access import erase, get_kept


class Command(BaseCommand):
    help = "Erase the data a domain stores about one recipient. Recorded in the ledger without the address."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("address")
        parser.add_argument("--domain", required=True)
        parser.add_argument(
            "--dry-run", action="store_true", help="show what would be erased, and erase nothing"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        domain = find_domain(options["domain"])
        if not is_address(options["address"]):
            raise CommandError("This is not an e-mail address.")
        if options["dry_run"]:
            kept = get_kept(domain, options["address"])
            lists = len(kept.lists)
            self.stdout.write(
                f"{len(kept.decisions):,} decisions and {lists:,} list entries would be erased."
            )
            return
        erased = erase(domain, options["address"], actor="command")
        self.stdout.write(f"{erased.decisions:,} decisions and {erased.list_entries:,} list entries erased.")
