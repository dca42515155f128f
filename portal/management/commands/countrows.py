"""Counts the rows of every table, and compares them with an earlier count."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.apps import apps
from django.core.management.base import BaseCommand, CommandError

# Entries of the queue and sessions come and go by the second; the others are written by `migrate` itself.
UNCOMPARED = {
    "django_q_ormq", "django_q_task", "django_session", "auth_permission", "django_content_type",
}  # fmt: skip


def count_rows() -> dict[str, int]:
    """Return the number of rows of each table that has a model, by the table's name, but for UNCOMPARED."""
    models = [model for model in apps.get_models(include_auto_created=True) if not model._meta.proxy]
    return {
        model._meta.db_table: model._base_manager.count()
        for model in sorted(models, key=lambda model: model._meta.db_table)
        if model._meta.managed and model._meta.db_table not in UNCOMPARED
    }


def list_differences(earlier: dict[str, int], now: dict[str, int]) -> list[str]:
    """Return a sentence for each table whose count differs. New tables without rows are left out."""
    return [
        f"{table}: {earlier.get(table, 'none')} then, {now.get(table, 'none')} now"
        for table in sorted((earlier | now).keys() - UNCOMPARED)
        if earlier.get(table, 0 if table in now else None) != now.get(table)
    ]


class Command(BaseCommand):
    help = "Print how many rows each table has, as JSON; or compare with a file that an earlier run printed."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--compare", type=Path, metavar="FILE", help="fail where the counts differ")

    def handle(self, *args: Any, **options: Any) -> None:
        counted = count_rows()
        if options["compare"] is None:
            self.stdout.write(json.dumps(counted, indent=1))
            return
        try:
            earlier = json.loads(options["compare"].read_text())
        except (OSError, ValueError) as error:
            raise CommandError(f"{options['compare']} is not a file written by countrows: {error}") from error
        differences = list_differences(earlier, counted)
        if differences:
            raise CommandError("The counts differ. " + "; ".join(differences))
        self.stdout.write(
            f"All {len(counted)} tables have the expected rows: {sum(counted.values())} in total."
        )
