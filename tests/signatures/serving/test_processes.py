"""Banners through the production server: processes that are killed, and a silent Outreach behind a merge variable."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

import pytest
import requests
from PIL import Image

from tests.support.banner_company_script import MAKE_COMPANY, SHOW_BLUE_TO_ALL, SWEEP
from tests.support.installation import Installation, wait_until
from tests.support.portal_process import find_free_port

pytestmark = [pytest.mark.soak, pytest.mark.usefixtures("fresh_serving")]

READER = "someone.in.particular@reader.example"


@pytest.fixture
def silent_outreach() -> Iterator[str]:
    """Takes connections and never says a word."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(64)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


@pytest.fixture
def installation(tmp_path: Path, migrated_database: Path, silent_outreach: str) -> Iterator[Installation]:
    made = Installation(tmp_path, migrated_database, OUTREACH_BASE_URL=silent_outreach)
    yield made
    made.close()


def get_colour(answer: requests.Response) -> str:
    red, _, blue = Image.open(BytesIO(answer.content)).convert("RGB").resize((1, 1)).getpixel((0, 0))  # type: ignore[misc]
    return {(255, 0): "red", (0, 255): "blue"}[red, blue]


def list_web_processes(parent: int) -> list[int]:
    """The processes of the web server that answer: those that started no others."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError, IndexError):
                before = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                children.setdefault(before, []).append(int(entry.name))
    waiting, leaves = [parent], []
    while waiting:
        pid = waiting.pop()
        below = children.get(pid, [])
        waiting += below
        if (
            not below
            and pid != parent
            and b"resource_tracker" not in (Path("/proc") / str(pid) / "cmdline").read_bytes()
        ):
            leaves.append(pid)
    return leaves


def test_clicks_that_were_answered_are_recorded_while_workers_are_killed(installation, tmp_path):
    keys = json.loads(installation.run(MAKE_COMPANY))
    port, log = find_free_port(), tmp_path / "serve.log"
    url = f"http://127.0.0.1:{port}"
    server = installation.start(
        "serve", "--sandbox", "--no-worker", "--port", str(port), "--web-workers", "2", output=log
    )

    def fetch(path: str) -> requests.Response | None:
        with contextlib.suppress(requests.RequestException):
            return requests.get(url + path, timeout=10, allow_redirects=False)
        return None

    wait_until(lambda: fetch(f"/b/{keys[0]}@2x.png"), seconds=60, what="the server to answer")
    answered: list[requests.Response | None] = []
    broken: list[requests.Response | None] = []
    is_over = threading.Event()

    def await_more() -> None:
        goal = len(answered) + 60
        wait_until(lambda: len(answered) > goal, seconds=60, what="more clicks to be answered")

    def click(number: int) -> None:
        while not is_over.is_set():
            answer = fetch(f"/c/{keys[number]}")
            (broken if answer is None else answered).append(answer)

    with ThreadPoolExecutor(4) as threads:
        clicking = [threads.submit(click, number) for number in range(4)]
        for round_ in range(2):
            await_more()
            workers = list_web_processes(server.pid)
            assert workers, round_
            for pid in workers:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        await_more()
        is_over.set()
    assert [one.result() for one in clicking] == [None] * 4

    # Who reads is named in the address, and Outreach says nothing: the default shows, and nobody is told who.
    named = [
        fetch(f"/b/{keys[0]}@2x.png?r={READER.replace('someone', f'someone{number}')}") for number in range(6)
    ]
    unreplaced = fetch(f"/b/{keys[0]}@2x.png?r=%7B%7Bemail%7D%7D")
    installation.run(SHOW_BLUE_TO_ALL)
    wait_until(lambda: get_colour(fetch(f"/b/{keys[1]}@2x.png")) == "blue", what="the change to show")  # type: ignore[arg-type]
    on_disk = b"".join(path.read_bytes() for path in (tmp_path / "spool").iterdir())
    with ThreadPoolExecutor(3) as threads:
        list(threads.map(lambda _: installation.run(SWEEP), range(3)))

    assert {one.status_code for one in answered if one is not None} == {302}
    assert {one.headers["Location"].partition("?")[0] for one in answered if one is not None} == {
        "https://www.acme.example/red"
    }
    clicks = installation.rows("select count(*) from signatures_bannerevent where kind = 'click'")[0][0]
    assert len(answered) <= clicks <= len(answered) + len(broken)
    assert [get_colour(one) for one in (*named, unreplaced) if one is not None] == ["red"] * 7
    said = log.read_text()
    assert "reader.example" not in said
    assert "Traceback" not in said
    assert b"reader.example" not in on_disk
    assert b"reader.example" not in b"".join(
        path.read_bytes() for path in tmp_path.iterdir() if path.name.startswith("installation.sqlite3")
    )


def test_what_a_web_process_loaded_is_not_collected_again_while_it_answers(installation):
    count = "import gc; print(len(gc.get_objects()))"

    before, after = (
        int(installation.run(f"{load}; {count}"))
        for load in ("import django; django.setup()", "import portal.rsgi")
    )

    assert before > 50_000
    assert after < 5_000
