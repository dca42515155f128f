"""Composer: makes a sender's signature from the present assignment, template version and values."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from portal.models import Domain
from signatures.models import Assignment, Group, Sender, Template, TemplateVersion
from signatures.rendering.errors import RenderRefused
from signatures.rendering.render import RenderedSignature, render_signature
from signatures.rendering.template import CompiledTemplate
from signatures.senders.assignment import choose_template
from signatures.senders.values import get_banner_slot, get_brand, get_values


@dataclass(frozen=True, slots=True)
class Composed:
    """A signature that may be sent, and the template version it was made from."""

    rendered: RenderedSignature
    version_id: int


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a mailbox cannot get its signature: a code for lists, a sentence for a person."""

    code: str
    reason: str


class Composer:
    """Composes for senders of one domain. `load` reads what may have changed since, in six queries."""

    def __init__(self, domain: Domain) -> None:
        self._domain = domain
        self._versions: dict[int, CompiledTemplate] = {}  # a version never changes

    def load(self, senders: Iterable[Sender]) -> None:
        """Assignments, current versions, the company's words and the banner's place are as they stand now."""
        ids = [sender.pk for sender in senders]
        self._brand = get_brand(self._domain)
        self._slot = get_banner_slot(self._domain)
        rows = Assignment.objects.filter(domain=self._domain, template__archived_at=None)
        self._by_group = dict(rows.filter(group__isnull=False).values_list("group_id", "template_id"))
        self._by_sender = dict(rows.filter(sender__in=ids).values_list("sender_id", "template_id"))
        self._default_group_id = (
            Group.objects.filter(domain=self._domain, is_default=True).values_list("pk", flat=True).first()
        )
        templates = Template.objects.filter(domain=self._domain, archived_at=None, current__isnull=False)
        self._current = dict(templates.values_list("pk", "current_id"))
        missing = set(self._current.values()) - self._versions.keys()
        for version in TemplateVersion.objects.filter(pk__in=missing) if missing else ():
            self._versions[version.pk] = CompiledTemplate.from_stored(version.compiled_html, version.fields)

    def get_version_id(self, sender: Sender) -> int | None:
        """Return the template version of this sender, or None."""
        template_id, _ = choose_template(
            self._by_sender.get(sender.pk),
            self._by_group.get(sender.group_id or 0),
            self._by_group.get(self._default_group_id or 0),
        )
        return self._current.get(template_id or 0)

    def compose(self, sender: Sender) -> Composed | Refusal:
        """Return the signature of a loaded sender (person and group selected), or why there is none."""
        version_id = self.get_version_id(sender)
        if version_id is None:
            group = f"“{sender.group}”" if sender.group else "the default group"
            return Refusal(
                "no_template", f"No template is assigned. Assign one to {group} or to this sender."
            )
        try:
            rendered = render_signature(
                self._versions[version_id], get_values(sender, self._brand, self._slot)
            )
        except RenderRefused as refused:
            return Refusal(refused.code, refused.message)
        return Composed(rendered, version_id)
