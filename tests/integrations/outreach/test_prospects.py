"""How one prospect is found by its address, over real HTTP."""

import pytest

from integrations.errors import (
    UnexpectedReply,
)


@pytest.fixture
def prospect(sandbox):
    return sandbox.directory.add_prospect(
        ["mira@first.example", "mira+news@second.example"],
        "Mira",
        "Vale",
        title="CFO",
        company="Vale & Sons",
        tags=("renewal",),
        owner_id=3,
        stage_id=2,
    )


@pytest.mark.parametrize("address", ["mira@first.example", " MIRA+News@Second.Example "])
def test_a_prospect_is_found_by_each_of_its_addresses(wire, sandbox, prospect, address):
    record = wire.connector.find_prospect(address, asked=["title", "company", "tags", "owner", "stage"])

    assert record.remote_id == str(prospect.id)
    assert record.emails == ("mira@first.example", "mira+news@second.example")
    assert record.attributes == {"title": "CFO", "company": "Vale & Sons"}
    assert (record.tags, record.owner_id, record.stage_id) == (("renewal",), "3", "2")
    [request] = sandbox.requests
    assert request.parameters["filter[emails][]"] == [address.strip().lower()]


@pytest.mark.parametrize(
    ("asked", "named"),
    [
        ([], []),
        (["tags"], ["tags"]),
        (["city", "custom7", "owner"], ["addressCity", "owner", "custom7"]),
        (["custom150", "engaged_score"], ["engagedScore", "custom150"]),
    ],
)
def test_a_look_up_names_the_fields_it_is_asked_for_and_reads_two_rows_at_most(
    wire, sandbox, prospect, asked, named
):
    wire.connector.find_prospect("mira@first.example", asked=asked)

    [request] = sandbox.requests
    assert request.parameters["page[size]"] == ["2"]
    assert sorted(request.parameters["fields[prospect]"][0].split(",")) == sorted(
        ["emails", "trashedAt", *named]
    )


def test_an_attribute_nobody_knows_is_our_bug_and_leaves_nothing(wire, sandbox):
    with pytest.raises(ValueError, match="homePhones"):
        wire.connector.find_prospect("mira@first.example", asked=["title", "homePhones"])

    assert list(sandbox.requests) == []


def test_an_address_nobody_has_finds_nobody(wire, prospect):
    assert wire.connector.find_prospect("nobody@first.example") is None


@pytest.mark.parametrize(
    "address", ["", "mira", "a@b,c@d", "a@b..c@d", "a@x..z", "mi ra@first.example", "neginf..inf"]
)
def test_what_is_no_single_address_is_not_asked_for(wire, sandbox, address):
    assert wire.connector.find_prospect(address) is None
    assert list(sandbox.requests) == []


@pytest.mark.parametrize(
    ("switches", "how", "statuses"),
    [
        ({}, "array and links", [200]),
        ({"fieldset_relationships": "refuse"}, "array", [400, 200]),
        ({"array_filter_on_emails": False}, "plain and links", [400, 400, 200]),
        (
            {"array_filter_on_emails": False, "fieldset_relationships": "refuse"},
            "plain",
            [400, 400, 400, 200],
        ),
    ],
)
def test_how_to_find_is_learnt_on_an_address_nobody_has_and_serves(
    wire, sandbox, prospect, switches, how, statuses
):
    sandbox.settings.change(**switches)

    assert wire.connector.learn_how_to_find() == how

    assert [request.status for request in sandbox.requests] == statuses
    assert {_get_address(request) for request in sandbox.requests} == {"nobody@countersign.invalid"}
    sandbox.requests.clear()
    record = wire.connector.find_prospect("mira+news@second.example", asked=["title", "owner"], how=how)
    assert (record.remote_id, record.attributes) == (str(prospect.id), {"title": "CFO"})
    assert record.owner_id == ("3" if "links" in how else "")
    assert len(sandbox.requests) == 1


def _get_address(request):
    [name] = [name for name in request.parameters if name.startswith("filter")]
    return request.parameters[name][0]


def test_a_form_that_is_taken_for_no_filter_is_passed_over(wire, sandbox, prospect):
    sandbox.faults.add("set_key", key="data", value=[{"type": "prospect", "id": 1}], times=2)

    assert wire.connector.learn_how_to_find() == "plain and links"


def test_nobody_is_looked_up_where_no_form_finds_by_address(wire, sandbox, prospect):
    sandbox.faults.add("set_key", key="data", value=[{"type": "prospect", "id": 1}], times=None)

    with pytest.raises(UnexpectedReply):
        wire.connector.learn_how_to_find()


def test_somebody_else_whom_the_filter_let_through_is_not_taken(wire, sandbox, prospect):
    sandbox.faults.add("set_field", field="emails", value=["other@first.example"], times=None)

    with pytest.raises(UnexpectedReply):
        wire.connector.find_prospect("mira@first.example")

    assert len(sandbox.requests) == 1


def test_a_deleted_prospect_is_nobody(wire, sandbox, prospect):
    sandbox.faults.add("set_field", field="trashedAt", value="2026-01-01T00:00:00.000Z")

    assert wire.connector.find_prospect("mira@first.example") is None


def test_a_prospect_that_does_not_fit_raises(wire, sandbox, prospect):
    sandbox.faults.add("set_field", field="emails", value="mira@first.example")

    with pytest.raises(UnexpectedReply):
        wire.connector.find_prospect("mira@first.example")
