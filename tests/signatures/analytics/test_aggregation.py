"""Events become daily counts: each once, in the right column, whatever comes late or is killed."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import pytest
from django.db import transaction

from portal.models import Domain
from signatures.analytics import aggregation
from signatures.analytics.aggregation import SETTLE, aggregate_all_events, aggregate_events, recount
from signatures.models import BannerEvent, CountingState, DailyCount
from tests.support.banner_events import NINE, Show, get_counts, make_campaign, open_show

LATER = NINE + timedelta(hours=3)
SAFARI = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko)"
ANA, BEA, BYSTANDER = "Ana Silva", "Bea Costa", "Bo Bystander"


@pytest.fixture
def show(domain: Domain) -> Show:
    return open_show(domain, people=(ANA, BEA))


@pytest.fixture(autouse=True)
def bystander(other_domain: Domain):
    """Another domain with a picture and a click, which are never counted here nor judged by this domain's."""
    other = open_show(other_domain, "Theirs", people=(BYSTANDER,))
    other.see(0, BYSTANDER)
    other.see(60, BYSTANDER, click=True)
    yield
    assert BannerEvent.objects.filter(domain=other_domain, is_judged=False).count() == 2
    assert get_counts(other_domain) == {}


def get_rules(domain: Domain) -> list[str]:
    return list(BannerEvent.objects.filter(domain=domain).order_by("at", "pk").values_list("rule", flat=True))


def test_pictures_and_clicks_are_counted_by_day_banner_and_sender(show: Show):
    show.see(0)
    show.see(30, banner_id=show.banners[1].pk)
    show.see(60, click=True)
    show.see(61, method="HEAD", click=True)
    show.see(5, BEA, agent="curl/8.5")

    sifted = aggregate_events(show.domain, now=LATER)

    assert (sifted.judged, sifted.moved) == (5, 0)
    assert get_counts(show.domain) == {
        ("2026-11-24", "A", ANA): (1, 1, 0, 1),
        ("2026-11-24", "B", ANA): (1, 0, 0, 0),
        ("2026-11-24", "A", BEA): (0, 0, 1, 0),
    }
    row = DailyCount.objects.get(domain=show.domain, sender_name=BEA)
    assert (row.campaign_name, row.group_name, row.group_id) == ("Autumn", "Sales", show.group.pk)


def test_an_event_is_counted_once_however_often_the_task_runs(show: Show):
    show.see(0)
    aggregate_events(show.domain, now=LATER)

    assert aggregate_events(show.domain, now=LATER).judged == 0

    assert get_counts(show.domain) == {("2026-11-24", "A", ANA): (1, 0, 0, 0)}


def test_the_task_counts_every_domain(show: Show, other_domain: Domain):
    show.see(0)
    with transaction.atomic():
        assert aggregate_all_events(now=LATER) == 3
        assert get_counts(other_domain) == {("2026-11-24", "A", BYSTANDER): (1, 1, 0, 0)}
        transaction.set_rollback(True)


def test_events_wait_until_those_around_them_have_come(show: Show):
    show.see(0)
    show.see(60)

    aggregate_events(show.domain, now=NINE + SETTLE + timedelta(seconds=1))

    assert get_counts(show.domain) == {("2026-11-24", "A", ANA): (1, 0, 0, 0)}


def test_the_day_is_the_domains_and_stays_when_its_zone_changes(show: Show):
    Domain.objects.filter(pk=show.domain.pk).update(time_zone="Pacific/Auckland")
    show.domain.refresh_from_db()
    show.see(2 * 3_600 - 1, agent="curl/8")  # 23:59:59 there
    show.see(2 * 3_600)
    aggregate_events(show.domain, now=LATER)
    show.domain.time_zone = "America/Los_Angeles"
    BannerEvent.objects.filter(domain=show.domain).update(agent="curl/8")

    recount(show.domain, since=NINE)

    assert get_counts(show.domain) == {
        ("2026-11-24", "A", ANA): (0, 0, 1, 0),
        ("2026-11-25", "A", ANA): (0, 0, 1, 0),
    }


def test_what_shows_outside_any_campaign_is_counted_too(show: Show):
    show.see(0, campaign_id=None, banner_id=None, group_id=None)

    aggregate_events(show.domain, now=LATER)

    assert get_counts(show.domain) == {("2026-11-24", "", ANA): (1, 0, 0, 0)}


def test_results_keep_their_names_and_numbers_whatever_happens_to_the_rows(show: Show):
    show.see(0)
    aggregate_events(show.domain, now=LATER)
    show.campaign.name, show.campaign.starts_at = "Renamed", LATER
    show.campaign.save()
    show.senders[ANA].group = None
    show.senders[ANA].save()
    show.see(5, group_id=show.group.pk)
    aggregate_events(show.domain, now=LATER)
    sender_id = show.senders[ANA].pk
    show.campaign.delete()
    show.group.delete()
    show.senders[ANA].delete()
    show.see(9, BEA, sender_id=sender_id)
    show.see(86_400, BEA, sender_id=sender_id)

    aggregate_events(show.domain, now=LATER + timedelta(days=1))

    names = {(row.campaign_name, row.group_name) for row in DailyCount.objects.filter(domain=show.domain)}
    assert names == {("Autumn", "Sales"), ("", "")}
    assert sum(row.impressions for row in DailyCount.objects.filter(domain=show.domain)) == 4


def make_crowd(show: Show, seed: int) -> list[BannerEvent]:
    """Return an hour's worth of visitors, proxies and scanners, unsaved."""
    dice = random.Random(seed)  # noqa: S311 - no secret, and the same each time
    events = []
    for _ in range(120):
        sender = dice.choice(list(show.senders))
        event = show.see(
            dice.random() * 900,
            sender,
            click=dice.random() < 0.6,
            visitor_key=dice.choice(["r1", "r2", "r3", ""]),
            agent=dice.choice([SAFARI, SAFARI, SAFARI, "curl/8", "Mozilla/5.0", ""]),
            decision_id=dice.choice([None, None, 5]),
        )
        events.append(event)
    BannerEvent.objects.filter(pk__in=[event.pk for event in events]).delete()
    return events


@pytest.mark.parametrize("seed", range(4))
def test_whatever_comes_late_the_counts_are_those_of_everything_at_once(show: Show, seed: int):
    for name in ("Cy Dahl", "Di Engel", "Ed Falk"):
        show.add(name)
    events = make_crowd(show, seed)
    BannerEvent.objects.bulk_create(events)
    aggregate_events(show.domain, now=LATER)
    at_once, rules = get_counts(show.domain), get_rules(show.domain)
    BannerEvent.objects.filter(domain=show.domain).delete()
    DailyCount.objects.filter(domain=show.domain).delete()
    show.domain.counting_state.delete()
    aggregation.DailyTotal.objects.filter(domain=show.domain).delete()

    show.domain = Domain.objects.get(pk=show.domain.pk)
    order = random.Random(seed).sample(events, len(events))  # noqa: S311
    for start in range(0, len(order), 30):
        BannerEvent.objects.bulk_create(order[start : start + 30])
        aggregate_events(show.domain, now=LATER, batch_size=7)

    assert len(set(rules)) > 4
    assert get_rules(show.domain) == rules
    assert get_counts(show.domain) == at_once


def test_a_batch_that_breaks_off_counts_nothing_and_is_counted_whole_the_next_time(show: Show, monkeypatch):
    for second in range(4):
        show.see(second, visitor_key=f"r{second}")
    monkeypatch.setattr(aggregation, "_add", lambda *arguments: 1 / 0)

    with pytest.raises(ZeroDivisionError):
        aggregate_events(show.domain, now=LATER)

    assert get_counts(show.domain) == {}
    assert not BannerEvent.objects.filter(domain=show.domain, is_judged=True).exists()
    monkeypatch.undo()
    aggregate_events(show.domain, now=LATER)
    assert get_counts(show.domain) == {("2026-11-24", "A", ANA): (4, 0, 0, 0)}


def test_one_go_is_bounded_and_the_next_one_goes_on(show: Show):
    for second in range(5):
        show.see(second)

    assert aggregate_events(show.domain, now=LATER, limit=2, batch_size=2).judged == 2
    assert aggregate_events(show.domain, now=LATER, batch_size=2).judged == 3


def test_a_recount_by_other_rules_moves_numbers_and_loses_none(show: Show, settings):
    show.see(0)
    show.see(1, BEA, network="203.0.113.0")
    show.see(60, click=True)
    show.see(61, BEA, network="203.0.113.0", click=True)
    aggregate_events(show.domain, now=LATER)
    settings.SCANNER_NETWORKS = ["203.0.113.0/24"]

    rehearsed = recount(show.domain, since=NINE, is_rehearsal=True)
    before = get_counts(show.domain)
    moved = recount(show.domain, since=NINE)

    assert (
        (rehearsed.moved, rehearsed.to_bots) == (moved.moved, moved.to_bots) == (2, {"image": 1, "click": 1})
    )
    assert before[("2026-11-24", "A", BEA)] == (1, 1, 0, 0)
    assert get_counts(show.domain) == {
        ("2026-11-24", "A", ANA): (1, 1, 0, 0),
        ("2026-11-24", "A", BEA): (0, 0, 1, 1),
    }
    settings.SCANNER_NETWORKS = []
    assert recount(show.domain, since=NINE).to_people == {"image": 1, "click": 1}
    assert get_counts(show.domain) == before
    assert recount(show.domain, since=NINE).moved == 0


def test_a_recount_reaches_back_as_far_as_it_is_asked_to(show: Show, settings):
    show.see(0, network="203.0.113.0")
    show.see(60, network="203.0.113.0")
    aggregate_events(show.domain, now=LATER)
    settings.SCANNER_NETWORKS = ["203.0.113.0/24"]

    assert recount(show.domain, since=NINE + timedelta(seconds=1)).to_bots == {"image": 1}

    assert get_counts(show.domain) == {("2026-11-24", "A", ANA): (1, 0, 1, 0)}


def test_a_recount_leaves_clicks_alone_whose_pictures_are_no_longer_kept(show: Show):
    picture = show.see(0)
    show.see(3_600, click=True)
    aggregate_events(show.domain, now=LATER)
    picture.delete()
    CountingState.objects.filter(pk=show.domain.pk).update(events_removed_until=NINE + timedelta(seconds=1))
    show.domain = Domain.objects.get(pk=show.domain.pk)

    assert recount(show.domain, since=NINE).judged == 0

    assert get_counts(show.domain) == {("2026-11-24", "A", ANA): (1, 1, 0, 0)}


def test_the_work_for_many_events_is_in_few_queries(show: Show, django_assert_max_num_queries):
    for second in range(200):
        show.see(second, visitor_key=f"r{second}")

    with django_assert_max_num_queries(30):
        aggregate_events(show.domain, now=LATER)

    assert get_counts(show.domain) == {("2026-11-24", "A", ANA): (200, 0, 0, 0)}


def test_another_campaign_is_counted_beside(show: Show):
    campaign, (banner,) = make_campaign(show.domain, "Spring", "C")
    show.see(0)
    show.see(1, campaign_id=campaign.pk, banner_id=banner.pk)

    aggregate_events(show.domain, now=datetime(2026, 11, 25, tzinfo=UTC))

    assert get_counts(show.domain) == {
        ("2026-11-24", "A", ANA): (1, 0, 0, 0),
        ("2026-11-24", "C", ANA): (1, 0, 0, 0),
    }
