"""Composer: makes a sender's signature from a release's content and the directory's values."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any

from portal.models import Domain
from signatures.models import BannerPlace, Brand, Sender, TemplateVersion
from signatures.rendering.errors import RenderRefused
from signatures.rendering.fields import Vocabulary
from signatures.rendering.render import RenderedSignature, render_signature
from signatures.rendering.template import CompiledTemplate
from signatures.senders.numbers import show_numbers
from signatures.senders.origins import list_imported, list_numbers
from signatures.senders.values import NO_VALUES, BannerSlot, find_lacking, get_member, get_values
from signatures.senders.vocabulary import take_own_images

from .content import ReleaseContent, ReleasedGroup, digest_json


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


NO_TEMPLATE = "no_template"
REQUIRED = "required"
NOTHING_PUBLISHED = Refusal("nothing_published", "Nothing is published yet. Publish a release first.")


class Composer:
    """Composes for senders of one domain, from one content. Template versions never change, so each is read once."""

    def __init__(self, domain: Domain, content: ReleaseContent, *, day: date | None = None) -> None:
        """day: whose disclaimers hold; None for today in the domain's time zone."""
        self._domain = domain
        self._content = content.on(day or domain.get_today())
        banner = dict(content.banner)
        variable = str(banner.pop("variable", ""))
        self._brand_by_group: dict[int, Brand] = {}
        self._digest_by_group: dict[int, str] = {}
        self._values_by_group: dict[int, Mapping[str, str]] = {}
        self._slot = BannerSlot(BannerPlace(domain=domain, **banner), variable)
        self.rules = content.field_rules
        self._versions: dict[int, CompiledTemplate | None] = {}
        self._expected: set[int] = set()

    @cached_property
    def vocabulary(self) -> Vocabulary:
        return take_own_images(self.rules.vocabulary)

    def load(self, senders: Iterable[Sender]) -> None:
        """Read the template versions of these senders, in one query at most. Needs person loaded."""
        self._load({id for id in map(self.get_version_id, senders) if id is not None})

    def expect(self, senders: Iterable[Sender]) -> None:
        """Read the template versions of these senders together, once one of them is missing. Needs person loaded."""
        self._expected = {id for id in map(self.get_version_id, senders) if id is not None}

    def _load(self, ids: set[int]) -> None:
        if ids - self._versions.keys():
            missing = (ids | self._expected) - self._versions.keys()
            self._versions |= dict.fromkeys(missing)
            for version in TemplateVersion.objects.filter(pk__in=missing, template__domain=self._domain):
                self._versions[version.pk] = CompiledTemplate.from_stored(
                    version.compiled_html, version.fields
                )

    def get_group(self, sender: Sender) -> ReleasedGroup | None:
        """Return the group whose template and name this sender has."""
        return self._content.find_group(get_member(sender, self._content.table))

    def get_version_id(self, sender: Sender) -> int | None:
        """Return the template version of this sender, or None."""
        return self._find_version_id(sender, self.get_group(sender))

    def _find_version_id(self, sender: Sender, group: ReleasedGroup | None) -> int | None:
        template_id = self._content.find_template(sender.pk, group)
        return None if template_id is None else self._content.templates[template_id]

    def get_release_part(self, sender: Sender) -> tuple[int | None, str, str]:
        """Return all that a release contributes to this sender's signature; equal parts render equal signatures."""
        group = self.get_group(sender)
        return (
            self._find_version_id(sender, group),
            self._digest_values(group),
            "" if group is None or group.is_default else group.name,
        )

    def _digest_values(self, group: ReleasedGroup | None) -> str:
        """Return a digest of all values of a release that a group's senders have; made once for each group."""
        shared = self._content.shared_digest
        if group is None or not (group.values or group.fields):
            return shared
        if group.id not in self._digest_by_group:
            parts: dict[str, Any] = {"shared": shared, "values": dict(group.values)}
            parts |= {"fields": dict(group.fields)} if group.fields else {}
            self._digest_by_group[group.id] = digest_json(parts)
        return self._digest_by_group[group.id]

    def _get_brand(self, group: ReleasedGroup | None) -> Brand:
        """Return the company's values with those that differ for a group."""
        key = group.id if group else 0
        if key not in self._brand_by_group:
            values = {**self._content.company, **(group.values if group else {})}
            self._brand_by_group[key] = Brand(domain=self._domain, **values)
        return self._brand_by_group[key]

    def _get_group_values(self, group: ReleasedGroup | None) -> Mapping[str, str]:
        """Return what a group has for fields of its senders, as it is shown."""
        if group is None or not group.fields:
            return NO_VALUES
        if group.id not in self._values_by_group:
            self._values_by_group[group.id] = show_numbers(group.fields)
        return self._values_by_group[group.id]

    def get_inputs_digest(self, sender: Sender) -> str:
        """Return a digest of everything the signature is made from; an equal one renders the same."""
        parts = (self.get_release_part(sender), sender.source_digest, sender.banner_key)
        imported = sorted(list_imported(sender.value_origins)) if self.rules.tells_imports else ""
        numbers = sorted(list_numbers(sender.value_origins)) or ""
        own = digest_json(sender.own_values)
        return hashlib.sha256(f"{parts!r}{imported}{numbers}{own}".encode()).hexdigest()

    def compose(self, sender: Sender) -> Composed | Refusal:
        """Return the signature of a sender (person loaded), or why there is none."""
        group = self.get_group(sender)
        version_id = self._find_version_id(sender, group)
        if version_id is None:
            return self._refuse(group)
        self._load({version_id})
        compiled = self._versions[version_id]
        if compiled is None:
            return Refusal("template_gone", "The template of the live release was deleted. Publish again.")
        values = self.get_values(sender, group)
        if lacking := find_lacking(values, self.rules):
            return Refusal(REQUIRED, f"{lacking} is required and has no value. Enter one.")
        try:
            rendered = render_signature(compiled, values, self.vocabulary)
        except RenderRefused as refused:
            return Refusal(refused.code, refused.message)
        return Composed(rendered, version_id)

    def get_values(self, sender: Sender, group: ReleasedGroup | None) -> dict[str, str | None]:
        """Return every merge field of a sender in this group. Needs person."""
        name = None if group is None or group.is_default else group.name
        of_group = self._get_group_values(group)
        return get_values(sender, self._get_brand(group), self._slot, name, self.rules, of_group)

    def _refuse(self, group: ReleasedGroup | None) -> Refusal:
        if not self._content.groups and not self._content.templates:
            return NOTHING_PUBLISHED
        name = "the default group" if group is None or group.is_default else f"“{group.name}”"
        return Refusal(NO_TEMPLATE, f"No template is assigned. Assign one to {name} or to this sender.")
