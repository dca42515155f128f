"""Models: people who log in, domains, and which role a person has in a domain."""

from __future__ import annotations

import zoneinfo
from datetime import date
from typing import Any, ClassVar
from urllib.parse import urlsplit

from django.contrib.auth.models import AbstractUser, BaseUserManager
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models
from django.db.models.functions import Lower
from django.urls import reverse
from django.utils import timezone


class UserManager(BaseUserManager["User"]):
    """Makes users whose login is their e-mail address, kept in lower case."""

    use_in_migrations = True

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> User:
        user = self.model(email=email.strip().lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> User:
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)

    def get_by_natural_key(self, username: str | None) -> User:
        return self.get(email__iexact=username)


class User(AbstractUser):
    """A person who logs in, by e-mail address. Staff are the operators; they see all domains."""

    username = None  # type: ignore[assignment]  # the e-mail address is the login
    email = models.EmailField("e-mail address", unique=True)

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    objects: ClassVar[UserManager] = UserManager()  # type: ignore[assignment]

    class Meta:
        ordering = ["email"]
        constraints = [
            models.UniqueConstraint(
                Lower("email"),
                name="one_user_per_address",
                violation_error_message="Somebody with this address exists already.",
            )
        ]

    def __str__(self) -> str:
        return self.get_full_name() or self.email


DOMAIN_NAME = RegexValidator(
    r"^(?=.{4,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}$",
    "Write a mail domain in lower case, such as acme.com.",
)


def validate_time_zone(name: str) -> None:
    if name not in zoneinfo.available_timezones():
        raise ValidationError("Write a time zone such as Europe/London or America/New_York.")


class Domain(models.Model):
    """The tenant: one mail domain whose signatures are managed here."""

    name = models.CharField(max_length=253, unique=True, validators=[DOMAIN_NAME])
    time_zone = models.CharField(max_length=64, default="UTC", validators=[validate_time_zone])
    automatic_sync = models.BooleanField(
        default=True, help_text="Read what changed in Outreach every few minutes, and everything once a day."
    )
    automatic_delivery = models.BooleanField(
        default=True, help_text="After a sync that changed something, deliver the signatures it changed."
    )
    require_mfa = models.BooleanField(
        "require MFA",
        default=False,
        help_text="Members of any role set up an authenticator app or a security key before they see anything.",
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("portal:overview", args=[self.name])

    def get_today(self) -> date:
        """Return the present date in the domain's time zone."""
        return timezone.now().astimezone(zoneinfo.ZoneInfo(self.time_zone)).date()


class Role(models.TextChoices):
    """What a member is in a domain; `portal.access` says what each may do."""

    OWNER = "owner", "Owner"
    ADMIN = "admin", "Admin"
    APPROVER = "approver", "Approver"
    EDITOR = "editor", "Editor"
    AUDITOR = "auditor", "Auditor"


class Membership(models.Model):
    """One person's role in one domain."""

    domain = models.ForeignKey(Domain, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=16, choices=Role.choices)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["domain__name", "user__email"]
        constraints = [
            models.UniqueConstraint(
                fields=["domain", "user"],
                name="one_role_per_person_and_domain",
                violation_error_message="This person is a member already.",
            )
        ]

    def __str__(self) -> str:
        return f"{self.user.email}, {self.get_role_display().lower()} of {self.domain.name}"


class InvitationLink(models.Model):
    """What invites one address to one domain by a link that works once, until it expires.

    The link's token is kept as a digest only: whoever reads the database cannot follow it.
    """

    email = models.EmailField("e-mail address")
    token_sha256 = models.CharField(max_length=64, unique=True)
    invited_by = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    invited_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True)
    withdrawn_at = models.DateTimeField(null=True)

    class Meta:
        abstract = True

    @property
    def is_open(self) -> bool:
        return self.accepted_at is None and self.withdrawn_at is None


class Invitation(InvitationLink):
    """An invitation to be a member, with a role. Its link works for seven days."""

    domain = models.ForeignKey(Domain, on_delete=models.CASCADE, related_name="invitations")
    role = models.CharField(max_length=16, choices=Role.choices)

    class Meta:
        ordering = ["email"]
        constraints = [
            models.UniqueConstraint(
                Lower("email"),
                "domain",
                condition=models.Q(accepted_at=None, withdrawn_at=None),
                name="one_open_invitation_per_address_and_domain",
            )
        ]

    def __str__(self) -> str:
        return f"{self.email}, invited as {self.get_role_display().lower()} of {self.domain.name}"


class Protocol(models.TextChoices):
    OIDC = "oidc", "OpenID Connect"
    SAML = "saml", "SAML 2.0"


class IdentityProvider(models.Model):
    """Where the members of one domain sign in: their company's own provider, by OpenID Connect or by SAML."""

    domain = models.OneToOneField(Domain, on_delete=models.CASCADE, related_name="identity_provider")
    protocol = models.CharField(max_length=8, choices=Protocol.choices, default=Protocol.OIDC)
    issuer = models.URLField(
        max_length=500, help_text="Exactly as it is published, such as https://login.acme.com/realms/acme."
    )
    client_id = models.CharField("client ID", max_length=255)
    client_secret_sealed = models.TextField()
    vouches_for_addresses = models.BooleanField(
        "this provider vouches for its addresses",
        default=False,
        help_text=(
            "For providers that do not say “email_verified”, such as Entra ID. Addresses at this mail domain "
            "alone are taken, and none that the provider itself says is unverified."
        ),
    )
    # Of SAML alone; those of OpenID Connect are empty then.
    saml_entity_id = models.CharField("entity ID", max_length=500, blank=True)
    saml_sso_url = models.URLField("SSO URL", max_length=500, blank=True)
    saml_certificates = models.TextField("certificates", blank=True)
    saml_email_attribute = models.CharField("attribute with the e-mail address", max_length=255, blank=True)
    default_role = models.CharField(
        "default role for new users",
        max_length=16,
        blank=True,
        choices=[(Role.AUDITOR.value, Role.AUDITOR.label)],
        help_text="People of this mail domain who sign in for the first time.",
    )
    is_required = models.BooleanField(
        "enforce SSO",
        default=False,
        help_text="Members sign in this way alone. Operators keep their passwords.",
    )

    def __str__(self) -> str:
        return f"{self.issuer or self.saml_entity_id} of {self.domain.name}"

    @property
    def host(self) -> str:
        """The host that people are sent to, as pages show it."""
        return urlsplit(self.saml_sso_url if self.protocol == Protocol.SAML else self.issuer).hostname or ""

    @property
    def bound_to(self) -> str:
        """What the encrypted secret is bound to (domain and issuer), so that it decrypts for no other."""
        return f"sso:{self.domain_id}:{self.issuer}"


class WorkerHeartbeat(models.Model):
    """When workers last showed life, one row for each queue; and when lapsed leases were last looked for."""

    SHORT_ID, LONG_ID, SWEEP_ID = 1, 2, 3

    asked_at = models.DateTimeField(
        null=True, help_text="When a machine last began to look for lapsed leases."
    )
    beat_at = models.DateTimeField(
        null=True, help_text="When a worker of the queue last finished a task or was at one."
    )

    def __str__(self) -> str:
        return f"beat at {self.beat_at}"


class WorkerMachine(models.Model):
    """One supervisor with a background worker, for as long as it runs; a killed one leaves its row."""

    name = models.CharField(max_length=255, help_text="Host name of the machine or container.")
    process = models.PositiveIntegerField(help_text="Process ID of the supervisor.")
    seen_at = models.DateTimeField(help_text="When its worker last finished a task or was at one.")
    is_busy = models.BooleanField(default=False)
    python = models.CharField(max_length=32, blank=True)
    memory_mb = models.PositiveIntegerField(default=0)
    disk_free_mb = models.PositiveIntegerField(
        null=True, help_text="Free where this machine stores banner events, or temporary files if less."
    )

    class Meta:
        ordering = ["name", "process"]
        constraints = [models.UniqueConstraint(fields=["name", "process"], name="one_row_per_supervisor")]

    def __str__(self) -> str:
        return f"{self.name}, process {self.process}"


class MetricSum(models.Model):
    """One sum of a metric that no other row holds, of all processes together; see `portal.counters`."""

    metric = models.CharField(max_length=80)
    labels = models.CharField(max_length=500, help_text="Values of its labels, a JSON list in their order.")
    value = models.FloatField(default=0)

    class Meta:
        ordering = ["metric", "labels"]
        constraints = [models.UniqueConstraint(fields=["metric", "labels"], name="one_sum_per_labels")]

    def __str__(self) -> str:
        return f"{self.metric} {self.labels}"
