"""Runs the demo: portal, worker, a sandbox of Outreach and a scripted delivery, on one machine."""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from rich.console import Console

from portal.demo import environment
from portal.demo.browser import DemoFailed


class Command(BaseCommand):
    help = "Run the demo in its own folder, .demo, with its own database."
    requires_system_checks: list[str] = []  # the demo brings its own settings; yours are not needed

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--people", type=int, default=200, help="size of the fictional company")
        parser.add_argument("--port", type=int, default=8000, help="where the portal listens on this machine")
        parser.add_argument(
            "--once", action="store_true", help="stop after the summary; fail if a mailbox differs"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if not 2 <= options["people"] <= 100_000:
            raise CommandError("Choose between 2 and 100,000 people.")
        environment.end_on_signals()
        plan = environment.Plan(people=options["people"], port=options["port"])
        folder = Path(settings.BASE_DIR) / ".demo"
        try:
            if os.environ.get(environment.FOLDER_VARIABLE) == str(folder):
                self._inside(folder, plan, is_once=options["once"])
            else:
                self._outside(folder, plan)
        except (environment.DemoRefused, DemoFailed) as error:
            raise CommandError(str(error)) from error
        except KeyboardInterrupt as error:
            raise CommandError("Stopped before it was complete.") from error

    def _outside(self, folder: Path, plan: environment.Plan) -> None:
        """Start the sandbox, then this command once more with the demo's own settings."""
        environment.check_port(plan.port)
        removed = environment.clear_folder(folder)
        if removed:
            self.stdout.write(removed)
            self.stdout.flush()  # the inner process writes to the same pipe or file, and would come first
        with environment.holding(folder), environment.running_sandbox(folder, plan) as sandbox_url:
            environ = environment.make_environment(folder, plan, sandbox_url=sandbox_url)
            status = environment.run_inside(sys.argv, environ)
        if status:
            raise SystemExit(status)

    def _inside(self, folder: Path, plan: environment.Plan, *, is_once: bool) -> None:
        from portal.demo.run import perform  # needs the demo's settings

        if not perform(folder, plan, console=Console(), is_once=is_once):
            raise CommandError("Some mailboxes do not hold what was delivered. They are named above.")
