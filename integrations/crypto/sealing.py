"""Sealing: encrypts secrets at rest with the newest of TOKEN_KEYS, bound to the row they belong to."""

from __future__ import annotations

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured


class Unsealable(Exception):
    """A sealed text cannot be opened: its key is not in TOKEN_KEYS, or it belongs to another row."""


def get_keyring() -> MultiFernet:
    """Return the keys of TOKEN_KEYS, newest first. Raises ImproperlyConfigured without a usable one."""
    if not settings.TOKEN_KEYS:
        raise ImproperlyConfigured("TOKEN_KEYS is empty. Generate a key as .env.example shows, and set it.")
    try:
        return MultiFernet([Fernet(key) for key in settings.TOKEN_KEYS])
    except (ValueError, TypeError) as error:
        raise ImproperlyConfigured(
            "TOKEN_KEYS contains something other than keys of 32 bytes in URL-safe base64."
        ) from error


def seal(text: str, *, bound_to: str) -> str:
    """Return `text` encrypted and authenticated; it opens only with the same `bound_to`."""
    return get_keyring().encrypt(f"{bound_to}\n{text}".encode()).decode()


def open_sealed(sealed: str, *, bound_to: str) -> str:
    """Return the text sealed for `bound_to`. Raises Unsealable; never returns what it could not verify."""
    try:
        place, _, text = get_keyring().decrypt(sealed.encode()).decode().partition("\n")
    except InvalidToken as error:
        raise Unsealable("A stored secret cannot be decrypted with the keys in TOKEN_KEYS.") from error
    if place != bound_to:
        raise Unsealable("A stored secret belongs to another row.")
    return text


def reseal(sealed: str) -> str:
    """Return the same secret under the newest key. Raises Unsealable."""
    try:
        return get_keyring().rotate(sealed.encode()).decode()
    except InvalidToken as error:
        raise Unsealable("A stored secret cannot be decrypted with the keys in TOKEN_KEYS.") from error
