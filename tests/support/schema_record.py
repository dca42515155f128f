"""Schema record: what the tables of one version look like, for the next one to be compared with.

At each release, on a new SQLite database that its code has migrated, from the release's commit:

    DATABASE_URL=sqlite:////tmp/release.sqlite3 python manage.py migrate
    DATABASE_URL=sqlite:////tmp/release.sqlite3 python -m tests.support.schema_record > tests/support/schema_0_1.json
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
APPS = ("portal_", "integrations_", "signatures_")


def list_records() -> list[Path]:
    return sorted(FOLDER.glob("schema_*.json"))


def describe_schema() -> dict[str, Any]:
    """Return table -> its columns, and the unique and check constraints that have a name of ours."""
    from django.db import connection

    tables: dict[str, Any] = {}
    with connection.cursor() as cursor:
        look = connection.introspection
        for table in sorted(look.table_names(cursor)):
            if not table.startswith(APPS):
                continue
            columns = {
                column.name: {
                    "type": str(look.get_field_type(column.type_code, column)),
                    "size": column.display_size,
                    "null": bool(column.null_ok),
                    "default": column.default is not None,
                }
                for column in look.get_table_description(cursor, table)
            }
            constraints = look.get_constraints(cursor, table)
            rules = sorted(
                name
                for name, each in constraints.items()
                if (each["unique"] or each["check"]) and not each["primary_key"] and not name.startswith("__")
            )
            tables[table] = {"columns": columns, "rules": [_without_digest(name) for name in rules]}
    return tables


def write_record(commit: str, tables: dict[str, Any]) -> str:
    """Return the record as JSON with a line for each column, so that two versions can be compared by eye."""
    written = []
    for table, each in tables.items():
        columns = ",\n".join(
            f"   {json.dumps(name)}: {json.dumps(column)}" for name, column in sorted(each["columns"].items())
        )
        written.append(
            f'  "{table}": {{"rules": {json.dumps(each["rules"])}, "columns": {{\n{columns}\n  }}}}'
        )
    return f'{{"commit": "{commit}", "tables": {{\n' + ",\n".join(written) + "\n}}"


def _without_digest(name: str) -> str:
    """Return a constraint's name without what Django adds where we gave none."""
    return re.sub(r"_[0-9a-f]{8}_uniq$", "_uniq", name)


def list_breaks(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """Return why code that knows the tables `before` could not read or write those `after`; a sentence each."""
    found = [f"{table} is gone" for table in before if table not in after]
    for table in before.keys() & after.keys():
        found += _list_column_breaks(table, before[table]["columns"], after[table]["columns"])
        new = set(after[table]["rules"]) - set(before[table]["rules"])
        found += [f"{table} has the new rule {rule}" for rule in new]
    return sorted(found)


def _list_column_breaks(table: str, before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    found = []
    for name, old in before.items():
        new = after.get(name)
        if new is None:
            found.append(f"{table}.{name} is gone")
            continue
        if old["null"] and not new["null"]:
            found.append(f"{table}.{name} takes no NULL any more")
        if old["type"] != new["type"] or (new["size"] or 0) < (old["size"] or 0):
            found.append(f"{table}.{name} has another type, or is shorter")
    for name in after.keys() - before.keys():
        if not after[name]["null"] and not after[name]["default"]:
            found.append(f"{table}.{name} is new, and must be given by code that does not know it")
    return found


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    import django

    django.setup()
    commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
    print(write_record(commit.stdout.strip(), describe_schema()))
