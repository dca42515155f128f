"""Serving banners, as `serve` does it, beside a bare Django view and nginx with the same bytes in the same run."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import shutil
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography.fernet import Fernet
from rich.console import Console
from rich.table import Table

from portal.webserver.command import make_web_command

ROOT = Path(__file__).resolve().parents[2]
WORKERS = 2
CONNECTIONS = 32
SECONDS = 4
ROUNDS = 3
SMALL = (2_000, 2)  # one that shows, and one that waits for an audience
LARGE = (100_000, 5_000)
CLICKS = 4_000
LOOK_UPS = 300
STARTS = 5

KEYS_SCRIPT = """
local keys = {{ {keys} }}
local turn = 0
request = function()
  turn = turn + 1
  return wrk.format("GET", "{before}" .. keys[turn % #keys + 1] .. "{behind}")
end
"""
NGINX = """
daemon off; master_process on; worker_processes {workers}; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{
  access_log off; types {{ image/png png; }} default_type image/png;
  client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
  uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
  server {{ listen 127.0.0.1:{port}; location / {{ root {folder}; try_files /banner.png =404; }} }}
}}
"""


@dataclass(frozen=True)
class Rate:
    """Of one run: requests a second, the slowest hundredth, and answers that were none."""

    per_second: float
    p99_ms: float
    errors: int


def find_free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def running(command: Sequence[str], environ: dict[str, str], port: int, path: str) -> Iterator[None]:
    """The server answers until the block ends; everything it started ends with it."""
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            command, cwd=ROOT, env=os.environ | environ, stdout=said, stderr=said, start_new_session=True
        )
        try:
            ends_at = time.monotonic() + 60
            while ask(port, path) is None:
                if process.poll() is not None or time.monotonic() > ends_at:
                    said.seek(0)
                    raise SystemExit(f"{command[0]} did not start:\n{said.read().decode()[-2000:]}")
                time.sleep(0.1)
            yield
        finally:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, 9)


def ask(port: int, path: str) -> int | None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except OSError:
        return None
    finally:
        connection.close()


class Company:
    """A database with a company in it, and the environment of a portal on it."""

    def __init__(self, folder: Path, people: int, campaigns: int, outreach: str) -> None:
        folder.mkdir()
        self.database = folder / "portal.sqlite3"
        self.environ = {
            "DJANGO_SETTINGS_MODULE": "portal.settings",
            "DATABASE_URL": f"sqlite:///{self.database}",
            "SPOOL_FOLDER": str(folder / "spool"),
            "SECRET_KEY": "benchmark-" + "k" * 50,
            "TOKEN_KEYS": Fernet.generate_key().decode(),
            "OUTREACH_BASE_URL": outreach,
            "OUTREACH_CLIENT_ID": "sandbox-client",
            "OUTREACH_CLIENT_SECRET": "sandbox-secret",
            "PUBLIC_URL": "http://127.0.0.1:8000",
        }
        done = subprocess.run(
            [sys.executable, "-m", "tests.benchmarks.company", str(people), str(campaigns)],
            cwd=ROOT, env=os.environ | self.environ, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            raise SystemExit(f"The company was not made:\n{done.stderr[-2000:]}")
        made = json.loads(done.stdout.splitlines()[-1])
        self.keys: list[str] = made["keys"]
        self.picture = bytes.fromhex(made["picture"])

    def serve(self, port: int) -> contextlib.AbstractContextManager[None]:
        command = [
            sys.executable, "manage.py", "serve", "--sandbox", "--no-worker",
            "--port", str(port), "--web-workers", str(WORKERS),
        ]  # fmt: skip
        return running(command, self.environ, port, f"/b/{self.keys[0]}@2x.png")

    def await_counted(self) -> None:
        """Return once its server has brought everything in: whoever is measured next has the machine for itself."""
        spool = Path(self.environ["SPOOL_FOLDER"])
        ends_at = time.monotonic() + 120
        while time.monotonic() < ends_at:
            with contextlib.closing(sqlite3.connect(self.database, timeout=20)) as database:
                read = dict(database.execute("select name, offset from signatures_spoolimport"))
            with contextlib.suppress(FileNotFoundError):  # one that was read to its end, and removed
                if all(path.stat().st_size == read.get(path.name) for path in spool.glob("*.events")):
                    return
            time.sleep(0.2)
        raise SystemExit("What was counted did not come in.")

    def count_clicks(self) -> int:
        """How many clicks are in the database, once everything in the spool is."""
        code = "import django; django.setup(); from signatures.analytics.spool_import import sweep_spool; sweep_spool()"
        subprocess.run(
            [sys.executable, "-c", code],
            cwd=ROOT,
            env=os.environ | self.environ,
            check=True,
            capture_output=True,
        )
        with contextlib.closing(sqlite3.connect(self.database, timeout=20)) as database:
            found: int = database.execute(
                "select count(*) from signatures_bannerevent where kind = 'click'"
            ).fetchone()[0]
            return found


def load(
    folder: Path, port: int, keys: Sequence[str], *, before: str = "/b/", behind: str = "@2x.png"
) -> Rate:
    """Ask for the keys in turn over CONNECTIONS connections for SECONDS."""
    script = folder / "keys.lua"
    script.write_text(
        KEYS_SCRIPT.format(keys=",".join(f'"{key}"' for key in keys), before=before, behind=behind)
    )
    done = subprocess.run(
        [
            "wrk", "--threads", "2", "--connections", str(CONNECTIONS), "--duration", f"{SECONDS}s", "--latency",
            "--script", str(script), f"http://127.0.0.1:{port}",
        ],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    per_second = float(re.findall(r"Requests/sec:\s+([\d.]+)", done)[0])
    number, unit = re.findall(r"99%\s+([\d.]+)(us|ms|s)", done)[0]
    p99 = float(number) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[unit]
    failed = re.findall(r"Non-2xx or 3xx responses: (\d+)", done)
    lost = re.findall(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", done)
    return Rate(per_second, p99, sum(map(int, failed)) + sum(int(each) for group in lost for each in group))


def warm(port: int, keys: Sequence[str]) -> None:
    """Every worker process has seen the keys: none is asked for the first time while it is measured."""
    with contextlib.ExitStack() as stack:
        threads = [threading.Thread(target=_ask_all, args=(port, keys)) for _ in range(4 * WORKERS)]
        for thread in threads:
            thread.start()
            stack.callback(thread.join)


def _ask_all(port: int, keys: Sequence[str]) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    for key in keys:
        connection.request("GET", f"/b/{key}@2x.png")
        connection.getresponse().read()
    connection.close()


def click(port: int, keys: Sequence[str], clicks: int) -> tuple[int, float]:
    """Return how many clicks were answered with a redirect, and how many a second."""
    answered: list[int] = []
    threads_count = 16

    def work(first: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        good = 0
        for number in range(first, clicks, threads_count):
            connection.request("GET", f"/c/{keys[number % len(keys)]}")
            answer = connection.getresponse()
            answer.read()
            good += answer.status == 302
        answered.append(good)
        connection.close()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(threads_count)]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(answered), clicks / (time.perf_counter() - started)


def time_look_ups(
    port: int, keys: Sequence[str], number: int, *, name: str
) -> tuple[list[float], list[float]]:
    """Return milliseconds of fetches by readers nobody asked about before, and of plain ones between them.

    name: what the readers' addresses begin with; nobody else's may.
    """
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    known: list[float] = []
    plain: list[float] = []
    for turn in range(number):
        for query, kept in ((f"?r={name}.{turn}@example.org", known), ("", plain)):
            started = time.perf_counter()
            connection.request("GET", f"/b/{keys[turn % len(keys)]}@2x.png{query}")
            answer = connection.getresponse()
            answer.read()
            kept.append((time.perf_counter() - started) * 1000)
            if answer.status != 200:
                raise SystemExit(f"A banner was answered with {answer.status}.")
    connection.close()
    return known, plain


@contextlib.contextmanager
def silent_outreach() -> Iterator[str]:
    """Takes connections and never says a word."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(512)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


def measure_rates(folder: Path, small: Company, large: Company, table: Table) -> None:
    """The three servers take turns, so that whatever else the machine does meets all of them."""
    (folder / "banner.png").write_bytes(small.picture)
    ports = [find_free_port() for _ in range(3)]
    bare = make_web_command(
        host="127.0.0.1", port=ports[0], workers=WORKERS, application="tests.benchmarks.bare:application"
    )
    rates: dict[str, list[Rate]] = {"bare": [], "small": [], "large": []}
    with contextlib.ExitStack() as stack:
        stack.enter_context(running(bare, {"BARE_FILE": str(folder / "banner.png")}, ports[0], "/b/x"))
        stack.enter_context(small.serve(ports[1]))
        stack.enter_context(large.serve(ports[2]))
        warm(ports[1], small.keys)
        warm(ports[2], large.keys)
        for _ in range(ROUNDS):
            for name, port, keys in (
                ("bare", ports[0], small.keys), ("small", ports[1], small.keys), ("large", ports[2], large.keys),
            ):  # fmt: skip
                rates[name].append(load(folder, port, keys))
                small.await_counted()
                large.await_counted()

    def middle(name: str) -> Rate:
        return sorted(rates[name], key=lambda rate: rate.per_second)[len(rates[name]) // 2]

    def ratio(one: str, other: str) -> float:
        return statistics.median(
            a.per_second / b.per_second for a, b in zip(rates[one], rates[other], strict=True)
        )

    def say(rate: Rate) -> str:
        return f"{rate.per_second:,.0f}/s, p99 {rate.p99_ms:.1f} ms, {rate.errors} errors"

    size = len(small.picture) / 1000
    table.add_row(
        f"Banner ({size:.1f} KB), {SMALL[0]:,} senders, {SMALL[1]} campaigns",
        say(middle("small")),
        f"{say(middle('bare'))}: a bare Django view under the same server",
        f"{ratio('small', 'bare'):.0%}",
        "≥ 75 %",
    )
    table.add_row(
        f"The same, {LARGE[0]:,} senders, {LARGE[1]:,} campaigns",
        say(middle("large")),
        say(middle("small")),
        f"{ratio('large', 'small') - 1:+.0%}",
        "within 10 %",
    )


def measure_nginx(folder: Path, small: Company, table: Table) -> None:
    if not shutil.which("nginx"):
        table.add_row("nginx serving the file", "nginx is not installed", "–", "–", "stated")
        return
    port = find_free_port()
    (folder / "nginx.conf").write_text(NGINX.format(folder=folder, port=port, workers=WORKERS))
    folder.chmod(0o755)
    command = ["nginx", "-c", str(folder / "nginx.conf"), "-p", str(folder)]
    with running(command, {}, port, "/b/x"):
        rate = load(folder, port, small.keys)
    table.add_row(
        "nginx serving the file", f"{rate.per_second:,.0f}/s, p99 {rate.p99_ms:.1f} ms", "–", "–", "stated"
    )


def measure_clicks(small: Company, table: Table) -> None:
    port = find_free_port()
    with small.serve(port):
        answered, per_second = click(port, small.keys, CLICKS)
    recorded = small.count_clicks()
    table.add_row(
        "Clicks recorded",
        f"{recorded:,} recorded at {per_second:,.0f}/s (16 clients in one Python process)",
        f"{answered:,} answered",
        f"{recorded - answered:+,}",
        "as many as answered",
    )


def measure_look_ups(company: Company, size: tuple[int, int], table: Table) -> None:
    """The first readers of a server wait longest, so that servers are started anew and the slowest reader told."""
    known: list[float] = []
    plain: list[float] = []
    for start in range(STARTS):
        port = find_free_port()
        with company.serve(port):
            warm(port, company.keys[:50])
            readers, others = time_look_ups(port, company.keys[:50], LOOK_UPS, name=f"start{start}")
        known += readers
        plain += others
    table.add_row(
        f"Banner while Outreach hangs, {STARTS} servers, {LOOK_UPS} new readers each; {size[0]:,} senders, "
        f"{size[1]:,} campaigns",
        f"slowest {max(known):.1f} ms, median {statistics.median(known):.1f} ms",
        f"slowest {max(plain):.1f} ms, median {statistics.median(plain):.1f} ms: nobody named",
        f"{max(known):.1f} ms",
        "≤ 50 ms",
    )


def main() -> None:
    if not shutil.which("wrk"):
        raise SystemExit("wrk is not installed (Debian's package `wrk`).")
    table = Table("What", "Measured", "Baseline in the same run", "Figure", "Aim")
    with tempfile.TemporaryDirectory(prefix="countersign-benchmarks-") as name, silent_outreach() as outreach:
        folder = Path(name)
        small = Company(folder / "small", *SMALL, outreach)
        large = Company(folder / "large", *LARGE, outreach)
        measure_rates(folder, small, large, table)
        measure_nginx(folder, small, table)
        measure_clicks(small, table)
        measure_look_ups(small, SMALL, table)
        measure_look_ups(large, LARGE, table)
    Console(width=160).print(table)
