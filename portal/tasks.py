"""Tasks of the background worker that belong to the portal itself."""

from portal.worker.heartbeat import record_beat as _record_beat

from .retention import remove_expired_sessions as _remove_expired_sessions


def record_beat() -> None:
    """A worker took this canary from the queue and finished it."""
    _record_beat()


def remove_expired_sessions() -> None:
    """Sessions that are over are gone, and so are old failures of background tasks."""
    _remove_expired_sessions()
