"""Writes local values of senders as CSV, which `importvalues` reads unchanged."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from portal.models import Domain
from signatures.management.options import find_domain
from signatures.models import Sender
from signatures.rendering.fields import Field, Source
from signatures.senders.many_values import list_importable_fields
from signatures.value_files.export import record_export, write_values


class Command(BaseCommand):
    help = "Write a CSV file with each active sender and the values edited here to the standard output."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("domain")
        parser.add_argument(
            "--fields",
            nargs="+",
            default=[],
            metavar="FIELD",
            help="such as mobile; local ones where not given",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        domain = find_domain(options["domain"])
        fields = _find_fields(domain, options["fields"])
        senders = Sender.objects.filter(domain=domain, is_active=True)
        record_export(domain, senders, fields, actor="command")
        for line in write_values(domain, senders, fields, waits=False):
            self.stdout.write(line, ending="")


def _find_fields(domain: Domain, named: list[str]) -> list[Field]:
    """Return the fields of these names, in the table's order. Raises: CommandError, naming what there is."""
    fields = list_importable_fields(domain)
    if not named:
        return [field for field in fields if field.source is Source.PORTAL]
    wanted = {name.removeprefix("sender.") for name in named}
    known = {field.name.removeprefix("sender."): field for field in fields}
    if unknown := sorted(wanted - known.keys()):
        raise CommandError(f"There is no field {', '.join(unknown)}. There are: {', '.join(known)}.")
    return [field for name, field in known.items() if name in wanted]
