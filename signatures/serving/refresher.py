"""What a web process does beside its requests: keep the showcase as the rows are, and bring the spool in.

The thread starts with the first banner that is asked for, so that it belongs to the process which answers.
"""

from __future__ import annotations

import gc
import itertools
import logging
import os
import threading
import time

from django.db import Error as DatabaseFailure
from django.db import close_old_connections

from signatures.analytics import spool

from . import cache

logger = logging.getLogger(__name__)

REFRESH_SECONDS = 3.0
SENDERS_EVERY = 5  # refreshes; people change groups with a sync, not with a click
SWEEP_SECONDS = 60.0


class Keeper:
    """Starts one thread per process, where `keep` was called; does nothing elsewhere."""

    def __init__(self) -> None:
        self.is_wanted = False
        self._pid = 0
        self._starting = threading.Lock()

    def ensure(self) -> None:
        """The thread runs, if this process is one that keeps. Costs nothing when it does."""
        if self.is_wanted and self._pid != os.getpid():
            with self._starting:
                if self._pid != os.getpid():
                    self._pid = os.getpid()
                    cache.SHOWCASE.is_kept = True
                    threading.Thread(target=_run, name="banner-keeper", daemon=True).start()


def _run() -> None:
    swept_at = time.monotonic()
    is_away = False
    for turn in itertools.count():
        time.sleep(REFRESH_SECONDS)
        try:
            close_old_connections()
            cache.SHOWCASE.refresh(with_senders=turn % SENDERS_EVERY == 0)
            spool.sweep_spool(own_only=True)
            if time.monotonic() - swept_at > SWEEP_SECONDS:
                swept_at = time.monotonic()
                spool.sweep_spool()
            is_away = False
        except (DatabaseFailure, OSError) as error:
            if not is_away:
                logger.warning("Banner events wait on disk: %s.", type(error).__name__)
            is_away = True
        # A thread that ended would leave every banner as it is now until the process ends.
        except Exception:
            logger.exception("Keeping the banners failed; it goes on.")


KEEPER = Keeper()


def keep() -> None:
    """This process serves: from its first banner on, it keeps what it shows and brings in what it counts."""
    KEEPER.is_wanted = True
    # What was loaded stays as long as the process. Walked through again by each full garbage collection, it held
    # every answer up for 40 to 70 ms.
    gc.collect()
    gc.freeze()
