"""Audience attributes: what conditions can say about a recipient, and what is known of one without storing it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from signatures.conditions.conditions import Attribute, Clause, Kind, flatten, parse

CUSTOM_FIELDS = 150

ATTRIBUTES: tuple[Attribute, ...] = (
    Attribute("email_domain", "E-mail domain", Kind.DOMAIN),
    Attribute("list", "Recipient list", Kind.LIST),
    Attribute("title", "Title", Kind.TEXT),
    Attribute("occupation", "Occupation", Kind.TEXT),
    Attribute("company", "Company", Kind.TEXT),
    Attribute("tags", "Tags", Kind.TAGS),
    Attribute("region", "Region", Kind.TEXT),
    Attribute("city", "City", Kind.TEXT),
    Attribute("state", "State", Kind.TEXT),
    Attribute("country", "Country", Kind.TEXT),
    Attribute("time_zone", "Time zone", Kind.TEXT),
    Attribute("source", "Source", Kind.TEXT),
    Attribute("campaign", "Campaign name in Outreach", Kind.TEXT),
    Attribute("event", "Event name", Kind.TEXT),
    Attribute("external_source", "External source", Kind.TEXT),
    Attribute("score", "Score", Kind.NUMBER),
    Attribute("engaged_score", "Engaged score", Kind.NUMBER),
    Attribute("owner", "Owner", Kind.ID),
    Attribute("stage", "Stage", Kind.ID),
    Attribute("persona", "Persona", Kind.ID),
    Attribute("account", "Account", Kind.ID),
    *(
        Attribute(f"custom{number}", f"Custom field {number}", Kind.TEXT)
        for number in range(1, CUSTOM_FIELDS + 1)
    ),
)
ATTRIBUTE_BY_NAME: dict[str, Attribute] = {attribute.name: attribute for attribute in ATTRIBUTES}
KNOWN_FROM_ADDRESS = frozenset({"email_domain", "list"})


@dataclass(frozen=True, slots=True)
class Recipient:
    """What is known of one recipient while audiences are evaluated.

    email_domain: what follows the @, in lower case.
    list_ids: the recipient lists that hold the address or its domain, as text.
    values: attribute name -> text, from the recipient's record; None where Outreach knows no such prospect,
    or was not called.
    """

    email_domain: str
    list_ids: frozenset[str] = frozenset()
    values: Mapping[str, str] | None = None
    tags: tuple[str, ...] = ()

    def get_values(self, name: str) -> Collection[str] | None:
        if name == "email_domain":
            return (self.email_domain,)
        if name == "list":
            return self.list_ids
        if self.values is None:
            return None
        return self.tags if name == "tags" else (self.values.get(name, ""),)


def parse_audience(stored: Any) -> tuple[Clause, ...]:
    """Return an audience's stored conditions. Raises: ConditionError for the first that is not valid."""
    return parse(stored, ATTRIBUTE_BY_NAME.get)


def get_needed(clauses: Iterable[Clause]) -> frozenset[str]:
    """Return the names of the attributes in these conditions that only the prospect's record in Outreach tells."""
    return frozenset(one.attribute.name for one in flatten(clauses)) - KNOWN_FROM_ADDRESS


def needs_prospect(clauses: Iterable[Clause]) -> bool:
    """Return whether the audience needs the recipient's record in Outreach."""
    return bool(get_needed(clauses))
