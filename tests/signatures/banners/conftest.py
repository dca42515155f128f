"""A company whose signatures carry a banner."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from portal.models import Domain
from signatures.analytics import spool as analytics_spool
from signatures.analytics.spool import Spool
from signatures.campaigns.images import take_in
from signatures.models import Banner, BannerEvent, BannerImage, BannerPlace, Campaign
from signatures.serving import cache
from tests.signatures.pages.conftest import Company, found_company

PUBLIC_URL = "https://signatures.acme.example"


@pytest.fixture(autouse=True)
def _look_ups_end(look_ups_end: None) -> None:
    """Every test here may look somebody up."""


@pytest.fixture
def company(domain: Domain, settings: Any) -> Company:
    settings.PUBLIC_URL = PUBLIC_URL
    return found_company(domain)


@pytest.fixture
def bystanders(other_domain: Domain) -> Company:
    return found_company(other_domain)


def take_in_colour(domain: Domain, colour: str, *, width: int = 480, height: int = 120) -> BannerImage:
    """A stored picture of one colour."""
    file = BytesIO()
    Image.new("RGB", (2 * width, 2 * height), colour).save(file, "PNG")
    return take_in(BytesIO(file.getvalue()), domain=domain, width=width, height=height)


def switch_on(domain: Domain, **columns: Any) -> BannerPlace:
    """The domain's signatures carry a banner."""
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


@pytest.fixture(autouse=True)
def nothing_known(settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Each test has a memory and a spool of its own."""
    settings.SPOOL_FOLDER = str(tmp_path / "spool")
    spool = Spool()
    monkeypatch.setattr(cache, "SHOWCASE", cache.Showcase())
    monkeypatch.setattr(analytics_spool, "SPOOL", spool)
    yield
    spool.close()


def list_events() -> list[dict[str, Any]]:
    """Every event so far, brought in from the spool."""
    analytics_spool.sweep_spool()
    return [dict(row) for row in BannerEvent.objects.order_by("pk").values()]
