"""Checks a downloaded receipt of a disconnect."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from integrations.disconnect.receipts import check_file


class Command(BaseCommand):
    help = (
        "Tell whether a receipt file is unchanged since it was signed, and whether by this installation. "
        "With --key, asks neither the database nor the network."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument(
            "--key",
            default="",
            help="the public key that the receipt's page showed: a signature by any other is refused",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            text = options["file"].read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise CommandError(f"{options['file']} cannot be read as text: {error}") from error
        verdict = check_file(text, key=options["key"].strip())
        if not verdict.is_genuine:
            raise CommandError(verdict.words)
        self.stdout.write(verdict.words)
