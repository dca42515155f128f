"""Audience size: counts the senders that a campaign reaches, and the looked-up recipients that its audience matched."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from signatures.models import AudienceTally, Campaign, GroupMember, Sender


@dataclass(frozen=True, slots=True)
class AudienceSize:
    """senders: active senders in the campaign's groups; all active senders where it has none.

    looked_up, matched: of look-ups since `since`, when the audience was saved. A recipient counts once per look-up.
    """

    senders: int
    looked_up: int = 0
    matched: int = 0
    since: datetime | None = None

    @property
    def percent(self) -> int:
        return round(100 * self.matched / self.looked_up) if self.looked_up else 0


def measure_audience(campaign: Campaign, group_ids: Collection[int]) -> AudienceSize:
    """Return the size in two queries, also of a campaign that was never started. group_ids: the campaign's."""
    senders = Sender.objects.filter(domain=campaign.domain_id, is_active=True)
    if group_ids:
        senders = senders.filter(GroupMember.objects.find_senders(group_ids))
    tally = AudienceTally.objects.filter(campaign=campaign).first() if campaign.audience else None
    if tally is None:
        return AudienceSize(senders.count())
    return AudienceSize(senders.count(), tally.looked_up, tally.matched, tally.counts_since)
