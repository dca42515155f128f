"""Chains: one per domain, with its daily figures, checkpoints and checks."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from portal.models import Domain

GENESIS = "0" * 64  # what the first entry of a chain names as the one before it


class LedgerChain(models.Model):
    """The head of one domain's chain: how many entries were ever written, and the newest one's digest.

    The key is the domain's id, and 0 for entries of no domain. Outlives its domain. Whoever writes entries
    locks this row meanwhile, so that several processes write one chain.
    """

    id = models.BigIntegerField(primary_key=True)
    domain = models.ForeignKey(
        Domain, null=True, on_delete=models.DO_NOTHING, db_constraint=False, related_name="+"
    )
    domain_name = models.CharField(max_length=253, blank=True)
    count = models.PositiveBigIntegerField(default=0, help_text="Entries ever written, pruned ones included.")
    digest = models.CharField(max_length=64, default=GENESIS, help_text="Digest of the newest entry.")

    class Meta:
        ordering = ["domain_name", "id"]

    def __str__(self) -> str:
        return f"chain of {self.domain_name or 'no domain'}"


class LedgerDay(models.Model):
    """The sums of one day's entries of one kind; written with the entries, and kept when they are pruned.

    The day is one of the domain's zone when the entry was written. What makes a kind is in `shape`, the
    digest of every column from `action` to `actor_label`.
    """

    chain = models.ForeignKey(LedgerChain, on_delete=models.PROTECT, related_name="days")
    day = models.DateField()
    shape = models.CharField(max_length=64)
    action = models.CharField(max_length=40)
    endpoint = models.CharField(max_length=40, blank=True)
    scope = models.CharField(max_length=64, blank=True)
    verb = models.CharField(max_length=8, blank=True)
    outcome = models.CharField(max_length=16)
    status = models.PositiveSmallIntegerField(
        null=True, help_text="HTTP status; 0 where no answer came, empty in sums of earlier versions."
    )
    fields = models.JSONField(default=list)
    job_kind = models.CharField(max_length=64, blank=True, help_text="The job without its number.")
    connection_ref = models.CharField(max_length=36, blank=True, help_text="The connection; '' for none.")
    actor_label = models.CharField(max_length=255, blank=True)
    entries = models.PositiveBigIntegerField(default=0)
    calls = models.PositiveBigIntegerField(default=0)
    calls_totalled = models.PositiveBigIntegerField(
        default=0,
        db_default=0,
        editable=False,
        help_text="So many of them the kept totals of metrics contain.",
    )
    items = models.PositiveBigIntegerField(default=0)
    first_at = models.DateTimeField()
    last_at = models.DateTimeField()
    last_job = models.CharField(max_length=64, blank=True)

    class Meta:
        ordering = ["-day", "id"]
        constraints = [
            models.UniqueConstraint(fields=["chain", "day", "shape"], name="one_sum_per_day_and_shape")
        ]
        indexes = [
            models.Index(
                fields=["chain"],
                condition=models.Q(action="call", calls__gt=models.F("calls_totalled")),
                name="days_to_total",
            )
        ]

    def __str__(self) -> str:
        return f"{self.day}: {self.calls} {self.scope or self.action} {self.verb}".strip()


class LedgerCheckpoint(models.Model):
    """Where a chain was pruned: the last pruned entry, and the sums of all pruned entries. Signed.

    Entries up to `last_sequence` may be deleted once this row is stored; see `integrations.ledger.triggers`.
    """

    chain = models.ForeignKey(LedgerChain, on_delete=models.PROTECT, related_name="checkpoints")
    last_sequence = models.PositiveBigIntegerField()
    digest = models.CharField(max_length=64, help_text="Digest of the last pruned entry.")
    older_than = models.DateTimeField(help_text="Every pruned entry is older than this.")
    totals = models.JSONField(
        default=list,
        help_text="Of all pruned entries: scope, verb, outcome, entries and calls.",
    )
    made_at = models.DateTimeField(default=timezone.now)
    actor_label = models.CharField(max_length=255)
    key_id = models.CharField(max_length=16)
    public_key = models.CharField(max_length=44)
    signature = models.CharField(max_length=88)

    class Meta:
        ordering = ["-last_sequence"]
        constraints = [
            models.UniqueConstraint(fields=["chain", "last_sequence"], name="one_checkpoint_per_entry")
        ]

    def __str__(self) -> str:
        return f"pruned up to entry {self.last_sequence}"


class ChainCheck(models.Model):
    """The result of one check of a chain. An intact one signs the head, with which later checks compare."""

    chain = models.ForeignKey(LedgerChain, on_delete=models.PROTECT, related_name="checks")
    at = models.DateTimeField(default=timezone.now)
    is_intact = models.BooleanField()
    entries = models.PositiveBigIntegerField(help_text="How many entries were read.")
    count = models.PositiveBigIntegerField(help_text="Entries of the chain, as the check found them.")
    digest = models.CharField(max_length=64, help_text="Digest of the head, as the check found it.")
    finding = models.TextField(blank=True, help_text="What is wrong with the first bad entry.")
    key_id = models.CharField(max_length=16, blank=True)
    public_key = models.CharField(max_length=44, blank=True)
    signature = models.CharField(max_length=88, blank=True)

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["chain", "-id"])]

    def __str__(self) -> str:
        return f"{self.chain}: {'intact' if self.is_intact else 'broken'}"
