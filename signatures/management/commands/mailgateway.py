"""Runs the mail gateway: an SMTP content filter that puts each recipient's banner into their copy."""

from __future__ import annotations

from argparse import ArgumentParser
from ipaddress import ip_network
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from portal.counters import COUNTERS
from signatures.mailgateway.portal import SenderAndReceiptRows
from signatures.mailgateway.service import Plan, run
from signatures.mailgateway.smtp_connection import Address, Encryption


class Command(BaseCommand):
    help = "Take mail in, put each recipient's banner into it, pass it on. Ends on Ctrl-C or SIGTERM."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--listen", default=settings.MAILGATEWAY_LISTEN, metavar="HOST:PORT")
        parser.add_argument("--next-hop", default=settings.MAILGATEWAY_NEXT_HOP, metavar="HOST:PORT")

    def handle(self, *args: Any, **options: Any) -> None:
        plan = self._make_plan(listen=options["listen"], next_hop=options["next_hop"])
        try:
            is_done = run(plan, SenderAndReceiptRows(), self._say)
        except OSError as error:
            raise CommandError(f"The gateway cannot listen on {options['listen']}: {error}") from error
        finally:
            COUNTERS.flush_at_end()
        if not is_done:
            raise CommandError(
                "The next hop did not answer in time. See docs/mailgateway.md, What it promises."
            )

    def _make_plan(self, *, listen: str, next_hop: str) -> Plan:
        if listen == next_hop:
            raise CommandError("MAILGATEWAY_NEXT_HOP is the gateway itself: mail would go round in a circle.")
        host, port = _split("MAILGATEWAY_LISTEN", listen)
        hop_host, hop_port = _split("MAILGATEWAY_NEXT_HOP", next_hop)
        try:
            encryption = Encryption(settings.MAILGATEWAY_TLS)
            trusted = tuple(ip_network(one) for one in settings.MAILGATEWAY_TRUSTED)
        except ValueError as error:
            raise CommandError(
                f"{error}. MAILGATEWAY_TLS is off, starttls or tls; MAILGATEWAY_TRUSTED lists networks like 10.0.0.0/8."
            ) from error
        return Plan(
            host=host,
            port=port,
            hop=Address(hop_host, hop_port, encryption),
            trusted=trusted,
            public_url=settings.PUBLIC_URL,
            size_limit=settings.MAILGATEWAY_SIZE_LIMIT,
            deadline_seconds=settings.MAILGATEWAY_DEADLINE,
        )

    def _say(self, line: str) -> None:
        self.stdout.write(f"mailgateway: {line}")
        self.stdout.flush()  # whoever reads our output through a pipe waits for this line


def _split(name: str, value: str) -> tuple[str, int]:
    host, _, port = value.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65_535:
        raise CommandError(f"{name} must look like 127.0.0.1:10025, and is {value!r}.")
    return host.strip("[]"), int(port)
