"""Groups and senders: brands, groups and their members, senders and template assignments."""

from __future__ import annotations

import secrets
from collections.abc import Collection
from datetime import date
from typing import Any

from django.db import models
from django.db.models import Q, Value
from django.db.models.functions import Lower

from integrations.models import Person
from portal.models import Domain

from .dates import Dated
from .template import Template


def make_banner_key() -> str:
    """Return a random token of 22 characters (128 bits)."""
    return secrets.token_urlsafe(16)


class Brand(models.Model):
    """The brand: company values in a domain's signatures."""

    domain = models.OneToOneField(Domain, on_delete=models.CASCADE, primary_key=True, related_name="brand")
    name = models.CharField("company name", max_length=120, blank=True)
    tagline = models.CharField(max_length=160, blank=True)
    website = models.URLField(blank=True, help_text="https only. Shown as a link.")
    phone = models.CharField(max_length=255, blank=True)
    address = models.CharField(max_length=255, blank=True)
    logo_url = models.URLField("logo URL", blank=True, help_text="An https URL that mail programs can load.")
    accent = models.CharField("accent colour", max_length=7, default="#2b4acb", help_text="Such as #2b4acb.")
    secondary = models.CharField("second colour", max_length=7, blank=True, help_text="Such as #1b7f5c.")
    legal = models.CharField("disclaimer", max_length=500, blank=True)
    linkedin_url = models.URLField("LinkedIn page", blank=True)
    x_url = models.URLField("X page", blank=True)
    youtube_url = models.URLField("YouTube page", blank=True)
    instagram_url = models.URLField("Instagram page", blank=True)
    facebook_url = models.URLField("Facebook page", blank=True)

    def __str__(self) -> str:
        return self.name or self.domain.name


class AutomaticDelivery(models.TextChoices):
    AT_ONCE = "at_once", "At once"
    DAILY = "daily", "At a time of day"
    APPROVAL = "approval", "After approval"


class DriftPolicy(models.TextChoices):
    REPORT = "report", "Report"
    ASK = "ask", "Ask"
    REPLACE = "replace", "Overwrite the edit"
    ADOPT = "adopt", "Adopt the edit"


class Group(models.Model):
    """Senders that share a template; earlier groups win for a person in several.

    It takes the members of its teams, included senders and whom its rule matches, and never excluded ones.
    """

    domain = models.ForeignKey(Domain, on_delete=models.CASCADE, related_name="groups")
    name = models.CharField(max_length=255)
    position = models.PositiveIntegerField(default=0, help_text="The smallest has the highest priority.")
    is_default = models.BooleanField(default=False, help_text="Takes everybody who is in no other group.")
    follows_team_id = models.CharField(
        max_length=32, blank=True, help_text="Remote id of the team it follows; '' for none."
    )
    team_ids = models.JSONField(
        "further teams", default=list, blank=True, help_text="Remote ids of teams whose members it takes."
    )
    included: models.ManyToManyField[Sender, Any] = models.ManyToManyField(
        "Sender", blank=True, related_name="included_in"
    )
    excluded: models.ManyToManyField[Sender, Any] = models.ManyToManyField(
        "Sender", blank=True, related_name="excluded_from"
    )
    rule = models.JSONField(default=list, blank=True, help_text="Conditions on a sender’s fields.")
    archived_at = models.DateTimeField(
        null=True, blank=True, help_text="Archived, or its team was removed in Outreach."
    )
    company_values = models.JSONField(
        default=dict, blank=True, help_text="Company field -> its value for this group, '' for none."
    )
    field_values = models.JSONField(
        default=dict,
        blank=True,
        db_default=Value({}, models.JSONField()),
        help_text="Merge field of a sender -> its value for this group.",
    )
    automatic = models.CharField(
        "automatic delivery",
        max_length=16,
        choices=AutomaticDelivery.choices,
        default=AutomaticDelivery.AT_ONCE,
        help_text="When new directory values reach the mailboxes of this group.",
    )
    automatic_at = models.TimeField(
        "time of day", null=True, blank=True, help_text="In the domain's time zone."
    )
    automatic_ran_at = models.DateTimeField(null=True, editable=False)
    drift_policy = models.CharField(
        "after an edit in Outreach", max_length=16, choices=DriftPolicy.choices, default=DriftPolicy.REPORT
    )
    drift_grace_hours = models.PositiveSmallIntegerField(
        "grace period (hours)",
        default=24,
        help_text="How long an edit stays before it is overwritten or adopted.",
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["is_default", "position", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["domain"], condition=Q(is_default=True), name="one_default_group_per_domain"
            ),
            models.UniqueConstraint(
                fields=["domain", "follows_team_id"],
                condition=~Q(follows_team_id=""),
                name="one_group_per_team",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Disclaimer(Dated):
    """A disclaimer that takes the place of the company's, or of one group's, for some days."""

    domain = models.ForeignKey(Domain, on_delete=models.CASCADE, related_name="disclaimers")
    group = models.ForeignKey(
        Group,
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="disclaimers",
        help_text="Whose senders show it; everybody’s without one.",
    )
    text = models.CharField(max_length=500)

    class Meta(Dated.Meta):
        pass

    def __str__(self) -> str:
        return self.text


class Sender(models.Model):
    """A person whose mailboxes get signatures.

    own_values: merge field name -> local field or override; unchanged by syncs.
    """

    domain = models.ForeignKey(Domain, on_delete=models.CASCADE, related_name="senders")
    person = models.OneToOneField(Person, on_delete=models.CASCADE, related_name="+")
    email = models.CharField(max_length=255)
    name = models.CharField(max_length=511, blank=True)
    search = models.TextField(
        blank=True,
        editable=False,
        db_default="",
        help_text="Name, address and title in lower case, for the search of the list; '' until it was noted.",
    )
    group = models.ForeignKey(Group, null=True, on_delete=models.SET_NULL, related_name="senders")
    live_group = models.ForeignKey(
        Group,
        null=True,
        editable=False,
        on_delete=models.SET_NULL,
        related_name="live_senders",
        help_text="The group that the live release gives; `group` is the one as edited.",
    )
    own_values = models.JSONField(default=dict, blank=True)
    value_origins = models.JSONField(
        default=dict, blank=True, editable=False, help_text="Of each local value: who set it, when and how."
    )
    is_active = models.BooleanField(
        default=True, help_text="False for people who are locked or removed in Outreach."
    )
    banner_key = models.CharField(
        max_length=22,
        unique=True,
        default=make_banner_key,
        editable=False,
        help_text="Random ID in the URLs of this sender's banner.",
    )
    source_digest = models.CharField(max_length=64, blank=True, editable=False)
    changed_at = models.DateTimeField()

    class Meta:
        ordering = ["name", "email"]
        indexes = [
            models.Index(fields=["domain", "email"]),
            models.Index(fields=["domain", "name"]),
            models.Index("domain", Lower("email"), name="sender_by_address"),
            models.Index(fields=["domain", "changed_at"]),
        ]

    def __str__(self) -> str:
        return self.name or self.email

    @property
    def title(self) -> str:
        """Return the job title that the signature shows. Needs `person`."""
        return self.own_values.get("sender.title") or self.person.title

    @property
    def is_lock_unknown(self) -> bool:
        """Return whether the lock state is unknown, so that nothing is written. Needs `person`."""
        return self.person.retired_at is None and self.person.is_locked is None


class GroupMemberManager(models.Manager["GroupMember"]):
    def list_group_ids(self, sender: Sender) -> frozenset[int]:
        """Return the ids of every group that a sender is in."""
        found = frozenset(self.filter(sender=sender).values_list("group", flat=True))
        return found or frozenset({sender.group_id} if sender.group_id else ())

    def find_senders(self, group_ids: Collection[int]) -> Q:
        """Return which senders are in any of these groups."""
        members = self.filter(group__in=group_ids).values("sender")
        return Q(pk__in=members) | (Q(group__in=group_ids) & ~Q(pk__in=self.values("sender")))


class GroupMember(models.Model):
    """A group that a sender is in, for campaigns: by the live release, or as edited where that has no such group.

    A sender without any row, whom no sync has evaluated yet, is in `Sender.group` alone.
    """

    sender = models.ForeignKey(Sender, on_delete=models.CASCADE, related_name="memberships")
    group = models.ForeignKey(Group, on_delete=models.CASCADE, related_name="memberships")

    objects = GroupMemberManager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["sender", "group"], name="one_membership_per_group")]

    def __str__(self) -> str:
        return f"{self.sender} in {self.group}"


def _is_for_one(model: str) -> models.CheckConstraint:
    return models.CheckConstraint(
        condition=Q(group__isnull=False, sender__isnull=True) | Q(group__isnull=True, sender__isnull=False),
        name=f"{model}_is_for_a_group_or_a_sender",
        violation_error_message="Choose either a group or a sender.",
    )


class Assignment(models.Model):
    """The template of a group or a sender. A sender's own assignment overrides the group's."""

    domain = models.ForeignKey(Domain, on_delete=models.CASCADE, related_name="assignments")
    template = models.ForeignKey(Template, on_delete=models.PROTECT, related_name="assignments")
    group = models.OneToOneField(
        Group, null=True, blank=True, on_delete=models.CASCADE, related_name="assignment"
    )
    sender = models.OneToOneField(
        Sender, null=True, blank=True, on_delete=models.CASCADE, related_name="assignment"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["id"]
        constraints = [_is_for_one("assignment")]

    def __str__(self) -> str:
        return f"{self.template} for {self.group or self.sender}"


class DatedAssignmentQuerySet(models.QuerySet["DatedAssignment", "DatedAssignment"]):
    def on(self, day: date) -> DatedAssignmentQuerySet:
        """Return what holds on a day."""
        return self.from_day(day).filter(Q(starts_on=None) | Q(starts_on__lte=day))

    def from_day(self, day: date) -> DatedAssignmentQuerySet:
        """Return what holds on a day or later."""
        return self.filter(Q(ends_on=None) | Q(ends_on__gte=day))


class DatedAssignment(Dated):
    """A template that takes the place of the group's or the sender's assignment for some days."""

    domain = models.ForeignKey(Domain, on_delete=models.CASCADE, related_name="dated_assignments")
    template = models.ForeignKey(Template, on_delete=models.PROTECT, related_name="dated_assignments")
    group = models.ForeignKey(
        Group, null=True, blank=True, on_delete=models.CASCADE, related_name="dated_assignments"
    )
    sender = models.ForeignKey(
        Sender, null=True, blank=True, on_delete=models.CASCADE, related_name="dated_assignments"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    objects = DatedAssignmentQuerySet.as_manager()

    class Meta(Dated.Meta):
        constraints = [*Dated.Meta.constraints, _is_for_one("datedassignment")]

    def __str__(self) -> str:
        return f"{self.template} for {self.group or self.sender}"

    def list_overlapping(self) -> DatedAssignmentQuerySet:
        """Return the templates of the same group or sender that have one of these days."""
        others = DatedAssignment.objects.filter(
            group=self.group, sender=self.sender, template__archived_at=None
        ).exclude(pk=self.pk)
        if self.starts_on is not None:
            others = others.from_day(self.starts_on)
        if self.ends_on is not None:
            others = others.filter(Q(starts_on=None) | Q(starts_on__lte=self.ends_on))
        return others.select_related("template")
