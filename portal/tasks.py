"""Entry points for the background worker that belong to the house."""

from .heartbeat import record_beat as _record_beat


def record_beat() -> None:
    """A worker took this canary from the queue and finished it."""
    _record_beat()
