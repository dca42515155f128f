"""Tries a domain's connection with one small read per permission."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from integrations.connections import check_connection, get_connection
from portal.models import Domain


class Command(BaseCommand):
    help = "Try the connection of a domain: one small read for each granted permission. Writes nothing in Outreach."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--domain", required=True)

    def handle(self, *args: Any, **options: Any) -> None:
        domain = Domain.objects.filter(name=options["domain"]).first()
        connection = get_connection(domain) if domain else None
        if connection is None:
            raise CommandError(
                f"{options['domain']} is not connected to Outreach. Connect it on its Outreach page."
            )
        health = check_connection(connection, by_label="command")
        for scope, result in health.checked:
            self.stdout.write(f"{scope}: {result}")
        if not health.is_ok:
            raise CommandError(health.sentence)
        self.stdout.write(health.sentence)
