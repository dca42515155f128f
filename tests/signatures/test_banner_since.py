"""Since when a mailbox carries the place for a banner, as deliveries leave it."""

from __future__ import annotations

import pytest

from signatures.authoring import save_template
from signatures.judging import BANNER_FIELD
from signatures.models import BannerPlace, Placement, Template, TemplateVersion

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def save(domain, ready):
    """Save the default group's template anew, with the place for a banner in it or without."""

    def save_version(text: str, *, has_place: bool) -> None:
        template = Template.objects.get(domain=domain, assignments__group__is_default=True)
        version = save_template(
            domain, name=template.name, source=f"<p>{text} {{{{ sender.name }}}}</p>", by_label="test",
            template=template,
        )  # fmt: skip
        if has_place:
            TemplateVersion.objects.filter(pk=version.pk).update(fields=[*version.fields, BANNER_FIELD])

    return save_version


def get_since() -> set[object]:
    return set(Placement.objects.values_list("banner_since", flat=True))


def test_it_begins_with_the_first_delivery_and_stays_until_one_takes_it_out(domain, save, deliver):
    place = BannerPlace.objects.create(domain=domain)
    save("Off", has_place=True)
    deliver()
    assert get_since() == {None}, "the place is switched off, so its line is not in the signature"

    place.is_on = True
    place.save()
    save("On", has_place=True)
    deliver()
    began = get_since()
    save("Still", has_place=True)
    deliver()

    assert None not in began
    assert get_since() == began
    save("Gone", has_place=False)
    deliver()
    assert get_since() == {None}
