"""Banner links: the form of a sender's own banner addresses, and what only they may contain.

Only they may be plain http, where the portal runs on the reader's own machine (the demo), and only they
may contain a variable that Outreach replaces when a mail is sent.
"""

from __future__ import annotations

import re

_VARIABLE = r"\{\{[A-Za-z0-9_.]{1,60}\}\}|\$\{[A-Za-z0-9_.]{1,61}\}|%[A-Za-z0-9_.]{1,62}%"
_WHOLE_VARIABLE = re.compile(_VARIABLE)
_ADDRESS = re.compile(
    r"(?P<base>https://[^/?#]+|http://(?:127\.0\.0\.1|localhost|\[::1\])(?::[0-9]{1,5})?)"
    r"/[bc]/[A-Za-z0-9_-]{22}(?:@2x\.png)?"
    rf"(?:\?r=(?:{_VARIABLE}))?"
)
PLACEHOLDER = "https://banner.example/"


def is_variable(text: str) -> bool:
    """Return whether `text` is a variable for the recipient: {{name}}, ${name} or %name%, without spaces."""
    return _WHOLE_VARIABLE.fullmatch(text) is not None


def split_address(address: str) -> str | None:
    """Return scheme and host of a banner's address, or None where it is not one."""
    found = _ADDRESS.fullmatch(address)
    return found["base"] if found else None


def put_placeholders(html: str, addresses: list[str]) -> str:
    """Return `html` with each href or src that is one of `addresses` replaced by a harmless one.

    So everything else can be checked.
    """
    for address in addresses:
        for name in ("href", "src"):
            html = html.replace(f' {name}="{address}"', f' {name}="{PLACEHOLDER}"')
    return html
