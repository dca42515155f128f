"""The pages of campaigns: made, filled, started and looked at as a marketer does, by forms that need no script."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection as database
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from portal.models import Domain, User
from signatures.campaigns.banners import PlaceDetails, change_place
from signatures.campaigns.editing import pause_campaign, set_audience
from signatures.forms.walltime import to_wall
from signatures.models import (
    Campaign,
    Group,
    Release,
    TemplateVersion,
)
from tests.support.campaign_pages import PAGE, read
from tests.support.campaigns import BY, add_banner, make_campaign
from tests.support.deliveries import change_template, publish_drafts

ADMIN = "/admin/signatures/campaign/"
GAP = "02:30 does not exist on 28 March 2027: the clocks go forward then. Enter 03:30 or later."
NEW = {
    "name": "Spring webinar",
    "starts_at": "2027-03-01T09:00",
    "ends_at": "2027-03-31T18:00",
    "priority": "3",
    "utm_source": "outreach",
    "utm_medium": "email-signature",
    "utm_campaign": "spring",
}


@pytest.fixture
def berlin(domain: Domain) -> Domain:
    domain.time_zone = "Europe/Berlin"
    domain.save()
    return domain


def test_a_domain_without_campaigns_says_what_one_does_and_how_to_make_it(company, editor: Client):
    page = read(editor.get(PAGE))

    assert "No campaigns yet" in page
    assert f'href="{PAGE}new/">Create the first campaign' in page


def test_an_editor_makes_a_campaign_in_the_domains_time_zone(berlin, company, editor: Client):
    response = editor.post(f"{PAGE}new/", NEW, follow=True)

    campaign = Campaign.objects.get(domain=berlin)
    assert (campaign.starts_at, campaign.ends_at) == (
        datetime(2027, 3, 1, 8, tzinfo=UTC),
        datetime(2027, 3, 31, 16, tzinfo=UTC),
    )
    assert (campaign.priority, campaign.paused_at is not None) == (3, True)
    page = read(response)
    assert "“Spring webinar” created, paused." in page
    assert "1 Mar 2027, 09:00" in page
    assert "Europe/Berlin" in page


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        ({"name": ""}, "name", "This field is required."),
        ({"starts_at": "soon"}, "starts_at", "Enter a date and time, such as 2027-03-01 09:00."),
        ({"starts_at": "2027-03-28T02:30"}, "starts_at", GAP),
        ({"ends_at": "2027-03-01T09:00"}, "ends_at", "The end must be after the start."),
        ({"cap_times": "2"}, "cap_days", "A frequency cap needs both: max. impressions and period."),
        ({"cap_times": "0", "cap_days": "7"}, "cap_times", "Enter 1 or more, or leave both empty."),
        ({"groups": ["99999"]}, "groups", "Select a valid choice. 99999 is not one of the available choices."),
    ],
)  # fmt: skip
def test_what_cannot_be_is_said_at_the_field_and_nothing_is_made(
    berlin, company, editor, change, field, words
):
    response = editor.post(f"{PAGE}new/", NEW | change)

    assert response.status_code == 422
    assert response.context["form"].errors[field] == [words]
    assert not Campaign.objects.exists()


def test_groups_of_another_domain_cannot_be_chosen(company, bystander, editor: Client):
    foreign = Group.objects.filter(domain=bystander.domain).first()

    response = editor.post(f"{PAGE}new/", NEW | {"groups": [foreign.pk]})

    assert response.status_code == 422
    assert "Bystanders" not in read(response)


def test_a_change_shows_what_is_stored_and_keeps_the_rest(berlin, running, editor: Client):
    form = editor.get(f"{PAGE}{running.pk}/change/").context["form"]
    assert form["starts_at"].value() == "2024-01-01T01:00"

    response = editor.post(f"{PAGE}{running.pk}/change/", NEW, follow=True)

    running.refresh_from_db()
    assert (running.name, running.paused_at, running.banners.count()) == ("Spring webinar", None, 1)
    assert "“Spring webinar” saved." in read(response)


def test_the_list_tells_state_time_audience_and_what_keeps_one_from_showing(running, domain, editor: Client):
    set_audience(running, [{"attribute": "tags", "operator": "has_any", "values": ["emea"]}], actor=BY)
    make_campaign(domain, name="Empty", priority=-1)

    response = editor.get(PAGE)

    assert [(line.campaign.name, line.state) for line in response.context["lines"]] == [
        ("Spring", "blocked"),  # its audience asks for prospects, which are not read
        ("Empty", "paused"),
    ]
    page = read(response)
    assert "Tags has any of “emea”" in page
    assert "No banner. Add one." in page
    assert page.count("<rect class=") >= 1
    assert ">Today</text>" in page


def test_campaigns_that_ask_for_prospects_are_dark_by_name_where_the_permission_is_missing(
    running, domain, editor: Client
):
    set_audience(running, [{"attribute": "title", "operator": "is_filled"}], actor=BY)

    page = read(editor.get(PAGE))

    # This company's connection was granted mailboxes alone.
    assert "1 campaign is blocked" in page
    assert "“Spring” needs prospects. The permission prospects.read is not granted." in page
    assert "Blocked: its audience needs prospects" in read(editor.get(f"{PAGE}{running.pk}/"))


def test_a_list_of_three_takes_as_many_queries_as_one_of_one(
    running, domain, editor: Client, django_assert_num_queries
):
    with CaptureQueriesContext(database) as one:
        editor.get(PAGE)
    for name in ("Second", "Third"):
        add_banner(make_campaign(domain, name=name))

    with django_assert_num_queries(len(one)):
        editor.get(PAGE)


def test_a_campaign_is_started_paused_copied_archived_and_brought_back_by_buttons(running, editor: Client):
    address = f"{PAGE}{running.pk}/"

    def press(act: str) -> str:
        return read(editor.post(f"{address}{act}/", follow=True))

    assert "“Spring” paused." in press("pause")
    assert "“Spring” started." in press("start")
    assert "Copy of “Spring” created, paused." in press("copy")
    assert "“Spring” archived." in press("archive")
    assert editor.post(f"{address}copy/").status_code == 404
    assert editor.get(f"{address}change/").status_code == 404
    assert "No longer shown; its results are kept." in read(editor.get(address))
    assert "“Spring” restored, paused." in press("bring-back")


def test_a_started_campaign_that_cannot_show_is_blocked_in_list_page_and_admin(
    running, domain, editor: Client
):
    address = f"{PAGE}{running.pk}/"
    change_place(domain, PlaceDetails(is_on=False, width=480, height=120), actor=BY)
    make_campaign(domain, name="Later")

    listed = editor.get(PAGE).context
    page = editor.get(address).context

    assert [(line.campaign.name, line.label) for line in listed["lines"]] == [
        ("Spring", "Blocked"),
        ("Later", "Paused"),
    ]
    assert [bar.state for bar in listed["timeline"].bars if bar.campaign.id == running.pk] == ["blocked"]
    assert (page["state"], page["state_label"]) == ("blocked", "Blocked")
    head = read(editor.get(address)).partition("<h2>")[0]
    assert "Started, but it cannot show." in head and "Active." not in head
    editor.force_login(User.objects.create_user("op@portal.example", "correct horse battery", is_staff=True))
    states = {row.name: row.known_state for row in editor.get(ADMIN).context["cl"].result_list}
    assert states == {"Spring": "blocked", "Later": "paused"}
    admin_page = read(editor.get(f"{ADMIN}{running.pk}/change/"))
    assert "Blocked" in admin_page and "The banner slot is off, so signatures show no banner." in admin_page


@pytest.mark.parametrize(
    ("unpublish", "words"),
    [
        (lambda domain: Release.objects.filter(domain=domain).delete(), "Nothing is published yet"),
        (
            lambda domain: change_template(domain, "<p>No slot</p>"),
            "No published template has a banner slot.",
        ),
    ],
)
def test_a_campaign_is_blocked_while_no_published_signature_has_a_banner_slot(
    running, domain, bystander, editor: Client, unpublish, words
):
    assert [line.label for line in editor.get(PAGE).context["lines"]] == ["Active"]
    TemplateVersion.objects.filter(template__domain=domain).exclude(
        template__assignments__group__is_default=True
    ).update(fields=[])
    assert [line.label for line in editor.get(PAGE).context["lines"]] == ["Active"]

    unpublish(domain)

    assert [line.label for line in editor.get(PAGE).context["lines"]] == ["Blocked"]
    assert words in read(editor.get(PAGE))
    assert words in read(editor.get(f"{PAGE}{running.pk}/"))
    editor.force_login(User.objects.create_user("op@portal.example", "correct horse battery", is_staff=True))
    assert words in read(editor.get(f"{ADMIN}{running.pk}/change/"))


def test_a_banner_slot_that_was_turned_on_and_not_published_blocks(company, domain, editor: Client):
    company.add("Ana Silva")
    change_place(domain, PlaceDetails(is_on=True, width=480, height=120), actor=BY)
    campaign = make_campaign(domain, starts_at=timezone.now(), ends_at=None)
    add_banner(campaign)
    editor.post(f"{PAGE}{campaign.pk}/start/")

    words = "The banner slot is off in the published release. Publish the banner settings."
    assert words in read(editor.get(PAGE))
    publish_drafts(domain)
    assert words not in read(editor.get(PAGE))


def test_starting_a_campaign_that_cannot_show_says_so_and_why(running, domain, editor: Client):
    address = f"{PAGE}{running.pk}/"

    def restart() -> str:
        pause_campaign(running, actor=BY)
        return read(editor.post(f"{address}start/", follow=True))

    assert "“Spring” started. It shows" in restart()
    change_place(domain, PlaceDetails(is_on=False, width=480, height=120), actor=BY)
    said = restart()
    assert "“Spring” started, but it cannot show. The banner slot is off" in said
    assert "“Spring” started. It shows" not in said


def test_a_second_campaign_of_the_same_name_is_said_on_both(running, domain, editor: Client):
    other = make_campaign(domain, name="Other")

    response = editor.post(f"{PAGE}new/", NEW | {"name": running.name}, follow=True)

    assert "Another campaign has the same name." in read(response)
    assert "Another campaign has the same name." in read(editor.get(f"{PAGE}{running.pk}/"))
    assert "Another campaign has the same name." not in read(editor.get(f"{PAGE}{other.pk}/"))


def test_starting_without_a_banner_is_refused_in_words(company, domain, editor: Client):
    campaign = make_campaign(domain)

    page = read(editor.post(f"{PAGE}{campaign.pk}/start/", follow=True))

    assert "“Spring” has no banner to show. Add one, then start it." in page
    campaign.refresh_from_db()
    assert campaign.paused_at is not None


def test_why_a_banner_showed_is_told_with_the_campaigns_as_they_were(running, domain, editor: Client):
    asked = {
        "sender": "Ana Silva",
        "at": to_wall(timezone.now() - timedelta(days=2), UTC).strftime("%Y-%m-%dT%H:%M"),
    }
    long_ago = timezone.now() - timedelta(days=3)
    running.revisions.update(since=long_ago)
    Campaign.objects.filter(pk=running.pk).update(created_at=long_ago)
    pause_campaign(running, actor=BY)

    now = read(editor.get(f"{PAGE}why/", {"sender": "Ana Silva"}))
    then = read(editor.get(f"{PAGE}why/", asked))
    make_campaign(domain, name="Newer")
    running.revisions.filter(since=long_ago).delete()
    unsure = read(editor.get(f"{PAGE}why/", asked))
    preview = read(editor.get(f"{PAGE}{running.pk}/preview/", asked))

    assert "no campaign applies" in now and "Paused." in now and "as of that time" not in now
    assert "nothing outranks it." in then and "Paused." not in then
    assert "Campaigns are shown as of that time" in then and "no revision that old is kept" not in then
    assert "created later" not in then and "1 current campaign was created later." in unsure
    for page in (unsure, preview):
        assert "Of 1 campaign no revision that old is kept" in page


def test_an_auditor_sees_campaigns_and_no_button(running, auditor: Client):
    for address in (PAGE, f"{PAGE}{running.pk}/", f"{PAGE}why/", f"{PAGE}{running.pk}/preview/"):
        page = read(auditor.get(address))

        assert "New campaign" not in page
        assert "Archive campaign" not in page
        assert "recipient1" not in page
