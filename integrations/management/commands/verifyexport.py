"""Checks an exported ledger, without asking the database."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from integrations.ledger.export_check import ExportBroken, check_export


class Command(BaseCommand):
    help = (
        "Check a downloaded export of the ledger: that it was signed, that no entry was changed, and whether it "
        "is the whole chain. Asks neither the database nor the network."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument(
            "--key",
            default="",
            help="the public key that the ledger's page showed: a signature by any other is refused",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            proof = check_export(options["file"])
        except ExportBroken as broken:
            raise CommandError(str(broken)) from broken
        said = proof.said
        if options["key"] not in ("", said["public_key"]):
            raise CommandError(f"It was signed by another key: {said['public_key']}.")
        asked = ", ".join(f"{name}: {words}" for name, words in said["filters"].items()) or "everything"
        self._say(
            f"{said['domain']}: {said['count']:,} entries ({asked}), exported {said['exported_at']} by "
            f"{said['exported_by']}, are unchanged.\n"
            f"Signed by key {said['key_id']} ({said['public_key']}).\n"
            f"Head of the chain then: {said['head']['count']:,} {said['head']['digest']}"
        )
        if proof.is_whole:
            self._say("They are the whole chain up to that head.")
        elif proof.is_chained:
            self._say("Each matches its digest. They are a part of the chain.")
        else:
            self._say("For the chain itself, export JSON Lines: a CSV is written for spreadsheets.")

    def _say(self, words: str) -> None:
        """What stands in the file moves no cursor and colours nothing."""
        self.stdout.write("".join(one if one.isprintable() or one == "\n" else "?" for one in words))
