"""Connections: one authorised account of an outside system, its permissions, state and sealed tokens."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from integrations.catalogue import list_alternatives
from portal.models import Domain


class ConnectionState(models.TextChoices):
    """The state of a connection. The first four hold tokens; the last two are ending or have ended."""

    ACTIVE = "active", "Connected"
    LOST = "lost", "Revoked in Outreach"
    MISCONFIGURED = "misconfigured", "Configuration error"
    DISCONNECTING = "disconnecting", "Disconnecting"
    DISCONNECTED = "disconnected", "Disconnected"


class Mode(models.TextChoices):
    DRY_RUN = "dry_run", "Dry run: nothing is written"
    LIVE = "live", "Live"


class DisconnectStep(models.TextChoices):
    """The steps of a disconnect, in their order; each is done before the next is recorded."""

    NONE = "", "Not disconnecting"
    RESTORING = "restoring", "Restoring originals"
    REVOKING = "revoking", "Revoking at Outreach"
    ERASED = "erased", "Token erased"


@dataclass(frozen=True, slots=True)
class SwitchedOff:
    """Who switched one permission off in the portal, when and why."""

    actor: str
    at: datetime
    reason: str


class Connection(models.Model):
    """One authorised account of one domain.

    Tokens are sealed to this row's id (see `integrations.crypto.sealing`).
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    domain = models.ForeignKey(Domain, on_delete=models.CASCADE, related_name="connections")
    provider = models.CharField(max_length=32, default="outreach")
    state = models.CharField(max_length=16, choices=ConnectionState.choices, default=ConnectionState.ACTIVE)
    state_reason = models.TextField(blank=True, help_text="A sentence for a person.")
    state_changed_at = models.DateTimeField(default=timezone.now)
    mode = models.CharField(max_length=16, choices=Mode.choices, default=Mode.LIVE)
    paused_at = models.DateTimeField(null=True, blank=True, help_text="While set, nothing is written.")
    restored_at = models.DateTimeField(
        null=True,
        blank=True,
        help_text="When it was restored from a backup; writing stays paused until it is tested.",
    )

    account_key = models.CharField(
        max_length=128, blank=True, help_text="Stable for the organisation; '' where it could not be read."
    )
    account_label = models.CharField(max_length=255, blank=True)
    authorised_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    authorised_by_label = models.CharField(
        max_length=255, blank=True, help_text="Kept when the person's account is deleted."
    )
    authorised_at = models.DateTimeField(default=timezone.now)

    scopes_requested = models.JSONField(default=list)
    scopes_granted = models.JSONField(default=list)
    scopes_known = models.BooleanField(
        default=True, help_text="False where Outreach did not say what it granted."
    )
    scopes_switched_off = models.JSONField(default=list)
    switch_notes = models.JSONField(
        default=dict, help_text="Who switched each permission off, when and why.", editable=False
    )

    access_sealed = models.TextField(blank=True, editable=False)
    refresh_sealed = models.TextField(blank=True, editable=False)
    access_expires_at = models.DateTimeField(null=True, editable=False)
    refreshed_at = models.DateTimeField(null=True, help_text="When the tokens were last renewed.")
    refresh_started_at = models.DateTimeField(null=True, editable=False)
    token_version = models.PositiveIntegerField(default=0, editable=False)

    clock_skew_seconds = models.IntegerField(
        null=True, help_text="How far our clock is ahead of Outreach’s; negative where behind."
    )
    clock_compared_at = models.DateTimeField(null=True)
    forbidden = models.JSONField(
        default=dict, editable=False, help_text="The last 403 of each of its two causes."
    )

    disconnect_step = models.CharField(
        max_length=16, choices=DisconnectStep.choices, default=DisconnectStep.NONE, blank=True
    )
    disconnect_restores = models.BooleanField(default=True)
    disconnect_lease_until = models.DateTimeField(null=True, editable=False)
    disconnect_requested_by_label = models.CharField(max_length=255, blank=True)
    disconnect_requested_at = models.DateTimeField(null=True, editable=False)
    disconnected_at = models.DateTimeField(null=True, blank=True)
    revocation_confirmed = models.BooleanField(
        null=True, help_text="Whether Outreach confirmed the revocation."
    )

    class Meta:
        ordering = ["-authorised_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["domain", "provider"],
                condition=~Q(state="disconnected"),
                name="one_open_connection_per_domain_and_provider",
            )
        ]

    REFRESH_LIFE = timedelta(days=14)  # Outreach: a refresh token lives 14 days from its issue

    def __str__(self) -> str:
        return f"{self.provider} for {self.domain.name}"

    @property
    def scopes_missing(self) -> list[str]:
        return [scope for scope in self.scopes_requested if scope not in self.scopes_granted]

    @property
    def scopes_unasked(self) -> list[str]:
        return [scope for scope in self.scopes_granted if scope not in self.scopes_requested]

    @property
    def scopes_blocked(self) -> list[str]:
        """The granted permissions that are switched off in the portal."""
        return [
            scope
            for scope in self.scopes_requested
            if scope in self.scopes_granted and self.is_switched_off(scope)
        ]

    @property
    def is_limited(self) -> bool:
        return bool(self.scopes_missing)

    @property
    def is_open(self) -> bool:
        return self.state != ConnectionState.DISCONNECTED

    @property
    def is_usable(self) -> bool:
        """Whether syncs, deliveries and look-ups may call Outreach."""
        return self.state == ConnectionState.ACTIVE

    @property
    def allows_writes(self) -> bool:
        return self.mode == Mode.LIVE and self.paused_at is None

    @property
    def refresh_lapses_at(self) -> datetime | None:
        return self.refreshed_at and self.refreshed_at + self.REFRESH_LIFE

    def name_scope(self, scope: str) -> str:
        """Return the scope that was requested for `scope`: itself, or a narrower one."""
        names = list_alternatives(scope)
        return next((name for name in names if name in self.scopes_requested), scope)

    def has_scope(self, scope: str) -> bool:
        """Whether `scope`, or the narrower one requested for it, is granted and switched on."""
        return self.name_scope(scope) in self.scopes_granted and not self.is_switched_off(scope)

    def is_switched_off(self, scope: str) -> bool:
        """Whether `scope`, or a narrower one requested for it, is switched off in the portal."""
        return any(name in self.scopes_switched_off for name in list_alternatives(scope))

    def get_switch(self, scope: str) -> SwitchedOff | None:
        """Return who switched `scope` off, when and why; None where it is on."""
        names = list_alternatives(scope)
        off = next((name for name in names if name in self.scopes_switched_off), None)
        if off is None:
            return None
        note = self.switch_notes.get(off)
        if note is None:
            return SwitchedOff("an operator", self.authorised_at, "no reason recorded")
        return SwitchedOff(note["by"], datetime.fromisoformat(note["at"]), note["why"])


class LookupState(models.Model):
    """Whether recipients can be looked up over one connection; one row for all processes.

    See `integrations.connection.lookup_breaker`.
    """

    connection = models.OneToOneField(
        Connection, on_delete=models.CASCADE, primary_key=True, related_name="lookup_state"
    )
    how = models.CharField(
        max_length=32, blank=True, help_text="The form of request that Outreach answers; '' if not known yet."
    )
    failures = models.PositiveIntegerField(
        default=0, help_text="Consecutive look-ups without an answer in time."
    )
    rests_until = models.DateTimeField(null=True, help_text="No look-ups until then; empty while they work.")
    tried_at = models.DateTimeField(null=True, help_text="When a single look-up was last tried again.")

    def __str__(self) -> str:
        return f"{self.failures} failures in a row"


class CallBudget(models.Model):
    """The hourly allowance of one connection, one row for all processes; see `integrations.connection.call_budget`."""

    connection = models.OneToOneField(
        Connection, on_delete=models.CASCADE, primary_key=True, related_name="budget"
    )
    limit = models.PositiveIntegerField(default=10_000)
    used = models.PositiveIntegerField(default=0)
    window_ends_at = models.DateTimeField(null=True)
    blocked_until = models.DateTimeField(null=True, blank=True)
    pace = models.PositiveSmallIntegerField(
        default=0,
        help_text="How much limits slowed writes down; 0 for not at all (`integrations.connection.pace`).",
    )

    def __str__(self) -> str:
        return f"{self.used} of {self.limit} calls this hour"
