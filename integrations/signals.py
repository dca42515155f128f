"""Signals: what integrations announces; it does not know who listens.

directory_synced: sender=SyncRun, run, connection. Sent after the run is recorded as read to its end.
following_asked: sender=SyncRun, run, connection. A command that has synced asks receivers to follow the mirror
    before they return, as no worker may run. They change nothing in Outreach.
connection_lost: sender=Connection, connection. Our access ended without us.
disconnect_requested: sender=Connection, connection. Receivers restore what they changed and tell
    `integrations.disconnect.steps.finish_restoring` when they are done.
revoking_due: sender=Connection, connection. The originals are restored, or are left: the disconnect continues.

What integrations asks, and needs an answer to, is a call: see `integrations.signature_service`.
"""

from django.dispatch import Signal

directory_synced = Signal()
following_asked = Signal()
connection_lost = Signal()
disconnect_requested = Signal()
revoking_due = Signal()
