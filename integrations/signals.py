"""What the door announces; who listens is none of its business.

directory_synced: sender=SyncRun, run, connection. Sent after the run is recorded as read to its end.
following_asked: sender=SyncRun, run, connection. A command that has synced asks receivers to follow the mirror
    before they return, as no worker may run. They change nothing in Outreach.
connection_lost: sender=Connection, connection. Our access ended without us.
disconnect_requested: sender=Connection, connection. Receivers put back what they changed and tell
    `integrations.disconnect.steps.finish_restoring` when they are done.
restoring_given_up: sender=Connection, connection, by_label. A person leaves what is left as it is: the receiver
    ends its work, and returns how many mailboxes it leaves, or None where it is at work this moment.
restoration_asked: sender=Connection, connection. A question: the receiver that places signatures
    returns an `integrations.disconnect.restoration.Restoration`.
left_behind_asked: sender=Connection, connection. A question: the same receiver returns what did not get
    its original back when this connection left, as `integrations.disconnect.restoration.LeftBehind`s.
troubles_asked: sender=Connection, connection. A question: each receiver returns the troubles of its own
    work that need a person, as `integrations.connection.notices.Trouble`s.
"""

from django.dispatch import Signal

directory_synced = Signal()
following_asked = Signal()
connection_lost = Signal()
disconnect_requested = Signal()
restoring_given_up = Signal()
restoration_asked = Signal()
left_behind_asked = Signal()
troubles_asked = Signal()
