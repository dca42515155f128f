"""Template errors: what keeps a release from being published, on which line, for how many people, and the remedy.

Only versions that are not live are checked: a rule that is newer than what is live halts no delivery.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from portal.models import Domain
from signatures.models import TemplateVersion
from signatures.rendering.compile import compile_template
from signatures.rendering.errors import TemplateError
from signatures.rendering.fields import Vocabulary
from signatures.rendering.findings import Finding

from .content import ReleaseContent
from .reach import Audience, get_part
from .versions import load_versions

MOST_ERRORS = 20  # of one version, on a page


@dataclass(frozen=True, slots=True)
class TemplateErrors:
    """The errors of one version. people: how many would get it."""

    version: TemplateVersion
    findings: tuple[Finding, ...]
    people: int


def list_template_errors(
    domain: Domain, before: ReleaseContent, after: ReleaseContent, audiences: Iterable[Audience] = ()
) -> list[TemplateErrors]:
    """Return the errors of each version that `after` publishes and `before` does not. audiences: to count people in."""
    added = set(after.templates.values()) - set(before.templates.values())
    versions = load_versions(domain, added).values()
    found = [
        (version, _find_errors(version.source, after.field_rules.vocabulary))
        for version in sorted(versions, key=lambda version: version.template.name)
    ]
    everyone = list(audiences)
    return [
        TemplateErrors(
            version,
            findings[:MOST_ERRORS],
            sum(one.number for one in everyone if get_part(after, one)[0] == version.pk),
        )
        for version, findings in found
        if findings
    ]


def _find_errors(source: str, vocabulary: Vocabulary) -> tuple[Finding, ...]:
    try:
        return compile_template(source, vocabulary).errors
    except TemplateError as error:
        return (Finding.from_error(error),)
