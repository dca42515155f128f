"""Runs the portal: web server and background worker under one supervisor."""

from __future__ import annotations

import signal
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from portal.schedules import set_up_schedules
from portal.supervisor import Supervisor


class Command(BaseCommand):
    help = (
        "Run web server and background worker, and replace either when it fails. Ends on Ctrl-C or SIGTERM."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=int, default=8000)
        parser.add_argument("--web-workers", type=int, default=2, help="processes of the web server")
        parser.add_argument("--no-web", action="store_true", help="only the background worker")
        parser.add_argument("--no-worker", action="store_true", help="only the web server")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["no_web"] and options["no_worker"]:
            raise CommandError("Nothing is left to run: leave out --no-web or --no-worker.")
        set_up_schedules()
        web = [
            sys.executable, "-m", "granian", "--interface", "wsgi", "--http", "1", "--no-ws",
            "--host", options["host"], "--port", str(options["port"]),
            "--workers", str(options["web_workers"]), "--blocking-threads", "4",
            "--respawn-failed-workers", "--workers-kill-timeout", "15", "--no-access-log",
            "portal.wsgi:application",
        ]  # fmt: skip
        supervisor = Supervisor(
            web=None if options["no_web"] else web,
            worker=None if options["no_worker"] else [sys.executable, sys.argv[0], "qcluster"],
            say=lambda line: self.stdout.write(f"serve: {line}"),
        )
        for name in (signal.SIGTERM, signal.SIGINT):
            signal.signal(name, lambda *_: supervisor.stop())
        supervisor.run()
