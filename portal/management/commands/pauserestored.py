"""Pauses writing on every connection of a database that was restored from a backup."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from integrations.connection.lifecycle import pause_restored


class Command(BaseCommand):
    help = "Pause writing on every open connection until it has been checked. For a restored backup, before `serve`."

    def handle(self, *args: Any, **options: Any) -> None:
        count = pause_restored(actor="command")
        self.stdout.write(
            f"{count} paused. Check each connection on its Outreach page, then resume writing there."
        )
