"""Usage: finds where the address of an image stands: drafts, releases, kept signatures and mailboxes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Model, Q, QuerySet, TextField
from django.db.models.functions import Cast

from integrations.models import Mailbox
from portal.models import Domain
from signatures.models import (
    Brand,
    FieldSetting,
    Group,
    MediaFile,
    MediaImage,
    MediaLibrary,
    Release,
    Sender,
    SenderChange,
    SignatureHtml,
    Snapshot,
    Template,
    TemplateVersion,
    ValueDraft,
)

from .addresses import write_stem

# Every column that can hold an address that a mailbox shows, or would show after the next delivery or restore.
HOLDERS: tuple[tuple[type[Model], str], ...] = (
    (TemplateVersion, "source"),
    (Brand, "logo_url"),
    (Group, "company_values"),
    (Group, "field_values"),
    (FieldSetting, "default"),
    (Sender, "own_values"),
    (ValueDraft, "value"),
    (SenderChange, "value"),
    (Release, "content"),
    (SignatureHtml, "html"),
    (Mailbox, "signature_html"),
    (Snapshot, "original_html"),
)
MOST_SENDERS = 20


@dataclass(frozen=True)
class Usage:
    """Where an image is used, in its domain. templates: those whose current version does.

    former_versions: earlier template versions. defaults: merge fields whose default it is.
    senders: the first of them, with a value or draft of their own.
    """

    templates: list[Template] = field(default_factory=list)
    former_versions: int = 0
    is_logo: bool = False
    groups: list[Group] = field(default_factory=list)
    defaults: list[str] = field(default_factory=list)
    senders: list[Sender] = field(default_factory=list)
    sender_count: int = 0
    releases: list[int] = field(default_factory=list)
    mailboxes: int = 0

    @property
    def more_senders(self) -> int:
        return self.sender_count - len(self.senders)

    def __bool__(self) -> bool:
        return any(
            (
                self.templates,
                self.former_versions,
                self.is_logo,
                self.groups,
                self.defaults,
                self.sender_count,
                self.releases,
                self.mailboxes,
            )
        )


def find_usage(image: MediaImage) -> Usage:
    """Return where any file of the image is used, in its own domain."""
    domain = image.domain
    stems = get_stems(domain, image.files.values_list("digest", flat=True))
    if not stems:
        return Usage()
    versions = find_holders(TemplateVersion, "source", stems).filter(template__domain=domain)
    templates = list(Template.objects.filter(archived_at=None, current__in=versions.values("pk")))
    values = find_holders(Sender, "own_values", stems).filter(domain=domain).values("pk")
    drafts = find_holders(ValueDraft, "value", stems).filter(sender__domain=domain).values("sender")
    defaults = find_holders(FieldSetting, "default", stems).filter(domain=domain)
    senders = Sender.objects.filter(Q(pk__in=values) | Q(pk__in=drafts))
    some = list(senders[: MOST_SENDERS + 1])
    releases = find_holders(Release, "content", stems).filter(domain=domain) | Release.objects.filter(
        domain=domain, pk__in=_find_releases(domain, versions)
    )
    groups = find_holders(Group, "company_values", stems) | find_holders(Group, "field_values", stems)
    return Usage(
        templates=templates,
        former_versions=versions.exclude(pk__in=[one.current_id for one in templates]).count(),
        is_logo=find_holders(Brand, "logo_url", stems).filter(domain=domain).exists(),
        groups=list(groups.filter(domain=domain)),
        defaults=list(defaults.values_list("name", flat=True)),
        senders=some[:MOST_SENDERS],
        sender_count=len(some) if len(some) <= MOST_SENDERS else senders.count(),
        releases=sorted(releases.values_list("number", flat=True), reverse=True),
        mailboxes=find_holders(Mailbox, "signature_html", stems).filter(connection__domain=domain).count(),
    )


def _find_releases(domain: Domain, versions: QuerySet[TemplateVersion]) -> list[int]:
    """Return the ids of the releases that hold one of the template versions."""
    ids = set(versions.values_list("pk", flat=True))
    held = Release.objects.filter(domain=domain).values_list("pk", "content__templates") if ids else ()
    return [pk for pk, templates in held if ids & set((templates or {}).values())]


def get_stems(domain: Domain, digests: Any) -> list[str]:
    """Return what stands in every address of these files and in no other."""
    key = MediaLibrary.objects.filter(domain=domain).values_list("key", flat=True).first()
    return [write_stem(key, digest) for digest in digests] if key else []


def find_holders(model: type[Model], column: str, stems: Sequence[str]) -> QuerySet[Any]:
    """Return the rows whose column holds one of these addresses, of all domains."""
    holds = Q()
    for stem in stems:
        holds |= Q(held_text__contains=stem)
    return model._default_manager.annotate(held_text=Cast(column, TextField())).filter(holds)


def is_held(file: MediaFile) -> bool:
    """Return whether anything, in whichever domain, still names the file. Needs `image.domain`."""
    stems = get_stems(file.image.domain, [file.digest])
    return bool(stems) and any(find_holders(model, column, stems).exists() for model, column in HOLDERS)
