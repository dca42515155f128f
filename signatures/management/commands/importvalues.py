"""Imports local values of senders from a CSV file: all of its rows, or none."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from portal.csv_import import ENCODINGS, SEPARATORS
from signatures.delivery.after_values import apply_import
from signatures.management.options import find_domain
from signatures.models import ImportState, RowState, SenderImport
from signatures.releases.publish import requires_approval
from signatures.value_files.applying import ImportBlocked, request_apply
from signatures.value_files.reading import FileRefused, read_rows, store_file

ACTOR = "command"
MOST_NAMED = 20  # rows that cannot be applied
_SEPARATORS = {"comma": ",", "semicolon": ";", "tab": "\t", "bar": "|"} | {one: one for one in SEPARATORS}


class Command(BaseCommand):
    help = (
        "Import local values of senders from a CSV file. One column holds their e-mail addresses; the others are "
        "recognised by the label or name of a field. Fails, changing nothing, if a row cannot be applied."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("domain")
        parser.add_argument("file", type=Path)
        parser.add_argument("--dry-run", action="store_true", help="only say what would change")
        parser.add_argument(
            "--leave-out-refused",
            action="store_true",
            help="apply the other rows where some cannot be applied",
        )
        parser.add_argument("--encoding", choices=ENCODINGS, default="", help="guessed where not given")
        parser.add_argument("--separator", choices=_SEPARATORS, default="", help="guessed where not given")

    def handle(self, *args: Any, **options: Any) -> None:
        stored = self._read(options)
        self._say_rows(stored)
        if options["dry_run"]:
            if stored.left_out_number:
                raise CommandError(
                    f"{stored.left_out_number:,} rows cannot be applied; they are named above."
                )
            return
        if not stored.changing_number and not stored.left_out_number:
            return
        try:
            request_apply(stored, digest=stored.digest, leaves_out=options["leave_out_refused"], actor=ACTOR)
            applied = apply_import(stored.pk)
        except ImportBlocked as blocked:
            raise CommandError(f"{blocked.message} Nothing was changed.") from blocked
        saved = "saved as drafts" if applied.waits else "saved"
        self.stdout.write(f"Import {applied.pk}: values of {applied.applied_number:,} senders {saved}.")

    def _read(self, options: dict[str, Any]) -> SenderImport:
        domain, path = find_domain(options["domain"]), options["file"]
        try:
            with path.open("rb") as file:
                stored = store_file(
                    domain,
                    file,
                    name=path.name,
                    actor=ACTOR,
                    waits=requires_approval(domain),
                    encoding=options["encoding"],
                    separator=_SEPARATORS.get(options["separator"], ""),
                )
        except OSError as error:
            raise CommandError(f"{path} cannot be read: {error.strerror}.") from error
        except FileRefused as refused:
            raise CommandError(f"{refused.message} Nothing was changed.") from refused
        read = read_rows(stored.pk)
        if read is None:
            raise CommandError("A worker is reading this file already. Try again when it has ended.")
        if read.state == ImportState.UNREADABLE:
            raise CommandError(f"{read.problem} Nothing was changed.")
        return read

    def _say_rows(self, stored: SenderImport) -> None:
        used = [
            f"{heading} → {column}"
            for heading, column in zip(stored.headings, stored.columns, strict=True)
            if column
        ]
        self.stdout.write(f"Read as {ENCODINGS.get(stored.encoding, stored.encoding)}: {'; '.join(used)}.")
        left_out = stored.rows.filter(state__in=[RowState.REFUSED, RowState.UNKNOWN])
        for row in left_out.order_by("line")[:MOST_NAMED]:
            self.stdout.write(f"Line {row.line}, {row.address or 'no address'}: {row.reason}")
        if stored.left_out_number > MOST_NAMED:
            self.stdout.write(f"And {stored.left_out_number - MOST_NAMED:,} more.")
        counts = ", ".join(f"{stored.count(state):,} {state.label.lower()}" for state in reversed(RowState))
        self.stdout.write(f"{stored.rows_number:,} rows: {counts}.")
