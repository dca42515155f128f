"""Sample campaigns: fictional campaigns with generated banners, so that their pages have content."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from io import BytesIO

from django.utils import timezone
from PIL import Image, ImageDraw, ImageFont

from portal.models import Domain
from signatures.audiences.labels import save_label
from signatures.audiences.lists import save_list
from signatures.campaigns.banners import BannerDetails, PlaceDetails, change_place, save_banner
from signatures.campaigns.editing import Details, create_campaign, set_audience, start_campaign
from signatures.models import Campaign, Group

SITE = "https://www.acme.example"
WIDTH, HEIGHT = 960, 240
INK, PAPER, PEN, GREEN = "#1a1d24", "#faf9f6", "#2b4acb", "#1a7346"
TAG = "webinar-2026"


def run_campaigns(domain: Domain, *, actor: str) -> int:
    """Turn the banner slot on and create active, scheduled and paused campaigns; return how many."""
    now = timezone.now().replace(minute=0, second=0, microsecond=0)
    day = timedelta(days=1)
    change_place(
        domain,
        PlaceDetails(
            is_on=True, width=480, height=120, default_alt="Acme. Anvils since 1949.", default_link=SITE
        ),
        upload=draw_banner("Acme", "Anvils, rockets and a very long guarantee", ground=PAPER, ink=INK),
        actor=actor,
    )
    save_label(domain, kind="stage", key="3", label="Customer", actor=actor)
    save_list(domain, BytesIO(b"domain\nglobex.example\ninitech.example\n"), name="Partners", actor=actor)
    webinar = _create(
        domain, "Spring webinar", starts=now - 3 * day, ends=now + 18 * day, priority=5, by=actor
    )
    for name, ground in (("Blue", PEN), ("Green", GREEN)):
        _add(
            webinar,
            name,
            "Lift more, drop less",
            "Our spring webinar. Save a seat.",
            ground=ground,
            by=actor,
        )
    set_audience(webinar, [{"attribute": "tags", "operator": "has_any", "values": [TAG]}], actor=actor)
    handbook = _create(domain, "The anvil handbook", starts=now - 40 * day, ends=None, priority=0, by=actor)
    _add(handbook, "Handbook", "The anvil handbook", "Free to read, heavy to drop.", ground=INK, by=actor)
    groups = Group.objects.filter(domain=domain, is_default=False, archived_at=None)[:2]
    fair = _create(
        domain,
        "Summer fair",
        starts=now + 21 * day,
        ends=now + 49 * day,
        priority=3,
        groups=groups,
        by=actor,
    )
    _add(fair, "Stand", "Meet us at the fair", "Hall 4, beside the rockets.", ground=GREEN, by=actor)
    for campaign in (webinar, handbook, fair):
        start_campaign(campaign, actor=actor)
    return Campaign.objects.filter(domain=domain).count()


def draw_banner(title: str, line: str, *, ground: str, ink: str = PAPER) -> BytesIO:
    """Return a PNG at 2×: a title, a line below it, and one stroke, on a plain ground."""
    picture = Image.new("RGB", (WIDTH, HEIGHT), ground)
    draw = ImageDraw.Draw(picture)
    draw.rectangle((56, 58, 62, HEIGHT - 58), fill=ink)
    draw.text((92, 64), title, fill=ink, font=ImageFont.load_default(64))
    draw.text((94, 146), line, fill=ink, font=ImageFont.load_default(32))
    file = BytesIO()
    picture.save(file, "PNG")
    file.seek(0)
    return file


def _create(
    domain: Domain,
    name: str,
    *,
    starts: datetime,
    ends: datetime | None,
    priority: int,
    by: str,
    groups: Collection[Group] = (),
) -> Campaign:
    slug = name.lower().replace(" ", "-")
    details = Details(
        name,
        starts,
        ends_at=ends,
        priority=priority,
        utm_source="outreach",
        utm_medium="email-signature",
        utm_campaign=slug,
    )
    return create_campaign(domain, details, groups=groups, actor=by)


def _add(campaign: Campaign, name: str, title: str, line: str, *, ground: str, by: str) -> None:
    details = BannerDetails(
        name, f"{title}. {line}", f"{SITE}/{campaign.utm_campaign}", utm_content=name.lower()
    )
    save_banner(campaign, details, upload=draw_banner(title, line, ground=ground), actor=by)
