"""Audiences: recipient lists, labels of fields, and how often each audience matched."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from portal.models import Domain

from .campaign import Campaign


class AudienceTally(models.Model):
    """How many looked-up recipients a campaign's audience matched, for the linter."""

    campaign = models.OneToOneField(
        Campaign, on_delete=models.CASCADE, primary_key=True, related_name="tally"
    )
    looked_up = models.PositiveIntegerField(default=0)
    matched = models.PositiveIntegerField(default=0)
    last_matched_at = models.DateTimeField(null=True)
    counts_since = models.DateTimeField(default=timezone.now, help_text="When the audience last changed.")

    def __str__(self) -> str:
        return f"{self.matched} of {self.looked_up} matched {self.campaign}"


class RecipientList(models.Model):
    """Domains and addresses from a CSV file, for audiences. Addresses are stored as keyed digests only."""

    domain = models.ForeignKey(Domain, on_delete=models.CASCADE, related_name="recipient_lists")
    name = models.CharField(max_length=120)
    created_at = models.DateTimeField(auto_now_add=True)
    created_by_label = models.CharField(max_length=255, blank=True)

    class Meta:
        ordering = ["name", "id"]
        constraints = [models.UniqueConstraint(fields=["domain", "name"], name="one_recipient_list_per_name")]

    def __str__(self) -> str:
        return self.name


class RecipientListEntry(models.Model):
    """One mail domain in clear, or one address as its keyed digest (`signatures.audiences.pseudonyms.key_of`)."""

    recipient_list = models.ForeignKey(RecipientList, on_delete=models.CASCADE, related_name="entries")
    value = models.CharField(max_length=253)

    class Meta:
        verbose_name_plural = "recipient list entries"
        constraints = [
            models.UniqueConstraint(fields=["recipient_list", "value"], name="one_entry_per_list_and_value")
        ]

    def __str__(self) -> str:
        return self.value


class AttributeLabel(models.Model):
    """The label of a custom field, stage, persona or account, of which Outreach sends only the ID."""

    class Kind(models.TextChoices):
        CUSTOM = "custom", "Custom field"
        STAGE = "stage", "Stage"
        PERSONA = "persona", "Persona"
        ACCOUNT = "account", "Account"

    domain = models.ForeignKey(Domain, on_delete=models.CASCADE, related_name="attribute_labels")
    kind = models.CharField(max_length=16, choices=Kind.choices)
    key = models.CharField(
        max_length=32, help_text="The number of a custom field (1 to 150), or the ID in Outreach."
    )
    label = models.CharField(max_length=120)

    class Meta:
        ordering = ["kind", "label"]
        verbose_name = "field label"
        constraints = [
            models.UniqueConstraint(fields=["domain", "kind", "key"], name="one_label_per_kind_and_key")
        ]

    def __str__(self) -> str:
        return self.label


class SeenValue(models.Model):
    """A tag, or the ID of a stage or persona, that look-ups saw in a domain. Of whom is not stored."""

    domain = models.ForeignKey(Domain, on_delete=models.CASCADE, related_name="+")
    attribute = models.CharField(max_length=16)
    value = models.CharField(max_length=80)
    seen_on = models.DateField(db_index=True, help_text="The last day on which a look-up saw it.")

    class Meta:
        ordering = ["attribute", "value"]
        constraints = [
            models.UniqueConstraint(fields=["domain", "attribute", "value"], name="one_seen_value")
        ]

    def __str__(self) -> str:
        return f"{self.attribute}: {self.value}"
