"""Since when a mailbox carries the place for a banner, as deliveries leave it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from signatures.authoring.templates import save_template
from signatures.models import BannerPlace, Placement, Template

pytestmark = pytest.mark.django_db(transaction=True)


PLACE = (
    '<p><a href="{{ banner.click_url }}"><img src="{{ banner.image_url }}" alt="{{ banner.alt }}"'
    ' width="{{ banner.width }}" height="{{ banner.height }}"></a></p>'
)


@pytest.fixture
def save(domain, ready, settings) -> Callable[[str], None]:
    """Save the default group's template anew; signatures take no picture from an address without TLS."""
    settings.PUBLIC_URL = "https://signatures.acme.example"

    def save_version(source: str) -> None:
        template = Template.objects.get(domain=domain, assignments__group__is_default=True)
        save_template(domain, name=template.name, source=source, actor="test", template=template)

    return save_version


def get_since() -> set[object]:
    return set(Placement.objects.values_list("banner_since", flat=True))


def test_it_begins_with_the_first_delivery_and_stays_until_one_takes_it_out(domain, save, deliver):
    place = BannerPlace.objects.create(domain=domain)
    save(f"<p>{{{{ sender.name }}}}</p>{PLACE}")
    deliver()
    assert get_since() == {None}, "the place is switched off, so its line is not in the signature"

    place.is_on = True
    place.save()
    deliver()
    began = get_since()
    save(f"<p>Dear {{{{ sender.name }}}}</p>{PLACE}")
    deliver()

    assert None not in began
    assert get_since() == began
    save("<p>{{ sender.name }}</p>")
    deliver()
    assert get_since() == {None}
