"""Field settings: saves what a domain says about its merge fields, adds custom ones and removes them, as drafts."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection

from django.db import transaction
from django.utils import timezone

from integrations.ledger.record import record_act
from portal.models import Domain
from signatures.models import FieldSetting
from signatures.releases.draft import note_edit
from signatures.rendering.fields import CUSTOM_PREFIX, get_custom_trust
from signatures.senders.value_sources import DATE_FIELDS, FieldRule

MOST_CUSTOM = 60
_LONGEST_SLUG = 32
_OTHER = re.compile(r"[^a-z0-9]+")


class FieldRefused(Exception):
    """A field cannot be added; the message says why, to a person."""


@transaction.atomic
def save_setting(setting: FieldSetting, changed: Collection[str], *, actor: str) -> FieldSetting:
    """Store what was changed about a field. It is a draft until it is published, except who may edit the field."""
    if not changed and setting.pk:
        return setting
    is_new = not setting.pk
    setting.save()
    note_edit(setting.domain, f"field:{setting.pk}", actor=actor)
    _record(
        "field added" if is_new and get_custom_trust(setting.name) is not None else "field changed",
        setting,
        actor,
        changed,
    )
    return setting


@transaction.atomic
def set_date_format(domain: Domain, date_format: str, *, actor: str) -> bool:
    """Store how custom fields with a date show it that say nothing else, as a draft; return whether that changed.

    date_format: one of DATE_FORMATS, '' for the first.
    """
    setting, _ = FieldSetting.objects.select_for_update().get_or_create(domain=domain, name=DATE_FIELDS)
    if setting.date_format == date_format:
        return False
    setting.date_format = date_format
    save_setting(setting, ["date_format"], actor=actor)
    return True


@transaction.atomic
def add_custom_field(domain: Domain, *, kind: str, label: str, help: str, actor: str) -> FieldSetting:
    """Add a field of the domain's own, with a name that no other ever had. Raises: FieldRefused."""
    Domain.objects.select_for_update().get(pk=domain.pk)  # one name at a time
    taken = set(FieldSetting.objects.filter(domain=domain).values_list("name", flat=True))
    if sum(get_custom_trust(name) is not None for name in taken) >= MOST_CUSTOM:
        raise FieldRefused(f"A domain can have {MOST_CUSTOM} custom fields, removed ones included.")
    slug = _make_slug(label)
    names = (f"{CUSTOM_PREFIX}{kind}_{slug}{number or ''}" for number in (0, *range(2, MOST_CUSTOM + 2)))
    name = next(name for name in names if name not in taken)
    return save_setting(
        FieldSetting(domain=domain, name=name, label=label, help=help), ["label", "help"], actor=actor
    )


def _make_slug(label: str) -> str:
    plain = unicodedata.normalize("NFKD", label).encode("ascii", "ignore").decode().lower()
    return _OTHER.sub("_", plain).strip("_")[:_LONGEST_SLUG].strip("_") or "field"


@transaction.atomic
def set_removed(setting: FieldSetting, *, is_removed: bool, actor: str) -> None:
    """Remove a custom field, or keep it again. Its values stay; removed, they are missing for everybody."""
    if (setting.removed_at is not None) == is_removed:
        return
    setting.removed_at = timezone.now() if is_removed else None
    setting.save(update_fields=["removed_at"])
    note_edit(setting.domain, f"field:{setting.pk}", actor=actor)
    _record("field removed" if is_removed else "field restored", setting, actor, [])


def put_rule_back(domain: Domain, pk: int, rule: FieldRule | None) -> None:
    """Reset a setting to what is live. A custom field that never was live goes with its setting."""
    rows = FieldSetting.objects.filter(domain=domain, pk=pk)
    if rule is None:
        rows.delete()
        return
    rows.update(
        label=rule.label,
        help=rule.help,
        default=rule.default,
        is_required=rule.is_required,
        order=list(rule.order),
        taken_from=rule.taken_from,
        date_format=rule.date_format,
        clean_up=rule.clean_up.to_json(),
        removed_at=timezone.now() if rule.is_removed else None,
    )


def _record(action: str, setting: FieldSetting, actor: str, changed: Collection[str]) -> None:
    record_act(
        action,
        domain=setting.domain,
        actor_label=actor,
        object_ref=setting.name,
        detail=", ".join(changed),
    )
