"""Rule attributes: what a group's rule can say about a sender; pure."""

from __future__ import annotations

from typing import Any

from signatures.conditions.conditions import Attribute, Clause, Kind, parse
from signatures.rendering.fields import BUILT_IN, Field, Trust, Vocabulary, get_custom_trust

_TEXTS = (Trust.TEXT, Trust.EMAIL)


def _get_name(field: Field) -> str:
    return field.name.removeprefix("sender.")


ATTRIBUTES: tuple[Attribute, ...] = (
    Attribute("team", "Team", Kind.LIST),
    Attribute("email_domain", "E-mail domain", Kind.DOMAIN),
    *(
        Attribute(_get_name(one), one.label, Kind.TEXT)
        for one in BUILT_IN.of_senders()
        if one.trust in _TEXTS
    ),
)
ATTRIBUTE_BY_NAME: dict[str, Attribute] = {attribute.name: attribute for attribute in ATTRIBUTES}


def parse_rule(stored: Any) -> tuple[Clause, ...]:
    """Return a group's stored conditions. Raises: ConditionError for the first that is not valid."""
    return parse(stored, find_attribute)


def find_attribute(name: str) -> Attribute | None:
    """Return the attribute of this name; a domain's own text field is one as well."""
    is_own = get_custom_trust(f"sender.{name}") in _TEXTS
    return ATTRIBUTE_BY_NAME.get(name) or (Attribute(name, name, Kind.TEXT) if is_own else None)


def get_attributes(vocabulary: Vocabulary) -> dict[str, Attribute]:
    """Return the attributes to choose from, as the domain calls them."""
    texts = [field for field in vocabulary.of_senders() if field.trust in _TEXTS and not field.is_removed]
    named = {name: Attribute(name, field.label, Kind.TEXT) for field in texts for name in [_get_name(field)]}
    return {name: ATTRIBUTE_BY_NAME[name] for name in ("team", "email_domain")} | named
