"""Signing: what we sign is checked by outsiders with the public key alone, through every change of keys."""

from __future__ import annotations

import base64
import subprocess

import pytest
from cryptography.fernet import Fernet
from django.core.management import CommandError, call_command

from integrations.crypto.sealing import Unsealable
from integrations.crypto.signing import export_pem, is_signed_by, sign, verify
from integrations.models import SigningKey

pytestmark = pytest.mark.django_db

PAYLOAD = b'{"kind": "test", "of": "acme.example"}'


def test_a_signature_is_of_exactly_these_bytes_and_this_key():
    signature = sign(PAYLOAD)
    stranger = base64.b64encode(bytes(32)).decode()

    assert verify(PAYLOAD, signature)
    assert not verify(PAYLOAD + b" ", signature)
    assert not is_signed_by(stranger, PAYLOAD, signature.value)
    assert not is_signed_by(signature.public_key, PAYLOAD, "no base64")
    assert sign(PAYLOAD).public_key == signature.public_key


def test_openssl_verifies_a_signature_with_the_public_key_alone(tmp_path):
    signature = sign(PAYLOAD)
    (tmp_path / "payload").write_bytes(PAYLOAD)
    (tmp_path / "signature").write_bytes(base64.b64decode(signature.value))
    (tmp_path / "key.pem").write_text(export_pem(signature.public_key))

    done = subprocess.run(
        ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", "key.pem", "-rawin",
         "-in", "payload", "-sigfile", "signature"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert (done.returncode, done.stdout.strip()) == (0, "Signature Verified Successfully")


def test_signatures_survive_a_new_secret_key_and_new_token_keys(settings):
    before = sign(PAYLOAD)
    settings.SECRET_KEY = "another " * 10
    settings.TOKEN_KEYS = [Fernet.generate_key().decode(), *settings.TOKEN_KEYS]

    call_command("rotatekeys")
    settings.TOKEN_KEYS = settings.TOKEN_KEYS[:1]

    assert sign(PAYLOAD) == before
    assert verify(PAYLOAD, before)


def test_a_lost_token_key_stops_signing_until_a_new_signing_key_is_made(settings, capsys):
    before = sign(PAYLOAD)
    settings.TOKEN_KEYS = [Fernet.generate_key().decode()]

    with pytest.raises(Unsealable):
        sign(PAYLOAD)
    with pytest.raises(CommandError, match=f"signing key {before.key_id}.*--new-signing-key"):
        call_command("rotatekeys")
    call_command("rotatekeys", new_signing_key=True)

    after = sign(PAYLOAD)
    assert f"From now on signing key {after.key_id} signs." in capsys.readouterr().out
    assert after.public_key != before.public_key
    assert verify(PAYLOAD, after) and verify(PAYLOAD, before)
    assert SigningKey.objects.get(key_id=before.key_id).private_sealed == ""
