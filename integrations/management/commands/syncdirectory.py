"""Reads people, teams and mailboxes from Outreach into the mirror."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from integrations.connection.lifecycle import get_connection
from integrations.errors import IntegrationError
from integrations.models import READ_TO_END, UNFINISHED, RunState, SyncKind, SyncRun
from integrations.signals import following_asked
from integrations.sync import runs
from integrations.sync.unknown_values import describe_unknown
from portal.command_endings import GoesOnLater
from portal.models import Domain


class Command(BaseCommand):
    help = "Read the directory from Outreach. With --dry-run, show what would change and write nothing."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--domain", required=True)
        parser.add_argument("--changes", action="store_true", help="only what changed since the last run")
        parser.add_argument("--dry-run", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        domain = Domain.objects.filter(name=options["domain"]).first()
        connection = get_connection(domain) if domain else None
        if connection is None:
            raise CommandError(
                f"{options['domain']} is not connected to Outreach. Connect it on its Outreach page."
            )
        kind = SyncKind.CHANGES if options["changes"] else SyncKind.FULL
        try:
            if options["dry_run"]:
                run = runs.preview(connection, kind=kind, actor="command")
            else:
                run = self._carry_out(runs.request_sync(connection, kind=kind, actor="command"))
        except (runs.SyncRefused, IntegrationError) as error:
            raise CommandError(str(error)) from error
        if run.state in READ_TO_END and not options["dry_run"]:
            following_asked.send(sender=SyncRun, run=run, connection=run.connection)
        self.stdout.write(
            f"Read {run.people_read:,} people, {run.teams_read:,} teams and {run.mailboxes_read:,} mailboxes "
            f"in {run.calls:,} calls: {run.added:,} new, {run.changed:,} changed, {run.retired:,} gone, "
            f"{run.rejected:,} rejected{', nothing written' if options['dry_run'] else ''}."
        )
        for sentence in [run.cause, *describe_unknown(run)]:
            if sentence:
                self.stdout.write(sentence)
        if run.state in UNFINISHED and not options["dry_run"]:
            waits = run.state == RunState.WAITING
            raise GoesOnLater("The sync", at=run.resume_at, waits=waits)
        if run.state != RunState.COMPLETE:
            ended = "would end" if options["dry_run"] else "ended"
            raise CommandError(f"The sync {ended} as: {run.get_state_display().lower()}.")

    def _carry_out(self, run: SyncRun) -> SyncRun:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.completed:,}"),
            TimeElapsedColumn(),
        )
        with Progress(*columns, disable=not sys.stdout.isatty(), transient=True) as bar:
            task = bar.add_task("Reading", total=None)

            def show(now: SyncRun) -> None:
                read = now.teams_read + now.people_read + now.mailboxes_read
                bar.update(task, description=f"Reading {now.phase}", completed=read)

            return runs.carry_out(run.pk, progress=show)
