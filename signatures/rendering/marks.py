"""The private characters that carry meaning between rendering steps and never leave.

They are private-use code points: values lose them in `context`, templates that contain them
are refused in `compile`, so one seen later was put there by us.
"""

from __future__ import annotations

import re

# Around a value, and in the place of a missing one, in what Liquid wrote.
PRESENT_OPEN = "\ue000"
PRESENT_CLOSE = "\ue001"
ABSENT = "\ue002"
# Closes a numbered value that stands in an attribute, where a quote stays escaped.
ATTRIBUTE_CLOSE = "\ue003"
# Around the number of a piece of Liquid that was put aside.
SLOT_OPEN = "\ue010"
SLOT_CLOSE = "\ue011"

VALUE = re.compile(f"{PRESENT_OPEN}([^{PRESENT_CLOSE}]*){PRESENT_CLOSE}")
NUMBERED = re.compile(f"{PRESENT_OPEN}(\\d+)([{PRESENT_CLOSE}{ATTRIBUTE_CLOSE}])")
