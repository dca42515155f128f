"""Sentinels: private characters that mark positions between rendering steps and are never sent.

They are private-use code points: `context` removes them from values; templates that contain them, or refer to
them by number, are refused when they are saved; the sanitizer drops them. So one that is found while a signature is
made is ours, and none is in the result.
"""

from __future__ import annotations

import re

# Around a value, and in place of a missing one, in Liquid's output.
PRESENT_OPEN = "\ue000"
PRESENT_CLOSE = "\ue001"
ABSENT = "\ue002"
# Closes a numbered value in an attribute, where a quote stays escaped.
ATTRIBUTE_CLOSE = "\ue003"
# Around the number of a placeholder.
SLOT_OPEN = "\ue010"
SLOT_CLOSE = "\ue011"

# Not allowed in templates and signatures: private use, lone surrogates, and controls except tab and line ends.
PRIVATE = re.compile("[\ue000-\uf8ff\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff]")
VALUE = re.compile(f"{PRESENT_OPEN}([^{PRESENT_OPEN}{PRESENT_CLOSE}]*+){PRESENT_CLOSE}")
NUMBERED = re.compile(f"{PRESENT_OPEN}(\\d+)([{PRESENT_CLOSE}{ATTRIBUTE_CLOSE}])")
