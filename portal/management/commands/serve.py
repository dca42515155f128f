"""Runs the portal: web server and background worker under one supervisor."""

from __future__ import annotations

import logging
import platform
import signal
import sys
from argparse import ArgumentParser
from typing import Any

import django
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import Error as DatabaseFailure

from portal import __version__
from portal.checks import check_outreach_is_real
from portal.webserver.command import make_web_command
from portal.worker.schedules import set_up_schedules
from portal.worker.supervisor import Supervisor

log = logging.getLogger(__name__)


class Command(BaseCommand):
    help = (
        "Run web server and background worker, and restart either when it fails. Ends on Ctrl-C or SIGTERM."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=int, default=8000)
        parser.add_argument(
            "--web-workers", type=int, help="processes of the web server, in place of WEB_WORKERS"
        )
        parser.add_argument("--no-web", action="store_true", help="only the background worker")
        parser.add_argument("--no-worker", action="store_true", help="only the web server")
        parser.add_argument(
            "--sandbox",
            action="store_true",
            help="allow OUTREACH_BASE_URL to be the sandbox on this machine",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["no_web"] and options["no_worker"]:
            raise CommandError("Nothing to run: leave out --no-web or --no-worker.")
        refuse_wrong_outreach(is_sandbox_meant=options["sandbox"])
        try:
            set_up_schedules()
        except DatabaseFailure as error:
            raise CommandError(
                f"The database does not answer or is not migrated ({type(error).__name__}). "
                "See `check --deploy`, then run: python manage.py migrate"
            ) from error
        logs_json = settings.LOG_FORMAT == "json"
        web = make_web_command(
            host=options["host"],
            port=options["port"],
            workers=options["web_workers"] or settings.WEB_WORKERS,
            logs_json=logs_json,
        )
        say = log.info if logs_json else lambda line: self.stdout.write(f"serve: {line}")
        supervisor = Supervisor(
            web=None if options["no_web"] else web,
            worker=None if options["no_worker"] else [sys.executable, sys.argv[0], "qcluster"],
            say=say,
        )
        for name in (signal.SIGTERM, signal.SIGINT):
            signal.signal(name, lambda *_: supervisor.stop())
        for line in describe_installation():
            say(line)
        supervisor.run()


def refuse_wrong_outreach(*, is_sandbox_meant: bool) -> None:
    """Raise CommandError where OUTREACH_BASE_URL is not Outreach's production API."""
    if settings.IS_SANDBOX and (settings.DEBUG or is_sandbox_meant):
        return
    for found in check_outreach_is_real():
        if found.id in ("portal.E003", "portal.E005"):
            raise CommandError(f"{found.msg} {found.hint} To use the sandbox on purpose, add --sandbox.")


def describe_installation() -> list[str]:
    """Return the configuration as lines for the log, without passwords."""
    database = settings.DATABASES["default"]
    place = f"{database['HOST']}:{database['PORT'] or 'default port'}, " if database.get("HOST") else ""
    return [
        f"Countersign {__version__}, Python {platform.python_version()}, Django {django.get_version()}",
        f"people reach it at {settings.PUBLIC_URL}",
        f"database {database['ENGINE'].rpartition('.')[2]}: {place}{database['NAME']}",
        f"Outreach at {settings.OUTREACH_BASE_URL}",
    ]
