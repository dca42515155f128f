"""Writes what is kept about one recipient as JSON, for the person it is about."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from signatures.audiences.mail_addresses import is_address
from signatures.management.options import find_domain
from signatures.recipients.subject_access import export_kept, get_kept, record_export


class Command(BaseCommand):
    help = "Print the data a domain stores about one recipient, as JSON. Recorded in the ledger without the address."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("address")
        parser.add_argument("--domain", required=True)

    def handle(self, *args: Any, **options: Any) -> None:
        domain = find_domain(options["domain"])
        if not is_address(options["address"]):
            raise CommandError("This is not an e-mail address.")
        kept = get_kept(domain, options["address"])
        record_export(domain, kept, actor="command")
        self.stdout.write(json.dumps(export_kept(domain, kept), indent=2, ensure_ascii=False))
