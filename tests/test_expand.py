"""Expand, then contract: the version before this one goes on working on the tables of this one.

While machines are replaced one after another, both write to one database. So a migration takes away nothing that the
version before reads, and asks for nothing that it does not give; what is superfluous goes one version later.
"""

from __future__ import annotations

import copy
import json

import pytest
from django.db import connection

from tests.support.schema_record import describe_schema, list_breaks, list_records

KNOWN: dict[str, str] = {
    "integrations_notice has the new rule one_open_notice_of_the_installation": (
        "it is of rows without a connection, which the version before never makes; nobody has to stop"
    ),
}
"""Breaks that are accepted, each with its reason; docs/upgrading.md then says to stop the old processes."""

UNGIVEN = "portal_domain.plan is new, and must be given by code that does not know it"
BEFORE = json.loads(list_records()[-1].read_text())["tables"]


def test_code_of_the_version_before_can_read_and_write_the_tables_of_this_one(db):
    assert [found for found in list_breaks(BEFORE, describe_schema()) if found not in KNOWN] == []


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("DROP TABLE portal_workermachine", "portal_workermachine is gone"),
        ("ALTER TABLE portal_workermachine DROP COLUMN memory_mb", "portal_workermachine.memory_mb is gone"),
        (
            "ALTER TABLE portal_workermachine RENAME COLUMN memory_mb TO memory",
            "portal_workermachine.memory_mb is gone",
        ),
    ],
)
def test_a_table_or_column_that_is_gone_is_found(db, statement, found):
    before = describe_schema()
    with connection.cursor() as cursor:
        cursor.execute(statement)

    assert found in list_breaks(before, describe_schema())


@pytest.mark.parametrize(
    ("column", "found"),
    [
        ({"null": False, "default": False}, [UNGIVEN]),
        ({"null": True, "default": False}, []),
        ({"null": False, "default": True}, []),
    ],
)
def test_a_new_column_must_have_a_default_in_the_database_or_take_null(column, found):
    after = copy.deepcopy(BEFORE)
    after["portal_domain"]["columns"]["plan"] = {"type": "CharField", "size": 16, **column}
    after["portal_new"] = {"columns": {"name": {"null": False, "default": False}}, "rules": []}

    assert list_breaks(BEFORE, after) == found


def test_a_column_or_rule_that_takes_less_than_before_is_found():
    after = copy.deepcopy(BEFORE)
    after["portal_domain"]["columns"]["name"]["size"] = 12
    after["portal_workerheartbeat"]["columns"]["beat_at"]["null"] = False
    after["portal_membership"]["rules"].append("one_owner_per_domain")

    assert list_breaks(BEFORE, after) == [
        "portal_domain.name has another type, or is shorter",
        "portal_membership has the new rule one_owner_per_domain",
        "portal_workerheartbeat.beat_at takes no NULL any more",
    ]
