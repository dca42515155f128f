"""Tries a domain's connection with one small read per permission, or proves that nothing else can leave."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from integrations.connections import check_connection, get_connection
from integrations.proving import prove
from portal.models import Domain


class Command(BaseCommand):
    help = (
        "Try the connection of a domain: one small read for each granted permission. Writes nothing in Outreach. "
        "With --prove, attempt every forbidden call instead, here, without a connection."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--domain", required=True)
        parser.add_argument(
            "--prove", action="store_true", help="attempt what must never leave; calls nobody"
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
        health = check_connection(connection, by_label="command")
        for scope, result in health.checked:
            self.stdout.write(f"{scope}: {result}")
        if not health.is_ok:
            raise CommandError(health.sentence)
        self.stdout.write(health.sentence)

    def _prove(self, domain: Domain | None, name: str) -> None:
        if domain is None:
            raise CommandError(
                f"There is no domain {name}. Make it with createdomain, or look at its spelling."
            )
        proof = prove(domain, by_label="command")
        for finding in proof.findings:
            verdict = "refused" if finding.is_stopped else "NOT STOPPED"
            self.stdout.write(f"{verdict}: {finding.attempt.title}. {finding.how}")
        if not proof.holds:
            raise CommandError(
                f"The fence has a hole: {proof.stopped} of {len(proof.findings)} refused, "
                f"{proof.connections} reached the transport. Stop the portal and report it."
            )
        self.stdout.write(
            f"All {proof.stopped} forbidden calls were refused; 0 connections were opened, no token was asked for."
        )
