"""Checks a downloaded receipt of a disconnect."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from integrations.disconnect.receipts import check_file


class Command(BaseCommand):
    help = "Tell whether a receipt file is one that this installation signed, and unchanged since."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            text = options["file"].read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise CommandError(f"{options['file']} cannot be read as text: {error}") from error
        verdict = check_file(text)
        if not verdict.is_genuine:
            raise CommandError(verdict.words)
        self.stdout.write(verdict.words)
