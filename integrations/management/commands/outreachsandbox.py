"""`manage.py outreachsandbox`: a fake Outreach on a real socket, until Ctrl-C."""

from __future__ import annotations

import argparse
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from integrations.outreach.sandbox.cli import add_arguments, run


class Command(BaseCommand):
    help = "Runs the sandbox Outreach alone until Ctrl-C and prints its address."
    # It touches neither the database nor the portal's settings.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        add_arguments(parser)

    def handle(self, **options: Any) -> None:
        try:
            run(argparse.Namespace(**options), self._say)
        except OSError as error:
            raise CommandError(f"The sandbox cannot listen: {error}") from error

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        # Whoever reads our output through a pipe waits for this line.
        self.stdout.flush()
