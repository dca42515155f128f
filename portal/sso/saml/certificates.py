"""Certificates: reads an identity provider's signing certificates from pasted text."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

SMALLEST_RSA_BITS = 2048
MOST = 4  # the present one, the next one, and room


@dataclass(frozen=True, slots=True)
class Certificate:
    """One signing certificate. pem: as it is stored; sha256: its fingerprint, as providers show it."""

    pem: str
    name: str
    sha256: str
    expires_at: datetime


def read_certificates(text: str) -> list[Certificate]:
    """Return the certificates in the text, in order. Raises ValueError with a sentence for the person."""
    if "PRIVATE KEY" in text:
        raise ValueError("This contains a private key. Paste only the certificate, and replace that key.")
    try:
        found = x509.load_pem_x509_certificates(text.encode())
    except ValueError as error:
        raise ValueError(
            "Paste the certificate in PEM: from -----BEGIN CERTIFICATE----- to -----END CERTIFICATE-----."
        ) from error
    if len(found) > MOST:
        raise ValueError(f"Paste at most {MOST} certificates.")
    return [_describe(certificate) for certificate in found]


def _describe(certificate: x509.Certificate) -> Certificate:
    key = certificate.public_key()
    if not isinstance(key, rsa.RSAPublicKey) or key.key_size < SMALLEST_RSA_BITS:
        raise ValueError(f"Use a certificate with an RSA key of at least {SMALLEST_RSA_BITS} bits.")
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return Certificate(
        pem=certificate.public_bytes(Encoding.PEM).decode(),
        name=str(names[0].value) if names else "without a name",
        sha256=certificate.fingerprint(hashes.SHA256()).hex(":").upper(),
        expires_at=certificate.not_valid_after_utc,
    )
