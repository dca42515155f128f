"""What the mail gateway costs: the same messages straight to a sink and through the gateway, in one run.

Sink, gateway and client are processes of their own on one machine, so the figures hold all their work.
"""

from __future__ import annotations

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

from tests.support.gateway_process import prepare, start_gateway
from tests.support.installation import ROOT, migrate_template
from tests.support.mail_corpus import PAGE, TEXT, message, multipart, packed, part
from tests.support.mail_sink import Client

MESSAGES = 400
SESSIONS = 4
ROUNDS = 3
SENDER = "maria@acme.example"
WITHOUT = message(multipart(TEXT, part(PAGE.replace(b"/b/", b"/x/")), kind="alternative"))
WITH = message(multipart(TEXT, part(PAGE), kind="alternative"))
LARGE = message(multipart(part(PAGE), part(packed(bytes(18_500_000)), "application/zip", "base64")))

SINK = """
import asyncio, sys
from tests.support.mail_sink import Sink, get_port, listen
class Forgetful(Sink):
    async def handle_DATA(self, server, session, envelope):
        return "250 2.0.0 Gone"
async def main():
    server = await listen(Forgetful())
    print(get_port(server), flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"""


def send(port: int, raw: bytes, count: int, first: int) -> list[float]:
    """The seconds of each message, over one session; every one to a recipient of its own."""
    took = []
    with Client(port) as client:
        for number in range(first, first + count):
            started = time.perf_counter()
            client.envelope(SENDER, [f"reader{number}@customer.example"])
            answer = client.data(raw.replace(b"<1@acme", b"<%d@acme" % number))
            took.append(time.perf_counter() - started)
            if not answer.startswith("250"):
                raise SystemExit(f"A message was refused: {answer}")
    return took


def get_rate(port: int, raw: bytes, first: int) -> float:
    """Messages a second over several sessions at once."""
    each = MESSAGES // SESSIONS
    threads = [
        threading.Thread(target=send, args=(port, raw, each, first + place * each))
        for place in range(SESSIONS)
    ]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return MESSAGES / (time.perf_counter() - started)


def get_cpu_seconds(pid: int) -> float:
    """Of all the process's threads; on a busy machine it says more than the clock."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def get_peak_mb(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def main() -> None:
    numbers = iter(range(0, 10**9, 10_000))
    table = Table("What", "Straight to the sink", "Through the gateway", "Figure")
    with tempfile.TemporaryDirectory(prefix="countersign-mail-") as name:
        folder = Path(name)
        sink = subprocess.Popen([sys.executable, "-c", SINK], cwd=ROOT, stdout=subprocess.PIPE, text=True)
        (folder / "template").mkdir()
        installation = prepare(folder, migrate_template(folder / "template"))
        try:
            assert sink.stdout
            straight = int(sink.stdout.readline())
            process, gateway = start_gateway(installation, folder / "gateway.log", next_hop=straight)
            for what, raw in (("without a slot", WITHOUT), ("with a slot, decided and replaced", WITH)):
                send(gateway, raw, 20, next(numbers))
                cpu = get_cpu_seconds(process.pid)
                both = {port: ([], []) for port in (straight, gateway)}
                for _ in range(ROUNDS):
                    for port, (rates, times) in both.items():
                        rates.append(get_rate(port, raw, next(numbers)))
                        times.extend(send(port, raw, MESSAGES // 4, next(numbers)))
                cpu = (get_cpu_seconds(process.pid) - cpu) / (ROUNDS * (MESSAGES + MESSAGES // 4))
                _add_row(table, what, both[straight], both[gateway], cpu)
            before = get_peak_mb(process.pid)
            large = [send(port, LARGE, 3, next(numbers)) for port in (straight, gateway)]
            table.add_row(
                f"{len(LARGE) / 1e6:.0f} MB, one at a time",
                f"{statistics.median(large[0]):.2f} s",
                f"{statistics.median(large[1]):.2f} s",
                f"peak memory {get_peak_mb(process.pid):.0f} MB, {before:.0f} MB before",
            )
        finally:
            installation.close()
            sink.terminate()
            sink.wait()
    Console(width=150).print(table)


def _add_row(
    table: Table,
    what: str,
    straight: tuple[list[float], list[float]],
    gateway: tuple[list[float], list[float]],
    cpu: float,
) -> None:
    ratio = statistics.median(gateway[0]) / statistics.median(straight[0])
    added = (statistics.median(gateway[1]) - statistics.median(straight[1])) * 1000
    slow = (statistics.quantiles(gateway[1], n=20)[-1] - statistics.quantiles(straight[1], n=20)[-1]) * 1000
    table.add_row(
        f"{len(WITH) / 1000:.1f} KB {what}",
        _describe(straight),
        _describe(gateway),
        f"{ratio:.0%} of the rate; +{added:.1f} ms, +{slow:.1f} ms at p95; {cpu * 1000:.1f} ms of CPU",
    )


def _describe(figures: tuple[list[float], list[float]]) -> str:
    return f"{statistics.median(figures[0]):.0f} a second; {statistics.median(figures[1]) * 1000:.1f} ms each"


if __name__ == "__main__":
    main()
