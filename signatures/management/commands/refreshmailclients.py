"""`refreshmailclients FILE`: makes the support of mail clients anew from caniemail.json."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from signatures.rendering.clients.support import write_features


class Command(BaseCommand):
    help = "Makes signatures/rendering/clients/support.json anew from the data of the package caniemail."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, help="data/caniemail.json of the unpacked package")

    def handle(self, *args: Any, file: Path, **options: Any) -> None:
        package = file.parent.parent / "package.json"
        try:
            whole = json.loads(file.read_text(encoding="utf-8"))
            version = str(json.loads(package.read_text(encoding="utf-8"))["version"])
            count = write_features(whole, version=version)
        except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
            raise CommandError(
                f"{file} or {package} cannot be read, so nothing was written: {error!r}"
            ) from error
        self.stdout.write(f"{count} features of version {version}.")
