"""A domain's ruleset: its live campaigns in the order they are asked, read in a fixed number of queries."""

from __future__ import annotations

import gc
from datetime import timedelta

import pytest
from django.utils import timezone

from portal.models import Domain
from signatures.campaigns.ruleset import load_ruleset
from signatures.campaigns.selection import BannerRule, Cap
from signatures.models import Banner, BannerImage, BannerPlace, Campaign, Group


def add(domain: Domain, name: str, *, banners: int = 1, **columns) -> Campaign:
    campaign = Campaign.objects.create(domain=domain, name=name, **columns)
    image, _ = BannerImage.objects.get_or_create(
        domain=domain, sha256="d", width=1, height=1, media_type="image/png", bytes_1x=b"1", bytes_2x=b"1"
    )
    for number in range(banners):
        Banner.objects.create(
            campaign=campaign,
            name=str(number),
            image=image,
            alt="a",
            link="https://a.example/",
            weight=number + 1,
        )
    return campaign


def test_the_board_holds_this_domains_campaigns_in_their_order(domain, other_domain):
    add(other_domain, "Theirs", priority=99)
    later = add(domain, "Later", priority=1)
    first = add(domain, "First", priority=5, banners=2, cap_times=2, cap_days=7)
    add(domain, "Gone", archived_at=timezone.now())
    group = Group.objects.create(domain=domain, name="Sales")
    first.groups.add(group)

    ruleset = load_ruleset(domain)

    assert [rule.name for rule in ruleset.campaigns] == ["First", "Later"]
    rule = ruleset.campaigns[0]
    assert (rule.id, rule.group_ids, rule.cap, rule.is_paused) == (first.pk, {group.pk}, Cap(2, 7), False)
    ids = list(first.banners.order_by("pk").values_list("pk", flat=True))
    assert rule.banners == (BannerRule(ids[0], 1), BannerRule(ids[1], 2))
    assert ruleset.get_caps() == {first.pk: Cap(2, 7)}
    assert ruleset.campaigns[1].id == later.pk


def test_an_archived_banner_is_not_drawn(domain):
    campaign = add(domain, "Spring", banners=2)
    gone, kept = campaign.banners.order_by("pk")
    Banner.objects.filter(pk=gone.pk).update(archived_at=timezone.now())

    assert load_ruleset(domain).campaigns[0].banners == (BannerRule(kept.pk, 2),)


def test_what_ended_before_may_be_left_out_and_what_has_no_end_stays(domain):
    now = timezone.now()
    add(domain, "Over", starts_at=now - timedelta(days=9), ends_at=now - timedelta(days=1))
    add(domain, "Ends later", starts_at=now - timedelta(days=9), ends_at=now + timedelta(days=1))
    add(domain, "Open")

    assert [rule.name for rule in load_ruleset(domain, since=now).campaigns] == ["Ends later", "Open"]
    assert len(load_ruleset(domain).campaigns) == 3


def test_an_audience_that_cannot_be_read_is_nobodys_rather_than_everybodys(domain):
    broken = add(domain, "Broken", audience=[{"attribute": "shoe size", "operator": "is", "values": ["9"]}])
    whole = add(domain, "Whole", audience=[{"attribute": "title", "operator": "is_filled"}])
    plain = add(domain, "Plain")

    ruleset = load_ruleset(domain)

    assert {rule.id: rule.has_audience for rule in ruleset.campaigns} == {
        broken.pk: True,
        whole.pk: True,
        plain.pk: False,
    }
    assert set(ruleset.audiences) == {whole.pk}


@pytest.mark.parametrize("campaigns", [1, 3])
def test_a_board_takes_as_many_queries_for_three_campaigns_as_for_one(
    domain, django_assert_num_queries, campaigns
):
    for number in range(campaigns):
        add(domain, str(number))

    with django_assert_num_queries(4):
        load_ruleset(domain)


def test_touching_makes_this_domains_board_out_of_date_and_no_other(domain, other_domain):
    before, theirs = load_ruleset(domain), load_ruleset(other_domain)

    BannerPlace.objects.touch(domain)

    assert load_ruleset(domain).version == before.version + 1
    assert load_ruleset(other_domain).version == theirs.version


def test_the_zone_is_the_domains(domain):
    Domain.objects.filter(pk=domain.pk).update(time_zone="America/New_York")
    domain.refresh_from_db()

    assert load_ruleset(domain).zone.key == "America/New_York"


def test_a_place_is_made_switched_off(domain):
    assert BannerPlace.objects.for_domain(domain).is_on is False
    assert not BannerPlace.objects.exists()
    assert BannerPlace.objects.for_domain(domain, create=True).is_on is False
    assert BannerPlace.objects.filter(domain=domain).count() == 1


def test_reading_a_large_board_leaves_no_more_garbage_than_a_small_one(domain):
    """Garbage in circles stops every thread while it is collected, and a banner's reader would wait for that."""

    def count_garbage() -> int:
        gc.collect()
        gc.disable()
        try:
            load_ruleset(domain)
            return gc.collect()
        finally:
            gc.enable()

    group = Group.objects.create(domain=domain, name="Sales")
    add(domain, "First", banners=2).groups.add(group)
    count_garbage()
    small = count_garbage()
    for number in range(40):
        add(domain, f"Campaign {number}", banners=2).groups.add(group)

    assert len(load_ruleset(domain).campaigns) == 41
    assert count_garbage() <= small
