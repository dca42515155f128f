"""Banners: adds, changes and archives a campaign's banners, and changes the banner slot."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.utils import timezone

from integrations.ledger.record import record_act
from portal.models import Domain
from signatures.models import Banner, BannerPlace, Campaign, Template
from signatures.senders.listing import count_senders_by_template
from signatures.senders.mailbox_status import get_fallback_template

from .checks import CampaignRefused, check_place, refuse
from .details import change_row
from .images import take_in
from .revisions import keep_revision


@dataclass(frozen=True, slots=True)
class BannerDetails:
    """A banner's editable values, without its image. link: as `links.check_link` returns it."""

    name: str
    alt: str
    link: str
    weight: int = 1
    utm_content: str = ""


@transaction.atomic
def save_banner(
    campaign: Campaign,
    details: BannerDetails,
    *,
    upload: Any = None,
    banner: Banner | None = None,
    actor: str,
) -> Banner:
    """Save a banner with `details` and the uploaded image, cropped to the banner slot.

    banner: None adds one, which needs an image. upload: a file, or the result of `images.cut_picture`; None
    keeps the present image. Raises: ImageRefused, CampaignRefused, changing nothing.
    """
    campaign = Campaign.objects.select_related("domain").get(pk=campaign.pk)
    if campaign.archived_at is not None or (banner is not None and banner.archived_at is not None):
        raise CampaignRefused("This banner is archived and cannot be changed.")
    row = Banner(campaign=campaign) if banner is None else Banner.objects.get(pk=banner.pk, campaign=campaign)
    changed = list(change_row(row, details))
    if upload is not None:
        place = BannerPlace.objects.for_domain(campaign.domain)
        image = take_in(upload, domain=campaign.domain, width=place.width, height=place.height)
        if image.pk != row.image_id:
            row.image = image
            changed.append("picture")
    if not changed:
        return row
    row.full_clean(exclude=["campaign", "image"])
    row.save()
    BannerPlace.objects.touch(campaign.domain)
    keep_revision(campaign)
    told = "added" if banner is None else f"changed: {', '.join(changed)}"
    record_act(
        "banner added" if banner is None else "banner changed",
        domain=campaign.domain,
        actor_label=actor,
        object_ref=f"banner {row.pk}",
        detail=f"{row.name} of {campaign.name}, {told}",
    )
    return row


@transaction.atomic
def archive_banner(banner: Banner, *, actor: str) -> None:
    """Archive the banner; its results and its image stay."""
    row = Banner.objects.select_related("campaign__domain").get(pk=banner.pk)
    if row.archived_at is not None:
        return
    row.archived_at = timezone.now()
    row.save(update_fields=["archived_at"])
    BannerPlace.objects.touch(row.campaign.domain)
    keep_revision(row.campaign)
    record_act(
        "banner archived",
        domain=row.campaign.domain,
        actor_label=actor,
        object_ref=f"banner {row.pk}",
        detail=f"{row.name} of {row.campaign.name}",
    )


@dataclass(frozen=True, slots=True)
class PlaceDetails:
    """The banner slot's editable values, without its default image."""

    is_on: bool
    width: int
    height: int
    alt: str = ""
    default_alt: str = ""
    default_link: str = ""


@transaction.atomic
def change_place(
    domain: Domain, details: PlaceDetails, *, upload: Any = None, drop_picture: bool = False, actor: str
) -> list[str]:
    """Save the banner slot with `details`; return the names of changed columns.

    upload: the default image, as in `save_banner`; None keeps the present one, `drop_picture` removes it.
    Raises: ImageRefused; CampaignRefused where images have another size; changing nothing.
    """
    BannerPlace.objects.for_domain(domain, create=True)
    place = BannerPlace.objects.select_for_update().get(pk=domain.pk)
    before = copy(place)
    changed = list(change_row(place, details))
    if upload is not None:
        image = take_in(upload, domain=domain, width=place.width, height=place.height)
        if image.pk != place.default_image_id:
            place.default_image = image
            changed.append("default picture")
    elif drop_picture and place.default_image_id:
        place.default_image = None
        changed.append("default picture")
    size = {"width": place.width, "height": place.height}
    refuse(check_place(before, **size, default_image=place.default_image))
    if changed:
        place.full_clean(exclude=["domain", "default_image"])
        place.save()
        BannerPlace.objects.touch(domain)
        record_act(
            "banner place changed", domain=domain, actor_label=actor, detail=", ".join(sorted(changed))
        )
    return changed


def count_signatures_with_place(domain: Domain) -> int:
    """Return how many active senders have a template with a banner slot."""
    carriers = count_senders_by_template(domain, fallback=get_fallback_template(domain))
    templates = Template.objects.filter(domain=domain).exclude(current=None).select_related("current")
    return sum(
        carriers.get(template.pk, 0)
        for template in templates
        if template.current and any(name.startswith("banner.") for name in template.current.fields)
    )
