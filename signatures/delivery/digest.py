"""Signature digests: tell whether two signatures are the same, by bytes or by visible content; pure."""

from __future__ import annotations

import hashlib
from html.parser import HTMLParser


def digest(html: str) -> str:
    """Return the SHA-256 of a signature's UTF-8 bytes, in hex."""
    return hashlib.sha256(html.encode("utf-8", "surrogatepass")).hexdigest()


def reads_the_same(one: str, other: str) -> bool:
    """Return whether two signatures have the same words, links and images in the same order.

    Tells a signature whose markup Outreach only rewrote (quotes, wrappers, spaces) from an edited one,
    in the one case where no reply told us what our write became.
    """
    return one == other or _read(one) == _read(other)


def _read(html: str) -> list[str]:
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return reader.seen


class _Reader(HTMLParser):
    """Notes words, link targets and image sources in their order."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.seen: list[str] = []

    def handle_data(self, data: str) -> None:
        self.seen += data.split()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen += [f"{name}={value}" for name, value in attrs if name in ("href", "src")]
