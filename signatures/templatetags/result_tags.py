"""Template tags of results: percentages and confidence intervals."""

from __future__ import annotations

from django import template

from signatures.analytics.banner_comparison import say_share
from signatures.analytics.significance import Interval

register = template.Library()


@register.filter
def percent(share: float | None) -> str:
    """Return a share in percent, '–' where there is none."""
    return "–" if share is None else say_share(share)


@register.filter
def between(interval: Interval) -> str:
    """Return an interval as '1.2 % to 3.4 %'."""
    return f"{say_share(interval.low)} to {say_share(interval.high)}"
