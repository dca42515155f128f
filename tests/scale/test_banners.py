"""Banners on PostgreSQL: shown while it is away, counted once when it is back, whoever sweeps."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from tests.support.banner_company_script import COUNT_ROWS, MAKE_COMPANY, SWEEP
from tests.support.installation import Installation, wait_until
from tests.support.portal_process import find_free_port
from tests.support.postgres import Cluster

pytestmark = [pytest.mark.soak, pytest.mark.postgres]


def test_banners_are_shown_and_counted_while_postgresql_is_away(
    install: Callable[..., Installation], cluster: Cluster, tmp_path: Path
) -> None:
    installation = install(SPOOL_FOLDER=str(tmp_path / "spool"))
    keys = json.loads(installation.run(MAKE_COMPANY))
    url = f"http://127.0.0.1:{find_free_port()}"
    log = tmp_path / "serve.log"
    installation.start(
        "serve",
        "--sandbox",
        "--no-worker",
        "--port",
        url.rpartition(":")[2],
        "--web-workers",
        "1",
        output=log,
    )

    def fetch(path: str) -> requests.Response | None:
        with contextlib.suppress(requests.RequestException):
            return requests.get(url + path, timeout=20, allow_redirects=False)
        return None

    wait_until(lambda: fetch(f"/b/{keys[0]}@2x.png"), seconds=60, what="the server to answer")
    database = installation.environ["DATABASE_URL"].rpartition("/")[2]
    cluster.cut(database)

    known = [
        fetch(path)
        for path in (f"/b/{keys[0]}@2x.png", f"/b/{keys[0]}.png", f"/c/{keys[0]}")
        for _ in range(10)
    ]
    unknown = [fetch(path) for path in (f"/b/{keys[1]}@2x.png", f"/c/{keys[1]}")]
    cluster.join(database)

    def is_back() -> bool:
        answer = fetch(f"/c/{keys[1]}")
        return answer is not None and answer.status_code == 302

    wait_until(is_back, what="everything to work again")
    with ThreadPoolExecutor(3) as threads:
        list(threads.map(lambda _: installation.run(SWEEP), range(3)))

    assert [one and one.status_code for one in known] == [200] * 20 + [302] * 10
    for one in unknown:
        assert one is not None
        assert (one.status_code, one.headers["Retry-After"], one.content) == (503, "30", b"")
    assert "Traceback" not in log.read_text()
    assert json.loads(installation.run(COUNT_ROWS)) == {"image": 21, "click": 11}
