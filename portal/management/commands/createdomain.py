"""Creates a domain and its owner, the first on a new installation."""

from __future__ import annotations

import getpass
import os
from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from portal.accounts.domains import found_domain


class Command(BaseCommand):
    help = "Create a domain and its owner. The password is read from OWNER_PASSWORD, or is asked for."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="the mail domain, such as acme.com")
        parser.add_argument("--owner", required=True, metavar="EMAIL")
        parser.add_argument(
            "--operator",
            action="store_true",
            help="the owner also runs this portal: Django admin, all domains",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            founded = found_domain(
                options["name"].strip().lower(),
                owner_email=options["owner"].strip().lower(),
                get_password=_ask_password,
                is_operator=options["operator"],
            )
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        account = "made" if founded.is_new_user else "already existed and keeps its password"
        self.stdout.write(f"{founded.domain.name} is ready. The account of {founded.owner.email} {account}.")


def _ask_password() -> str:
    given = os.environ.get("OWNER_PASSWORD")
    if given:
        return given
    try:
        first = getpass.getpass("Password for the owner (12 characters or more): ")
        second = getpass.getpass("Again: ")
    except (EOFError, KeyboardInterrupt) as error:
        raise CommandError("No password was given. Set OWNER_PASSWORD or run this on a terminal.") from error
    if first != second:
        raise CommandError("The two passwords differ. Nothing was created; run the command again.")
    return first
