"""Files of media, as mail clients ask for them: for ever the same, to everybody, and known to nobody by guessing."""

from __future__ import annotations

from io import BytesIO

import pytest
from django.db import connection as database
from django.test import Client
from django.test.utils import CaptureQueriesContext
from PIL import Image

from signatures.media.encoding import PIXEL
from signatures.media.library import get_offer, remove_image
from signatures.models import MediaImage, MediaLibrary
from tests.support.media import BY, add_medium

pytestmark = pytest.mark.usefixtures("fresh_serving")
ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "cross-origin",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "public, max-age=31536000, immutable",
}


@pytest.fixture
def image(domain, other_domain) -> MediaImage:
    add_medium(other_domain, colour="#aa3355")
    return add_medium(domain)


@pytest.fixture
def path(image) -> str:
    return get_offer(image).path


def test_a_file_is_served_at_both_sizes_for_ever_and_sets_no_cookie(path, reader):
    for address, size in ((path, (640, 240)), (path.replace("@2x", ""), (320, 120))):
        answer = reader.get(address)

        assert (answer.status_code, answer["Content-Type"]) == (200, "image/png")
        assert Image.open(BytesIO(answer.content)).size == size
        assert answer["Content-Length"] == str(len(answer.content))
        assert {name: answer[name] for name in ALWAYS} == ALWAYS
        assert not answer.cookies
        assert not {"Vary", "Set-Cookie"} & set(answer.headers)


def test_what_the_client_has_is_not_sent_again(path, reader):
    etag = reader.get(path)["ETag"]

    same = reader.get(path, headers={"If-None-Match": etag})
    different = reader.get(path, headers={"If-None-Match": '"other"'})
    head = reader.head(path)

    assert (same.status_code, same.content, same["ETag"]) == (304, b"", etag)
    assert same["Cache-Control"] == ALWAYS["Cache-Control"]
    assert different.status_code == 200
    assert (head.status_code, head.content, head["ETag"]) == (200, b"", etag)


def test_a_photograph_is_a_jpeg_at_an_address_that_says_so(domain, reader):
    noise = Image.effect_noise((800, 800), 90).convert("RGB")
    file = BytesIO()
    noise.save(file, "PNG")
    file.seek(0)
    from signatures.media.library import upload_image

    path = get_offer(upload_image(domain, file, kind="photo", name="Ana", actor=BY)).path

    assert path.endswith("@2x.jpg")
    assert reader.get(path)["Content-Type"] == "image/jpeg"
    assert reader.get(path.replace(".jpg", ".png")).status_code == 404


def test_another_domains_key_finds_nothing(path, image, other_domain, reader):
    theirs = MediaLibrary.objects.get(domain=other_domain).key
    own = MediaLibrary.objects.get(domain=image.domain).key

    answer = reader.get(path.replace(own, theirs))

    assert (answer.status_code, answer.content) == (404, PIXEL)
    assert answer["Cache-Control"] == "public, max-age=60"


@pytest.mark.parametrize(
    "wrong",
    ["/m/", "/m/x", "/m/../b/", "/m/{key}/", "/m/{key}/{digest}", "/m/{key}/{digest}.svg", "/m/{key}/{digest}.gif",
     "/m/{key}/{digest}@3x.png", "/m/{key}/{digest}.png/", "/m/{key}/{upper}.png"],
)  # fmt: skip
def test_any_other_address_is_a_pixel_that_is_not_there(path, reader, wrong):
    _, _, key, name = path.split("/")
    digest = name[:32]
    address = wrong.format(key=key, digest=digest, upper=digest.upper())

    answer = reader.get(address)

    assert (answer.status_code, answer.content) == (404, PIXEL)


def test_nothing_but_reading_is_answered(path, reader):
    answer = reader.post(path)

    assert (answer.status_code, answer["Allow"]) == (405, "GET, HEAD")


def test_a_removed_image_is_served_all_the_same(path, image, reader):
    remove_image(image, actor=BY)

    assert reader.get(path).status_code == 200


def test_a_file_is_read_from_the_database_once_and_served_while_that_is_away(path, reader, monkeypatch):
    reader.get(path)

    with CaptureQueriesContext(database) as asked:
        assert reader.get(path).status_code == 200

    assert len(asked) == 0


def test_an_unknown_host_is_refused(path, settings):
    settings.ALLOWED_HOSTS = ["portal.acme.example"]

    assert Client().get(path, headers={"host": "elsewhere.example"}).status_code == 400
