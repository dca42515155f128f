"""The sandbox's replies against the schemas Outreach publishes, kept in `tests/support/outreach_schemas`."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from integrations.outreach.sandbox import Sandbox
from integrations.outreach.sandbox.schema import RESOURCES
from tests.support.sandbox_clients import Api

SCHEMAS = Path(__file__).parents[3] / "support/outreach_schemas"
FILES = {"users": "user", "teams": "team", "mailboxes": "mailbox", "prospects": "prospect"}
PYTHON_KINDS: dict[str, Any] = {
    "string": str,
    "boolean": bool,
    "integer": int,
    "number": (int, float),
    "array": list,
    "object": dict,
}
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def schema_of(plural: str) -> dict[str, Any]:
    schema: dict[str, Any] = json.loads((SCHEMAS / f"{FILES[plural]}.json").read_text())
    numbered = schema["attributes"].pop("custom1..customN", None)
    if numbered is not None:
        schema["attributes"] |= {f"custom{number}": numbered for number in range(1, numbered["N"] + 1)}
    return schema


def faults_of(record: dict[str, Any], schema: dict[str, Any]) -> list[str]:
    """What of a resource object is not as its schema says."""
    found = []
    if record["type"] != schema["type"] or type(record["id"]) is not int:
        found.append(f"{record['type']} {record['id']!r}")
    for name, value in record["attributes"].items():
        attribute = schema["attributes"].get(name)
        if attribute is None:
            found.append(f"{name} is not documented")
        elif attribute.get("writeOnly"):
            found.append(f"{name} is write-only")
        elif value is not None:
            found += [f"{name}: {fault}" for fault in value_faults(value, attribute)]
    for name, value in record["relationships"].items():
        relationship = schema["relationships"].get(name)
        if relationship is None:
            found.append(f"relationship {name} is not documented")
        else:
            found += [f"{name}: {fault}" for fault in relationship_faults(value, relationship)]
    return found


def value_faults(value: Any, attribute: dict[str, Any]) -> list[str]:
    kind = attribute["type"]
    if not isinstance(value, PYTHON_KINDS[kind]) or (isinstance(value, bool) and kind != "boolean"):
        return [f"{value!r} is not a {kind}"]
    if isinstance(value, str) and len(value) > attribute.get("maxLength", len(value)):
        return [f"{len(value)} characters"]
    if attribute.get("format") == "date-time" and not INSTANT.fullmatch(value):
        return [f"{value!r} is not an instant"]
    if attribute.get("items") == "string" and not all(isinstance(item, str) for item in value):
        return [f"{value!r} holds something else than strings"]
    # A note after the value says where it was seen.
    allowed = [each.partition(" (")[0] for each in attribute.get("values", [])]
    return [f"{value!r} is none of {allowed}"] if allowed and value not in allowed else []


def relationship_faults(value: dict[str, Any], relationship: dict[str, Any]) -> list[str]:
    cardinality, target = relationship["cardinality"], relationship["targetType"]
    if cardinality == "to-one":
        references = [value["data"]] if value["data"] is not None else []
        expected = {"data"}
    elif cardinality == "to-many":
        references = value.get("data", [])
        expected = {"data", "links", "meta"} if "data" in value else {"links"}
        if "data" in value and value["meta"] != {"count": len(references)}:
            return [f"counts {value['meta']}"]
    else:
        references, expected = [], {"links"}
    if set(value) != expected:
        return [f"has {sorted(value)}"]
    wrong = [each for each in references if each["type"] != target or type(each["id"]) is not int]
    return [f"points to {wrong}"] if wrong else []


@pytest.mark.parametrize("plural", FILES)
def test_every_record_is_as_its_schema_says(api: Api, plural: str) -> None:
    schema = schema_of(plural)

    reply = api.get(f"{plural}?page[size]=1000").json()

    assert reply["data"]
    assert {record["id"]: faults_of(record, schema) for record in reply["data"]} == {
        record["id"]: [] for record in reply["data"]
    }


@pytest.mark.parametrize("plural", FILES)
def test_whole_record_has_every_public_attribute_and_relationship(api: Api, plural: str) -> None:
    schema = schema_of(plural)

    record = api.get(plural).json()["data"][0]

    # Leaves the default payload on 2026-10-01.
    late = {"contactHistogram"}
    assert (
        set(record["attributes"])
        == {name for name, attribute in schema["attributes"].items() if not attribute.get("writeOnly")} - late
    )
    assert set(record["relationships"]) == {
        name for name, each in schema["relationships"].items() if each["inPublicHyperSchema"]
    }


@pytest.mark.parametrize("plural", FILES)
def test_own_table_agrees_with_the_schema(plural: str) -> None:
    schema, resource = schema_of(plural), RESOURCES[plural]

    assert {
        name: (
            attribute.max_length,
            attribute.read_only,
            attribute.write_only,
            attribute.filterable,
            attribute.sortable,
        )
        for name, attribute in resource.attributes.items()
    } == {
        name: (
            attribute.get("maxLength"),
            bool(attribute.get("readOnly")),
            bool(attribute.get("writeOnly")),
            bool(attribute.get("filterable")),
            bool(attribute.get("sortable")),
        )
        for name, attribute in schema["attributes"].items()
    }
    operations = {operation.split(" ")[0] for operation in schema["operations"]}
    assert resource.methods == operations - {"GET"}
    assert f"/api/v2/{plural}" == schema["path"]


@pytest.mark.parametrize("plural", FILES)
def test_filterable_relationships_agree_with_the_schema(plural: str) -> None:
    schema = schema_of(plural)

    assert {name: list(each.filterable) for name, each in RESOURCES[plural].relationships.items()} == {
        name: each.get("filterAttributes", [])
        for name, each in schema["relationships"].items()
        if each["inPublicHyperSchema"]
    }


def test_reply_to_a_write_is_as_its_schema_says(sandbox: Sandbox, api: Api) -> None:
    reply = api.patch("mailbox", "mailboxes/5001", emailSignature="<p>x</p>")

    assert faults_of(reply.json()["data"], schema_of("mailboxes")) == []


def test_the_validator_sees_what_is_wrong(api: Api) -> None:
    record = api.get("users/4").json()["data"]
    record["attributes"] |= {"photo": "x", "locked": 1, "title": "x" * 256, "createdAt": "2026-01-01"}
    record["relationships"]["mailbox"] = {"data": {"type": "team", "id": "1"}}
    record["relationships"]["teams"]["meta"]["count"] += 1

    assert len(faults_of(record, schema_of("users"))) == 6
