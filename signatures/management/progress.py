"""Progress display: shows a run that is carried out as a bar, where a terminal is attached."""

from __future__ import annotations

import sys
from collections.abc import Callable

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from signatures.models import DeliveryRun


def carry_out_with_bar(run: DeliveryRun, carry_out: Callable[..., DeliveryRun], verb: str) -> DeliveryRun:
    """Return the run as it then is; the bar is there only on a terminal, and gone afterwards."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, disable=not sys.stdout.isatty(), transient=True) as bar:
        task = bar.add_task(verb, total=run.planned)
        return carry_out(run.pk, progress=lambda now: bar.update(task, completed=now.settled))
