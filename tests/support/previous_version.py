"""Previous version: its code in a folder of its own, from the history of this checkout."""

from __future__ import annotations

import json
import subprocess
import tarfile
from io import BytesIO
from pathlib import Path

import pytest

from .installation import ROOT
from .schema_record import list_records


def unpack_previous_version(folder: Path) -> Path:
    """Return the folder with the code of the latest schema record's commit; skips where the history lacks it."""
    commit = json.loads(list_records()[-1].read_text())["commit"]
    done = subprocess.run(["git", "archive", commit], cwd=ROOT, capture_output=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"This checkout's history has no {commit[:8]}, the commit of the version before.")
    with tarfile.open(fileobj=BytesIO(done.stdout)) as archive:
        archive.extractall(folder, filter="data")
    return folder
