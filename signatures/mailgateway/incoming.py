"""Incoming message: reads what follows DATA up to the final dot, and undoes dot-stuffing as it arrives."""

from __future__ import annotations

from io import BytesIO

_END = b"\r\n.\r\n"
# What some servers read as the end of a message; see RFC 5321, 4.1.1.4, and "SMTP smuggling".
_FALSE_ENDS = (b"\n.\n", b"\n.\r", b"\r.\n", b"\r.\r")


class Incoming:
    """One message on its way in. A refused message is read to its end, and not kept."""

    def __init__(self, limit: int) -> None:
        """limit: bytes of the largest message that is kept."""
        self._limit = limit
        self._kept = BytesIO()
        # Starts as after a line end: the first byte may be a dot. Possible parts of an end are not kept yet.
        self._rest, self._ahead = b"\r\n", 2
        self.is_complete = False
        self.has_more_behind = False
        self.refusal: str | None = None

    @property
    def size(self) -> int:
        """How many bytes are kept."""
        return self._kept.tell()

    def feed(self, chunk: bytes) -> None:
        text = self._rest + chunk
        end = text.find(_END)
        self.is_complete = end >= 0
        self.has_more_behind = self.is_complete and len(text) > end + len(_END)
        cut = end + 2 if self.is_complete else _find_cut(text)
        looked_at = text[: cut if self.is_complete else cut + 2]
        if any(mark in looked_at for mark in _FALSE_ENDS):
            self.refuse("554 5.6.0 A dot stands alone between bare line ends; it could be taken for the end.")
        self._keep(text[:cut].replace(b"\r\n.", b"\r\n"))
        self._rest = text[cut:]

    def _keep(self, text: bytes) -> None:
        ahead = min(self._ahead, len(text))
        self._ahead -= ahead
        if self.size + len(text) - ahead > self._limit:
            self.refuse(
                f"552 5.3.4 The message is larger than {self._limit} bytes, or than it was said to be."
            )
        if self.refusal is None:
            self._kept.write(text[ahead:])

    def refuse(self, reply: str) -> None:
        """Drop the message. The first reason counts."""
        self.refusal = self.refusal or reply
        self.drop()

    def drop(self) -> None:
        """Free the memory of the message."""
        self._kept = BytesIO()

    def take(self) -> bytes:
        """Return the message and drop it."""
        raw = self._kept.getvalue()
        self.drop()
        return raw


def _find_cut(text: bytes) -> int:
    """Return the position up to which the text cannot be part of an unfinished end or doubled dot."""
    cut = max(0, len(text) - len(_END) + 1)
    if text[max(0, cut - 1) : cut + 2] == b"\r\n.":
        return max(0, cut - 1)
    return cut - 2 if cut >= 2 and text[cut - 2 : cut + 1] == b"\r\n." else cut
