"""Banners from the cache of a web process: at their minute, after a change, and while the database is away."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.db import DatabaseError, connection
from django.utils import timezone

from signatures.campaigns.selection import SenderFacts, choose_banner
from signatures.decisions.tokens import make_token
from signatures.delivery.status import refresh_domain
from signatures.models import Banner, BannerPlace, Campaign, GroupMember, Sender
from signatures.senders.refresh import refresh_senders
from signatures.serving import cache, domain_cache
from signatures.serving.bounded import Bounded
from tests.support.banner_requests import fetch
from tests.support.banners import list_events, run_campaign, switch_on

pytestmark = pytest.mark.usefixtures("fresh_serving")


def test_banners_change_at_the_minute_they_should_also_in_a_kept_memory(company, ana, reader, monkeypatch):
    zone = ZoneInfo("America/New_York")
    company.domain.time_zone = "America/New_York"
    company.domain.save()
    start = datetime(2026, 3, 8, 1, 30, tzinfo=zone)  # the night in which clocks go forward
    with time_machine.travel(start - timedelta(hours=1), tick=False) as clock:
        run_campaign(
            company.domain,
            "red",
            starts_at=start,
            ends_at=datetime(2026, 3, 8, 3, 30, tzinfo=zone),
            priority=5,
        )
        run_campaign(company.domain, "blue", starts_at=start - timedelta(days=1), ends_at=None)
        cache.CACHE.is_refreshed = True
        seen = [fetch(reader, ana)]
        for minutes in (59, 2, 58, 2):
            clock.shift(timedelta(minutes=minutes))
            seen.append(fetch(reader, ana))
            # What is kept in memory is what the pure choice says.
            domain = cache.CACHE.get_domain(company.domain.pk)
            assert domain.ruleset is not None

    assert seen == ["blue", "blue", "red", "red", "blue"]


def test_a_kept_memory_shows_what_the_pure_choice_says_for_everybody_through_days(company, reader):
    switch_on(company.domain)
    people = [company.add(f"Person {number}", teams=(str(number % 3),)) for number in range(9)]
    start = timezone.now().replace(microsecond=0)
    for number, colour in enumerate(("red", "blue", "green")):
        banner = run_campaign(
            company.domain, colour, priority=number % 2, starts_at=start + timedelta(hours=7 * number),
            ends_at=start + timedelta(hours=30 + 5 * number),
        )  # fmt: skip
        Banner.objects.create(
            campaign=banner.campaign,
            name="second",
            image=banner.image,
            alt="x",
            link="https://acme.example/",
            weight=3,
        )
    campaign = Campaign.objects.latest("pk")
    campaign.groups.add(people[0].group)
    cache.CACHE.is_refreshed = True
    memory = cache.CACHE

    with time_machine.travel(start, tick=False) as clock:
        for _ in range(24):
            for sender in people:
                found = memory.find_sender(sender.banner_key)
                ruleset = memory.get_domain(company.domain.pk).ruleset
                assert found is not None and ruleset is not None
                served = memory.get_banner(found)
                who = SenderFacts(sender.pk, GroupMember.objects.list_group_ids(sender))
                assert served.choice == choose_banner(
                    ruleset.campaigns, who, None, at=timezone.now(), zone=ruleset.zone
                )
                assert served.since <= timezone.now().timestamp() < served.until
            clock.shift(timedelta(hours=2))


def test_in_a_kept_memory_a_banner_costs_no_query_and_a_change_shows_after_one_look(
    company, bystanders, ana, reader, django_assert_num_queries
):
    switch_on(bystanders.domain)
    ida = bystanders.add("Ida Berg")
    run_campaign(bystanders.domain, "green")
    run_campaign(company.domain, "red")
    cache.CACHE.is_refreshed = True
    assert (fetch(reader, ana), fetch(reader, ida)) == ("red", "green")

    with django_assert_num_queries(0):
        assert (fetch(reader, ana), fetch(reader, ida)) == ("red", "green")
        reader.get(f"/c/{ana.banner_key}")
    run_campaign(company.domain, "blue", priority=9)
    BannerPlace.objects.touch(company.domain)
    with django_assert_num_queries(0):
        assert fetch(reader, ana) == "red"
    cache.CACHE.refresh()

    assert (fetch(reader, ana), fetch(reader, ida)) == ("blue", "green")


def test_a_sender_who_moves_shows_the_new_groups_banner_after_one_look(company, ana, reader):
    banner = run_campaign(company.domain, "red")
    run_campaign(company.domain, "blue", priority=-1)
    banner.campaign.groups.add(ana.group)
    tom = company.add("Tom Okafor", teams=("7",))
    cache.CACHE.is_refreshed = True
    assert (fetch(reader, ana), fetch(reader, tom)) == ("red", "red")

    ana.person.team_ids = []
    ana.person.changed_at = timezone.now()
    ana.person.save()
    refresh_senders(company.connection, since=None)
    refresh_domain(company.domain)
    cache.CACHE.refresh()

    assert (fetch(reader, ana), fetch(reader, tom)) == ("blue", "red")


def test_five_thousand_campaigns_are_asked_once_for_a_group_and_not_for_each_sender(
    company, reader, monkeypatch
):
    switch_on(company.domain)
    people = [company.add(f"Person {number}") for number in range(5)]
    banner = run_campaign(company.domain, "red", priority=-5)
    Campaign.objects.bulk_create(
        Campaign(domain=company.domain, name=str(number), ends_at=timezone.now() + timedelta(days=number + 1))
        for number in range(50)
    )
    asked: list[int] = []

    def choose(campaigns, *arguments, **options):
        asked.append(len(campaigns))
        return choose_banner(campaigns, *arguments, **options)

    monkeypatch.setattr(domain_cache, "choose_banner", choose)
    cache.CACHE.is_refreshed = True

    assert {fetch(reader, sender) for sender in people * 3} == {"red"}
    assert sorted(asked) == [1, 1, 1, 1, 1, 51]
    assert banner.campaign.priority == -5


def test_known_banners_and_links_go_on_while_the_database_is_away(company, ana, reader, monkeypatch, caplog):
    run_campaign(company.domain, "red")
    tom = company.add("Tom Okafor")
    cache.CACHE.is_refreshed = True
    assert fetch(reader, ana) == "red"

    def refuse(*_: object, **__: object) -> None:
        raise DatabaseError("away")

    with connection.execute_wrapper(refuse):
        cache.CACHE.refresh()
        assert fetch(reader, ana) == "red"
        assert reader.get(f"/c/{ana.banner_key}").status_code == 302
        for path in (f"/b/{tom.banner_key}.png", f"/c/{tom.banner_key}", f"/c/d/{make_token(1)}"):
            answer = reader.get(path)
            assert (answer.status_code, answer["Retry-After"], answer["Cache-Control"]) == (
                503,
                "30",
                "no-store",
            )
            assert answer.content == b""

    assert "Traceback" not in caplog.text
    assert fetch(reader, tom) == "red"
    assert [event["kind"] for event in list_events()] == ["image", "image", "click", "image"]


def test_a_sender_who_moved_just_before_a_campaign_changed_is_not_overlooked(company, ana, reader):
    banner = run_campaign(company.domain, "red", priority=5)
    run_campaign(company.domain, "blue")
    banner.campaign.groups.add(ana.group)
    cache.CACHE.is_refreshed = True
    assert fetch(reader, ana) == "red"
    cache.CACHE.refresh()

    GroupMember.objects.filter(sender=ana).delete()
    Sender.objects.filter(pk=ana.pk).update(group=None, changed_at=timezone.now())
    BannerPlace.objects.touch(company.domain)
    cache.CACHE.refresh(with_senders=False)
    cache.CACHE.refresh()

    assert fetch(reader, ana) == "blue"


def test_memory_forgets_the_oldest_and_stays_bounded():
    class Row(NamedTuple):
        text: str

    bounded: Bounded[int, Row] = Bounded(3, Row)
    for number in range(10):
        bounded.keep(number, Row(str(number)))

    assert len(bounded) == 3
    assert [bounded.get(number) for number in (6, 7, 9)] == [None, Row("7"), Row("9")]
