"""A sender's own photo: who uploads, crops and removes it, and that it is nobody else's."""

from __future__ import annotations

from typing import Any

from django.test import Client

from signatures.models import EditedBy, MediaImage, Sender
from tests.support.media import add_medium, make_image_file
from tests.support.page_text import words_of
from tests.support.self_service import PORTAL, get_me, sign_in_as, switch_on
from tests.support.senders import get_own


def upload(client: Client, sender: Sender, **image: Any) -> int:
    """Upload a photo and return its id."""
    answer = client.post(get_me(sender, "me_photo"), {"photo": make_image_file(size=(400, 300), **image)})
    assert answer.status_code == 302, words_of(answer)
    return int(answer["Location"].split("/")[-2])


CROP = {"x": 10, "y": 20, "width": 200, "height": 200}


def test_without_an_https_address_no_photo_is_asked_for_and_none_is_taken(me, priya, settings):
    asked = me.get(get_me(priya)).content.decode()
    settings.PUBLIC_URL, settings.IS_SANDBOX = "http://127.0.0.1:8000", False

    page = me.get(get_me(priya))
    answer = me.post(get_me(priya, "me_photo"), {"photo": make_image_file(size=(400, 300))})

    assert 'name="photo"' in asked
    assert 'name="photo"' not in page.content.decode()
    assert "None can be uploaded until this portal has an https address" in words_of(page)
    assert answer.status_code == 422
    assert not MediaImage.objects.exists()


def test_a_photo_is_uploaded_cropped_and_used(me, priya, dan, stranger):
    pk = upload(me, priya)
    assert get_own()[priya.email] == {}
    assert me.get(get_me(priya, "me_photo_source", pk))["Content-Type"] in ("image/png", "image/jpeg")

    answer = me.post(get_me(priya, "me_photo_crop", pk), CROP, follow=True)

    assert "It goes in with the next delivery." in words_of(answer)
    own = get_own()
    url = own[priya.email]["sender.photo_url"]
    assert url.startswith(f"{PORTAL}/m/")
    assert MediaImage.objects.get(pk=pk).current.crop == CROP
    assert own == {priya.email: {"sender.photo_url": url}, dan.email: {}, stranger.email: {}}
    assert me.get(url.removeprefix(PORTAL)).status_code == 200


def test_a_replaced_photo_is_offered_no_more_and_keeps_its_address(me, priya):
    first, second = upload(me, priya), None
    me.post(get_me(priya, "me_photo_crop", first), CROP)
    before = get_own()[priya.email]["sender.photo_url"]
    second = upload(me, priya, colour="#aa3355")
    me.post(get_me(priya, "me_photo_crop", second), CROP)

    assert get_own()[priya.email]["sender.photo_url"] != before
    assert MediaImage.objects.get(pk=first).removed_at is not None
    assert MediaImage.objects.get(pk=second).removed_at is None
    assert me.get(before.removeprefix(PORTAL)).status_code == 200
    assert me.get(get_me(priya, "me_photo_crop", first)).status_code == 404


def test_nobody_crops_a_photo_of_the_library_or_of_somebody_else(me, priya, dan, stranger):
    library = add_medium(priya.domain, kind="photo", size=(400, 300))
    his = upload(sign_in_as(dan), dan)
    theirs = upload(sign_in_as(stranger), stranger)
    mine = upload(me, priya)  # the same file as the others

    assert len({library.pk, his, theirs, mine}) == 4
    for pk in (library.pk, his, theirs):
        assert me.get(get_me(priya, "me_photo_crop", pk)).status_code == 404
        assert me.get(get_me(priya, "me_photo_source", pk)).status_code == 404
        assert me.post(get_me(priya, "me_photo_crop", pk), CROP).status_code == 404
    assert get_own() == {priya.email: {}, dan.email: {}, stranger.email: {}}


def test_a_file_that_is_no_image_is_refused_with_the_reason(me, priya):
    file = make_image_file()
    file.file.seek(0)
    file.file.write(b"<svg onload=alert(1)>")
    answer = me.post(get_me(priya, "me_photo"), {"photo": file})

    assert answer.status_code == 422
    assert not MediaImage.objects.exists()


def test_a_photo_can_be_removed(me, priya):
    me.post(get_me(priya, "me_photo_crop", upload(me, priya)), CROP)

    me.post(get_me(priya, "me_photo_remove"))

    assert get_own() == {priya.email: {}}
    assert not MediaImage.objects.filter(removed_at=None).exists()


def test_a_locked_photo_has_no_page(me, priya):
    switch_on(priya.domain, {"sender.photo_url": EditedBy.EDITORS})

    assert me.post(get_me(priya, "me_photo"), {"photo": make_image_file()}).status_code == 404
    assert not MediaImage.objects.exists()
