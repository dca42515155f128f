"""Match counts: counts how many looked-up recipients each audience matched, many rows at a time."""

from __future__ import annotations

from collections import Counter

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from signatures.audiences.attributes import parse_audience
from signatures.conditions.conditions import ConditionError, digest_conditions
from signatures.models import AudienceTally, Campaign, KnownRecipient

BATCH = 1_000


def tally_audiences() -> int:
    """Count every answered look-up once, for the audiences it was asked about; return how many."""
    counted = 0
    while batch := _tally_batch():
        counted += batch
    return counted


def _tally_batch() -> int:
    with transaction.atomic():
        rows = list(
            KnownRecipient.objects.select_for_update().filter(is_tallied=False).order_by("pk")[:BATCH]
        )
        looked_up: Counter[int] = Counter()
        matched: Counter[int] = Counter()
        digests = _get_digests({int(pk) for row in rows for pk in row.verdicts})
        for row in rows:
            for pk, (digest, holds) in row.verdicts.items():
                # Of an audience that changed since, an earlier answer says nothing.
                if digests.get(int(pk)) == digest:
                    looked_up[int(pk)] += 1
                    matched[int(pk)] += bool(holds)
        now = timezone.now()
        for pk, times in looked_up.items():
            AudienceTally.objects.get_or_create(campaign_id=pk)
            tally = AudienceTally.objects.filter(campaign_id=pk)
            tally.update(looked_up=F("looked_up") + times, matched=F("matched") + matched[pk])
            if matched[pk]:
                tally.update(last_matched_at=now)
        KnownRecipient.objects.filter(pk__in=[row.pk for row in rows]).update(is_tallied=True)
    return len(rows)


def _get_digests(campaign_ids: set[int]) -> dict[int, str]:
    found = {}
    for pk, audience in Campaign.objects.filter(pk__in=campaign_ids).values_list("pk", "audience"):
        try:
            found[pk] = digest_conditions(parse_audience(audience))
        except ConditionError:
            continue  # nobody is in an audience that cannot be read
    return found
