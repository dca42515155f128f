"""A backup of PostgreSQL, made and restored with the programs that docs/backup.md names."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.support.postgres import find_programs

pytestmark = pytest.mark.soak

ROOT = Path(__file__).resolve().parents[2]


def get_documented(program: str) -> list[str]:
    """The options docs/backup.md gives to a program, its file and database left out."""
    line = re.search(rf"{program} ([^`\n]*)", (ROOT / "docs/backup.md").read_text())
    assert line
    return [
        part
        for part in line[1].split()
        if part.startswith("--") and "DATABASE_URL" not in part and "=backup" not in part
    ]


@pytest.mark.postgres
def test_i11_a_dump_of_postgresql_is_restored_with_the_same_counts(install, cluster, sandbox, tmp_path):
    old = install("postgres")
    old.connect("acme.example", sandbox.oauth.issue_tokens(user_id=1))
    counts, dump = tmp_path / "counts.json", tmp_path / "backup.dump"
    counts.write_text(old.manage("countrows").stdout)
    empty = cluster.create()

    programs = find_programs()
    dump_it = [
        programs / "pg_dump",
        *get_documented("pg_dump"),
        f"--file={dump}",
        old.environ["DATABASE_URL"],
    ]
    restore_it = [programs / "pg_restore", *get_documented("pg_restore"), f"--dbname={empty}", dump]
    for command in (dump_it, restore_it):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    compared = old.manage("countrows", "--compare", str(counts), DATABASE_URL=empty)
    verified = old.manage("verifyledger", DATABASE_URL=empty)
    tested = old.manage("checkconnection", "--domain", "acme.example", DATABASE_URL=empty)

    assert compared.returncode == 0, compared.stderr
    assert verified.returncode == 0, verified.stderr
    assert tested.returncode == 0, tested.stderr
    assert old.manage("migrate", "--check", DATABASE_URL=empty).returncode == 0
