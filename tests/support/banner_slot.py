"""Banner slot: switched on for a domain, with a default banner."""

from __future__ import annotations

from portal.models import Domain
from signatures.models import BannerImage, BannerPlace


def make_image(domain: Domain) -> BannerImage:
    name = str(BannerImage.objects.count())
    return BannerImage.objects.create(
        domain=domain,
        sha256=name.rjust(64, "0"),
        media_type="image/png",
        width=480,
        height=120,
        bytes_1x=b"1x",
        bytes_2x=b"2x",
    )


def open_place(domain: Domain) -> BannerPlace:
    """The domain's signatures carry a banner, with one of its own to show by default."""
    place = BannerPlace.objects.for_domain(domain)
    place.is_on = True
    place.default_image = make_image(domain)
    place.default_alt = "Acme"
    place.default_link = "https://acme.example/"
    place.save()
    return place
