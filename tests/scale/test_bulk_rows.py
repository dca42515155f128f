"""Rows in bulk on PostgreSQL: many go through a temporary table, and are what they are on SQLite."""

from __future__ import annotations

import json
from collections.abc import Callable

import psycopg
import pytest

from portal.db import STAGED
from tests.support.installation import Installation
from tests.support.portal_process import as_json

pytestmark = [pytest.mark.soak, pytest.mark.postgres]

ODD = ["tab\tnew\nline", "back\\slash \\N \\.", "quote ' \" %s {}", "", "Zoë 🙂", "a,b;c|d"]
STORE = """
import json
from contextlib import suppress
from datetime import UTC, datetime
from django.db import DatabaseError, connection, transaction
from django.test.utils import CaptureQueriesContext
from portal.db import create_rows, update_rows, upsert_rows
from portal.models import Domain
from signatures.models import SpoolImport, TeamsCount
many = int(sys.argv[1])
odd = json.loads(sys.argv[2])
early, late = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 6, 1, 12, 30, 15, 250_000, tzinfo=UTC)
domain = Domain.objects.create(name="acme.example")
other = Domain.objects.create(name="globex.example")
SpoolImport.objects.create(name="0", offset=100, changed_at=early)
SpoolImport.objects.create(name="bystander", offset=7, changed_at=early)
TeamsCount.objects.create(domain=domain, teams="0", team_ids=["kept"], status="", number=1)
TeamsCount.objects.create(domain=other, teams="1", team_ids=["theirs"], status="", number=9)
with CaptureQueriesContext(connection) as asked:
    for turn in range(2):
        with transaction.atomic():
            for name in ("upserted", "again in the same transaction"):
                upsert_rows(
                    SpoolImport, unique=("name",), same={"changed_at": late}, columns=("name", "offset"),
                    rows=[(str(number), number) for number in range(many)],
                    merge={"offset": "old.offset + EXCLUDED.offset"},
                )
            create_rows(
                [TeamsCount(domain=domain, teams=str(number), team_ids=[odd[number % len(odd)], None, turn],
                            status=odd[number % len(odd)][:16], number=-number) for number in range(many)],
                ignore_conflicts=True,
            )
with suppress(DatabaseError), transaction.atomic():
    create_rows([TeamsCount(domain=domain, teams="x", number=number) for number in range(many)])
updated = list(SpoolImport.objects.exclude(name="bystander").order_by("-pk"))
for number, row in enumerate(updated):
    row.name, row.changed_at = odd[number % len(odd)] + f" moved {number}", early
update_rows(updated, ["name"])
counts = list(TeamsCount.objects.filter(domain=domain).order_by("-pk"))
for number, row in enumerate(counts):
    row.number, row.team_ids, row.status = number, [odd[number % len(odd)]], "not named"
update_rows(counts, ["team_ids", "number"])
upsert_rows(SpoolImport, unique=("name",), columns=("name", "offset", "changed_at"),
            rows=[(f"later {number}", number, late) for number in range(many)])
print(json.dumps({
    "is_staged": any("staged_rows" in query["sql"] for query in asked.captured_queries),
    "imports": [[row.name, row.offset, row.changed_at.isoformat()] for row in SpoolImport.objects.order_by("pk")],
    "counts": list(TeamsCount.objects.order_by("pk").values_list(
        "domain__name", "teams", "team_ids", "status", "number")),
}))
"""


@pytest.mark.parametrize("many", [STAGED - 1, STAGED, STAGED + 37])
def test_many_rows_are_stored_as_few_are_and_as_on_sqlite(
    install: Callable[..., Installation], many: int
) -> None:
    on_postgres, on_sqlite = (
        as_json(install(each).run(STORE, str(many), json.dumps(ODD))) for each in ("postgres", "sqlite")
    )

    assert (on_postgres.pop("is_staged"), on_sqlite.pop("is_staged")) == (many >= STAGED, False)
    assert on_postgres == on_sqlite
    assert len(on_postgres["imports"]) == 2 * many + 1
    assert on_postgres["imports"][:2] == [
        [f"{ODD[(many - 1) % len(ODD)]} moved {many - 1}", 100, "2026-06-01T12:30:15.250000+00:00"],
        ["bystander", 7, "2026-01-01T00:00:00+00:00"],
    ]
    assert on_postgres["counts"][1] == ["globex.example", "1", ["theirs"], "", 9]


def test_an_account_that_may_not_make_temporary_tables_is_told_before_it_serves(
    install: Callable[..., Installation],
) -> None:
    installation = install("postgres")
    url = installation.environ["DATABASE_URL"]
    name = url.rpartition("/")[2]
    with psycopg.connect(url, autocommit=True) as owner:
        owner.execute("CREATE ROLE plain LOGIN")
        owner.execute(f"REVOKE TEMPORARY ON DATABASE {name} FROM PUBLIC")
        owner.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO plain")
        theirs = url.replace("://countersign@", "://plain@")

        refused = installation.manage("check", "--deploy", DATABASE_URL=theirs).stderr
        owner.execute(f"GRANT TEMPORARY ON DATABASE {name} TO plain")
        granted = installation.manage("check", "--deploy", DATABASE_URL=theirs).stderr

    assert "(portal.E017) The account of DATABASE_URL may not make temporary tables" in refused
    assert "E017" not in granted and "E013" not in granted
