"""Garbage collector tuning: collects rarely during bulk work, and leaves out what a process loaded at its start."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager

RARELY = 20_000  # objects made and not freed before the youngest are looked at; Python's own is 700

_lock = threading.Lock()
_inside = 0
_usual = gc.get_threshold()


@contextmanager
def collect_rarely() -> Iterator[None]:
    """Within, the whole process collects garbage more rarely; after the last one within, as before.

    For pages of decoded records, a fifth of a sync goes into looking through them for circles there are none of.
    """
    global _inside, _usual
    with _lock:
        if not _inside:
            _usual = gc.get_threshold()
            gc.set_threshold(RARELY, *_usual[1:])
        _inside += 1
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if not _inside:
                gc.set_threshold(*_usual)


def leave_out_what_is_loaded() -> None:
    """Leave every object there is now out of later collections.

    For a web server, once it has loaded everything: what was loaded stays as long as the process, and each full
    collection walked through it again, which held every answer up for 40 to 70 ms.
    """
    gc.collect()
    gc.freeze()
