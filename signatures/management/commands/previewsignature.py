"""Prints one sender's signature, by the renderer that delivers."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from signatures.management.followers import follow_last_sync, require_senders
from signatures.management.options import find_domain, find_sender
from signatures.releases.compose import Composer, Refusal
from signatures.releases.draft import build_draft
from signatures.releases.live import get_live_content


class Command(BaseCommand):
    help = "Print the signature a sender would get now, as HTML, or with --text as plain text."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--domain", required=True)
        parser.add_argument("--sender", required=True, metavar="EMAIL")
        parser.add_argument("--text", action="store_true")
        parser.add_argument("--live", action="store_true", help="from the live release, not from the drafts")

    def handle(self, *args: Any, **options: Any) -> None:
        domain = find_domain(options["domain"])
        connection = follow_last_sync(domain)
        if connection is not None:
            require_senders(connection)
        sender = find_sender(domain, options["sender"])
        content = get_live_content(domain) if options["live"] else build_draft(domain)
        composed = Composer(domain, content).compose(sender)
        if isinstance(composed, Refusal):
            raise CommandError(composed.reason)
        self.stdout.write(composed.rendered.text if options["text"] else composed.rendered.html)
