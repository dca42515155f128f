"""Prospects: finds one by its address, in whichever form of the filter Outreach understands."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from integrations.connector import ProspectRecord

from . import jsonapi, records
from .allowed_calls import FIND_PROSPECT
from .client import OutreachClient
from .jsonapi import FieldError
from .policy import is_one_address
from .replies import NotUnderstood, misfit

# RFC 2606: no address ends in `.invalid`, so that nobody's record is read by asking.
NOBODY = "nobody@countersign.invalid"
# The array form is documented for filters in general, and `emails` not named among them; that a fieldset
# may name relationships is JSON:API, and not in Outreach's pages. So both are tried, on nobody's address.
WAYS_TO_FIND = ("array and links", "array", "plain and links", "plain")


def learn_how_to_find(client: OutreachClient) -> str:
    """Return the first of WAYS_TO_FIND that Outreach understands and that finds nobody for nobody."""
    for how in WAYS_TO_FIND:
        fields = ("emails", *(records.PROSPECT_LINKS if "links" in how else ()))
        try:
            items = find(client, NOBODY, fields, how)
        except NotUnderstood:
            continue
        if not items:
            return how
    raise misfit("no form of the filter finds a prospect by its address")


def find_prospect(
    client: OutreachClient, email: str, *, asked: Collection[str] = (), how: str = WAYS_TO_FIND[0]
) -> ProspectRecord | None:
    """Return the prospect with this address, or None; also None, without a call, for no address.

    Only a live prospect that names the address itself counts.
    Raises: UnexpectedReply where the filter let strangers through, as if it were not there.
    """
    address = email.strip().lower()
    if not is_one_address(address):
        return None
    fields = records.get_prospect_fields(asked)
    items = find(client, address, fields if "links" in how else records.drop_relationships(fields), how)
    try:
        found = [records.prospect(item) for item in items if records.is_live(item)]
    except FieldError as error:
        raise misfit(f"prospect {error}") from error
    named = [record for record in found if address in map(str.lower, record.emails)]
    if found and not named:
        raise misfit("the filter let other prospects through")
    return min(named, key=lambda record: int(record.remote_id), default=None)


def find(client: OutreachClient, address: str, fields: Sequence[str], how: str) -> list[Any]:
    """Return what the filter finds; how: one of WAYS_TO_FIND."""
    query = {"page[size]": "2", "count": "false", "fields[prospect]": ",".join(fields)}
    if "array" in how:
        query |= {"filter[emails][]": address, "newFilterSyntax": "true"}
    else:
        query["filter[emails]"] = address
    return jsonapi.resources(client.send(FIND_PROSPECT, query=query).document)
