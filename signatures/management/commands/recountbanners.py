"""Applies the current bot rules and networks to stored impressions and clicks again."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections.abc import Mapping
from datetime import date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from django.core.management.base import BaseCommand, CommandError
from django.template.defaultfilters import pluralize
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from integrations.ledger.record import record_act
from signatures.analytics.aggregation import recount
from signatures.management.options import find_domain
from signatures.models import EventKind


class Command(BaseCommand):
    help = (
        "Apply the bot rules to a domain’s stored impressions and clicks again. Counts move between human and "
        "bot traffic; the total never changes."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--domain", required=True)
        parser.add_argument("--since", required=True, help="The first day, such as 2026-11-01.")
        parser.add_argument(
            "--dry-run", action="store_true", help="Show what would change, and change nothing."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        domain = find_domain(options["domain"])
        try:
            day = date.fromisoformat(options["since"])
        except ValueError as error:
            raise CommandError(f"{options['since']!r} is not a date such as 2026-11-01.") from error
        since = datetime.combine(day, time.min, tzinfo=ZoneInfo(domain.time_zone))
        columns = (SpinnerColumn(), TextColumn("{task.completed:,.0f} checked"), TimeElapsedColumn())
        with Progress(*columns, disable=not sys.stdout.isatty(), transient=True) as bar:
            task = bar.add_task("checking", total=None)
            moved = recount(
                domain,
                since=since,
                is_rehearsal=options["dry_run"],
                progress=lambda judged: bar.advance(task, judged),
            )
        sentence = f"{_say_events(moved.to_bots)} moved to bot traffic; {_say_events(moved.to_people)} moved to human"
        if moved.moved and not options["dry_run"]:
            record_act(
                "banner counts judged anew",
                domain=domain,
                actor_label="command",
                detail=f"since {day}: {sentence}",
            )
        self.stdout.write(f"{'Dry run: ' if options['dry_run'] else ''}{sentence}.")


def _say_events(moved: Mapping[str, int]) -> str:
    images, clicks = moved[EventKind.IMAGE], moved[EventKind.CLICK]
    return f"{images:,} impression{pluralize(images)} and {clicks:,} click{pluralize(clicks)}"
