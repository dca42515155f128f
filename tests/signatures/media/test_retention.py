"""A removed image keeps its files for as long as anything that a mailbox shows, or may show, names them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from signatures.authoring.templates import save_template
from signatures.media.library import crop_image, get_offer, remove_image, restore_image
from signatures.media.pictures import Crop
from signatures.media.retention import remove_old_media
from signatures.models import (
    Brand,
    FieldSetting,
    Group,
    MediaFile,
    MediaImage,
    Release,
    Sender,
    SignatureHtml,
    Snapshot,
    Template,
    ValueDraft,
)
from tests.support.company import found_company
from tests.support.media import BY, add_medium

NONE = {"media": 0, "former crops of media": 0}
ONE = {"media": 1, "former crops of media": 0}


def age(days: int = 400) -> None:
    """Let everything that was removed or replaced have been so for this long."""
    at = timezone.now() - timedelta(days=days)
    MediaImage.objects.exclude(removed_at=None).update(removed_at=at)
    MediaFile.objects.exclude(replaced_at=None).update(replaced_at=at)


def test_a_removed_image_goes_after_its_time_and_others_stay(domain, other_domain):
    kept, theirs = add_medium(domain, kind="icon"), add_medium(other_domain)
    image = add_medium(domain)
    remove_image(image, actor=BY)

    assert remove_old_media() == NONE
    age()
    assert remove_old_media(writes=False) == ONE
    assert set(MediaImage.objects.all()) == {kept, theirs, image}
    assert remove_old_media() == ONE
    assert set(MediaImage.objects.all()) == {kept, theirs}


def test_a_restored_image_stays(domain):
    image = add_medium(domain)
    remove_image(image, actor=BY)
    age()
    restore_image(image, actor=BY)

    remove_old_media()

    assert MediaFile.objects.count() == 1


def test_a_former_crop_goes_and_the_image_stays(domain):
    image = add_medium(domain)
    former = image.current
    crop_image(image, Crop(0, 0, 320, 240), actor=BY)
    age()

    assert remove_old_media() == {"media": 0, "former crops of media": 1}

    image.refresh_from_db()
    assert image.current is not None
    assert image.current != former
    assert list(image.files.all()) == [image.current]


def test_a_removed_image_of_which_a_former_crop_is_shown_stays_whole(domain):
    image = add_medium(domain)
    Brand.objects.create(domain=domain, logo_url=get_offer(image).url)
    crop_image(image, Crop(0, 0, 320, 240), actor=BY)
    remove_image(image, actor=BY)
    age()

    assert remove_old_media() == NONE
    assert image.files.count() == 2


def name_in_version(domain: Any, url: str) -> Any:
    save_template(
        domain,
        name="One",
        source=f'<p>{{{{ sender.name }}}} <img src="{url}" alt="A" width="96"></p>',
        actor=BY,
    )
    return Template.objects


def name_in_brand(domain: Any, url: str) -> Any:
    Brand.objects.create(domain=domain, logo_url=url)
    return Brand.objects


def name_in_group(domain: Any, url: str) -> Any:
    Group.objects.create(domain=domain, name="Sales", company_values={"logo_url": url})
    return Group.objects


def name_in_default(domain: Any, url: str) -> Any:
    FieldSetting.objects.create(domain=domain, name="sender.photo_url", default=url)
    return FieldSetting.objects


def name_in_value(domain: Any, url: str) -> Any:
    sender = found_company(domain).add("Ana Silva")
    Sender.objects.filter(pk=sender.pk).update(own_values={"sender.photo_url": url})
    return Sender.objects


def name_in_draft(domain: Any, url: str) -> Any:
    ValueDraft.objects.create(
        sender=found_company(domain).add("Ana Silva"), field="sender.photo_url", value=url
    )
    return ValueDraft.objects


def name_in_release(domain: Any, url: str) -> Any:
    Release.objects.create(domain=domain, number=1, content={"company": {"logo_url": url}}, state="earlier")
    return Release.objects


def name_in_text(domain: Any, url: str) -> Any:
    SignatureHtml.objects.create(domain=domain, sha256="d", html=f'<img src="{url}">')
    return SignatureHtml.objects


def name_in_original(domain: Any, url: str) -> Any:
    Snapshot.objects.create(domain=domain, mailbox_remote_id="1", original_html=f"<img src='{url}'>")
    return Snapshot.objects


@pytest.mark.parametrize(
    "name",
    [
        name_in_version,
        name_in_brand,
        name_in_group,
        name_in_default,
        name_in_value,
        name_in_draft,
        name_in_release,
        name_in_text,
        name_in_original,
    ],
)
@pytest.mark.parametrize("is_elsewhere", [False, True])
def test_an_image_that_something_names_stays_until_that_is_gone(domain, other_domain, name, is_elsewhere):
    image = add_medium(domain)
    unnamed = add_medium(domain, kind="icon", colour="#aa3355")
    holder = name(other_domain if is_elsewhere else domain, get_offer(image).url)
    for each in (image, unnamed):
        remove_image(each, actor=BY)
    age()

    assert remove_old_media() == ONE
    assert list(MediaImage.objects.all()) == [image]
    holder.all().delete()
    assert remove_old_media() == ONE
