"""Decision tokens: signs the id of a decision, reads it back, and builds the URLs of its image and link.

A token is short and does not reveal the recipient.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode

from django.conf import settings
from django.utils.crypto import constant_time_compare, salted_hmac

MAX_TOKEN_LENGTH = 22
_TAG_BYTES = 8
_ID_BYTES = 8


def make_token(decision_id: int) -> str:
    """Return the token of a decision: a 64-bit signature and the id, 12 to 22 url-safe characters."""
    return _write(settings.SECRET_KEY, decision_id)


def read_token(token: str) -> int | None:
    """Return the decision's id, or None for a token not signed with a present or earlier secret."""
    if not token.isascii() or len(token) > MAX_TOKEN_LENGTH:
        return None
    try:
        decoded = urlsafe_b64decode(token + "=" * (-len(token) % 4))
    except ValueError:
        return None
    decision_id = int.from_bytes(decoded[_TAG_BYTES:])
    # Written anew and compared as text, so that each decision has one token and not several spellings.
    secrets = (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    if any(constant_time_compare(_write(secret, decision_id), token) for secret in secrets):
        return decision_id
    return None


def get_decision_image_url(token: str) -> str:
    """Return the URL of a decision's image, at 2×."""
    return f"{settings.PUBLIC_URL}/b/d/{token}@2x.png"


def get_decision_click_url(token: str) -> str:
    """Return the URL of a decision's link."""
    return f"{settings.PUBLIC_URL}/c/d/{token}"


def _write(secret: str, decision_id: int) -> str:
    packed = decision_id.to_bytes(_ID_BYTES).lstrip(b"\0")
    tag = salted_hmac("signatures.decisions.decide", packed, secret=secret, algorithm="sha256").digest()
    return urlsafe_b64encode(tag[:_TAG_BYTES] + packed).rstrip(b"=").decode()
