"""Mail messages: people, a mail with a banner, one without, and what a recipient should get."""

from __future__ import annotations

from signatures.mailgateway.message import examine, join
from tests.support.fake_portal import make_shown

from .mail_corpus import KEY, MARKS, PAGE, TEXT, message, multipart, part

MARIA, JO, KIM, LEE = "maria@acme.example", "jo@customer.example", "kim@customer.example", "lee@other.example"


MAIL = message(multipart(TEXT, part(PAGE), kind="alternative"))


NO_SLOT = message(part(b"<p>Hello</p>\r\n"))


def get_copy(raw: bytes, recipient: str) -> bytes:
    """What the recipient should get."""
    return join(examine(raw, MARKS).write({KEY: make_shown(recipient)}))
