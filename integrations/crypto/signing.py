"""Signing: signs what leaves this installation, so that an outsider can check it without any secret of the portal.

Ed25519 (RFC 8032). The private key is sealed in the database under TOKEN_KEYS; SECRET_KEY has no part in
it. It is made at the first signature. Whoever checks compares the public key with the one they noted down.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.db import transaction
from django.utils import timezone

from integrations.models import SigningKey

from .sealing import open_sealed, seal


@dataclass(frozen=True, slots=True)
class Signature:
    """A detached signature and the key that made it; every column is base64 or hex, fit for JSON."""

    key_id: str
    public_key: str
    value: str

    def as_dict(self) -> dict[str, str]:
        return {
            "algorithm": "ed25519",
            "key_id": self.key_id,
            "public_key": self.public_key,
            "signature": self.value,
        }


def sign(payload: bytes) -> Signature:
    """Return this installation's signature of exactly these bytes.

    payload: says itself what it is (a kind, a version, whose it is), so that a signature of one thing never
        passes for another's.
    Raises: Unsealable where the private key cannot be opened with TOKEN_KEYS; `rotatekeys` says what to do.
    """
    key = get_key()
    made = _open(key).sign(payload)
    return Signature(key.key_id, key.public_key, base64.b64encode(made).decode())


def refuse_unsignable() -> None:
    """What is begun now can be signed at its end. Raises Unsealable."""
    _open(get_key())


def verify(payload: bytes, signature: Signature) -> bool:
    """Return whether a key of this installation, present or retired, signed exactly these bytes."""
    ours = SigningKey.objects.filter(public_key=signature.public_key).exists()
    return ours and is_signed_by(signature.public_key, payload, signature.value)


def is_signed_by(public_key: str, payload: bytes, value: str) -> bool:
    """Return whether the owner of `public_key` signed these bytes; needs no database. Both in base64."""
    try:
        key = Ed25519PublicKey.from_public_bytes(base64.b64decode(public_key, validate=True))
        key.verify(base64.b64decode(value, validate=True), payload)
    except (InvalidSignature, ValueError, binascii.Error):
        return False
    return True


def get_key() -> SigningKey:
    """Return the key in use; the first call makes it. Of several processes at once, one makes it."""
    present = SigningKey.objects.filter(retired_at=None).first()
    return (
        present
        or SigningKey.objects.get_or_create(algorithm="ed25519", retired_at=None, defaults=_make_pair())[0]
    )


@transaction.atomic
def replace_key() -> SigningKey:
    """A new key signs from now on; the earlier one's private half is erased, and it still verifies."""
    SigningKey.objects.filter(retired_at=None).update(retired_at=timezone.now(), private_sealed="")
    return get_key()


def export_pem(public_key: str) -> str:
    """Return the public key as OpenSSL reads it."""
    key = Ed25519PublicKey.from_public_bytes(base64.b64decode(public_key))
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def _open(key: SigningKey) -> Ed25519PrivateKey:
    private = open_sealed(key.private_sealed, bound_to=_place(key.public_key))
    return Ed25519PrivateKey.from_private_bytes(base64.b64decode(private))


def _make_pair() -> dict[str, str]:
    private = Ed25519PrivateKey.generate()
    raw = private.public_key().public_bytes_raw()
    public_key = base64.b64encode(raw).decode()
    return {
        "key_id": hashlib.sha256(raw).hexdigest()[:16],
        "public_key": public_key,
        "private_sealed": seal(
            base64.b64encode(private.private_bytes_raw()).decode(), bound_to=_place(public_key)
        ),
    }


def _place(public_key: str) -> str:
    return f"signing:{public_key}"
