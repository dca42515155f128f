"""The pages of banners and of their slot: added, changed, archived, and what is refused at the field."""

from __future__ import annotations

import pytest
from django.test import Client

from signatures.models import (
    Banner,
    BannerPlace,
)
from tests.support.campaign_pages import PAGE, read
from tests.support.campaigns import make_picture

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
    assert "1 banner is cropped to the current size." in response.context["form"].errors["width"][0]
