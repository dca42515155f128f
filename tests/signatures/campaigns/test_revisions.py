"""A look back: campaigns as they were at a moment, whatever was changed, paused, archived or made since."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.db import connection as database
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from portal.models import Domain
from signatures.campaigns.banners import BannerDetails, archive_banner, save_banner
from signatures.campaigns.editing import (
    archive_campaign,
    bring_back_campaign,
    change_campaign,
    copy_campaign,
    pause_campaign,
    set_audience,
    start_campaign,
)
from signatures.campaigns.revisions import load_past
from signatures.campaigns.ruleset import load_ruleset
from signatures.models import Banner, Campaign, CampaignRevision, Group, RecipientPrivacy
from signatures.recipients.retention import remove_old_events
from tests.support.campaigns import BY, add_banner, make_campaign, make_details, make_picture

MONDAY = datetime(2027, 3, 1, 9, tzinfo=UTC)
DAY = timedelta(days=1)
AUDIENCE = [{"attribute": "title", "operator": "contains", "values": ["VP"]}]


@pytest.fixture
def clock() -> Iterator[time_machine.Coordinates]:
    with time_machine.travel(MONDAY, tick=False) as coordinates:
        yield coordinates


@pytest.fixture
def running(clock, domain: Domain, theirs) -> Campaign:
    """Started on Monday with one banner."""
    campaign = make_campaign(domain, starts_at=MONDAY, ends_at=None)
    add_banner(campaign)
    start_campaign(campaign, actor=BY)
    return campaign


def test_each_change_leaves_what_was_before_it_as_it_was(running, domain, clock):
    group = Group.objects.create(domain=domain, name="Sales")
    rulesets = {}
    steps = (
        lambda: change_campaign(
            running,
            make_details(name="Summer", priority=3, cap_times=2, cap_days=7),
            groups=[group],
            actor=BY,
        ),
        lambda: set_audience(running, AUDIENCE, actor=BY),
        lambda: add_banner(running, "Red", weight=5),
        lambda: archive_banner(running.banners.earliest("pk"), actor=BY),
        lambda: pause_campaign(running, actor=BY),
        lambda: copy_campaign(running, actor=BY),
        lambda: archive_campaign(running, actor=BY),
        lambda: bring_back_campaign(running, actor=BY),
    )
    for step in steps:
        rulesets[timezone.now()] = load_ruleset(domain)
        clock.shift(DAY)
        step()
    rulesets[timezone.now()] = load_ruleset(domain)

    told = [f"{ruleset.campaigns} {ruleset.audiences}" for ruleset in rulesets.values()]
    assert len(set(told)) == len(steps)
    assert told[-1] == told[-3]  # brought back, it is as it was before it was archived
    for at, ruleset in rulesets.items():
        for moment in (at, at + DAY - timedelta(seconds=1)):
            past = load_past(domain, moment)
            assert (past.ruleset.campaigns, past.ruleset.audiences) == (
                ruleset.campaigns,
                ruleset.audiences,
            ), moment
            assert past.unsure == frozenset()


def test_a_moment_before_a_campaign_was_made_does_not_know_it(running, domain, other_domain):
    before = load_past(domain, MONDAY - timedelta(seconds=1))
    assert (before.ruleset.campaigns, before.made_later) == ((), 1)
    assert [rule.name for rule in load_past(other_domain, MONDAY + DAY).ruleset.campaigns] == ["Theirs"]


def test_the_picture_a_banner_had_is_remembered(running, domain, clock):
    banner = Banner.objects.get(campaign=running)
    before = banner.image_id
    clock.shift(DAY)
    details = BannerDetails(banner.name, banner.alt, banner.link)
    save_banner(running, details, upload=make_picture(colour="#c02020"), banner=banner, actor=BY)
    banner.refresh_from_db()

    assert banner.image_id != before
    assert load_past(domain, MONDAY).image_ids == {banner.pk: before}
    assert load_past(domain, MONDAY + DAY).image_ids == {banner.pk: banner.image_id}


def test_a_state_that_is_not_kept_is_said_to_be_unsure(running, domain, clock):
    """So it is with what was there before revisions were kept."""
    CampaignRevision.objects.filter(campaign=running).delete()
    clock.shift(2 * DAY)
    assert load_past(domain, MONDAY + DAY).unsure == {running.pk}

    change_campaign(running, make_details(name="Later"), groups=[], actor=BY)
    clock.shift(DAY)
    past, since = load_past(domain, MONDAY + DAY), load_past(domain, MONDAY + 2 * DAY)

    assert ([rule.name for rule in past.ruleset.campaigns], past.unsure) == (["Later"], {running.pk})
    assert ([rule.name for rule in since.ruleset.campaigns], since.unsure) == (["Later"], frozenset())


def test_what_was_followed_by_another_state_goes_with_the_events_of_its_time(running, domain, clock, theirs):
    privacy = RecipientPrivacy.objects.create(domain=domain, event_days=7, decision_days=30)
    for name in ("Second", "Third"):
        clock.shift(10 * DAY)
        change_campaign(running, make_details(name=name), groups=[], actor=BY)
    kept_of_others = CampaignRevision.objects.filter(campaign=theirs).count()
    assert kept_of_others > 1

    remove_old_events()
    for_decisions = CampaignRevision.objects.filter(campaign=running).count()
    RecipientPrivacy.objects.filter(pk=privacy.pk).update(decision_days=7)
    remove_old_events()
    names = [revision.rule["name"] for revision in CampaignRevision.objects.filter(campaign=running)]
    clock.shift(8 * DAY)
    remove_old_events()
    left = [revision.rule["name"] for revision in CampaignRevision.objects.filter(campaign=running)]

    assert for_decisions > len(names)  # a decision of that time may still be explained
    assert names == ["Second", "Third"]
    assert left == ["Third"]
    assert load_past(domain, MONDAY + DAY).unsure == {running.pk}
    assert CampaignRevision.objects.filter(campaign=theirs).count() == kept_of_others


@pytest.mark.soak
@pytest.mark.django_db(transaction=True)
def test_campaigns_that_are_there_before_the_upgrade_are_kept_as_they_are(domain):
    campaign = make_campaign(domain, priority=4, cap_times=1, cap_days=2)
    campaign.groups.add(Group.objects.create(domain=domain, name="Sales"))
    banners = [
        add_banner(campaign, name, weight=weight) for name, weight in (("Blue", 2), ("Red", 3), ("Old", 1))
    ]
    archive_banner(banners[2], actor=BY)
    set_audience(campaign, AUDIENCE, actor=BY)
    executor = MigrationExecutor(database)
    try:
        executor.migrate([("signatures", "0012_banner_since")])
        executor.loader.build_graph()
    finally:
        executor.migrate(executor.loader.graph.leaf_nodes())

    (revision,) = CampaignRevision.objects.all()
    past = load_past(domain, revision.since)
    assert past.ruleset.campaigns == load_ruleset(domain).campaigns
    assert past.ruleset.audiences == load_ruleset(domain).audiences
    assert (past.image_ids.keys(), past.unsure) == ({banners[0].pk, banners[1].pk}, frozenset())
