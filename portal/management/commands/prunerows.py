"""Removes operational rows past their retention, as the schedules do every night."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from integrations.retention import remove_old_syncs
from portal.retention.invitations import remove_closed_invitations
from portal.retention.sessions import remove_expired_sessions
from signatures.analytics.retention import remove_old_counts
from signatures.delivery.retention import remove_old_deliveries
from signatures.delivery.status_days import remove_old_days
from signatures.media.retention import remove_old_media
from signatures.self_service.retention import remove_decided_changes
from signatures.value_files.retention import remove_old_imports

REMOVERS = (
    remove_old_syncs,
    remove_old_deliveries,
    remove_old_days,
    remove_old_media,
    remove_old_imports,
    remove_old_counts,
    remove_decided_changes,
    remove_closed_invitations,
    remove_expired_sessions,
)


class Command(BaseCommand):
    help = (
        "Remove syncs older than SYNC_KEEP_DAYS, deliveries older than DELIVERY_KEEP_DAYS, "
        "images removed for MEDIA_KEEP_DAYS that nothing names, imports of values after 90 days, daily counts older "
        "than COUNT_KEEP_DAYS, decided changes and closed invitations after DECIDED_KEEP_DAYS, and expired sessions. "
        "Originals, each mailbox's last delivered signature and the ledger stay."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="only count")

    def handle(self, *args: Any, **options: Any) -> None:
        verb = "would be removed" if options["dry_run"] else "went"
        for remove in REMOVERS:
            for kind, number in remove(writes=not options["dry_run"]).items():
                self.stdout.write(f"{number:,} {kind} {verb}.")
