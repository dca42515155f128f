"""Own images: the form of their addresses, and which of them may be plain http where no mail leaves the machine.

A portal and a sandbox of Outreach on one machine have no https, and only that machine's browser shows what they make.
"""

from __future__ import annotations

import re

IMAGE_PATH = re.compile(
    r"/m/(?P<key>[A-Za-z0-9_-]{22})/(?P<digest>[0-9a-f]{32})(?P<double>@2x)?\.(?P<end>png|jpg)"
)


def is_own_image(address: str, origin: str) -> bool:
    """Return whether `address` is of an image of the portal at `origin`; of none for ''."""
    return bool(origin) and address.startswith(origin) and bool(IMAGE_PATH.fullmatch(address, len(origin)))
