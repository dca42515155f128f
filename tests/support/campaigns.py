"""Campaigns: made through the portal's own functions, with banners."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any

from django.core.files.base import ContentFile
from PIL import Image

from portal.models import Domain
from signatures.campaigns.banners import BannerDetails, save_banner
from signatures.campaigns.editing import Details, create_campaign
from signatures.models import Banner, Campaign

START = datetime(2027, 3, 1, 8, tzinfo=UTC)


BY = "dana@acme.example"


def make_picture(*, colour: str = "#2b4acb", size: tuple[int, int] = (960, 240)) -> ContentFile:
    file = BytesIO()
    Image.new("RGB", size, colour).save(file, "PNG")
    return ContentFile(file.getvalue(), "banner.png")


def make_details(**given: Any) -> Details:
    values = {
        "name": "Spring",
        "starts_at": START,
        "ends_at": START + timedelta(days=30),
        "priority": 0,
        "utm_source": "outreach",
        "utm_medium": "email-signature",
        "utm_campaign": "spring",
    }
    return Details(**{**values, **given})


def make_campaign(domain: Domain, *, groups: Any = (), **given: Any) -> Campaign:
    return create_campaign(domain, make_details(**given), groups=groups, actor=BY)


def add_banner(campaign: Campaign, name: str = "Blue", **given: Any) -> Banner:
    values = {"name": name, "alt": name, "link": "https://www.acme.example/spring"}
    details = BannerDetails(**{**values, **given})
    return save_banner(campaign, details, upload=make_picture(), actor=BY)
