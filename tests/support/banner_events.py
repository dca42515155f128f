"""A domain with two banners in one campaign, and events as they come in from visitors."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from django.utils import timezone

from integrations.models import Connection, Person
from portal.models import Domain
from signatures.models import (
    Banner,
    BannerEvent,
    BannerImage,
    Campaign,
    DailyCount,
    DailyTotal,
    EventKind,
    Group,
    Sender,
)

NINE = datetime(2026, 11, 24, 9, tzinfo=UTC)
BROWSER = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0 Safari/537.36"


@dataclass
class Show:
    """One campaign of a domain with its banners, a group, and senders by name; `see` makes an event."""

    domain: Domain
    campaign: Campaign
    banners: list[Banner]
    group: Group
    senders: dict[str, Sender]

    def see(self, second: float, sender: str = "Ana Silva", **columns: Any) -> BannerEvent:
        """Return a picture fetched that many seconds after nine; click=True for a click."""
        found = self.senders[sender]
        is_click = columns.pop("click", False)
        defaults = {
            "domain": self.domain,
            "at": NINE + timedelta(seconds=second),
            "kind": EventKind.CLICK if is_click else EventKind.IMAGE,
            "sender_id": found.pk,
            "group_id": found.group_id,
            "campaign_id": self.campaign.pk,
            "banner_id": self.banners[0].pk,
            "network": "198.51.100.0",
            "agent": BROWSER,
            "visitor_key": "visitor",
        }
        return BannerEvent.objects.create(**(defaults | columns))

    def add(self, name: str, *, group: Group | None = None) -> Sender:
        """Return a new sender of the domain."""
        connection, _ = Connection.objects.get_or_create(
            domain=self.domain, defaults={"scopes_requested": [], "scopes_granted": []}
        )
        number = str(len(self.senders) + 1)
        person = Person.objects.create(
            connection=connection, remote_id=number, email=f"s{number}@{self.domain.name}", name=name,
            digest="d", changed_at=timezone.now(),
        )  # fmt: skip
        self.senders[name] = Sender.objects.create(
            domain=self.domain, person=person, email=person.email, name=name, group=group or self.group,
            changed_at=timezone.now(),
        )  # fmt: skip
        return self.senders[name]


def make_campaign(domain: Domain, name: str, *banners: str, **columns: Any) -> tuple[Campaign, list[Banner]]:
    """Return a campaign that began a month before NINE, with banners of these names."""
    campaign = Campaign.objects.create(
        domain=domain, name=name, starts_at=columns.pop("starts_at", NINE - timedelta(days=30)), **columns
    )
    image = BannerImage.objects.create(
        domain=domain, sha256=uuid4().hex, media_type="image/png", width=480, height=120,
        bytes_1x=b"1", bytes_2x=b"2",
    )  # fmt: skip
    return campaign, [
        Banner.objects.create(
            campaign=campaign, name=each, image=image, alt=each, link="https://www.acme.example/"
        )
        for each in banners
    ]


def open_show(domain: Domain, name: str = "Autumn", *, people: Iterable[str] = ("Ana Silva",)) -> Show:
    """Return a running campaign with banners A and B, and these people in the group Sales."""
    campaign, banners = make_campaign(domain, name, "A", "B")
    group = Group.objects.create(domain=domain, name="Sales")
    show = Show(domain, campaign, banners, group, {})
    for each in people:
        show.add(each)
    return show


def get_counts(domain: Domain) -> dict[tuple[str, str, str], tuple[int, int, int, int]]:
    """Return (day, banner, sender) -> impressions, clicks, and both of bots; and see that totals agree."""
    counts = DailyCount.objects.filter(domain=domain)
    columns = ("impressions", "clicks", "bot_impressions", "bot_clicks")
    sums: dict[tuple[Any, ...], list[int]] = {}
    for row in counts:
        total = sums.setdefault((row.day, row.campaign_id, row.banner_id, row.group_id), [0, 0, 0, 0])
        for place, column in enumerate(columns):
            total[place] += getattr(row, column)
    assert sums == {
        (row.day, row.campaign_id, row.banner_id, row.group_id): [getattr(row, each) for each in columns]
        for row in DailyTotal.objects.filter(domain=domain)
    }
    return {
        (row.day.isoformat(), row.banner_name, row.sender_name): tuple(getattr(row, each) for each in columns)
        for row in counts
    }  # type: ignore[return-value]  # four of them
