"""Runs every measurement against one sandbox and prints a table: what was measured, the figure, the aim.

python -m tests.benchmarks                 # all; takes some minutes
python -m tests.benchmarks --people 2000   # smaller, to try it out
python -m tests.benchmarks banners         # serving banners instead; under four minutes
python -m tests.benchmarks mail            # the mail gateway alone
python -m tests.benchmarks delivery        # delivery at 50 ms latency, and planning; ten minutes
python -m tests.benchmarks pages           # pages of 100,000 senders on PostgreSQL; five minutes
python -m tests.benchmarks scale           # the same with all large tables full, syncs, workers; fifteen minutes
python -m tests.benchmarks scale --tenth   # a tenth of that
python -m tests.benchmarks rendering       # rendering, previews and lists of 10,000 senders; three minutes
python -m tests.benchmarks spreadsheet     # 100,000 rows of values; three minutes
python -m tests.benchmarks attack          # banners while strangers hold what they can; two minutes
python -m tests.benchmarks soak            # everything at once for an hour, on PostgreSQL: is it flat at the end?
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet
from rich.console import Console
from rich.table import Table

from . import attack, banners, delivery, mail, pages, rendering, scale, soak, spreadsheet
from .large_tables import Size

ROOT = Path(__file__).resolve().parents[2]
FULL = Size(senders=100_000, entries=10_000_000, events=50_000_000)
KEY = Fernet.generate_key().decode()
PARTS = (
    "job", "banners", "mail", "attack", "delivery", "pages", "rendering", "spreadsheet", "soak", "scale",
)  # fmt: skip
CLIENT = ["--client-id", "sandbox-client", "--client-secret", "sandbox-secret", "--throttle-seconds", "0"]


@contextmanager
def running_sandbox(people: int, folder: Path) -> Iterator[str]:
    """A sandbox in a process of its own, so that its work is not counted as ours."""
    ready = folder / f"sandbox-{people}"
    command = [sys.executable, "-m", "integrations.outreach.sandbox", *CLIENT]
    process = subprocess.Popen(
        [
            *command,
            "--people",
            str(people),
            "--teams",
            str(max(12, people // 100)),
            "--ready-file",
            str(ready),
        ],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
    )
    try:
        while not ready.exists():
            if process.poll() is not None:
                raise SystemExit("The sandbox did not start.")
            time.sleep(0.1)
        yield ready.read_text().strip()
    finally:
        process.terminate()
        process.wait()


def get_environ(sandbox_url: str, database: Path | str) -> dict[str, str]:
    return os.environ | {
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "DATABASE_URL": f"sqlite:///{database}" if isinstance(database, Path) else database,
        "OUTREACH_BASE_URL": sandbox_url,
        "OUTREACH_HOURLY_CALLS": "1000000",  # the sandbox's own hour is set as wide
        "TOKEN_KEYS": KEY,
    }


def measure(what: str, sandbox_url: str, database: Path | str) -> dict[str, Any]:
    """Run one measurement in a fresh process and return what it printed. database: a file of SQLite, or a URL."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.measure", what],
        cwd=ROOT,
        env=get_environ(sandbox_url, database),
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise SystemExit(f"{what} failed:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks")
    parser.add_argument(
        "what",
        nargs="?",
        choices=[*PARTS],
        default="job",
        help="the main job, or one part",
    )
    parser.add_argument("--people", type=int, default=20_000)
    parser.add_argument("--many", type=int, default=100_000, help="the larger company of the memory figure")
    parser.add_argument(
        "--rounds", type=int, default=3, help="pairs of sync and baseline; the median ratio counts"
    )
    parser.add_argument("--minutes", type=float, default=60, help="of the soak")
    parser.add_argument("--plot", type=Path, help="where the soak's picture is written")
    parser.add_argument("--tenth", action="store_true", help="scale: a tenth of the full size")
    options = parser.parse_args()
    parts = {"banners": banners.main, "mail": mail.main, "attack": attack.main}
    if options.what in parts:
        parts[options.what]()
        return
    if options.what == "delivery":
        delivery.main(min(options.people, 5_000), options.many)
        return
    sized = {
        "pages": lambda: pages.main(options.many),
        "rendering": lambda: rendering.main(min(options.people, 10_000)),
        "spreadsheet": lambda: spreadsheet.main(options.many),
        "soak": lambda: soak.main(options.minutes, options.plot),
        "scale": lambda: scale.main(FULL.divide(10) if options.tenth else FULL),
    }
    if options.what in sized:
        sized[options.what]()
        return
    table = Table("What", "Measured", "Baseline in the same run", "Figure", "Aim")

    with tempfile.TemporaryDirectory(prefix="countersign-benchmarks-") as name:
        folder = Path(name)
        with running_sandbox(options.people, folder) as url:
            pairs, chained = [], []
            for turn in range(options.rounds):
                bare = measure("bare", url, folder / "bare.sqlite3")
                # In turns: whoever comes second is measured on a machine that has just worked.
                order = ("sync", "unchained") if turn % 2 else ("unchained", "sync")
                done = {what: measure(what, url, folder / f"{what}-{turn}.sqlite3") for what in order}
                pairs.append((bare, done["sync"]))
                chained.append((done["unchained"], done["sync"]))
            bare, sync = sorted(pairs, key=lambda pair: pair[1]["seconds"] / pair[0]["seconds"])[
                len(pairs) // 2
            ]
            ratio = statistics.median(pair[1]["seconds"] / pair[0]["seconds"] for pair in pairs)
            table.add_row(
                f"Full sync, {options.people:,} people",
                f"{sync['seconds']:.2f} s, {sync['calls']} calls",
                f"{bare['seconds']:.2f} s, {bare['calls']} calls: download and decode only",
                f"{ratio:.2f} ×",
                "≤ 3 ×",
            )
            plain = sorted(one["seconds"] for one, _ in chained)[len(chained) // 2]
            with_chain = sorted(one["seconds"] for _, one in chained)[len(chained) // 2]
            cost = statistics.median(one["seconds"] / other["seconds"] for other, one in chained)
            table.add_row(
                "The same with the ledger chained",
                f"{with_chain:.2f} s",
                f"{plain:.2f} s: entries written, not chained",
                f"{cost:.3f} ×",
                "≤ 1.05 ×",
            )
            nothing = measure("changes", url, folder / "sync-0.sqlite3")
            table.add_row(
                "Sync that finds nothing",
                f"{nothing['seconds']:.2f} s, {nothing['calls']} calls",
                "–",
                f"{nothing['calls']} calls, {nothing['seconds']:.2f} s",
                "≤ 5 calls, < 1 s",
            )
            done = measure("deliver", url, folder / "sync-0.sqlite3")
            per_mailbox = done["requests"] / done["delivered"]
            table.add_row(
                "Delivery",
                f"{done['delivered']:,} mailboxes in {done['seconds']:.1f} s",
                f"{done['requests']:,} requests seen by the sandbox",
                f"{per_mailbox:.4f} a mailbox",
                "≤ 1.01",
            )
        with running_sandbox(options.many, folder) as url:
            many = measure("sync", url, folder / "many.sqlite3")
        more = many["peak_mb"] - sync["peak_mb"]
        table.add_row(
            f"Peak memory of a full sync, {options.many:,} people",
            f"{many['peak_mb']:.0f} MB in {many['seconds']:.1f} s",
            f"{sync['peak_mb']:.0f} MB at {options.people:,}",
            f"{more:+.0f} MB",
            "within 50 MB",
        )
    Console(width=160).print(table)


if __name__ == "__main__":
    main()
