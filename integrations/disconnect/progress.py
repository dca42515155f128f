"""Progress of a disconnect: its steps as far as they are done; pure."""

from __future__ import annotations

from integrations.models import Connection, ConnectionState, DisconnectStep
from integrations.signature_service import Restoration
from integrations.sync.progress import Step

_LEAVING = (DisconnectStep.RESTORING, DisconnectStep.REVOKING, DisconnectStep.ERASED)


def get_disconnect_steps(connection: Connection, restoration: Restoration) -> list[Step]:
    """Return the steps of a disconnect: originals restored, access revoked at Outreach, tokens erased here."""
    has_left = connection.state == ConnectionState.DISCONNECTED
    reached = len(_LEAVING) if has_left else _reached(connection.disconnect_step)

    def state(place: int) -> str:
        return "done" if place < reached else "now" if place == reached else ""

    restoring = Step(
        "Restore the originals",
        _restore_words(restoration),
        state(0),
        restoration.settled,
        restoration.total,
    )
    if not connection.disconnect_restores:
        restoring = Step("Restore the originals", "skipped, as requested", "skipped")
    revoking = Step("Revoke our access at Outreach", "tried for up to five minutes", state(1))
    if has_left and connection.revocation_confirmed:
        revoking = Step("Revoke our access at Outreach", "confirmed by Outreach", "done")
    elif has_left:
        revoking = Step("Revoke our access at Outreach", "not confirmed by Outreach", "failed")
    return [
        restoring,
        revoking,
        Step("Erase the tokens here", "the last step; no request is sent after it", state(2)),
    ]


def _reached(step: str) -> int:
    return _LEAVING.index(DisconnectStep(step)) if step in _LEAVING else 0


def _restore_words(restoration: Restoration) -> str:
    if not restoration.total:
        return "no mailbox holds a signature delivered from here"
    words = f"{restoration.restored:,} of {restoration.total:,} mailboxes restored"
    if restoration.conflicts:
        words += f"; {restoration.conflicts:,} edited since and left unchanged"
    if restoration.failed:
        words += f"; {restoration.failed:,} could not be written"
    return words
