"""Puts every stored secret under the newest key of TOKEN_KEYS."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from integrations.crypto.rotation import reseal_all
from integrations.crypto.signing import replace_key


class Command(BaseCommand):
    help = (
        "Re-encrypt stored tokens, one-time-password seeds and signing keys with the first key of TOKEN_KEYS. "
        "Put the new key first, restart, run this, then remove the old key."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="only count")
        parser.add_argument(
            "--new-signing-key",
            action="store_true",
            help="sign with a new key; earlier signatures still verify",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["new_signing_key"] and not options["dry_run"]:
            key = replace_key()
            self.stdout.write(
                f"From now on {key} signs. Give its public part to whoever verifies signatures."
            )
        tally = reseal_all(writes=not options["dry_run"])
        verb = "would be" if options["dry_run"] else "are"
        self.stdout.write(f"{tally.resealed} secrets {verb} under the newest key.")
        if tally.unreadable:
            raise CommandError(
                f"{len(tally.unreadable)} cannot be decrypted with any key in TOKEN_KEYS and were left as they are: "
                f"{', '.join(tally.unreadable)}. Add the key they were stored with again. Where it is lost, "
                "connect again, or sign with a new key from now on: rotatekeys --new-signing-key."
            )
