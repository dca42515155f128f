"""Tries a domain's connection with one small read per permission, or proves that nothing else can leave."""

from __future__ import annotations

import json
import shutil
from argparse import ArgumentParser
from io import StringIO
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.table import Table
from rich.text import Text

from integrations.connection.assumptions import check_assumptions, describe
from integrations.connection.lifecycle import check_connection, get_connection
from integrations.connection.proof import prove
from integrations.connector import Verdict
from integrations.errors import IntegrationError
from integrations.models import Connection
from portal.models import Domain


class Command(BaseCommand):
    help = (
        "Try the connection of a domain: one small read for each granted permission. Writes nothing in Outreach. "
        "With --assumptions, compare what Outreach answers with what the portal relies on, and save a report. "
        "With --prove, attempt every forbidden call instead, here, without a connection."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--domain", required=True)
        parser.add_argument(
            "--prove", action="store_true", help="attempt every forbidden call locally; sends nothing"
        )
        parser.add_argument(
            "--assumptions",
            action="store_true",
            help="compare what at most ten reads show with everything the portal relies on; writes nothing",
        )
        parser.add_argument(
            "--report", type=Path, metavar="FILE", help="where --assumptions saves its report (default: here)"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        domain = Domain.objects.filter(name=options["domain"]).first()
        if options["prove"]:
            self._prove(domain, options["domain"])
            return
        connection = get_connection(domain) if domain else None
        if connection is None:
            raise CommandError(
                f"{options['domain']} is not connected to Outreach. Connect it on its Outreach page."
            )
        if options["assumptions"]:
            self._check_assumptions(connection, options["report"])
            return
        health = check_connection(connection, actor="command")
        for scope, result in health.checked:
            self.stdout.write(f"{scope}: {result}")
        if not health.is_ok:
            raise CommandError(health.sentence)
        self.stdout.write(health.sentence)

    def _check_assumptions(self, connection: Connection, file: Path | None) -> None:
        try:
            row = check_assumptions(connection, actor="command")
        except IntegrationError as error:
            raise CommandError(error.message) from error
        columns = ("name", "verdict", "assumed", "seen", "meaning")
        table = Table(box=None, pad_edge=False)
        for column in columns:
            table.add_column(column, overflow="fold", no_wrap=column in ("name", "verdict"))
        for finding in row.findings:
            table.add_row(*(Text(finding[name]) for name in columns))
        text = StringIO()
        Console(file=text, width=shutil.get_terminal_size((200, 40)).columns).print(table)
        self.stdout.write(text.getvalue())
        file = file or Path(f"assumptions-{row.created_at:%Y%m%d-%H%M%S}.json")
        try:
            file.write_text(json.dumps(row.report, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        except OSError as error:
            raise CommandError(f"The report could not be saved as {file}: {error.strerror}.") from error
        self.stdout.write(
            f"{describe(row.findings)}. The report is saved as {file}; it holds no personal value."
        )
        if any(finding["verdict"] == Verdict.DIFFERS for finding in row.findings):
            raise CommandError("Not every assumption holds. Send the report to the maintainers.")

    def _prove(self, domain: Domain | None, name: str) -> None:
        if domain is None:
            raise CommandError(
                f"There is no domain {name}. Create it with createdomain, or check the spelling."
            )
        proof = prove(domain, actor="command")
        for finding in proof.findings:
            verdict = "blocked" if finding.is_stopped else "NOT BLOCKED"
            self.stdout.write(f"{verdict}: {finding.attempt.title}. {finding.how}")
        if not proof.holds:
            raise CommandError(
                f"Least-privilege test failed: {proof.stopped} of {len(proof.findings)} calls blocked, "
                f"{proof.connections} reached the transport. Stop the portal and report it."
            )
        self.stdout.write(
            f"Least-privilege test passed: {proof.stopped} forbidden calls blocked locally, 0 connections opened, "
            "no token requested."
        )
