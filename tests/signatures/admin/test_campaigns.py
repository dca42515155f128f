"""Campaigns in Django admin: the portal's own functions, with its own words where something cannot be."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.core.files.base import ContentFile
from django.test import Client
from django.utils import timezone

from integrations.models import LedgerEntry
from portal.models import Domain, User
from signatures.campaigns.banners import change_place
from signatures.campaigns.editing import archive_campaign, set_audience
from signatures.campaigns.ruleset import load_ruleset
from signatures.models import AttributeLabel, Banner, BannerPlace, Campaign, RecipientList
from tests.support.campaigns import add_banner, make_campaign, make_picture

BY = "operator@portal.example"
PAGE = "/admin/signatures/"
TAGS = '[{"attribute": "tags", "operator": "has_any", "values": ["emea"]}]'


@pytest.fixture
def staff(client: Client, db: None) -> Client:
    client.force_login(User.objects.create_user(BY, "correct horse battery", is_staff=True))
    return client


@pytest.fixture
def campaign(domain: Domain) -> Campaign:
    domain.time_zone = "Europe/Berlin"
    domain.save()
    campaign = make_campaign(domain)
    add_banner(campaign)
    return campaign


def acts(domain: Domain) -> list[str]:
    rows = LedgerEntry.objects.filter(domain=domain, actor_label=BY).order_by("pk")
    return list(rows.values_list("action", flat=True))


def fill(campaign: Campaign | None = None, **given: object) -> dict[str, object]:
    """Return the form of a campaign's page as a browser sends it, its banners included."""
    form: dict[str, object] = {
        "name": "Spring", "starts_at": "2027-03-01T09:00", "ends_at": "2027-03-31T10:00", "priority": "0",
        "utm_source": "outreach", "utm_medium": "email-signature", "utm_campaign": "spring", "audience": "[]",
        "tally-TOTAL_FORMS": "0", "tally-INITIAL_FORMS": "0",
        "revisions-TOTAL_FORMS": "0", "revisions-INITIAL_FORMS": "0",
    }  # fmt: skip
    banners = list(campaign.banners.filter(archived_at=None)) if campaign else []
    form |= {"banners-TOTAL_FORMS": len(banners), "banners-INITIAL_FORMS": len(banners)}
    for number, banner in enumerate(banners):
        form |= {
            f"banners-{number}-{name}": getattr(banner, name)
            for name in ("id", "name", "alt", "link", "weight", "utm_content")
        }
        form[f"banners-{number}-campaign"] = campaign.pk if campaign else ""
    return form | given


def act(staff: Client, page: str, action: str, *rows: object) -> list[str]:
    answer = staff.post(
        PAGE + page, {"action": action, "_selected_action": [row.pk for row in rows]}, follow=True
    )
    return [str(message) for message in answer.context["messages"]]


def test_a_campaign_is_added_in_the_wall_time_of_its_domain(staff: Client, domain: Domain):
    domain.time_zone = "Europe/Berlin"
    domain.save()

    answer = staff.post(f"{PAGE}campaign/add/", fill(domain=domain.pk, audience=TAGS))

    assert answer.status_code == 302
    made = Campaign.objects.get(domain=domain)
    assert (made.starts_at, made.created_by_label) == (datetime(2027, 3, 1, 8, tzinfo=UTC), BY)
    assert (made.audience[0]["values"], made.paused_at is not None) == (["emea"], True)
    assert acts(domain) == ["campaign made", "audience changed"]


def test_a_campaign_is_changed_with_its_banners(staff: Client, campaign: Campaign, theirs_untouched):
    page = f"{PAGE}campaign/{campaign.pk}/change/"
    form = fill(campaign, priority="7") | {
        "banners-TOTAL_FORMS": 2,
        "banners-0-weight": "4",
        "banners-1-campaign": campaign.pk,
        "banners-1-name": "Green",
        "banners-1-alt": "Green",
        "banners-1-link": "https://www.acme.example/green",
        "banners-1-weight": "1",
        "banners-1-picture": make_picture(colour="green"),
    }

    answer = staff.post(page, form)

    assert answer.status_code == 302, answer.context["errors"]
    campaign.refresh_from_db()
    assert campaign.priority == 7
    assert list(campaign.banners.values_list("name", "weight")) == [("Blue", 4), ("Green", 1)]
    assert acts(campaign.domain) == ["campaign changed", "banner changed", "banner added"]


@pytest.fixture
def theirs_untouched(other_domain: Domain):
    """The bystander's campaign, which is as it was when the test has ended."""
    theirs = make_campaign(other_domain, name="Theirs")
    before = Campaign.objects.filter(pk=theirs.pk).values().get()
    yield
    assert Campaign.objects.filter(pk=theirs.pk).values().get() == before


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"starts_at": "2027-03-28T02:30"}, "02:30 does not exist on 28 March 2027"),
        ({"ends_at": "2027-03-01T09:00"}, "The end must be after the start."),
        ({"audience": '[{"attribute": "shoe"}]'}, "Condition 1: Choose a field for the condition."),
        ({"audience": "{"}, "Enter a valid JSON."),
        ({"banners-0-link": "http://www.acme.example/"}, "not an https:// address"),
        ({"banners-0-picture": "small"}, "it must have at least 480 × 120"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_told_and_nothing_is_saved(staff, campaign, change, words):
    before = Campaign.objects.filter(pk=campaign.pk).values().get()
    if "banners-0-picture" in change:
        change = {"banners-0-picture": make_picture(size=(100, 40))}

    answer = staff.post(f"{PAGE}campaign/{campaign.pk}/change/", fill(campaign, priority="9") | change)

    assert answer.status_code == 200
    assert words in answer.content.decode()
    assert Campaign.objects.filter(pk=campaign.pk).values().get() == before
    assert acts(campaign.domain) == []


def test_actions_are_the_portals_own_and_a_refusal_stops_no_other(staff: Client, campaign: Campaign, domain):
    empty = make_campaign(domain, name="Empty")

    said = act(staff, "campaign/", "start", campaign, empty)

    refused, started = sorted(said)
    assert refused == "Empty: “Empty” has no banner to show. Add one, then start it."
    assert started.startswith("Spring: started, but it cannot show. The banner slot is off")
    assert {rule.name: rule.is_paused for rule in load_ruleset(domain).campaigns} == {
        "Spring": False,
        "Empty": True,
    }
    for action in ("pause", "copy", "archive", "bring_back"):
        act(staff, "campaign/", action, campaign)
    assert acts(domain) == [
        "campaign started", "campaign paused", "campaign made", "campaign archived", "campaign brought back",
    ]  # fmt: skip


def test_a_slot_that_got_a_banner_while_it_was_resized_stays_as_it_is(
    staff: Client, campaign: Campaign, domain, other_domain, monkeypatch
):
    """The form was read before another person's banner was stored, and is saved after it."""
    for each in (domain, other_domain):
        BannerPlace.objects.for_domain(each, create=True)

    def save_after_another(*given, **named):
        add_banner(campaign)
        return change_place(*given, **named)

    monkeypatch.setattr("signatures.admin.campaigns.change_place", save_after_another)
    Banner.objects.filter(campaign=campaign).update(archived_at=timezone.now())
    before = list(BannerPlace.objects.order_by("pk").values())

    answer = staff.post(
        f"{PAGE}bannerplace/{domain.pk}/change/",
        {"width": "600", "height": "150", "is_on": "on"},
        follow=True,
    )

    assert (answer.status_code, answer.redirect_chain[-1][1]) == (200, 302)
    assert "Nothing was saved. 1 banner is cropped to the current size." in answer.content.decode()
    assert list(BannerPlace.objects.order_by("pk").values()) == before


def test_an_archived_campaign_is_looked_at_and_nothing_is_deleted(staff: Client, campaign: Campaign):
    archive_campaign(campaign, actor="test")
    page = f"{PAGE}campaign/{campaign.pk}/change/"

    assert staff.get(page).status_code == 200
    assert staff.post(page, fill(campaign, name="Other")).status_code == 403
    assert staff.post(f"{PAGE}campaign/{campaign.pk}/delete/", {"post": "yes"}).status_code == 403
    assert Campaign.objects.filter(name="Spring").exists()


def test_a_banner_is_archived_by_an_action(staff: Client, campaign: Campaign):
    banner = campaign.banners.get()

    act(staff, "banner/", "archive", banner)

    assert Banner.objects.get(pk=banner.pk).archived_at is not None
    assert acts(campaign.domain) == ["banner archived"]


def test_the_place_is_changed_and_refuses_at_the_field_what_the_portal_refuses(staff, campaign):
    page = f"{PAGE}bannerplace/{campaign.domain_id}/change/"

    refused = staff.post(page, {"is_on": "on", "width": "500", "height": "120"})
    assert "1 banner is cropped to the current size." in refused.content.decode()
    assert BannerPlace.objects.get(domain=campaign.domain).is_on is False
    answer = staff.post(page, {"is_on": "on", "width": "480", "height": "120", "picture": make_picture()})

    assert answer.status_code == 302
    place = BannerPlace.objects.get(domain=campaign.domain)
    assert (place.is_on, place.default_image is not None) == (True, True)
    assert acts(campaign.domain) == ["banner place changed"]


def test_a_list_is_made_from_a_file_and_deleted_unless_a_campaign_asks_for_it(staff, campaign, domain):
    def upload(content: bytes) -> ContentFile:
        return ContentFile(content, "list.csv")

    bad = staff.post(
        f"{PAGE}recipientlist/add/", {"domain": domain.pk, "name": "P", "file": upload(b"a.example\nno")}
    )
    assert "Line 2 is neither a mail domain nor an address." in bad.content.decode()
    staff.post(
        f"{PAGE}recipientlist/add/",
        {"domain": domain.pk, "name": "P", "file": upload(b"a.example\nb.example")},
    )
    made = RecipientList.objects.get()
    assert made.entries.count() == 2
    set_audience(campaign, [{"attribute": "list", "operator": "is", "values": [str(made.pk)]}], actor="test")

    said = act(staff, "recipientlist/", "delete_unused", made)
    assert said[-1] == "P: “P” is in the audience of “Spring”. Remove it there first."
    set_audience(campaign, [], actor="test")
    act(staff, "recipientlist/", "delete_unused", made)

    assert not RecipientList.objects.exists()
    assert acts(domain) == ["recipient list made", "recipient list deleted"]


def test_a_label_is_given_changed_and_removed(staff: Client, domain: Domain):
    staff.post(
        f"{PAGE}attributelabel/add/", {"domain": domain.pk, "kind": "custom", "key": "12", "label": "Tier"}
    )
    label = AttributeLabel.objects.get()
    staff.post(f"{PAGE}attributelabel/{label.pk}/change/", {"kind": "custom", "key": "12", "label": "Level"})
    again = staff.post(
        f"{PAGE}attributelabel/add/", {"domain": domain.pk, "kind": "custom", "key": "012", "label": "Other"}
    )
    assert "This ID already has a label. Edit that one." in again.content.decode()
    staff.post(f"{PAGE}attributelabel/{label.pk}/delete/", {"post": "yes"})

    assert not AttributeLabel.objects.exists()
    assert acts(domain) == ["label given", "label given", "label removed"]
