"""Labels: names the IDs in an audience, by field labels, users and recipient lists."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from django.db import transaction

from integrations.connection.lifecycle import get_connection
from integrations.ledger.record import record_act
from integrations.models import Person
from portal.models import Domain
from portal.page_reads import once_per_page
from signatures.conditions.conditions import Attribute, Clause, Names, flatten
from signatures.models import AttributeLabel

from .attributes import ATTRIBUTE_BY_NAME, KNOWN_FROM_ADDRESS
from .lists import label_lists

MOST_OWNERS = 200
LABELLED = ("stage", "persona", "account")


def get_names(domain: Domain, conditions: Iterable[Clause] = ()) -> Names:
    """Return the domain's labels, its lists' names, and the names of the owners these conditions ask about."""
    owners = {value for one in flatten(conditions) if one.attribute.name == "owner" for value in one.values}
    return Names(
        {**_get_labels(domain), **{("owner", pk): name for pk, name in _name_owners(domain, owners)}}
    )


@once_per_page
def _get_labels(domain: Domain) -> Mapping[tuple[str, str], str]:
    """Return the domain's labels and its lists' names."""
    labels: dict[tuple[str, str], str] = {}
    for kind, key, label in AttributeLabel.objects.filter(domain=domain).values_list("kind", "key", "label"):
        if kind == AttributeLabel.Kind.CUSTOM:
            labels[f"custom{key}", ""] = label
        else:
            labels[kind, key] = label
    return {**labels, **{("list", pk): name for pk, name in label_lists(domain).items()}}


def _name_owners(domain: Domain, remote_ids: Collection[str]) -> list[tuple[str, str]]:
    return [(pk, name or email) for pk, name, email in _find_owners(domain, remote_ids)]


def _find_owners(domain: Domain, remote_ids: Collection[str]) -> list[tuple[str, str, str]]:
    connection = get_connection(domain)
    if connection is None or not remote_ids:
        return []
    people = Person.objects.filter(connection=connection, remote_id__in=remote_ids)
    return list(people.values_list("remote_id", "name", "email"))


def get_owner_addresses(domain: Domain, remote_ids: Collection[str]) -> dict[str, str]:
    """Return ID in Outreach -> address of the domain's people, to distinguish equal names."""
    return {pk: email for pk, _, email in _find_owners(domain, remote_ids) if email}


def list_owner_addresses(domain: Domain) -> list[str]:
    """Return the first MOST_OWNERS addresses of the domain's people, in alphabetical order."""
    people = Person.objects.filter(connection=get_connection(domain), retired_at=None).exclude(email="")
    return list(people.order_by("email").values_list("email", flat=True)[:MOST_OWNERS])


def find_owner(domain: Domain, words: str) -> str:
    """Return the ID in Outreach of the person with this address or full name; '' for none or several."""
    connection = get_connection(domain)
    if connection is None:
        return ""
    people = Person.objects.filter(connection=connection, retired_at=None)
    column = "email__iexact" if "@" in words else "name__iexact"
    found = list(people.filter(**{column: words}).values_list("remote_id", flat=True)[:2])
    return found[0] if len(found) == 1 else ""


def find_unlabelled(conditions: Iterable[Clause], names: Names) -> list[str]:
    """Return what these conditions name without a label: “Stage 12”, “Custom field 3”."""
    found: list[str] = []
    for condition in flatten(conditions):
        attribute = condition.attribute
        if attribute.name.startswith("custom") and (attribute.name, "") not in names.labels:
            found.append(attribute.label)
        if attribute.name in LABELLED:
            found += [
                f"{attribute.label} {value}"
                for value in condition.values
                if (attribute.name, value) not in names.labels
            ]
    return list(dict.fromkeys(found))


def group_attributes(names: Names) -> list[tuple[str, list[tuple[Attribute, str]]]]:
    """Return the attributes for conditions with their labels, grouped for a form."""
    known: list[tuple[Attribute, str]] = []
    asked: list[tuple[Attribute, str]] = []
    labelled: list[tuple[Attribute, str]] = []
    numbered: list[tuple[Attribute, str]] = []
    for attribute in ATTRIBUTE_BY_NAME.values():
        entry = (attribute, names.attribute(attribute))
        if attribute.name in KNOWN_FROM_ADDRESS:
            known.append(entry)
        elif not attribute.name.startswith("custom"):
            asked.append(entry)
        elif (attribute.name, "") in names.labels:
            labelled.append(entry)
        else:
            numbered.append(entry)
    labelled.sort(key=lambda entry: entry[1].casefold())
    groups = [
        ("Known from the address", known),
        ("From the prospect in Outreach", asked),
        ("Custom fields", labelled),
        ("Custom fields without a label", numbered),
    ]
    return [(title, entries) for title, entries in groups if entries]


@transaction.atomic
def save_label(
    domain: Domain, *, kind: str, key: str, label: str, actor: str, present: AttributeLabel | None = None
) -> AttributeLabel:
    """Set the label of an ID in Outreach."""
    row = (
        AttributeLabel(domain=domain)
        if present is None
        else AttributeLabel.objects.get(pk=present.pk, domain=domain)
    )
    row.kind, row.key, row.label = kind, key, label
    row.full_clean(exclude=["domain"])
    row.save()
    record_act("label given", domain=domain, actor_label=actor, detail=f"{kind} {key}: {label}")
    return row


@transaction.atomic
def delete_label(label: AttributeLabel, *, actor: str) -> None:
    """Delete the label; audiences do not change and show the ID again."""
    record_act(
        "label removed",
        domain=label.domain,
        actor_label=actor,
        detail=f"{label.kind} {label.key}: {label.label}",
    )
    label.delete()
