"""Banners while strangers hold what they can: 1,500 connections that are slow or silent, and a provider that drips."""

from __future__ import annotations

import http.client
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from .banners import ROOT, Company, ask, find_free_port, silent_outreach, warm
from .strangers import EACH, SIGN_INS

READERS = 8
PAUSE_SECONDS = 0.05  # of each reader, so that neither they nor the portal are busy without an attack
MEASURED_SECONDS = 15
SETTLING_SECONDS = 5  # until every stranger is there
ROUNDS = 3

ADD_PROVIDER = """
import sys, django; django.setup()
from integrations.crypto.sealing import seal
from portal.models import Domain, IdentityProvider
row = IdentityProvider(domain=Domain.objects.get(), issuer=sys.argv[1], client_id="portal")
row.client_secret_sealed = seal("secret", bound_to=row.bound_to)
row.save()
"""


def read_banners(port: int, keys: list[str]) -> list[float]:
    """Return how long each banner took, in milliseconds, over connections of its readers' own."""
    took: list[float] = []
    ends_at = time.monotonic() + MEASURED_SECONDS

    def read(first: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        turn = first
        while time.monotonic() < ends_at:
            started = time.perf_counter()
            connection.request("GET", f"/b/{keys[turn % len(keys)]}@2x.png")
            answer = connection.getresponse()
            answer.read()
            took.append((time.perf_counter() - started) * 1000)
            if answer.status != 200:
                raise SystemExit(f"A banner was answered with {answer.status}.")
            turn += READERS
            time.sleep(PAUSE_SECONDS)

    threads = [threading.Thread(target=read, args=(number,)) for number in range(READERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return took


def get_p99(took: list[float]) -> float:
    return statistics.quantiles(took, n=100)[98]


def measure(company: Company, provider_port: int) -> tuple[list[float], list[float], int]:
    """Return the p99 without and with strangers of each pair, and how many probes of health went unanswered."""
    port = find_free_port()
    calm, attacked, unanswered = [], [], 0
    with company.serve(port):
        warm(port, company.keys[:50])
        for _ in range(ROUNDS):
            calm.append(get_p99(read_banners(port, company.keys)))
            seconds = SETTLING_SECONDS + MEASURED_SECONDS + 10
            strangers = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "tests.benchmarks.strangers",
                    str(port),
                    str(provider_port),
                    str(seconds),
                ],
                cwd=ROOT,
            )
            time.sleep(SETTLING_SECONDS)
            attacked.append(get_p99(read_banners(port, company.keys)))
            unanswered += sum(ask(port, "/healthz") != 200 for _ in range(20))
            strangers.wait(60)
    return calm, attacked, unanswered


def main() -> None:
    table = Table("What", "Measured", "Baseline in the same run", "Figure", "Aim")
    provider_port = find_free_port()
    with tempfile.TemporaryDirectory(prefix="countersign-attack-") as name, silent_outreach() as outreach:
        company = Company(Path(name) / "company", 200, 2, outreach)
        company.environ |= {"DEBUG": "1", "SSO_PRIVATE_HOSTS": "127.0.0.1"}  # the provider is on this machine
        subprocess.run(
            [sys.executable, "-c", ADD_PROVIDER, f"http://127.0.0.1:{provider_port}"],
            cwd=ROOT, env=os.environ | company.environ, check=True,
        )  # fmt: skip
        calm, attacked, unanswered = measure(company, provider_port)
    ratio = statistics.median(one / other for one, other in zip(attacked, calm, strict=True))
    table.add_row(
        f"Banners' p99 under {EACH} slow heads, {EACH} slow bodies, {EACH} silent connections and {SIGN_INS} "
        "sign-ins at a provider that drips",
        f"{statistics.median(attacked):.1f} ms, {unanswered} of {20 * ROUNDS} probes of health unanswered",
        f"{statistics.median(calm):.1f} ms: nobody else",
        f"{ratio:.2f} ×, median of {ROUNDS} pairs",
        "≤ 2 ×",
    )
    Console(width=160).print(table)
