"""Every attribute of the audience builder, asked of prospects that the sandbox answers over HTTP."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from integrations.outreach.sandbox import Sandbox
from signatures.audiences.attributes import ATTRIBUTES, KNOWN_FROM_ADDRESS, Recipient, parse_audience
from signatures.conditions.conditions import OPERATORS, WITHOUT_VALUES, Attribute, Kind, Operator, hold
from signatures.recipients.prospect_lookup import with_record
from tests.support.wire import Access, Wire

ANNA = "anna@globex.example"

# attribute of the builder -> (field of the sandbox's prospect, Anna's value, a value that is not hers)
FROM_PROSPECT: dict[str, tuple[str, object, str]] = {
    "title": ("title", "VP of Sales", "CEO"),
    "occupation": ("occupation", "Retail", "Mining"),
    "company": ("company", "Globex", "Initech"),
    "tags": ("tags", ("emea", "Key account"), "apac"),
    "region": ("region", "Bavaria", "Ohio"),
    "city": ("address_city", "Munich", "Toledo"),
    "state": ("addressState", "BY", "OH"),
    "country": ("address_country", "Germany", "USA"),
    "time_zone": ("time_zone", "Europe/Berlin", "America/New_York"),
    "source": ("source", "Webinar", "Fair"),
    "campaign": ("campaignName", "Autumn", "Winter"),
    "event": ("eventName", "Expo", "Gala"),
    "external_source": ("externalSource", "crm", "lead-form"),
    "score": ("score", 42.5, "43"),
    "engaged_score": ("engaged_score", 7.0, "8"),
    "owner": ("owner_id", 2, "3"),
    "stage": ("stage_id", 3, "4"),
    "persona": ("persona_id", 1, "2"),
    "account": ("account_id", 5, "6"),
    **{f"custom{number}": (f"custom{number}", f"Gold {number}", "Silver") for number in range(1, 151)},
}
# comparison -> whether it holds for a value that is hers, and for one that is not
EXPECTED = {
    Operator.IS: (True, False),
    Operator.IS_NOT: (False, True),
    Operator.CONTAINS: (True, False),
    Operator.STARTS_WITH: (True, False),
    Operator.IS_EMPTY: (False, False),
    Operator.IS_FILLED: (True, True),
    Operator.HAS_ANY: (True, False),
    Operator.HAS_ALL: (True, False),
    Operator.HAS_NONE: (False, True),
    Operator.AT_LEAST: (True, False),
    Operator.AT_MOST: (True, True),
}


@pytest.fixture(scope="module")
def wire() -> Iterator[Wire]:
    """A client in front of a sandbox that knows Anna, with a value in every field an audience can ask about."""
    own = {"first_name": "Anna", "last_name": "Berg"}
    known = {field: value for field, value, _ in FROM_PROSPECT.values()}
    with Sandbox(people=4, teams=1, prospects=3, throttle_seconds=0) as sandbox:
        sandbox.directory.add_prospect([ANNA], **own, **known)
        tokens = sandbox.oauth.issue_tokens(scopes=["prospects.read"], user_id=1)
        wire = Wire(sandbox.base_url, Access([tokens["access_token"]]))
        yield wire
        wire.client.close()


@pytest.fixture(scope="module")
def how(wire: Wire) -> str:
    return wire.connector.learn_how_to_find()


def holds(recipient: Recipient, attribute: Attribute, operator: Operator, value: str) -> bool:
    values = [] if operator in WITHOUT_VALUES else [value]
    stored = [{"attribute": attribute.name, "operator": operator.value, "values": values}]
    return hold(parse_audience(stored), recipient)


@pytest.mark.parametrize(
    "attribute", [one for one in ATTRIBUTES if one.name not in KNOWN_FROM_ADDRESS], ids=lambda one: one.name
)
def test_an_attribute_is_asked_for_over_http_and_compared_in_every_way(wire, how, attribute):
    _, value, other = FROM_PROSPECT[attribute.name]
    hers = value[0] if isinstance(value, tuple) else str(value)

    record = wire.connector.find_prospect(ANNA, asked=[attribute.name], how=how)

    assert record is not None
    recipient = with_record(Recipient("globex.example"), record)
    for operator in OPERATORS[attribute.kind]:
        answers = (holds(recipient, attribute, operator, hers), holds(recipient, attribute, operator, other))
        assert (operator, answers) == (operator, EXPECTED[operator])


def test_a_recipient_outreach_does_not_know_is_in_no_audience_of_prospects(wire, how):
    record = wire.connector.find_prospect("nobody@globex.example", asked=["title"], how=how)

    assert record is None
    recipient = with_record(Recipient("globex.example"), record)
    for attribute in ATTRIBUTES:
        if attribute.name not in KNOWN_FROM_ADDRESS:
            assert not any(
                holds(recipient, attribute, operator, "1") for operator in OPERATORS[attribute.kind]
            )


def test_the_table_covers_every_attribute_of_the_builder():
    beside = {one.name for one in ATTRIBUTES if one.kind in (Kind.DOMAIN, Kind.LIST)}

    assert set(FROM_PROSPECT) | beside == {one.name for one in ATTRIBUTES}
