"""Refresher: keeps a web process's serving cache up to date, imports its spool and stores its counters.

The thread starts with the first request, so that it runs in the process that answers.
"""

from __future__ import annotations

import itertools
import logging
import os
import threading
import time

from django.db import Error as DatabaseFailure
from django.db import close_old_connections

from portal.counters import COUNTERS
from signatures.analytics import spool_import

from . import cache

logger = logging.getLogger(__name__)

REFRESH_SECONDS = 3.0
SENDERS_EVERY = 5  # refreshes; people change groups only with a sync
SWEEP_SECONDS = 60.0


class Refresher:
    """Starts one thread per process once it is enabled; does nothing in other processes, such as the worker."""

    def __init__(self) -> None:
        self.is_enabled = False
        self._pid = 0
        self._starting = threading.Lock()

    def enable(self) -> None:
        """Say that this process, or those it forks, answer requests."""
        self.is_enabled = True

    def ensure_running(self) -> None:
        """Start the thread where it does not run yet; cheap where it does."""
        if self.is_enabled and self._pid != os.getpid():
            with self._starting:
                if self._pid != os.getpid():
                    self._pid = os.getpid()
                    cache.CACHE.is_refreshed = True
                    threading.Thread(target=_run, name="banner-refresher", daemon=True).start()


def _run() -> None:
    swept_at = time.monotonic()
    is_away = False
    for turn in itertools.count():
        time.sleep(REFRESH_SECONDS)
        try:
            close_old_connections()
            cache.CACHE.refresh(with_senders=turn % SENDERS_EVERY == 0)
            spool_import.sweep_spool(own_only=True)
            COUNTERS.flush_if_due()
            if time.monotonic() - swept_at > SWEEP_SECONDS:
                swept_at = time.monotonic()
                spool_import.sweep_spool()
            is_away = False
        except (DatabaseFailure, OSError) as error:
            if not is_away:
                logger.warning("Banner events wait on disk: %s.", type(error).__name__)
            is_away = True
        # If the thread ended, no banner would change any more in this process.
        except Exception:
            logger.exception("Refreshing the serving cache failed; it goes on.")


REFRESHER = Refresher()
