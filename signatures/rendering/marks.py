"""The private characters that carry meaning between rendering steps and never leave.

They are private-use code points: values lose them in `context`, templates that contain them
are refused in `compile`, so one seen later was put there by us.
"""

from __future__ import annotations

PRESENT_OPEN = "\ue000"
PRESENT_CLOSE = "\ue001"
ABSENT = "\ue002"
SLOT_OPEN = "\ue010"
SLOT_CLOSE = "\ue011"


def strip_marks(html: str) -> str:
    """Return `html` without the marks around values."""
    return html.replace(PRESENT_OPEN, "").replace(PRESENT_CLOSE, "").replace(ABSENT, "")
