"""One command keeps web and worker alive: processes are killed and frozen, and a queued task still runs."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import signal
import socket

import pytest
import requests

from portal import __version__
from portal.management.commands.serve import describe_installation
from portal.worker.worker_files import is_running
from tests.support.installation import Installation, wait_until
from tests.support.portal_process import find_free_port
from tests.support.served import GRACE_SECONDS, LONG, PATIENCE_SECONDS, SHORT, get_group

pytestmark = pytest.mark.soak


def test_a_killed_idle_worker_and_a_frozen_cluster_are_replaced_and_tasks_run(start):
    served = start("--no-web")
    workers = served.wait_for_worker()
    served.wait_for_beat()  # it is idle now, and nothing is queued
    os.kill(workers[0], signal.SIGKILL)
    # Mostly the cluster is stuck by that; sometimes it heals by itself.
    served.wait_for_beat()
    served.run_task("after a worker was killed")

    # Every process alive and none doing anything: only the missing heartbeat tells.
    present = served.get_pid("background worker")
    replaced = served.said("it is replaced")
    frozen = get_group(present)
    os.killpg(present, signal.SIGSTOP)
    wait_until(lambda: served.said("it is replaced") > replaced, seconds=PATIENCE_SECONDS)
    served.wait_for_beat()
    served.run_task("after the cluster was frozen")

    assert served.said("it is replaced") == served.said("finished no task for too long; it is replaced")
    assert served.said("it is replaced") == replaced + 1
    assert not frozen & get_group(present)
    assert served.process.poll() is None


def test_a_healthy_cluster_is_left_alone_and_beats_several_times_within_its_grace(start):
    served = start("--no-web")
    served.wait_for_worker()
    first = served.get_pid("background worker")

    for _ in range(5):
        served.wait_for_beat()

    assert (served.get_pid("background worker"), served.said("it is replaced")) == (first, 0)


def test_a_worker_at_a_task_longer_than_the_grace_counts_as_alive_and_is_left_alone(start):
    served = start("--no-web")
    served.wait_for_worker()
    served.wait_for_beat()
    first = served.get_pid("background worker")
    served.installation.run(
        f"from django_q.tasks import async_task\nasync_task('time.sleep', {3 * GRACE_SECONDS}, task_name='long')\n"
    )
    served.wait_for_worker(word="busy")

    # Its only worker is at the task, so nothing but the supervisor can tell.
    served.wait_for_beat()
    served.wait_for_beat()

    assert served.installation.rows("select count(*) from django_q_task where name = 'long'") == [(0,)]
    assert (served.get_pid("background worker"), served.said("it is replaced")) == (first, 0)


def test_a_worker_that_is_frozen_at_a_task_is_ended_and_its_cluster_goes_on(start):
    served = start("--no-web")
    served.wait_for_worker()
    first, bystander = served.get_pid(SHORT), served.get_pid(LONG)
    served.installation.run("from django_q.tasks import async_task\nasync_task('time.sleep', 600)\n")
    [frozen] = served.wait_for_worker(word="busy")

    os.kill(frozen, signal.SIGSTOP)
    wait_until(lambda: not is_running(frozen), seconds=PATIENCE_SECONDS)

    served.run_task("after a worker was frozen")
    assert served.said(f"process {frozen} of the background worker is frozen at a task; it is ended") == 1
    assert (served.get_pid(SHORT), served.get_pid(LONG), served.said("it is replaced")) == (
        first, bystander, 0,
    )  # fmt: skip


def test_a_killed_supervisors_folder_goes_with_the_next_start_and_a_living_ones_stays(start, tmp_path):
    killed = start("--no-web")
    killed.wait_for_worker()
    left = list(tmp_path.glob("countersign-alive-*"))
    killed.process.kill()
    killed.process.wait()
    wait_until(lambda: not get_group(killed.get_pid("background worker")), seconds=PATIENCE_SECONDS)
    for folder in left:
        os.utime(folder, (0, 0))
    foreign = tmp_path / "countersign-alive-a-file"
    foreign.write_text("no folder of ours")

    living = start("--no-web")
    living.wait_for_worker()
    of_living = [path for path in tmp_path.glob("countersign-alive-*") if path.is_dir()]
    for folder in of_living:
        os.utime(folder, (0, 0))
    third = start("--no-web")
    wait_until(lambda: third.get_pid("background worker"), seconds=PATIENCE_SECONDS)

    assert [len(left), len(of_living)] == [2, 2]  # one for each queue
    assert not [folder for folder in left if folder.exists()]
    assert all(folder.is_dir() for folder in of_living)
    assert foreign.read_text() == "no folder of ours"


def test_a_killed_cluster_leaves_no_orphans_and_sigterm_ends_everything(start):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    served = start(f"--port={port}", "--web-workers=1")
    served.wait_for_worker()

    def is_answering():
        with contextlib.suppress(requests.ConnectionError):
            return requests.get(f"http://127.0.0.1:{port}/healthz", timeout=5).text == "ok"

    wait_until(is_answering, seconds=PATIENCE_SECONDS)
    first = served.get_pid("background worker")
    orphans = get_group(first) - {first}
    assert orphans

    os.kill(first, signal.SIGKILL)
    wait_until(lambda: served.get_pid("background worker") != first, seconds=PATIENCE_SECONDS)
    wait_until(lambda: not any(map(is_running, orphans)), seconds=5)
    served.run_task("after the cluster was killed")

    web = served.get_pid("web server")
    os.kill(web, signal.SIGKILL)
    wait_until(lambda: served.get_pid("web server") != web, seconds=PATIENCE_SECONDS)
    wait_until(is_answering, seconds=PATIENCE_SECONDS)

    everything = {served.process.pid}
    for name in ("web server", SHORT, LONG):
        everything |= get_group(served.get_pid(name))
    served.process.send_signal(signal.SIGTERM)
    assert served.process.wait(60) == 0
    assert not [pid for pid in everything - {served.process.pid} if is_running(pid)]
    assert not is_answering()
    assert not list(served.installation.database.parent.glob("countersign-alive-*"))


def test_a_killed_supervisor_takes_what_it_started_with_it(start):
    served = start("--no-web")
    served.wait_for_worker()
    cluster = get_group(served.get_pid("background worker"))
    assert len(cluster) > 1

    served.process.kill()
    served.process.wait()

    wait_until(lambda: not any(map(is_running, cluster)), seconds=60)


def test_a_supervisor_takes_the_place_of_a_killed_one_and_leaves_other_machines(start):
    killed = start("--no-web")
    list_processes = "SELECT name, process FROM portal_workermachine ORDER BY name"
    wait_until(lambda: killed.installation.rows(list_processes), seconds=PATIENCE_SECONDS)
    killed.process.kill()
    killed.process.wait()
    killed.installation.rows(
        "INSERT INTO portal_workermachine (name, process, seen_at, is_busy, python, memory_mb) "
        "SELECT 'a-node', process, seen_at, is_busy, python, memory_mb FROM portal_workermachine"
    )

    living = start("--no-web")
    wait_until(
        lambda: living.process.pid in [process for _, process in living.installation.rows(list_processes)],
        seconds=PATIENCE_SECONDS,
    )

    assert living.installation.rows(list_processes) == [
        ("a-node", killed.process.pid), (platform.node(), living.process.pid),
    ]  # fmt: skip


@pytest.mark.parametrize("options", [("--no-web", "--no-worker")])
def test_nothing_to_run_is_said(migrated_database, tmp_path, options):
    installation = Installation(tmp_path, migrated_database)

    done = installation.manage("serve", *options)

    assert done.returncode == 1
    assert "Nothing to run" in done.stderr


def test_serve_on_an_empty_database_says_what_to_do_in_words(tmp_path):
    done = Installation(tmp_path, None).manage("serve", "--sandbox")

    assert done.returncode == 1
    assert "not migrated" in done.stderr and "python manage.py migrate" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("http://127.0.0.1:9/", "points to this machine while DEBUG is off"),
        ("https://localhost", "points to this machine while DEBUG is off"),
        ("http://api.outreach.io", "must be an https address without a path"),
        ("https://api.outreach.io/api/v2", "must be an https address without a path"),
        ("api.outreach.io", "must be an https address without a path"),
    ],
)
def test_serve_refuses_an_outreach_that_is_none(migrated_database, tmp_path, address, said):
    installation = Installation(tmp_path, migrated_database, OUTREACH_BASE_URL=address)

    done = installation.manage("serve", "--no-web")

    assert done.returncode == 1
    assert said in done.stderr
    assert "Remove OUTREACH_BASE_URL to use https://api.outreach.io." in done.stderr


def test_serve_says_what_it_runs_on_and_no_password(settings, monkeypatch):
    monkeypatch.setitem(settings.DATABASES, "default", {
        "ENGINE": "django.db.backends.postgresql", "HOST": "db.internal", "PORT": 5433, "NAME": "countersign",
        "USER": "portal", "PASSWORD": "canary-password",
    })  # fmt: skip

    said = describe_installation()

    assert said[0].startswith(f"Countersign {__version__}, Python ")
    assert f"people reach it at {settings.PUBLIC_URL}" in said
    assert "database postgresql: db.internal:5433, countersign" in said
    assert f"Outreach at {settings.OUTREACH_BASE_URL}" in said
    assert "canary-password" not in " ".join(said)


def test_a_worker_writes_no_line_for_each_task(start):
    served = start("--no-web")
    served.wait_for_beat()

    served.run_task("quietly")

    text = served.output.read_text()
    assert "serve: database sqlite3: " in text
    assert "Processed" not in text


def test_every_line_is_json_where_that_is_set_the_web_servers_too(start):
    served = start("--port", str(find_free_port()), LOG_FORMAT="json")
    served.wait_for_beat()
    served.process.terminate()
    served.process.wait(timeout=PATIENCE_SECONDS)

    lines = [json.loads(line) for line in served.output.read_text().splitlines()]

    assert all({"time", "level", "logger", "message"} <= line.keys() for line in lines)
    assert {"portal.management.commands.serve", "_granian"} <= {line["logger"] for line in lines}
