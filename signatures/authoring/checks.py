"""Checks: what is wrong with a template's source, or worth knowing, before and after it is saved."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import chain

from portal.models import Domain
from signatures.models import Template
from signatures.releases.content import ReleaseContent
from signatures.releases.draft import build_draft
from signatures.releases.live import ReleaseDamaged, get_live_content
from signatures.releases.reach import count_carriers, list_audiences
from signatures.rendering import TemplateError, compile_template
from signatures.rendering.blocks import Design, find_blocks, read_design, walk
from signatures.rendering.findings import Finding, Severity, drop_repeated
from signatures.senders.vocabulary import get_field_rules

from .empty_fields import check_empty_fields
from .image_checks import check_images

# A person mends a few at a time; a source of one mistake a thousand times gives a thousand.
MAX_FINDINGS = 100
_ORDER = list(Severity)


def check_source(domain: Domain, source: str, template: Template | None = None) -> list[Finding]:
    """Return at most 100 findings of a source, errors first, then by line; none for a blank source.

    template: whose source it is, to count the people whom its merge fields are empty for.
    """
    if not source.strip():
        return []
    rules = get_field_rules(domain)
    try:
        compiled = compile_template(source, rules.vocabulary)
    except TemplateError as error:
        return _name_blocks(source, [Finding.from_error(error)])
    findings = chain(
        compiled.findings,
        check_images(domain, compiled, source, rules.vocabulary),
        check_empty_fields(domain, template, compiled, source, rules) if template is not None else (),
    )
    ordered = sorted(drop_repeated(findings), key=lambda one: (_ORDER.index(one.severity), one.line or 0))
    return _name_blocks(source, ordered[:MAX_FINDINGS])


def _name_blocks(source: str, findings: Iterable[Finding]) -> list[Finding]:
    """Return the findings, each with the block on its line."""
    listed = list(findings)
    design, paths = read_design(source), find_blocks(source, [one.line for one in listed if one.line])
    blocks = list(walk(design)) if isinstance(design, Design) else []
    names = {
        path: f"{block.label}, block {number} of {len(blocks)}"
        for number, (path, block) in enumerate(blocks, 1)
    }
    found = ((one, paths.get(one.line or 0, "")) for one in listed)
    return [replace(one, path=path, block=names[path]) if path in names else one for one, path in found]


def count_people(domain: Domain, template: Template) -> int:
    """Return how many people get the template, in the live release or with what is edited now."""
    try:
        live = get_live_content(domain)
    except ReleaseDamaged:
        live = ReleaseContent()  # said where it is delivered from
    draft = build_draft(domain)
    contents = [live] if draft == live else [live, draft]
    return count_carriers(template.pk, list_audiences(domain, *contents), *contents)
