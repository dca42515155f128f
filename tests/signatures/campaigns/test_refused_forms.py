"""Refused forms, in the portal and in Django admin: they store nothing and name all their errors at once."""

from __future__ import annotations

import pytest
from django.core.files.base import ContentFile
from django.test import Client

from portal.models import Domain, Membership, Role, User
from signatures.models import Banner, BannerImage, BannerPlace, Campaign
from tests.support.campaigns import add_banner, make_campaign, make_picture

LINK = "https://www.acme.example/"
BANNER = {"name": "Green", "alt": "Green", "link": LINK, "weight": "1", "utm_content": ""}
TEXT = "Mail programs do not show this file type."


def text_file() -> ContentFile:
    return ContentFile(b"no picture", "notes.png")


@pytest.fixture
def person(client: Client, domain: Domain) -> Client:
    """Somebody who may change the campaigns of this domain, and is an operator."""
    user = User.objects.create_user("kim@acme.example", "correct horse battery", is_staff=True)
    Membership.objects.create(user=user, domain=domain, role=Role.OWNER)
    client.force_login(user)
    return client


@pytest.fixture
def campaign(domain: Domain, other_domain: Domain) -> Campaign:
    """A campaign with one banner, beside a bystander's."""
    add_banner(make_campaign(other_domain, name="Theirs"))
    campaign = make_campaign(domain)
    add_banner(campaign)
    return campaign


def get_rows() -> list[object]:
    return [
        list(model.objects.order_by("pk").values()) for model in (BannerImage, Banner, BannerPlace, Campaign)
    ]


def post_banner(person: Client, campaign: Campaign, page: str, form: dict[str, object]):
    """Return the errors by field of a banner that is added on either page."""
    if page == "portal":
        answer = person.post(f"/domains/{campaign.domain.name}/campaigns/{campaign.pk}/banners/new/", form)
        return answer.context["form"].errors if answer.context else {}
    sent: dict[str, object] = {
        "name": campaign.name, "starts_at": "2027-03-01T09:00", "priority": "0", "audience": "[]",
        "tally-TOTAL_FORMS": "0", "tally-INITIAL_FORMS": "0",
        "revisions-TOTAL_FORMS": "0", "revisions-INITIAL_FORMS": "0",
        "banners-TOTAL_FORMS": "1", "banners-INITIAL_FORMS": "0", "banners-0-campaign": campaign.pk,
    }  # fmt: skip
    sent |= {f"banners-0-{name}": value for name, value in form.items()}
    answer = person.post(f"/admin/signatures/campaign/{campaign.pk}/change/", sent)
    if not answer.context:
        return {}
    return next(
        one.formset.forms[0].errors
        for one in answer.context["inline_admin_formsets"]
        if one.formset.model is Banner
    )


@pytest.mark.parametrize("page", ["portal", "admin"])
def test_a_banner_names_all_its_errors_at_once_and_stores_nothing(person, campaign, page):
    before = get_rows()

    wrong = BANNER | {"alt": "", "link": "http://www.acme.example/", "picture": text_file()}
    errors = post_banner(person, campaign, page, wrong)

    assert set(errors) == {"alt", "link", "picture"}
    assert TEXT in errors["picture"][0]
    assert get_rows() == before


@pytest.mark.parametrize("page", ["portal", "admin"])
def test_a_good_picture_of_a_refused_banner_is_not_stored(person, campaign, page):
    before = get_rows()
    refused = BANNER | {"link": "javascript:alert(1)", "picture": make_picture(colour="#117733")}

    errors = post_banner(person, campaign, page, refused)

    assert set(errors) == {"link"}
    assert get_rows() == before


@pytest.mark.parametrize("page", ["portal", "admin"])
def test_a_banner_without_errors_is_stored_with_its_picture(person, campaign, page):
    images = BannerImage.objects.count()

    errors = post_banner(person, campaign, page, BANNER | {"picture": make_picture(colour="#117733")})

    assert errors == {}
    assert (campaign.banners.count(), BannerImage.objects.count()) == (2, images + 1)


def post_place(person: Client, domain: Domain, page: str, form: dict[str, object]):
    pages = {
        "portal": f"/domains/{domain.name}/campaigns/place/",
        "admin": f"/admin/signatures/bannerplace/{domain.pk}/change/",
    }
    answer = person.post(pages[page], form)
    if not answer.context:
        return {}
    return answer.context["form" if page == "portal" else "adminform"].errors


@pytest.mark.parametrize("page", ["portal", "admin"])
@pytest.mark.parametrize(
    ("form", "fields"),
    [
        ({"width": "9000", "height": "120", "picture": text_file, "default_link": "ftp://a"},
         {"width", "picture", "default_link"}),
        ({"width": "480", "height": "120", "picture": make_picture, "default_link": "http://a.example/"},
         {"default_link"}),
        ({"width": "500", "height": "120", "picture": lambda: make_picture(size=(1200, 300))}, {"width"}),
    ],
)  # fmt: skip
def test_a_refused_banner_slot_names_all_its_errors_and_stores_nothing(person, campaign, page, form, fields):
    before = get_rows()
    form = {name: value() if callable(value) else value for name, value in form.items()}

    errors = post_place(person, campaign.domain, page, form)

    assert set(errors) == fields
    assert get_rows() == before


def test_a_slot_that_is_resized_while_a_picture_is_cut_refuses_that_picture(person, campaign, monkeypatch):
    """The picture was cut to the size that the page knew; the row has another one by now."""
    from signatures.views import banners

    save = banners.save_banner

    def resize_first(*args, **kwargs):
        BannerPlace.objects.filter(domain=campaign.domain).update(width=320)
        return save(*args, **kwargs)

    monkeypatch.setattr(banners, "save_banner", resize_first)
    errors = post_banner(person, campaign, "portal", BANNER | {"picture": make_picture(colour="#117733")})

    assert "has changed" in errors["picture"][0]
    assert campaign.banners.count() == 1
