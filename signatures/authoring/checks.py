"""Checks: what is wrong with a template's source, or worth knowing, before and after it is saved."""

from __future__ import annotations

from itertools import chain

from portal.models import Domain
from signatures.rendering import TemplateError, Vocabulary, compile_template
from signatures.rendering.findings import Finding, Severity, drop_repeated

from .image_checks import check_images

# A person mends a few at a time; a source of one mistake a thousand times gives a thousand.
MAX_FINDINGS = 100
_ORDER = list(Severity)


def check_source(domain: Domain, source: str, vocabulary: Vocabulary) -> list[Finding]:
    """Return at most 100 findings of a source, errors first, then by line; none for a blank source.

    vocabulary: of the domain.
    """
    if not source.strip():
        return []
    try:
        compiled = compile_template(source, vocabulary)
    except TemplateError as error:
        return [Finding.from_error(error)]
    findings = drop_repeated(chain(compiled.findings, check_images(domain, compiled, source, vocabulary)))
    ordered = sorted(findings, key=lambda one: (_ORDER.index(one.severity), one.line or 0))
    return ordered[:MAX_FINDINGS]
