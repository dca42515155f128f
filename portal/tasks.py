"""Tasks of the background worker that belong to the portal itself."""

from portal.background import SHORT
from portal.worker.heartbeat import record_beat as _record_beat

from .accounts import sender_invitations
from .retention import invitations, sessions


def record_beat(*, queue: str = SHORT) -> None:
    """Record that a worker of this queue finished this canary task."""
    _record_beat(queue)


def remove_expired_sessions() -> None:
    """Remove expired sessions, what background tasks left, and rows of Django admin and old workers."""
    sessions.remove_expired_sessions()


def remove_closed_invitations() -> None:
    """Remove invitations that were closed long ago."""
    invitations.remove_closed_invitations()


def invite_senders() -> None:
    """Send the invitations of senders that are owed, and remind those who have not followed theirs."""
    sender_invitations.ask_for_reminders()
    sender_invitations.send_invitation_mails()
