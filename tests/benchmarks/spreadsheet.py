"""An import of values from a spreadsheet: rows a second beside a bare loop over the file, and peak memory.

`main` starts each measurement in a process of its own; `import_values` is what those run.
"""

from __future__ import annotations

import csv
import io
import resource
import tempfile
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

FEW = 10_000
NOBODY = "http://127.0.0.1:9"
WITHIN_MB = 50


def main(rows: int) -> None:
    """Print the table. rows: of the larger file, each for a sender of its own."""
    from .__main__ import measure

    with tempfile.TemporaryDirectory(prefix="countersign-benchmarks-") as name:
        done = []
        for number in (FEW, rows):
            database = Path(name) / f"{number}.sqlite3"
            measure(
                f"people:{number}", NOBODY, database
            )  # in a process of its own, whose memory does not count
            done.append(measure(f"spreadsheet:{number}", NOBODY, database))
        few, many = done
    table = Table("What", "Measured", "Baseline in the same run", "Figure", "Aim")
    table.add_row(
        f"Import of {rows:,} rows for as many senders",
        f"{many['seconds']:.1f} s, {rows / many['seconds']:,.0f} rows/s",
        f"{many['bare_seconds']:.2f} s: a csv loop over the same file",
        f"{many['seconds'] / many['bare_seconds']:,.0f} ×",
        "",
    )
    table.add_row(
        "The same, a row",
        f"{many['seconds'] / rows * 1000:.2f} ms",
        f"{few['seconds'] / FEW * 1000:.2f} ms at {FEW:,} rows",
        f"{many['seconds'] / rows / (few['seconds'] / FEW):.2f} ×",
        "grows with the rows",
    )
    table.add_row(
        "Peak memory",
        f"{many['peak_mb']:.0f} MB at {rows:,} rows",
        f"{few['peak_mb']:.0f} MB at {FEW:,}",
        f"{many['peak_mb'] - few['peak_mb']:+.0f} MB",
        f"within {WITHIN_MB} MB",
    )
    table.add_row(
        "Progress",
        f"{many['steps']:,} steps shown while the file is read",
        "",
        f"every {rows / many['steps']:,.0f} rows",
        "every 500 rows",
    )
    Console(width=160).print(table)


def import_values(rows: int) -> dict[str, Any]:
    """Import a file with a row for each of as many senders through the public command."""
    from django.core.management import call_command
    from django.db import connection

    from signatures.models import Sender
    from signatures.value_files import reading

    database = Path(connection.settings_dict["NAME"])
    path = write_file(database.with_suffix(".csv"), rows)
    seen: list[int] = []
    renew = reading.Lease.renew

    def count(lease: Any, **fields: Any) -> Any:
        seen.extend([fields["lines_read"]] if "lines_read" in fields else [])
        return renew(lease, **fields)

    reading.Lease.renew = count  # type: ignore[method-assign]
    started = time.perf_counter()
    call_command("importvalues", "acme.example", str(path), stdout=io.StringIO())
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    started = time.perf_counter()
    with path.open(newline="", encoding="utf-8") as file:
        number = sum(1 for _ in csv.reader(file))
    bare_seconds = time.perf_counter() - started
    stored = Sender.objects.exclude(own_values={}).count()
    if (number, stored) != (rows + 1, rows):
        raise SystemExit(f"{number} lines, {stored} senders with values.")
    return {"seconds": seconds, "bare_seconds": bare_seconds, "peak_mb": peak, "steps": len(seen)}


def write_file(path: Path, rows: int) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["E-mail", "Mobile", "Pronouns", "Department"])
        for number in range(1_000_000, 1_000_000 + rows):
            writer.writerow(
                [f"person.{number}@acme.example", f"+1 312 555 {number % 10_000:04}", "they", "Sales"]
            )
    return path
