"""Sentinels: private characters that mark positions between rendering steps and never leave.

They are private-use code points: values lose them in `context`; templates that contain them, or refer to
them by number, are refused when they are saved; the sanitizer drops them. So one seen while a signature is
made was put there by us, and none is in what is sent.
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

# What no template and no signature may hold: private use, half pairs, and controls but tab and line ends.
PRIVATE = re.compile("[\ue000-\uf8ff\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff]")
VALUE = re.compile(f"{PRESENT_OPEN}([^{PRESENT_OPEN}{PRESENT_CLOSE}]*+){PRESENT_CLOSE}")
NUMBERED = re.compile(f"{PRESENT_OPEN}(\\d+)([{PRESENT_CLOSE}{ATTRIBUTE_CLOSE}])")
