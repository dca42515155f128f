"""The pages of campaigns: made, filled, started and looked at as a marketer does, by forms that need no script."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.core.files.base import ContentFile
from django.db import connection as database
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from portal.models import Domain, User
from signatures.campaigns.banners import PlaceDetails, change_place
from signatures.campaigns.editing import pause_campaign, set_audience, start_campaign
from signatures.forms.walltime import to_wall
from signatures.models import (
    AttributeLabel,
    Banner,
    BannerPlace,
    Campaign,
    DecisionKey,
    Group,
    RecipientList,
)
from tests.support.campaigns import BY, add_banner, make_campaign, make_picture

PAGE = "/domains/acme.example/campaigns/"
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


@pytest.fixture
def running(company, domain: Domain) -> Campaign:
    """A campaign of no end with one banner, started, in a domain whose place is on."""
    company.add("Ana Silva", teams=("Ant",))
    change_place(domain, PlaceDetails(is_on=True, width=480, height=120), actor=BY)
    DecisionKey.objects.create(domain=domain, name="Gateway", prefix="p", key_sha256="d")
    campaign = make_campaign(domain, starts_at=datetime(2024, 1, 1, tzinfo=UTC), ends_at=None)
    add_banner(campaign)
    start_campaign(campaign, actor=BY)
    return campaign


def read(response) -> str:
    """The page's words, on one line."""
    return " ".join(response.content.decode().split())


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
    editor.force_login(User.objects.create_user("op@portal.example", "correct horse battery", is_staff=True))
    states = {row.name: row.known_state for row in editor.get(ADMIN).context["cl"].result_list}
    assert states == {"Spring": "blocked", "Later": "paused"}
    assert "Blocked" in read(editor.get(f"{ADMIN}{running.pk}/change/"))


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


BANNER = {
    "name": "Green",
    "alt": "Join us",
    "link": "https://www.acme.example/join?x=1",
    "weight": "3",
    "utm_content": "green",
}


def test_a_banner_is_added_with_its_picture_and_shown_with_its_final_address(running, editor: Client):
    form = BANNER | {"picture": make_picture(colour="green")}

    page = read(editor.post(f"{PAGE}{running.pk}/banners/new/", form, follow=True))

    banner = Banner.objects.get(name="Green")
    assert "“Green” saved." in page
    assert (
        "https://www.acme.example/join?x=1&amp;utm_source=outreach&amp;utm_medium=email-signature"
        "&amp;utm_campaign=spring&amp;utm_content=green"
    ) in page
    assert "Traffic share 75 %" in page
    picture = editor.get(f"{PAGE}pictures/{banner.image_id}/")
    assert (picture["Content-Type"], picture.content) == ("image/png", bytes(banner.image.bytes_2x))


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        ({"link": "http://www.acme.example/"}, "link", "not an https:// address"),
        ({"picture": None}, "picture", "This field is required."),
        ({"picture": "small"}, "picture", "it must have at least 480 × 120"),
        ({"weight": "0"}, "weight", "greater than or equal to 1"),
        ({"alt": ""}, "alt", "This field is required."),
    ],
)
def test_a_banner_that_cannot_be_is_told_at_the_field(running, editor: Client, change, field, words):
    form = BANNER | {"picture": make_picture()} | change
    if form["picture"] == "small":
        form["picture"] = make_picture(size=(100, 100))
    if form["picture"] is None:
        del form["picture"]

    response = editor.post(f"{PAGE}{running.pk}/banners/new/", form)

    assert response.status_code == 422
    assert words in response.context["form"].errors[field][0]
    assert running.banners.count() == 1
    assert "Not saved. 1 field needs attention." in " ".join(read(response).split())


def test_a_banner_is_changed_without_its_picture_and_archived(running, editor: Client):
    banner = running.banners.get()
    address = f"{PAGE}{running.pk}/banners/{banner.pk}/"

    editor.post(address, BANNER)
    page = read(editor.post(f"{address}archive/", follow=True))

    banner.refresh_from_db()
    assert (banner.name, banner.weight, banner.archived_at is not None) == ("Green", 3, True)
    assert "“Green” archived. Its results are kept." in page
    assert editor.get(address).status_code == 404


def test_the_final_address_is_shown_as_it_is_typed(running, editor: Client):
    address = f"{PAGE}{running.pk}/banners/destination/"

    typed = read(editor.post(address, {"link": "https://a.example/?utm_source=own"}))
    unfinished = read(editor.post(address, {"link": "https://"}))

    assert "https://a.example/?utm_source=own&amp;utm_medium=email-signature&amp;utm_campaign=spring" in typed
    assert "Enter a link above." in unfinished


def test_the_place_says_how_many_signatures_change_before_it_is_turned_on(company, domain, editor: Client):
    company.add("Ana Silva", teams=("Ant",))
    company.add("Tom Okafor", teams=("Ant",))

    before = editor.get(f"{PAGE}place/")
    response = editor.post(
        f"{PAGE}place/",
        {"is_on": "on", "width": "480", "height": "120", "picture": make_picture()},
        follow=True,
    )

    place = BannerPlace.objects.get(domain=domain)
    assert (place.is_on, place.default_image is not None) == (True, True)
    carriers = before.context["carriers"]
    noun = "signature changes" if carriers == 1 else "signatures change"
    assert f"{carriers} {noun} when you turn it on" in read(before)
    assert "Banner settings saved." in read(response)


def test_another_size_is_refused_at_the_field_while_banners_have_the_old_one(running, editor: Client):
    response = editor.post(f"{PAGE}place/", {"is_on": "on", "width": "500", "height": "120"})

    assert response.status_code == 422
    assert "1 banner is cut to the size there is." in response.context["form"].errors["width"][0]


class TestAudience:
    """The builder, button by button."""

    @pytest.fixture
    def address(self, running) -> str:
        return f"{PAGE}{running.pk}/audience/"

    def test_a_condition_is_added_filled_and_saved_without_a_script(self, running, address, editor: Client):
        added = editor.post(address, {"new": "title", "add": "1"})
        assert [row.label for row in added.context["builder"].rows] == ["Title"]
        typed = {"c0-attribute": "title", "c0-operator": "contains", "c0-values": "VP\n Head of "}

        second = editor.post(address, typed | {"new": "tags", "add": "1"})
        assert second.context["builder"].rows[0].values == ["VP", "Head of"]
        assert second.context["sentences"] == ["Title contains “VP”, “Head of”"]
        running.refresh_from_db()
        assert running.audience == []

        typed |= {"c1-attribute": "tags", "c1-operator": "has_any", "c1-values": "emea"}
        saved = editor.post(address, typed | {"save": "1"}, follow=True)
        running.refresh_from_db()
        assert running.audience == [
            {"attribute": "title", "operator": "contains", "values": ["VP", "Head of"]},
            {"attribute": "tags", "operator": "has_any", "values": ["emea"]},
        ]
        page = read(saved)
        assert "Title contains “VP”, “Head of”" in page
        assert "Tags has any of “emea”" in page

    def test_a_condition_is_removed_and_the_others_keep_what_was_typed(self, address, editor: Client):
        typed = {
            "c0-attribute": "title", "c0-operator": "is_not", "c0-values": "CEO",
            "c1-attribute": "score", "c1-operator": "at_least", "c1-values": "50",
        }  # fmt: skip

        response = editor.post(address, typed | {"drop": "0"})

        (row,) = response.context["builder"].rows
        assert (row.index, row.attribute.name, row.operator, row.values) == (0, "score", "at_least", ["50"])

    def test_a_condition_that_cannot_be_used_is_told_at_its_row(self, running, address, editor: Client):
        typed = {
            "c0-attribute": "title", "c0-operator": "is", "c0-values": "CEO",
            "c1-attribute": "score", "c1-operator": "at_least", "c1-values": "many",
        }  # fmt: skip

        response = editor.post(address, typed | {"save": "1"})

        assert response.status_code == 422
        assert [row.error for row in response.context["builder"].rows] == [
            "",
            "Enter one number for score.",
        ]
        running.refresh_from_db()
        assert running.audience == []

    def test_labels_people_and_lists_are_typed_by_name_and_stored_by_id(
        self, company, running, domain, address, editor: Client
    ):
        AttributeLabel.objects.create(domain=domain, kind="stage", key="3", label="Customer")
        AttributeLabel.objects.create(domain=domain, kind="custom", key="12", label="Tier")
        partners = RecipientList.objects.create(domain=domain, name="Partners")
        company.add("Tom Okafor", email="tom@acme.example")
        typed = {
            "c0-attribute": "stage", "c0-operator": "is", "c0-values": "customer\n9",
            "c1-attribute": "owner", "c1-operator": "is", "c1-values": "TOM@acme.example\nAna Silva",
            "c2-attribute": "list", "c2-operator": "is", "c2-values": [str(partners.pk)],
            "c3-attribute": "custom12", "c3-operator": "is_filled",
        }  # fmt: skip

        saved = read(editor.post(address, typed | {"save": "1"}, follow=True))

        running.refresh_from_db()
        assert [condition["values"] for condition in running.audience] == [
            ["3", "9"],
            ["2", "1"],
            [str(partners.pk)],
            [],
        ]
        for sentence in (
            "Stage is “Customer”, “9”",
            "Owner is “Tom Okafor”, “Ana Silva”",
            "Recipient list is “Partners”",
            "Tier is filled in",
        ):
            assert sentence in saved
        again = editor.get(address).context["builder"]
        assert [row.values for row in again.rows] == [
            ["Customer", "9"],
            ["tom@acme.example", "person1@acme.example"],
            [str(partners.pk)],
            [],
        ]
        assert again.get_stored() == running.audience

    @pytest.mark.parametrize(
        ("attribute", "value", "words"),
        [
            ("owner", "Nobody Known", "“Nobody Known” is no user"),
            ("owner", "bea@bystander.example", "is no user, or more than one"),
            ("stage", "Lead", "“Lead” is neither a label nor an ID."),
            ("list", "99999", "A recipient list of this condition is not there any more."),
        ],
    )
    def test_a_name_nobody_has_is_told_at_its_row(self, bystander, address, editor, attribute, value, words):
        typed = {"c0-attribute": attribute, "c0-operator": "is", "c0-values": value, "save": "1"}

        response = editor.post(address, typed)

        assert response.status_code == 422
        assert words in response.context["builder"].rows[0].error

    def test_custom_fields_go_by_their_label_once_they_have_one(self, domain, address, editor: Client):
        AttributeLabel.objects.create(domain=domain, kind="custom", key="7", label="Tier")

        groups = dict(editor.get(address).context["attributes"])

        assert [(one.name, label) for one, label in groups["Custom fields"]] == [("custom7", "Tier")]
        assert len(groups["Custom fields without a label"]) == 149

    def test_with_htmx_the_builder_alone_comes_back(self, address, editor: Client):
        response = editor.post(address, {"new": "title", "add": "1"}, headers={"HX-Request": "true"})

        assert response.templates[0].name == "signatures/campaigns/_audience_builder.html"
        assert "<html" not in response.content.decode()


def test_a_list_is_uploaded_replaced_and_deleted(company, domain, editor: Client):
    address = f"{PAGE}lists/"
    page = read(
        editor.post(
            address, {"name": "Partners", "file": ContentFile(b"a.example\nb.example", "p.csv")}, follow=True
        )
    )
    assert "“Partners” has 2 entries." in page
    saved = RecipientList.objects.get(domain=domain)

    bad = editor.post(
        f"{address}{saved.pk}/", {"name": "Partners", "file": ContentFile(b"a.example\nno", "p.csv")}
    )
    assert bad.status_code == 422
    assert bad.context["form"].errors["file"] == [
        "Nothing was imported: 1 line is neither a mail domain nor an address.",
        "Line 2 is neither a mail domain nor an address.",
    ]
    twice = editor.post(address, {"name": "Partners", "file": ContentFile(b"a.example", "p.csv")})
    assert twice.context["form"].errors["name"] == ["A list with this name exists already."]
    page = read(editor.post(f"{address}{saved.pk}/delete/", follow=True))

    assert "“Partners” deleted." in page
    assert not RecipientList.objects.exists()


def test_a_list_in_use_names_its_campaign_and_stays(running, domain, editor: Client):
    saved = RecipientList.objects.create(domain=domain, name="Partners")
    set_audience(running, [{"attribute": "list", "operator": "is", "values": [str(saved.pk)]}], actor=BY)

    page = read(editor.post(f"{PAGE}lists/{saved.pk}/delete/", follow=True))

    assert "“Partners” is in the audience of “Spring”. Remove it there first." in page
    assert RecipientList.objects.filter(pk=saved.pk).exists()


@pytest.mark.parametrize(
    ("typed", "field", "words"),
    [
        ({"kind": "custom", "key": "151", "label": "Tier"}, "key", "Enter a number from 1 to 150."),
        ({"kind": "stage", "key": "abc", "label": "Lead"}, "key", "Enter the ID, a number."),
        ({"kind": "stage", "key": "3", "label": "Lead"}, "key", "This already has a label. Edit that one."),
    ],
)
def test_a_label_is_for_one_number(company, domain, editor: Client, typed, field, words):
    AttributeLabel.objects.create(domain=domain, kind="stage", key="3", label="Customer")

    response = editor.post(f"{PAGE}labels/", typed)

    assert (response.status_code, response.context["form"].errors[field]) == (422, [words])


def test_a_label_is_given_changed_and_removed(company, domain, editor: Client):
    editor.post(f"{PAGE}labels/", {"kind": "stage", "key": "03", "label": "Lead"})
    label = AttributeLabel.objects.get(domain=domain)
    assert (label.key, label.label) == ("3", "Lead")

    editor.post(f"{PAGE}labels/{label.pk}/", {"kind": "stage", "key": "3", "label": "Customer"})
    label.refresh_from_db()
    assert label.label == "Customer"
    page = read(editor.post(f"{PAGE}labels/{label.pk}/delete/", follow=True))

    assert "Stage 3 has no label any more." in page
    assert not AttributeLabel.objects.exists()


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
