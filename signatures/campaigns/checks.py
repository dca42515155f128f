"""Checks: validates a campaign or the banner slot before it is saved.

Each returns field -> message to a person, and changes nothing; forms and saving functions share them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from signatures.models import Banner, BannerImage, BannerPlace


class CampaignRefused(Exception):
    """A campaign cannot be changed so; the message says why and what to do, to a person."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


def refuse(wrong: Mapping[str, str]) -> None:
    """Raise CampaignRefused where a check failed."""
    if wrong:
        raise CampaignRefused(" ".join(wrong.values()))


def check_campaign(values: Mapping[str, Any]) -> dict[str, str]:
    """Check the given columns of a campaign."""
    wrong = {}
    starts_at, ends_at = values.get("starts_at"), values.get("ends_at")
    if starts_at and ends_at and ends_at <= starts_at:
        wrong["ends_at"] = "The end must be after the start."
    if {"cap_times", "cap_days"} <= values.keys():
        cap = {name: values[name] for name in ("cap_times", "cap_days")}
        if (cap["cap_times"] is None) != (cap["cap_days"] is None):
            empty = "cap_days" if cap["cap_days"] is None else "cap_times"
            wrong[empty] = "A frequency cap needs both: max. impressions and period."
        wrong |= {name: "Enter 1 or more, or leave both empty." for name, value in cap.items() if value == 0}
    return wrong


def check_place(
    before: BannerPlace, *, width: int, height: int, default_image: BannerImage | None
) -> dict[str, str]:
    """Refuse a new size while banners, or the default banner, are cropped to the present one.

    default_image: the default banner after saving.
    """
    if (width, height) == (before.width, before.height):
        return {}
    shown = Banner.objects.filter(
        campaign__domain_id=before.domain_id, archived_at=None, campaign__archived_at=None
    )
    others = shown.exclude(image__width=width, image__height=height).count()
    if others:
        one = others == 1
        return {
            "width": f"{others} banner{' is' if one else 's are'} cropped to the current size. Archive "
            f"{'it' if one else 'them'} first, or keep the current size."
        }
    if default_image is not None and (default_image.width, default_image.height) != (width, height):
        return {"width": "The default image is cropped to the current size. Upload it again, or remove it."}
    return {}
