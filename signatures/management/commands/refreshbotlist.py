"""Rebuilds the list of bots from crawler-user-agents.json."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from signatures.analytics.bot_agents import ListRefused, read_list, write_names


class Command(BaseCommand):
    help = "Rebuild the list of bots from the file of the public list crawler-user-agents."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, help="crawler-user-agents.json, its package.json beside it")
        parser.add_argument("--dry-run", action="store_true", help="count the names, and write nothing")

    def handle(self, *args: Any, file: Path, dry_run: bool, **options: Any) -> None:
        try:
            names = read_list(file.read_text(encoding="utf-8"))
            version = str(json.loads(file.with_name("package.json").read_text(encoding="utf-8"))["version"])
        except ListRefused as error:
            raise CommandError(str(error)) from error
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise CommandError(f"{file} or the package.json beside it cannot be read: {error}") from error
        if not names.taken:
            raise CommandError("The list contains no names. Nothing was written.")
        if not dry_run:
            write_names(names, version=version)
        self.stdout.write(
            f"{len(names.taken):,} names of version {version}; {len(names.passed_over)} patterns that are not "
            "plain names were skipped."
            + (" Nothing was written." if dry_run else " Restart, then `recountbanners`.")
        )
