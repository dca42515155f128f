"""Publishes the drafts of a domain as a release, or an earlier release again."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from integrations.connection.lifecycle import get_connection
from portal.models import Domain
from signatures.delivery.status import follow_release
from signatures.management.options import find_domain, find_row
from signatures.models import Release
from signatures.releases.publish import PublishRefused, list_drafts, publish, republish


class Command(BaseCommand):
    help = "Publish every draft of a domain as a release. No mailbox changes until it is delivered."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--domain", required=True)
        parser.add_argument("--note", default="")
        parser.add_argument("--again", type=int, metavar="NUMBER", help="publish this earlier release again")
        parser.add_argument(
            "--without-approval",
            action="store_true",
            help="publish although a second person approves each release of the domain; the ledger says so",
        )
        parser.add_argument("--dry-run", action="store_true", help="show what would be published")

    def handle(self, *args: Any, **options: Any) -> None:
        domain = find_domain(options["domain"])
        if options["dry_run"]:
            drafts = list_drafts(domain)
            self.stdout.write(f"{len(drafts)} drafts would be published.")
            return
        try:
            release = self._publish(domain, options)
        except PublishRefused as refused:
            raise CommandError(str(refused)) from refused
        connection = get_connection(domain)
        if connection is not None:
            follow_release(connection)
        self.stdout.write(f"{release} of {domain} is live. `deliversignatures` writes it.")

    def _publish(self, domain: Domain, options: dict[str, Any]) -> Release:
        is_alone = options["without_approval"]
        if options["again"] is None:
            return publish(domain, note=options["note"], actor="command", is_alone=is_alone)
        number = options["again"]
        earlier = find_row(
            Release.objects.filter(domain=domain, number=number), f"{domain} has no release {number}."
        )
        return republish(earlier, note=options["note"], actor="command", is_alone=is_alone)
