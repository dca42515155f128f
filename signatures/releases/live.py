"""Live release: the release that a domain's mailboxes should hold, and its content."""

from __future__ import annotations

from functools import lru_cache

from django.db.models import QuerySet

from portal.models import Domain
from portal.page_reads import once_per_page
from signatures.models import Group, Release, ReleaseState

from .content import ReleaseContent


class ReleaseDamaged(Exception):
    """The stored content of a release differs from what was published; nothing may be delivered from it."""


@once_per_page
def get_live(domain: Domain) -> Release | None:
    """Return the domain's live release, or None where nothing was published yet."""
    return Release.objects.filter(domain=domain, state=ReleaseState.LIVE).defer("content").first()


def get_content(release: Release | None) -> ReleaseContent:
    """Return a release's content; an empty one for None, where nothing was published yet.

    Raises: ReleaseDamaged, where the stored content no longer has the digest that was published.
    """
    return load_content(None if release is None else (release.pk, release.digest))


def load_content(release: tuple[int, str] | None) -> ReleaseContent:
    """Return the same as `get_content`, for the id and the digest of a release."""
    return ReleaseContent() if release is None else _load(*release)


def get_live_content(domain: Domain) -> ReleaseContent:
    """Return the content of the live release. Raises: ReleaseDamaged."""
    return get_content(get_live(domain))


def list_live_groups(domain: Domain) -> QuerySet[Group]:
    """Return the groups of the live release: those that a delivery can be for. Raises: ReleaseDamaged."""
    return Group.objects.filter(domain=domain, pk__in=get_live_content(domain).group_by_id)


@lru_cache(maxsize=16)
def _load(pk: int, digest: str) -> ReleaseContent:
    """Cached in the process, as releases never change."""
    content = ReleaseContent.from_json(Release.objects.values_list("content", flat=True).get(pk=pk))
    if content.digest != digest:
        raise ReleaseDamaged(
            "The stored release differs from what was published, so nothing is delivered from it. "
            "Publish again, and tell the operator."
        )
    return content
