"""Redis as the cache that every process shares: what is counted or used up in one holds in all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import redis
import requests

from integrations.outreach.sandbox import Sandbox
from tests.support.installation import Installation, wait_until
from tests.support.portal_process import as_json, find_free_port

pytestmark = [pytest.mark.soak, pytest.mark.redis]

DOMAIN = "acme.example"

LOG_IN = """
import json
from django.test import Client
client = Client(headers={"host": "testserver"})
client.raise_request_exception = False
answers = []
for password in sys.argv[1:]:
    page = client.post("/accounts/login/", {"login": "owner@acme.example", "password": password})
    answers.append([page.status_code, b"Too many failed login attempts" in page.content])
print(json.dumps({"answers": answers, "is_in": "_auth_user_id" in client.session}))
"""
LEAVE = """
import json
from django.conf import settings
from django.test import Client
client = Client(headers={"host": "testserver"})
client.post("/accounts/login/", {"login": "owner@acme.example", "password": "correct horse battery"})
away = client.post("/manage/domains/acme.example/integrations/outreach/connect/")
print(json.dumps({"address": away["Location"], "session": client.cookies[settings.SESSION_COOKIE_NAME].value}))
"""
# Waits until all are there, so that they come back at the same moment.
COME_BACK = """
import json, pathlib, time
from django.conf import settings
from django.test import Client
address, session, folder, count = sys.argv[1:]
client = Client(headers={"host": "testserver"})
client.cookies[settings.SESSION_COOKIE_NAME] = session
(pathlib.Path(folder) / str(os.getpid())).touch()
while len(list(pathlib.Path(folder).iterdir())) < int(count):
    time.sleep(0.01)
print(json.dumps(client.get(address).status_code))
"""


@pytest.fixture
def installation(
    migrated_sqlite: Path, redis_url: str, sandbox: Sandbox, tmp_path: Path
) -> Iterator[Installation]:
    """On a Redis without a memory of other tests."""
    redis.Redis.from_url(redis_url).flushall()
    made = Installation(
        tmp_path,
        migrated_sqlite,
        REDIS_URL=redis_url,
        OUTREACH_BASE_URL=sandbox.base_url,
        PUBLIC_URL="http://testserver",
    )
    made.connect(DOMAIN, None)
    yield made
    made.close()


@pytest.fixture
def answer(sandbox: Sandbox) -> Callable[[str], str]:
    """Press Allow on Outreach's page; the path the browser is sent back to."""

    def allow(address: str) -> str:
        fields: dict[str, Any] = dict(parse_qsl(urlsplit(address).query, keep_blank_values=True))
        fields |= {"user_id": "1", "decision": "allow", "grant": fields["scope"].split()}
        reply = requests.post(
            f"{sandbox.base_url}/oauth/authorize", data=fields, allow_redirects=False, timeout=10
        )
        back = urlsplit(reply.headers["Location"])
        return f"{back.path}?{back.query}"

    return allow


def log_in(installation: Installation, *passwords: str, **environ: str) -> dict[str, Any]:
    found: dict[str, Any] = as_json(installation.run(LOG_IN, *passwords, timeout=60, **environ))
    return found


def test_wrong_passwords_are_counted_over_all_processes_and_not_in_the_database(
    installation: Installation,
) -> None:
    first = log_in(installation, *["wrong horse battery"] * 3)
    second = log_in(installation, *["wrong horse battery"] * 2)
    third = log_in(installation, "correct horse battery")

    assert first["answers"] + second["answers"] == [[200, False]] * 5
    assert third == {"answers": [[200, True]], "is_in": False}
    assert installation.rows("select count(*) from portal_cache") == [(0,)]


def test_an_answer_from_outreach_is_taken_once_however_many_processes_get_it(
    installation: Installation, sandbox: Sandbox, tmp_path: Path, answer: Callable[[str], str]
) -> None:
    left = as_json(installation.run(LEAVE))
    waiting = tmp_path / "waiting"
    waiting.mkdir()
    arguments = (answer(left["address"]), left["session"], str(waiting), "4")

    processes = [installation.start_script(COME_BACK, *arguments) for _ in range(4)]
    said = [process.communicate(timeout=60)[0] for process in processes]

    assert sorted(as_json(text) for text in said) == [302, 400, 400, 400], said
    assert [one.status for one in sandbox.requests if one.path == "/oauth/token"] == [200]
    assert installation.rows("select state from integrations_connection") == [("active",)]


def test_while_redis_is_away_nobody_gets_in_uncounted(installation: Installation) -> None:
    nobody_listens = f"redis://127.0.0.1:{find_free_port()}/0"

    tried = log_in(installation, "correct horse battery", REDIS_URL=nobody_listens)

    assert tried == {"answers": [[503, False]], "is_in": False}
    assert log_in(installation, "correct horse battery")["is_in"]


def test_the_worker_needs_no_redis(installation: Installation) -> None:
    cluster = installation.start("qcluster", REDIS_URL=f"redis://127.0.0.1:{find_free_port()}/0")

    installation.run("from django_q.tasks import async_task\nasync_task('portal.tasks.record_beat')\n")

    wait_until(
        lambda: installation.rows("select success from django_q_task") == [(1,)],
        seconds=40,
        what="a task to be done",
    )
    cluster.terminate()
    assert cluster.wait(30) == 0
