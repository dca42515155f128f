"""Images beside a sandbox: own addresses fit without https where no mail leaves the machine, and nowhere else."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client

from signatures.models import Brand, MediaImage, Sender
from signatures.releases.compose import Composed, Composer
from signatures.releases.live import get_live_content
from tests.support.company import Company
from tests.support.fields import use
from tests.support.media import make_image_file
from tests.support.page_text import words_of
from tests.support.self_service import get_me, sign_in_as, switch_on
from tests.support.senders import get_own

HOME = "/domains/acme.example/"
ORIGIN = "http://127.0.0.1:8000"
SOURCE = (
    '<p><img src="{{ company.logo_url }}" width="90" alt="Logo"></p>'
    '<p><img src="{{ sender.photo_url }}" width="72" alt="Photo"></p><p>{{ sender.name }}</p>'
)
SHOWN = re.compile(r'src="(http://127\.0\.0\.1:8000/m/[A-Za-z0-9_-]{22}/[0-9a-f]{32}@2x\.(?:png|jpg))"')
OWN = f"{ORIGIN}/m/{'k' * 22}/{'0' * 32}@2x.png"


@pytest.fixture
def beside_sandbox(settings: Any) -> None:
    settings.PUBLIC_URL, settings.IS_SANDBOX = ORIGIN, True


@pytest.fixture
def priya(company: Company, bystander: Company) -> Sender:
    """A sender who may change her photo; Dan beside her, and Bea in another domain, show photos too."""
    switch_on(company.domain)
    priya = company.add("Priya Raman")
    company.add("Dan Cole")
    for one in (company, bystander):
        use(one.domain, SOURCE)
    return priya


def compose(sender: Sender) -> str:
    sender.refresh_from_db()
    composed = Composer(sender.domain, get_live_content(sender.domain)).compose(sender)
    assert isinstance(composed, Composed), composed
    return composed.rendered.html


def change_photo(sender: Sender) -> Client:
    """Upload a photo and crop it, as the sender."""
    client = sign_in_as(sender)
    answer = client.post(get_me(sender, "me_photo"), {"photo": make_image_file(size=(400, 300))})
    crop = {"x": 10, "y": 20, "width": 200, "height": 200}
    answer = client.post(answer["Location"].partition("#")[0], crop, follow=True)
    assert "It goes in with the next delivery." in words_of(answer)
    return client


def test_a_sender_changes_their_photo_and_sees_it_in_their_signature(beside_sandbox, priya):
    others = list(Sender.objects.exclude(pk=priya.pk))
    before = [compose(sender) for sender in others]

    client = change_photo(priya)

    own = get_own()
    url = own.pop(priya.email)["sender.photo_url"]
    frame = client.get(get_me(priya, "me_frame")).content.decode()
    assert SHOWN.findall(frame) == SHOWN.findall(compose(priya)) == [url]
    assert client.get(url.removeprefix(ORIGIN)).status_code == 200
    assert [compose(sender) for sender in others] == before
    assert not any(own.values())


@pytest.mark.parametrize(
    ("public_url", "is_sandbox"),
    [(ORIGIN, False), ("http://signatures.acme.example", True), ("http://10.0.0.8:8000", True)],
)
def test_without_a_sandbox_on_this_machine_no_photo_is_taken(priya, settings, public_url, is_sandbox):
    settings.PUBLIC_URL, settings.IS_SANDBOX = public_url, is_sandbox
    client = sign_in_as(priya)

    answer = client.post(get_me(priya, "me_photo"), {"photo": make_image_file(size=(400, 300))})

    assert answer.status_code == 422
    assert "None can be uploaded until this portal has an https address" in words_of(
        client.get(get_me(priya))
    )
    assert not MediaImage.objects.exists()


def test_a_photo_from_a_sandbox_is_in_no_signature_without_one(beside_sandbox, priya, settings):
    change_photo(priya)
    assert SHOWN.search(compose(priya))

    settings.IS_SANDBOX = False

    assert "Photo" not in compose(priya) and "Priya Raman" in compose(priya)


@pytest.mark.parametrize(
    "address",
    [
        OWN.replace("8000", "8001"),
        OWN.replace("http://127.0.0.1:8000", "http://images.example"),
        OWN.replace("/m/", "/b/"),
        OWN + "?r=1",
        OWN.replace(".png", ".svg"),
        f"{OWN}#x",
        f"{ORIGIN}/accounts/logout/",
        f"{ORIGIN}@evil.example{OWN.removeprefix(ORIGIN)}",
    ],
)
def test_every_other_address_without_https_is_refused_as_everywhere(
    beside_sandbox, priya, admin: Client, address
):
    answer = admin.post(f"{HOME}senders/{priya.pk}/values/", {"sender.photo_url": address})

    assert answer.status_code == 422
    assert "Not valid: not a" in words_of(answer)
    assert not any(get_own().values())


def test_an_own_address_can_be_typed_beside_a_sandbox_for_an_image_alone(
    beside_sandbox, priya, admin: Client
):
    page = f"{HOME}senders/{priya.pk}/values/"

    refused = admin.post(page, {"sender.photo_url": OWN, "sender.email": OWN})
    taken = admin.post(page, {"sender.photo_url": OWN})

    assert (refused.status_code, taken.status_code) == (422, 302)
    own = get_own()
    assert own.pop(priya.email) == {"sender.photo_url": OWN}
    assert not any(own.values())


def test_what_was_typed_as_an_own_address_is_refused_without_a_sandbox(priya, admin: Client, settings):
    settings.PUBLIC_URL, settings.IS_SANDBOX = ORIGIN, False

    answer = admin.post(f"{HOME}senders/{priya.pk}/values/", {"sender.photo_url": OWN})

    assert answer.status_code == 422
    assert "Not valid: not an https:// address." in words_of(answer)
    assert not any(get_own().values())


def test_the_logo_is_uploaded_beside_a_sandbox(beside_sandbox, priya, bystander, editor: Client):
    theirs = Brand.objects.filter(domain=bystander.domain).values()
    before = list(theirs)

    answer = editor.post(
        f"{HOME}brand/", {"name": "Acme", "accent": "#1b3a5b", "media-upload": make_image_file()}
    )

    assert answer.status_code == 302, words_of(answer)
    url = Brand.objects.get(domain=priya.domain).logo_url
    assert SHOWN.findall(f'src="{url}"') == [url]
    assert list(theirs) == before


def test_a_template_takes_no_address_without_https_beside_a_sandbox(beside_sandbox, priya, editor: Client):
    answer = editor.post(
        f"{HOME}templates/new/", {"name": "Local", "source": f'<p><img src="{OWN}" width="90" alt=""></p>'}
    )

    assert not priya.domain.templates.filter(name="Local").exists()
    assert answer.status_code == 422
