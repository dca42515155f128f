"""What a web process counted just before it ends."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.support.installation import Installation, wait_until
from tests.support.portal_process import find_free_port

UNKNOWN = "/b/" + "k" * 22 + ".png"


@pytest.fixture
def installation(tmp_path: Path, migrated_database: Path) -> Iterator[Installation]:
    made = Installation(tmp_path, migrated_database)
    yield made
    made.close()


def read_stored(installation: Installation) -> dict[tuple[str, ...], float]:
    """Return labels -> requests of banners and clicks."""
    query = "SELECT labels, value FROM portal_metricsum WHERE metric = 'countersign_banner_requests_total'"
    return {tuple(json.loads(labels)): value for labels, value in installation.rows(query)}


def test_what_a_web_process_counted_last_is_stored_when_it_ends(installation, tmp_path):
    url, log = f"http://127.0.0.1:{find_free_port()}", tmp_path / "serve.log"
    process = installation.start(
        "serve",
        "--sandbox",
        "--no-worker",
        "--port",
        url.rpartition(":")[2],
        "--web-workers",
        "1",
        output=log,
    )

    def answers() -> bool:
        try:
            return requests.get(url + "/healthz", timeout=5).ok
        except requests.RequestException:
            return False

    wait_until(answers, seconds=90, what="the server to answer")
    assert requests.get(url + UNKNOWN, timeout=30).status_code == 404
    wait_until(
        lambda: read_stored(installation), seconds=60, what="the first count; the next is ten seconds later"
    )

    for _ in range(20):
        assert requests.get(url + UNKNOWN, timeout=30).status_code == 404
    process.terminate()
    assert process.wait(60) == 0, log.read_text()

    assert read_stored(installation) == {("image", "404"): 21}
