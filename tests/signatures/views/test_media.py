"""The pages of media: uploads, filters, one image with its uses, and the choice of an image for a value or block."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.db import connection as database
from django.test import Client
from django.test.utils import CaptureQueriesContext

from assets.draw_social_icons import digest_set
from signatures.media import social_icons
from signatures.media.library import get_offer
from signatures.models import Brand, MediaFile, MediaImage, ValueDraft
from signatures.rendering.blocks import Design, Picture, Social, Theme, write_design
from signatures.rendering.blocks.choices import NETWORKS
from tests.support.banners import PUBLIC_URL
from tests.support.media import add_medium, make_image_file
from tests.support.page_text import words_of

MEDIA = "/domains/acme.example/media/"
BLOCKS = "/domains/acme.example/templates/blocks/"
BRAND = "/domains/acme.example/brand/"
VALUES = {"name": "Acme", "website": "www.acme.example", "accent": "#2b4acb", "legal": "Acme Inc."}


@pytest.fixture(autouse=True)
def _https(settings):
    settings.PUBLIC_URL = PUBLIC_URL


def test_a_file_is_uploaded_and_named_after_itself(company, bystander, editor: Client):
    answer = editor.post(f"{MEDIA}upload/", {"kind": "logo", "images": make_image_file()})

    image = MediaImage.objects.get()
    assert (answer.status_code, answer["Location"]) == (302, f"{MEDIA}{image.pk}/")
    assert (image.domain, image.kind, image.name) == (company.domain, "logo", "acme logo")
    assert image.created_by_label == "editor@acme.example"


def test_several_files_are_uploaded_at_once_and_a_refused_one_is_named(company, editor: Client):
    files = [make_image_file(name="one.png"), make_image_file("#aa3355", name="two.png")]
    assert editor.post(f"{MEDIA}upload/", {"kind": "icon", "images": files})["Location"] == MEDIA

    bad = make_image_file(name="broken.png")
    bad.file.truncate(200)
    bad.size = 200
    answer = editor.post(f"{MEDIA}upload/", {"kind": "icon", "images": [bad]})

    assert answer.status_code == 422
    assert "broken.png: The image is damaged or incomplete." in words_of(answer)
    assert sorted(MediaImage.objects.values_list("name", flat=True)) == ["one", "two"]


@pytest.mark.parametrize(
    "posted",
    [{"kind": "logo"}, {"kind": "other", "images": make_image_file()}, {"images": make_image_file()}],
)
def test_an_upload_without_kind_or_file_stores_nothing(company, editor: Client, posted):
    assert editor.post(f"{MEDIA}upload/", posted).status_code == 422
    assert not MediaImage.objects.exists()


def test_the_list_is_of_this_domain_and_filters(company, bystander, auditor: Client):
    add_medium(bystander.domain, "Theirs")
    add_medium(company.domain, "Wordmark")
    add_medium(company.domain, "Smile", kind="icon")

    everything, icons = words_of(auditor.get(MEDIA)), words_of(auditor.get(MEDIA, {"kind": "icon"}))
    found, removed = (
        words_of(auditor.get(MEDIA, {"q": "wordm"})),
        words_of(auditor.get(MEDIA, {"state": "removed"})),
    )

    assert "Wordmark" in everything
    assert "Smile" in everything
    assert "Theirs" not in everything
    assert "Smile" in icons
    assert "Wordmark" not in icons
    assert "Wordmark" in found
    assert "Smile" not in found
    assert "No image matches" in removed
    assert "Upload" not in everything  # auditors look


def test_the_list_asks_the_database_the_same_for_one_image_and_for_three(company, auditor: Client):
    add_medium(company.domain)
    with CaptureQueriesContext(database) as for_one:
        auditor.get(MEDIA)
    for colour in ("#aa3355", "#33aa55"):
        add_medium(company.domain, colour=colour)
    with CaptureQueriesContext(database) as for_three:
        auditor.get(MEDIA)

    assert len(for_three) == len(for_one)
    assert not [one["sql"] for one in for_three if "bytes_2x" in one["sql"] or '"source"' in one["sql"]]


def test_an_image_says_where_it_is_used(company, bystander, admin: Client):
    image = add_medium(company.domain)
    url = get_offer(image).url
    Brand.objects.update_or_create(domain=company.domain, defaults={"logo_url": url})
    ana = company.add("Ana Silva")
    ana.own_values = {"sender.photo_url": url}
    ana.save()
    lee = company.add("Lee Chan")
    ValueDraft.objects.create(sender=lee, field="sender.photo_url", value=url)
    Brand.objects.update_or_create(domain=bystander.domain, defaults={"logo_url": url})

    words = words_of(admin.get(f"{MEDIA}{image.pk}/"))

    assert "Brand , as the logo" in words
    assert "Ana Silva , own value" in words
    assert "Lee Chan , own value" in words
    assert "Bea" not in words
    assert "Nowhere" in words_of(admin.get(f"{MEDIA}{add_medium(company.domain, kind='icon').pk}/"))


def test_a_crop_by_numbers_gets_an_address_of_its_own(company, editor: Client):
    image = add_medium(company.domain)
    former = get_offer(image).path

    answer = editor.post(
        f"{MEDIA}{image.pk}/crop/", {"x": 0, "y": 0, "width": 320, "height": 240}, follow=True
    )
    refused = editor.post(f"{MEDIA}{image.pk}/crop/", {"x": 600, "y": 0, "width": 320, "height": 240})

    image.refresh_from_db()
    assert "It has a new address" in words_of(answer)
    assert get_offer(image).path != former
    assert refused.status_code == 422
    assert "must lie inside the image, 640 × 240 pixels" in words_of(refused)
    assert MediaFile.objects.count() == 2
    assert editor.get(former).status_code == editor.get(get_offer(image).path).status_code == 200


def test_a_removed_image_is_offered_no_more_until_it_is_restored(company, editor: Client):
    image = add_medium(company.domain, "Wordmark")

    editor.post(f"{MEDIA}{image.pk}/remove/", follow=True)
    offered = words_of(editor.get(BRAND))
    editor.post(f"{MEDIA}{image.pk}/restore/", follow=True)

    assert "Wordmark" not in offered
    assert "Wordmark" in words_of(editor.get(BRAND))


def test_the_logo_is_chosen_from_media(company, bystander, editor: Client):
    image, theirs = add_medium(company.domain), add_medium(bystander.domain)

    editor.post(BRAND, {**VALUES, "logo_url": "https://old.example/logo.png", "media-medium": image.pk})
    refused = editor.post(BRAND, {**VALUES, "media-medium": theirs.pk})

    assert Brand.objects.get(domain=company.domain).logo_url == get_offer(image).url
    assert refused.status_code == 422


def test_the_logo_is_uploaded_beside_its_address(company, editor: Client):
    editor.post(BRAND, {**VALUES, "media-upload": make_image_file()})

    assert (
        Brand.objects.get(domain=company.domain).logo_url
        == get_offer(MediaImage.objects.get(kind="logo")).url
    )


def test_a_refused_upload_leaves_the_brand_as_it_was(company, editor: Client):
    svg = make_image_file(name="logo.svg")
    svg.file.seek(0)
    svg.file.write(b"<svg xmlns='http://www.w3.org/2000/svg'/>" + b" " * 9_000)

    answer = editor.post(BRAND, {**VALUES, "media-upload": svg})

    assert answer.status_code == 422
    assert not Brand.objects.filter(domain=company.domain).exists()
    assert not MediaImage.objects.exists()


def test_a_portal_without_https_says_why_it_offers_no_address(company, editor: Client, settings):
    settings.PUBLIC_URL, settings.IS_SANDBOX = "http://127.0.0.1:8000", False

    answer = editor.post(BRAND, {**VALUES, "media-medium": add_medium(company.domain).pk})

    assert answer.status_code == 422
    assert "this portal has no https address" in words_of(answer)


def test_a_photo_is_uploaded_for_one_sender_and_named_after_them(company, admin: Client):
    ana, lee = company.add("Ana Silva"), company.add("Lee Chan")

    admin.post(f"/domains/acme.example/senders/{ana.pk}/values/", {"media-upload": make_image_file()})

    image = MediaImage.objects.get()
    ana.refresh_from_db()
    lee.refresh_from_db()
    assert (image.kind, image.name) == ("photo", "Ana Silva")
    assert ana.own_values == {"sender.photo_url": get_offer(image).url}
    assert lee.own_values == {}


def test_a_block_takes_an_image_of_the_domain(company, bystander, editor: Client):
    image = add_medium(company.domain, "Wordmark")
    add_medium(bystander.domain, "Theirs")
    source = write_design(Design(Theme(), (Picture(),)))
    post = {"source": source, "chosen": "0", "of": "picture", "act": "update"}
    opened = editor.post(BLOCKS, {**post, "of": "", "act": "open:0"})
    settings = {
        "b-width": 96,
        "b-shape": "plain",
        "b-alt": "Acme",
        "b-ground": "none",
        "b-gap": "normal",
        "b-when": "",
    }

    answer = editor.post(
        BLOCKS,
        {**post, **settings, "b-link": "", "b-image": get_offer(image).url, "b-image-own": ""},
    )

    assert f'<option value="{get_offer(image).url}">Wordmark</option>' in opened.content.decode()
    assert "Theirs" not in opened.content.decode()
    assert answer.status_code == 200
    assert f'<option value="{get_offer(image).url}" selected>Wordmark</option>' in answer.content.decode()
    assert get_offer(image).url in answer.context["editor"].source


def test_a_social_block_takes_the_portals_icons(company, editor: Client):
    source = write_design(Design(Theme(), (Social(),)))
    post = {
        "source": source,
        "chosen": "0",
        "of": "social",
        "act": "update",
        "b-size": 20,
        "b-gap": "normal",
        "b-when": "",
    }
    links = {"b-links": ["linkedin"], "b-links-link": ["sender.linkedin_url"]}
    icons = social_icons.get_icons_url()

    answer = editor.post(BLOCKS, {**post, **links, "b-icons": icons, "b-icons-own": ""})

    assert icons == f"{PUBLIC_URL}/static/signatures/{social_icons.FOLDER}/"
    assert f'<img src="{icons}linkedin.png" alt="LinkedIn"' in answer.context["editor"].source
    words = editor.post(BLOCKS, {**post, **links, "b-icons": "", "b-icons-own": ""})
    assert "<img" not in words.context["editor"].source


def test_an_address_that_is_no_image_is_saved_with_a_remark(company, admin: Client, settings):
    settings.CHECK_IMAGE_ADDRESSES = True
    gone = "https://gone.invalid/gone.png"  # a name that no DNS has
    lee = company.add("Lee Chan")
    source = f'<p>{{{{ sender.name }}}} <img src="{gone}" alt="Acme" width="96"></p>'

    pages = [
        admin.post(BRAND, {**VALUES, "logo_url": gone}, follow=True),
        admin.post(
            f"/domains/acme.example/senders/{lee.pk}/values/", {"sender.photo_url": gone}, follow=True
        ),
        admin.post("/domains/acme.example/templates/new/", {"name": "One", "source": source}, follow=True),
    ]
    again = admin.post(BRAND, {**VALUES, "logo_url": gone}, follow=True)

    remark = f"The address could not be checked: its host name is not in the DNS. It was saved all the same: {gone}"
    assert [remark in words_of(page) for page in pages] == [True, True, True]
    assert remark not in words_of(again)  # asked once
    lee.refresh_from_db()
    assert lee.own_values == {"sender.photo_url": gone}
    assert Brand.objects.get(domain=company.domain).logo_url == gone


def test_the_portals_icons_are_all_there_and_named_by_their_digest():
    folder = Path(social_icons.__file__).parent.parent / "static" / "signatures" / social_icons.FOLDER
    files = {path.name: path.read_bytes() for path in folder.iterdir()}

    assert set(files) == {f"{network}.png" for network, _ in NETWORKS}
    assert folder.name == f"social-{digest_set(files)}"


def test_the_portals_icons_are_served_for_ever_to_anybody(db):
    answer = Client().get(f"/static/signatures/{social_icons.FOLDER}/linkedin.png")

    assert (answer.status_code, answer["Content-Type"]) == (200, "image/png")
    assert answer["Cache-Control"] == "max-age=315360000, public, immutable"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert not answer.cookies
