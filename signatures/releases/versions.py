"""Versions: template versions as a page compares them, read once."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from portal.models import Domain
from portal.page_reads import once_per_page
from signatures.models import TemplateVersion


def load_versions(domain: Domain, ids: Collection[int | None]) -> Mapping[int, TemplateVersion]:
    """Return those of the domain's template versions by id, with their template and without what they compile to."""
    kept, wanted = _get_kept(domain), {id for id in ids if id is not None}
    if missing := wanted - kept.keys():
        rows = TemplateVersion.objects.filter(template__domain=domain).select_related("template")
        kept |= rows.defer("compiled_html").in_bulk(missing)
    return {id: kept[id] for id in wanted if id in kept}


@once_per_page
def _get_kept(domain: Domain) -> dict[int, TemplateVersion]:
    return {}  # filled by `load_versions`: a version never changes
