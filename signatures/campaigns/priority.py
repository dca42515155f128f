"""Priority: places campaigns whose priority no person set, those for some people above those for everybody."""

from __future__ import annotations

from django.db.models import Max, Min

from signatures.models import Campaign

HIGHEST = 1_000


def get_automatic_priority(campaign: Campaign, *, is_targeted: bool) -> int:
    """Return the priority that places the campaign by default among the others of its domain.

    A targeted campaign has sender groups or an audience. It is placed above every untargeted one, and an untargeted
    one below every targeted one; no other campaign moves. Archived campaigns do not count.
    """
    others = Campaign.objects.filter(domain=campaign.domain_id, archived_at=None).exclude(pk=campaign.pk)
    untargeted = others.filter(audience=[], groups=None)
    if is_targeted:
        highest = untargeted.aggregate(found=Max("priority"))["found"]
        return 0 if highest is None else min(max(0, highest + 1), HIGHEST)
    lowest = others.exclude(pk__in=untargeted.values("pk")).aggregate(found=Min("priority"))["found"]
    return 0 if lowest is None else max(min(0, lowest - 1), -HIGHEST)
