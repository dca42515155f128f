"""Campaigns, banners and their place are changed by one function each: whole, told to the ledger, and read anew."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from integrations.models import LedgerEntry
from signatures.campaigns.banners import (
    BannerDetails,
    PlaceDetails,
    archive_banner,
    change_place,
    save_banner,
)
from signatures.campaigns.checks import CampaignRefused
from signatures.campaigns.editing import (
    archive_campaign,
    bring_back_campaign,
    change_campaign,
    copy_campaign,
    pause_campaign,
    set_audience,
    start_campaign,
)
from signatures.campaigns.ruleset import load_ruleset
from signatures.conditions.conditions import ConditionError
from signatures.media.encoding import ImageRefused
from signatures.models import AudienceTally, Banner, BannerPlace, Campaign, Group, RecipientList
from tests.support.campaigns import BY, START, add_banner, make_campaign, make_details, make_picture

AUDIENCE = [{"attribute": "tags", "operator": "has_any", "values": ["emea"]}]


def acts(domain) -> list[tuple[str, str, str]]:
    rows = LedgerEntry.objects.filter(domain=domain).order_by("pk")
    return list(rows.values_list("action", "actor_label", "detail"))


def get_row(campaign: Campaign) -> dict[str, object]:
    return Campaign.objects.filter(pk=campaign.pk).values().get()


def test_a_new_campaign_is_paused_counted_from_now_and_in_the_ledger(domain, theirs):
    before = load_ruleset(domain).version
    group = Group.objects.create(domain=domain, name="Sales")

    campaign = make_campaign(domain, groups=[group])

    assert (campaign.paused_at is not None, campaign.created_by_label) == (True, BY)
    assert list(campaign.groups.all()) == [group]
    assert AudienceTally.objects.get(campaign=campaign).looked_up == 0
    assert acts(domain) == [("campaign made", BY, "Spring")]
    ruleset = load_ruleset(domain)
    assert (ruleset.version, [rule.name for rule in ruleset.campaigns]) == (before + 1, ["Spring"])


def test_a_change_is_told_with_what_it_was_and_what_it_is(domain, theirs):
    campaign, bystander = make_campaign(domain), get_row(theirs)
    group = Group.objects.create(domain=domain, name="Sales")
    details = make_details(priority=5, ends_at=None)

    changed = change_campaign(campaign, details, groups=[group], actor=BY)

    assert changed == ["ends_at", "priority", "groups"]
    assert acts(domain)[-1] == (
        "campaign changed",
        BY,
        "Spring: ends_at: 2027-03-31 08:00 UTC → none; priority: 0 → 5; groups: Sales",
    )
    campaign.refresh_from_db()
    assert (campaign.priority, campaign.ends_at, list(campaign.groups.all())) == (5, None, [group])
    assert get_row(theirs) == bystander


def test_saving_what_is_there_already_is_no_act_and_no_new_board(domain):
    campaign = make_campaign(domain)
    version, told = load_ruleset(domain).version, acts(domain)

    assert change_campaign(campaign, make_details(), groups=[], actor=BY) == []
    assert set_audience(campaign, [], actor=BY) == ()
    assert (load_ruleset(domain).version, acts(domain)) == (version, told)


def test_a_campaign_of_other_peoples_groups_is_our_own_mistake(domain, other_domain):
    foreign = Group.objects.create(domain=other_domain, name="Theirs")

    with pytest.raises(ValueError, match="same domain"):
        make_campaign(domain, groups=[foreign])
    assert not Campaign.objects.filter(domain=domain).exists()


def test_starting_needs_a_banner_and_pausing_ends_the_showing(domain, theirs):
    campaign = make_campaign(domain)
    with pytest.raises(CampaignRefused, match="no banner to show"):
        start_campaign(campaign, actor=BY)
    add_banner(campaign)

    start_campaign(campaign, actor=BY)
    start_campaign(campaign, actor=BY)
    assert load_ruleset(domain).campaigns[0].is_paused is False
    pause_campaign(campaign, actor=BY)
    pause_campaign(campaign, actor=BY)

    assert load_ruleset(domain).campaigns[0].is_paused is True
    assert [act for act, *_ in acts(domain)] == [
        "campaign made",
        "banner added",
        "campaign started",
        "campaign paused",
    ]


def test_an_audience_counts_anew_and_keeps_typed_values_out_of_the_ledger(domain):
    campaign = make_campaign(domain)
    AudienceTally.objects.filter(campaign=campaign).update(looked_up=30, matched=2, counts_since=START)

    set_audience(campaign, AUDIENCE, actor=BY)

    campaign.refresh_from_db()
    tally = AudienceTally.objects.get(campaign=campaign)
    assert campaign.audience == AUDIENCE
    assert (tally.looked_up, tally.matched, tally.counts_since > START - timedelta(days=999)) == (0, 0, True)
    assert acts(domain)[-1] == ("audience changed", BY, "Spring: Tags has_any")
    assert load_ruleset(domain).campaigns[0].has_audience


@pytest.mark.parametrize(
    "stored",
    [
        [{"attribute": "list", "operator": "is", "values": ["{theirs}"]}],
        [{"attribute": "title", "operator": "is"}],
    ],
)
def test_an_audience_that_cannot_be_used_changes_nothing(domain, other_domain, stored):
    foreign = RecipientList.objects.create(domain=other_domain, name="Theirs")
    stored = [
        one | {"values": [v.format(theirs=foreign.pk) for v in one.get("values", [])]} for one in stored
    ]
    campaign = make_campaign(domain)
    before, told = get_row(campaign), acts(domain)

    with pytest.raises(ConditionError):
        set_audience(campaign, stored, actor=BY)

    assert (get_row(campaign), acts(domain)) == (before, told)


def test_a_copy_is_paused_with_the_same_banners_and_leaves_the_first_as_it_is(domain):
    campaign = make_campaign(domain)
    set_audience(campaign, AUDIENCE, actor=BY)
    kept, gone = add_banner(campaign, "Blue", weight=3), add_banner(campaign, "Old")
    archive_banner(gone, actor=BY)
    start_campaign(campaign, actor=BY)
    before = get_row(campaign)

    copy = copy_campaign(campaign, actor=BY)

    assert get_row(campaign) == before
    assert (copy.name, copy.audience, copy.paused_at is not None) == ("Copy of Spring", AUDIENCE, True)
    (banner,) = copy.banners.all()
    assert (banner.name, banner.weight, banner.image_id, banner.pk != kept.pk) == (
        "Blue",
        3,
        kept.image_id,
        True,
    )


def test_an_archived_campaign_stays_with_its_banners_and_comes_back_paused(domain):
    campaign = make_campaign(domain)
    add_banner(campaign)
    start_campaign(campaign, actor=BY)

    archive_campaign(campaign, actor=BY)

    assert load_ruleset(domain).campaigns == ()
    assert campaign.banners.count() == 1
    for refused in (
        lambda: change_campaign(campaign, make_details(priority=1), groups=[], actor=BY),
        lambda: start_campaign(campaign, actor=BY),
        lambda: set_audience(campaign, AUDIENCE, actor=BY),
        lambda: add_banner(campaign),
    ):
        with pytest.raises(CampaignRefused):
            refused()

    bring_back_campaign(campaign, actor=BY)
    assert load_ruleset(domain).campaigns[0].is_paused is True


def test_a_banner_keeps_its_picture_unless_there_is_another(domain, theirs):
    campaign = make_campaign(domain)
    banner = add_banner(campaign)
    details = BannerDetails("Blue", "Blue", "https://www.acme.example/spring", weight=9)
    image_id = banner.image_id

    save_banner(campaign, details, banner=banner, actor=BY)
    banner.refresh_from_db()
    assert (banner.weight, banner.image_id) == (9, image_id)
    save_banner(campaign, details, upload=make_picture(colour="red"), banner=banner, actor=BY)
    banner.refresh_from_db()

    assert banner.image_id != image_id
    assert [detail for act, _, detail in acts(domain) if act == "banner changed"] == [
        "Blue of Spring, changed: weight",
        "Blue of Spring, changed: picture",
    ]


def test_a_picture_that_cannot_be_used_leaves_the_banner_as_it_was(domain):
    campaign = make_campaign(domain)
    banner = add_banner(campaign)
    told = acts(domain)

    with pytest.raises(ImageRefused, match="at least"):
        save_banner(
            campaign,
            BannerDetails("Other", "Other", "https://www.acme.example/"),
            upload=make_picture(size=(100, 40)),
            banner=banner,
            actor=BY,
        )

    assert Banner.objects.get(pk=banner.pk).name == "Blue"
    assert acts(domain) == told


def test_the_place_keeps_its_size_while_banners_are_cut_to_it(domain, theirs):
    campaign = make_campaign(domain)
    banner = add_banner(campaign)
    larger = PlaceDetails(is_on=True, width=500, height=120)

    with pytest.raises(CampaignRefused, match="1 banner is cropped to the current size"):
        change_place(domain, larger, actor=BY)
    archive_banner(banner, actor=BY)

    assert change_place(domain, larger, actor=BY) == ["is_on", "width"]
    assert BannerPlace.objects.get(domain=domain).width == 500
    assert acts(domain)[-1] == ("banner place changed", BY, "is_on, width")


def test_the_default_picture_goes_with_the_size_of_the_place(domain):
    details = PlaceDetails(is_on=True, width=480, height=120, default_link="https://www.acme.example/")
    assert "default picture" in change_place(domain, details, upload=make_picture(), actor=BY)
    smaller = replace(details, width=400)

    with pytest.raises(CampaignRefused, match="default image is cropped"):
        change_place(domain, smaller, actor=BY)
    change_place(domain, smaller, upload=make_picture(), actor=BY)

    place = BannerPlace.objects.select_related("default_image").get(domain=domain)
    assert (place.width, place.default_image.width) == (400, 400)
    assert change_place(domain, smaller, drop_picture=True, actor=BY) == ["default picture"]
