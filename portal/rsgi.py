"""RSGI application, which `serve` runs, with separate threads for requests that must always be answered."""

from __future__ import annotations

from importlib import import_module

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.db import Error as DatabaseFailure
from django.db import close_old_connections
from django.http import parse_cookie

from portal.webserver.command import raise_file_limit
from portal.webserver.thread_pool import ThreadPool
from portal.webserver.wsgi_adapter import WSGIAdapter
from portal.worker.gc_tuning import leave_out_what_is_loaded

from .wsgi import application as wsgi_application

_MOST_WAITING = 200
_HEALTH = ThreadPool(
    "health", threads=1, most_waiting=_MOST_WAITING
)  # asks nothing, so that nothing hangs it
_READINESS = ThreadPool("readiness", threads=1, most_waiting=20)
_METRICS = ThreadPool("metrics", threads=1, most_waiting=5)
_BANNERS = ThreadPool("banners", threads=4, most_waiting=2_000)
_PAGES = ThreadPool("pages", threads=settings.WEB_THREADS, most_waiting=_MOST_WAITING)
_PROBES = {
    "/healthz": _HEALTH,
    **dict.fromkeys(("/readyz", "/readyz/web", "/readyz/worker"), _READINESS),
    "/metrics": _METRICS,
}


def _get_pool(path: str) -> ThreadPool:
    if path[:3] in ("/b/", "/c/", "/m/"):
        return _BANNERS
    return _PROBES.get(path, _PAGES)


def _is_signed_in(cookies: str) -> bool:
    """Return whether these cookies belong to a live session."""
    key = parse_cookie(cookies).get(settings.SESSION_COOKIE_NAME)
    if not key:
        return False
    close_old_connections()
    try:
        return SESSION_KEY in import_module(settings.SESSION_ENGINE).SessionStore(key)
    except DatabaseFailure:
        return False
    finally:
        close_old_connections()


from portal.counters import COUNTERS  # noqa: E402 - models are there now

raise_file_limit()
application = WSGIAdapter(
    wsgi_application, get_pool=_get_pool, is_signed_in=_is_signed_in, at_end=COUNTERS.flush_at_end
)
leave_out_what_is_loaded()
