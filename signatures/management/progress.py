"""Progress display: shows a bar while a run is carried out, on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from signatures.models import DeliveryRun


def carry_out_with_bar(run: DeliveryRun, carry_out: Callable[..., DeliveryRun], verb: str) -> DeliveryRun:
    """Carry out the run with a progress bar on a terminal; return the run afterwards."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, disable=not sys.stdout.isatty(), transient=True) as bar:
        task = bar.add_task(verb, total=run.planned)
        return carry_out(run.pk, progress=lambda now: bar.update(task, completed=now.settled))
