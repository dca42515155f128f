"""Signing keys: what the installation signs with now, and what it signed with before."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils import timezone


class SigningKey(models.Model):
    """One Ed25519 key pair; the private half is sealed to the public one (see `integrations.crypto.sealing`).

    A retired key signs no more: its private half is erased. The public one stays, because what it signed
    must remain verifiable.
    """

    key_id = models.CharField(
        max_length=16, unique=True, help_text="The first 16 hex digits of the public key's SHA-256."
    )
    public_key = models.CharField(max_length=44, help_text="The 32 raw bytes, in base64.")
    private_sealed = models.TextField(blank=True, editable=False)
    algorithm = models.CharField(max_length=16, default="ed25519", editable=False)
    created_at = models.DateTimeField(default=timezone.now)
    retired_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["algorithm"], condition=Q(retired_at=None), name="one_signing_key_in_use"
            )
        ]

    def __str__(self) -> str:
        return f"signing key {self.key_id}"
