"""Banners: images, running campaigns and events of a domain whose signatures have a banner."""

from __future__ import annotations

from io import BytesIO
from typing import Any

from PIL import Image

from portal.models import Domain
from signatures.analytics import spool_import
from signatures.campaigns.images import take_in
from signatures.models import Banner, BannerEvent, BannerImage, BannerPlace, Campaign, RecipientPrivacy

PUBLIC_URL = "https://signatures.acme.example"


def take_in_colour(domain: Domain, colour: str, *, width: int = 480, height: int = 120) -> BannerImage:
    """A stored picture of one colour."""
    file = BytesIO()
    Image.new("RGB", (2 * width, 2 * height), colour).save(file, "PNG")
    return take_in(BytesIO(file.getvalue()), domain=domain, width=width, height=height)


def switch_on(domain: Domain, *, recipient_variable: str | None = None, **columns: Any) -> BannerPlace:
    """The domain's signatures carry a banner."""
    if recipient_variable is not None:
        RecipientPrivacy.objects.update_or_create(
            domain=domain, defaults={"recipient_variable": recipient_variable}
        )
    place, _ = BannerPlace.objects.update_or_create(domain=domain, defaults={"is_on": True, **columns})
    return place


def run_campaign(domain: Domain, colour: str, *, link: str = "", **columns: Any) -> Banner:
    """A campaign with one banner of that colour, running for everybody."""
    campaign = Campaign.objects.create(domain=domain, name=f"The {colour} one", **columns)
    return Banner.objects.create(
        campaign=campaign,
        name=colour,
        image=take_in_colour(domain, colour),
        alt=f"Something {colour}",
        link=link or f"https://www.acme.example/{colour}",
    )


def list_events() -> list[dict[str, Any]]:
    """Every event so far, brought in from the spool."""
    spool_import.sweep_spool()
    return [dict(row) for row in BannerEvent.objects.order_by("pk").values()]
