"""Collecting garbage rarely: for as long as anybody asks for it, and as before afterwards, whatever happens within."""

from __future__ import annotations

import gc
import threading

import pytest

from portal.worker.gc_tuning import RARELY, collect_rarely


def test_the_threshold_is_raised_until_the_last_of_several_leaves():
    usual = gc.get_threshold()
    entered, may_leave = threading.Event(), threading.Event()

    def work() -> None:
        with collect_rarely():
            entered.set()
            may_leave.wait(30)

    other = threading.Thread(target=work)
    with pytest.raises(ValueError, match="within"), collect_rarely():
        other.start()
        assert entered.wait(30)
        raise ValueError("within")
    during = gc.get_threshold()
    may_leave.set()
    other.join()

    assert during == (RARELY, *usual[1:])
    assert gc.get_threshold() == usual
