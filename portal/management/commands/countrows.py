"""Counts the rows of every table, and compares them with an earlier count."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from portal.counts import count_rows, list_differences


class Command(BaseCommand):
    help = "Print how many rows each table has, as JSON; or compare with a file that an earlier run printed."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--compare", type=Path, metavar="FILE", help="fail where the counts differ")

    def handle(self, *args: Any, **options: Any) -> None:
        counted = count_rows()
        if options["compare"] is None:
            self.stdout.write(json.dumps(counted, indent=1))
            return
        try:
            earlier = json.loads(options["compare"].read_text())
        except (OSError, ValueError) as error:
            raise CommandError(f"{options['compare']} is no file that countrows wrote: {error}") from error
        differences = list_differences(earlier, counted)
        if differences:
            raise CommandError("The counts differ. " + "; ".join(differences))
        self.stdout.write(f"All {len(counted)} tables have the counted rows: {sum(counted.values())} in all.")
