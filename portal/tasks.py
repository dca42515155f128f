"""Tasks of the background worker that belong to the portal itself."""

from portal.worker.heartbeat import record_beat as _record_beat

from .retention import remove_expired_sessions as _remove_expired_sessions


def record_beat() -> None:
    """Record that a worker finished this canary task."""
    _record_beat()


def remove_expired_sessions() -> None:
    """Remove expired sessions and old failures of background tasks."""
    _remove_expired_sessions()
