"""Field values: a sender's merge fields from the mirror, with local overrides on top."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from copy import copy
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from integrations.ledger.record import record_act
from portal.models import Domain
from portal.page_reads import remembers_reads, with_domain_rows
from signatures.models import (
    BannerPlace,
    Brand,
    DeliverySettings,
    Group,
    RecipientPrivacy,
    Sender,
    ValueDraft,
)
from signatures.rendering.context import PHONE_REGION, build_context

from .banner_urls import get_click_url, get_image_url
from .disclaimers import DatedDisclaimer, apply_disclaimers
from .draft_rows import read_draft_rows
from .group_membership import GroupTable, Member
from .grouping import REGROUPED, read_ruled_table, regroup
from .numbers import is_phone, show_number, show_numbers, store_numbers
from .origins import (
    TYPED,
    OriginKind,
    ValueOrigin,
    list_imported,
    list_numbers,
    update_origins,
)
from .value_sources import NO_RULES, FieldRules, SenderSources, get_home_region
from .vocabulary import get_field_rules, get_vocabulary

NO_VALUES: Mapping[str, str] = {}


class OwnValueError(Exception):
    """A value is not valid: `field` names the merge field, the message says why, to a person."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field
        self.message = message


@dataclass(frozen=True, slots=True)
class BannerSlot:
    """A domain's banner slot for rendering. variable: merge variable in banner URLs; '' for none."""

    place: BannerPlace
    variable: str


def get_brand(domain: Domain) -> Brand:
    """Return the domain's brand; an unsaved empty one if none is stored."""
    return Brand.objects.filter(domain=domain).first() or Brand(domain=domain)


def get_company(domain: Domain) -> tuple[Brand, BannerSlot]:
    """Return the domain's banner slot; one that is off if none is stored."""
    row = domain if remembers_reads(domain) else with_domain_rows(Domain.objects.all()).get(pk=domain.pk)
    privacy = getattr(row, "recipient_privacy", None) or RecipientPrivacy(domain=domain)
    place = getattr(row, "banner_place", None) or BannerPlace(domain=domain)
    return getattr(row, "brand", None) or Brand(domain=domain), BannerSlot(place, privacy.recipient_variable)


def list_disclaimers(domain: Domain) -> Mapping[int | None, tuple[DatedDisclaimer, ...]]:
    """Return the dated disclaimers by the id of their group, the earliest first; the company's by None."""
    found: dict[int | None, list[DatedDisclaimer]] = {}
    for row in read_draft_rows(domain, "disclaimer"):
        said = json.loads(row.text)
        dated = DatedDisclaimer(said["text"], starts=said["starts_on"] or "", ends=said["ends_on"] or "")
        found.setdefault(row.other, []).append(dated)
    return {group: tuple(sorted(of_group, key=lambda each: each.starts)) for group, of_group in found.items()}


def get_brand_for(brand: Brand, group: Group | None) -> Brand:
    """Return the company's values as a group's senders show them today, drafts included; not to be saved."""
    day, disclaimers = brand.domain.get_today(), list_disclaimers(brand.domain)
    values = apply_disclaimers({"legal": brand.legal}, disclaimers.get(None, ()), day)
    if group is not None:
        values = {**values, **apply_disclaimers(group.company_values, disclaimers.get(group.pk, ()), day)}
    shown = copy(brand)
    for name, value in values.items():
        setattr(shown, name, value)
    return shown


def get_values(
    sender: Sender,
    brand: Brand,
    slot: BannerSlot,
    group_name: str | None,
    rules: FieldRules,
    group_values: Mapping[str, str] = NO_VALUES,
) -> dict[str, str | None]:
    """Return every merge field of a sender, None where there is no value. Needs person loaded.

    group_name: of the sender's group; None in the default group. group_values: the group's, by merge field.
    """
    person = get_person_values(sender, brand, rules, group_values)
    values = {**person, **_company_values(brand), **_banner_values(sender, slot)}
    values["group.name"] = group_name
    return {name: value or None for name, value in values.items()}


def get_group_name(sender: Sender) -> str | None:
    """Return the name of the sender's group as it is edited now; None in the default group. Needs group loaded."""
    return None if sender.group is None or sender.group.is_default else sender.group.name


def get_group_values(sender: Sender) -> Mapping[str, str]:
    """Return the values of fields of the sender's group as it is edited now. Needs group loaded."""
    return NO_VALUES if sender.group is None else show_numbers(sender.group.field_values)


def get_own_values(sender: Sender) -> dict[str, str]:
    """Return a sender's local values, and the full name if a part of it is local. Needs person."""
    own = read_own(sender)
    first, last = own.get("sender.first_name"), own.get("sender.last_name")
    if (first or last) and "sender.name" not in own:
        parts = (first or sender.person.first_name, last or sender.person.last_name)
        own["sender.name"] = " ".join(part for part in parts if part)
    return own


def get_sender_values(sender: Sender, rules: FieldRules = NO_RULES) -> dict[str, str]:
    """Return the values that the mirror and local fields give a sender, '' for none. Needs person; runs no query."""
    return {name: value or "" for name, value in get_person_values(sender, Brand(), rules).items()}


def find_lacking(values: Mapping[str, str | None], rules: FieldRules) -> str:
    """Return the labels of required fields without a value, or ''."""
    return ", ".join(field.label for field in rules.required if not values.get(field.name))


def get_person_values(
    sender: Sender, brand: Brand, rules: FieldRules, group_values: Mapping[str, str] = NO_VALUES
) -> dict[str, str | None]:
    """Return a sender's own fields by these rules. Needs person; runs no query."""
    return rules.resolve(read_sources(sender, brand, group_values))


def read_sources(sender: Sender, brand: Brand, group_values: Mapping[str, str]) -> SenderSources:
    return SenderSources(
        get_mirrored_values(sender),
        read_own(sender),
        _company_values(brand),
        list_imported(sender.value_origins),
        group_values,
    )


def read_own(sender: Sender) -> dict[str, str]:
    """Return a sender's local values as they are shown, without empty ones."""
    numbers = list_numbers(sender.value_origins)
    return {
        name: show_number(text) if name in numbers else text
        for name, text in sender.own_values.items()
        if text
    }


def get_member(sender: Sender, table: GroupTable[Any] | None = None) -> Member:
    """Return what decides about a sender's groups, phone numbers as they are stored. Needs person; runs no query.

    table: the only groups that it decides about; values are left out where none of their rules asks about them.
    """
    values: dict[str, str | None] = {}
    if table is None or table.asks_values:
        own = {name: text for name, text in sender.own_values.items() if text}
        values = NO_RULES.resolve(SenderSources(get_mirrored_values(sender), own, {}))
    texts = {name: text or "" for name, text in values.items()}
    return Member(sender.pk or 0, sender.person.team_ids or (), texts)


def get_mirrored_values(sender: Sender) -> dict[str, str | None]:
    """Return Outreach's values of a sender. Needs person."""
    person = sender.person
    return {
        "sender.first_name": person.first_name,
        "sender.last_name": person.last_name,
        "sender.name": person.name or f"{person.first_name} {person.last_name}".strip(),
        "sender.title": person.title,
        "sender.email": person.email,
        "sender.phone": person.phone,
        PHONE_REGION: person.phone_region,
        "sender.phone_extension": person.phone_extension,
        "sender.custom1": person.custom1,
        "sender.custom2": person.custom2,
        "sender.custom3": person.custom3,
        "sender.custom4": person.custom4,
        "sender.custom5": person.custom5,
    }


def _company_values(brand: Brand) -> dict[str, str | None]:
    return {
        "company.name": brand.name,
        "company.website": brand.website,
        "company.address": brand.address,
        "company.phone": brand.phone,
        "company.logo_url": brand.logo_url,
        "company.tagline": brand.tagline,
        "company.legal": brand.legal,
        "company.accent": brand.accent,
        "company.secondary": brand.secondary,
        "company.linkedin_url": brand.linkedin_url,
        "company.x_url": brand.x_url,
        "company.youtube_url": brand.youtube_url,
        "company.instagram_url": brand.instagram_url,
        "company.facebook_url": brand.facebook_url,
    }


def get_size_values(place: BannerPlace) -> dict[str, str]:
    """Return the banner's fields that are the same for every sender; none while signatures show no banner."""
    if not place.is_on:
        return {}
    return {"banner.width": str(place.width), "banner.height": str(place.height), "banner.alt": place.alt}


def _banner_values(sender: Sender, slot: BannerSlot) -> dict[str, str]:
    if not slot.place.is_on:
        return {}
    return {
        "banner.image_url": get_image_url(sender.banner_key, variable=slot.variable),
        "banner.click_url": get_click_url(sender.banner_key, variable=slot.variable),
        **get_size_values(slot.place),
    }


def set_own_values(
    sender: Sender,
    values: Mapping[str, str],
    *,
    actor: str,
    waits: bool = False,
    origin: ValueOrigin = TYPED,
) -> Sender:
    """Store local values of a sender; '' removes one.

    values: merge field name -> text, sender fields only; fields not named stay as they are.
    waits: the person may not publish, so they are drafts until published. origin: how they were entered.
    Raises: OwnValueError, storing nothing.
    """
    kept = {name: text.strip() for name, text in values.items()}
    if origin.kind is not OriginKind.ADOPTED:
        kept = store_own(sender, kept)
    check_own_values(sender.domain, kept)
    with transaction.atomic():
        locked = Sender.objects.select_for_update(of=("self",)).select_related("person").get(pk=sender.pk)
        live_now = set(get_live_fields(sender.domain)) if waits else set(kept)
        _draft_values(locked, {n: text for n, text in kept.items() if n not in live_now}, actor, origin)
        live = {n: text for n, text in kept.items() if n in live_now}
        _keep_values(locked, live, actor, dict.fromkeys(live, (actor, origin)))
    sender.refresh_from_db()
    return sender


def store_own(sender: Sender, values: Mapping[str, str]) -> dict[str, str]:
    """Return values as they are stored for a sender (person loaded), phone numbers by the country of theirs."""
    if not any(map(is_phone, values)):
        return dict(values)
    company = {"company.phone": get_brand(sender.domain).phone}
    home = get_home_region(get_mirrored_values(sender), company)
    return store_numbers(values, get_field_rules(sender.domain), home)


def check_own_values(domain: Domain, values: Mapping[str, str]) -> None:
    """Raise OwnValueError for the first value that is none of a sender's fields, or does not fit its field."""
    vocabulary = get_vocabulary(domain)
    refused = build_context({name: text for name, text in values.items() if text}, vocabulary).missing
    for name, text in values.items():
        if name not in vocabulary.by_name or not name.startswith("sender."):
            raise OwnValueError(name, "Senders have no such field.")
        if text and name in refused:
            raise OwnValueError(name, f"{vocabulary.by_name[name].label}: {refused[name]}.")


def get_live_fields(domain: Domain) -> list[str]:
    """Return the merge fields whose values need no release."""
    return list(DeliverySettings.objects.for_domain(domain).live_fields)


def _keep_values(
    sender: Sender, values: Mapping[str, str], actor: str, entered: Mapping[str, tuple[str, ValueOrigin]]
) -> None:
    """Make values live. actor: who does so, for the ledger. entered: field -> who entered it, and how."""
    ValueDraft.objects.filter(sender=sender, field__in=values).delete()
    own = {name: text for name, text in {**sender.own_values, **values}.items() if text}
    if own == sender.own_values:
        return
    names = ", ".join(
        name for name in sorted({*own, *sender.own_values}) if own.get(name) != sender.own_values.get(name)
    )
    now = timezone.now()
    sender.value_origins = update_origins(sender.value_origins, sender.own_values, own, entered, now)
    sender.own_values = own
    name_sender(sender)
    sender.changed_at = now
    sender.save(update_fields=["own_values", "value_origins", "name", "search", "changed_at"])
    table = read_ruled_table(sender.domain)
    if table is not None and regroup(sender, get_member(sender), table):
        sender.save(update_fields=REGROUPED)
    record_act(
        "sender values changed",
        domain=sender.domain,
        actor_label=actor,
        object_ref=sender.email,
        detail=names,
    )


def _draft_values(sender: Sender, values: Mapping[str, str], actor: str, origin: ValueOrigin) -> None:
    """Store values that differ from the live ones as drafts; a value equal to the live one removes its draft."""
    for name, text in values.items():
        if text == sender.own_values.get(name, ""):
            ValueDraft.objects.filter(sender=sender, field=name).delete()
            continue
        draft = ValueDraft.objects.filter(sender=sender, field=name).first()
        if draft is None or draft.value != text:
            ValueDraft.objects.update_or_create(
                sender=sender,
                field=name,
                defaults={
                    "value": text,
                    "origin": origin.to_json(),
                    "edited_by_label": actor,
                    "edited_at": timezone.now(),
                },
            )
            record_act(
                "sender value drafted",
                domain=sender.domain,
                actor_label=actor,
                object_ref=sender.email,
                detail=name,
            )


def lock_senders(domain: Domain, ids: Iterable[int]) -> QuerySet[Sender]:
    """Return these senders of the domain with person and domain, locked."""
    senders = Sender.objects.select_for_update(of=("self",)).filter(domain=domain, pk__in=ids)
    return senders.select_related("person", "domain")


def name_sender(sender: Sender) -> None:
    """Set the name that lists show, and what their search looks through. Needs person; saves nothing."""
    sender.name = get_full_name(sender)
    sender.search = "\n".join((sender.name, sender.email, sender.title)).lower()


def get_full_name(sender: Sender) -> str:
    """Return the name that lists show: the overridden one, or that of its overridden parts. Needs person."""
    person = sender.person
    theirs = person.name or f"{person.first_name} {person.last_name}".strip()
    return get_own_values(sender).get("sender.name") or theirs


def apply_value_drafts(domain: Domain, values: Iterable[Mapping[str, Any]], *, actor: str) -> None:
    """Make published values live. values: each names sender, field and value."""
    by_sender: dict[int, dict[str, str]] = {}
    origins: dict[int, dict[str, tuple[str, ValueOrigin]]] = {}
    for each in values:
        by_sender.setdefault(each["sender"], {})[each["field"]] = each["value"]
        entered = (each.get("by") or actor, ValueOrigin.from_json(each.get("origin") or {}))
        origins.setdefault(each["sender"], {})[each["field"]] = entered
    for sender in lock_senders(domain, by_sender):
        published = by_sender[sender.pk]
        newer = {
            draft.field: draft
            for draft in ValueDraft.objects.filter(sender=sender, field__in=published)
            if draft.value != published[draft.field]
        }
        _keep_values(sender, published, actor, origins[sender.pk])
        ValueDraft.objects.bulk_create(newer.values())  # typed since it was published: still a draft
