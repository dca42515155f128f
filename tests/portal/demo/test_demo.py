"""The demo from the outside: what it prints, what it leaves alone, and that it ends everything it started."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.installation import ROOT, wait_until
from tests.support.portal_process import Outreach, find_free_port

pytestmark = pytest.mark.soak

PATIENCE_SECONDS = 150


class Checkout:
    """A copy of the product, so that its `.demo` is nobody else's."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.demo = folder / ".demo"
        for name in ("portal", "integrations", "signatures", "templates"):
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "manage.py", folder)
        # What somebody has set up already, and the demo must neither use nor touch.
        self.databases = [folder / "countersign.sqlite3", folder / "theirs.sqlite3"]
        for database in self.databases:
            database.write_bytes(b"somebody's")
        (folder / ".env").write_text(
            f"DATABASE_URL=sqlite:///{self.databases[1]}\nOUTREACH_BASE_URL=https://api.outreach.example\n"
            "REDIS_URL=redis://127.0.0.1:9/0\nPUBLIC_URL=https://signatures.example.com\nTOKEN_KEYS=theirs\n"
        )

    def start(self, *arguments: str, port: int | None = None) -> subprocess.Popen[str]:
        """Start the demo as a terminal does: in a process group that Ctrl-C reaches."""
        return subprocess.Popen(
            [sys.executable, "manage.py", "demo", "--port", str(port or find_free_port()), *arguments],
            cwd=self.folder,
            env={**{key: os.environ[key] for key in ("PATH", "HOME") if key in os.environ}, "COLUMNS": "200"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )

    def run(self, *arguments: str, port: int | None = None) -> tuple[int, str]:
        process = self.start(*arguments, port=port)
        said, _ = process.communicate(timeout=PATIENCE_SECONDS)
        return process.returncode, said

    def list_processes(self) -> list[int]:
        """Everything that runs in this checkout."""
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if (entry / "cwd").readlink() == self.folder:
                    found.append(int(entry.name))
        return found


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    made = Checkout(tmp_path_factory.mktemp("demo") / "checkout")
    yield made
    for process_id in made.list_processes():
        os.kill(process_id, signal.SIGKILL)


def read_table(said: str) -> dict[str, str]:
    """The rows of the table at the end."""
    rows = (line.strip("│┃ \n").split("│") for line in said.splitlines() if line.startswith("│"))
    return {row[0].strip(): row[1].strip() for row in rows if len(row) == 2}


def test_once_does_the_job_prints_its_table_and_leaves_nothing_running(checkout: Checkout) -> None:
    status, said = checkout.run("--once", "--people", "30")

    assert status == 0, said
    table = read_table(said)
    assert {name: table[name] for name in ("People", "Teams", "Groups", "Scopes granted", "Unchanged")} == {
        "People": "30",
        "Teams": "12",
        "Groups": "13",
        "Scopes granted": "users.all, teams.read, mailboxes.all, prospects.read",
        "Unchanged": "0",
    }
    assert table["Read back"].endswith(" mailboxes, 0 differ")
    assert int(table["Delivered"]) > 20
    # Whoever has the tag gets the webinar, and whoever has not, what is for everybody.
    assert " × Spring webinar" in said and " × The anvil handbook" in said and "× no campaign" not in said
    assert "Login:   demo@acme.example" in said
    assert checkout.list_processes() == []
    assert [database.read_bytes() for database in checkout.databases] == [b"somebody's"] * 2


def test_a_second_run_says_what_it_removed_serves_until_ctrl_c_and_ends_everything(
    checkout: Checkout,
) -> None:
    checkout.demo.mkdir(exist_ok=True)
    (checkout.demo / "made-by-countersign-demo").touch()
    process = checkout.start("--people", "12")
    assert process.stdout is not None
    said: list[str] = []
    reader = threading.Thread(target=lambda: said.extend(process.stdout or []))
    reader.start()
    wait_until(lambda: any("until you press Ctrl-C" in line for line in said), seconds=PATIENCE_SECONDS)

    assert checkout.run("--once", port=find_free_port()) == (
        1,
        "CommandError: A demo is already running in this folder. Stop it with Ctrl-C first.\n",
    )
    assert len(checkout.list_processes()) > 5

    os.killpg(process.pid, signal.SIGINT)
    status = process.wait(60)
    reader.join()

    assert said[0].startswith(f"Removed the previous demo: {checkout.demo}")
    assert status == 0, "".join(said)
    wait_until(lambda: checkout.list_processes() == [], what="every process to end")


def test_once_fails_where_a_mailbox_was_changed_behind_its_back(checkout: Checkout) -> None:
    shutil.rmtree(checkout.demo, ignore_errors=True)
    process = checkout.start("--once", "--people", "12")
    address = checkout.demo / "sandbox-address"
    wait_until(address.exists, seconds=60, what="the sandbox to listen")
    outreach = Outreach(address.read_text().strip())
    before = outreach.get_signatures()
    outreach.fail(kind="slow", method="PATCH", times=None, seconds=1.5)

    def find_delivered() -> int | None:
        now = outreach.get_signatures()
        return next((key for key in before if now[key] != before[key]), None)

    changed: int = wait_until(find_delivered, seconds=PATIENCE_SECONDS, what="the first delivery")
    outreach.change("mailboxes", changed, email_signature="<p>somebody else’s</p>")
    said, _ = process.communicate(timeout=PATIENCE_SECONDS)

    assert process.returncode == 1, said
    assert f"{outreach_email(said)} does not hold what was delivered" in said
    assert "Some mailboxes do not hold what was delivered" in said
    assert checkout.list_processes() == []


def outreach_email(said: str) -> str:
    """Whose mailbox the demo names; the sandbox is gone by then."""
    [line] = [line for line in said.splitlines() if line.startswith("✗")]
    return line.split()[1]


def test_a_folder_that_no_demo_made_is_left_alone(tmp_path: Path) -> None:
    checkout = Checkout(tmp_path / "checkout")
    checkout.demo.mkdir()
    (checkout.demo / "thesis.txt").write_text("four years of work")

    status, said = checkout.run("--once")

    assert (status, said) == (
        1,
        f"CommandError: {checkout.demo} was not created by the demo, so it is not removed. "
        "Move it, then run the command again.\n",
    )
    assert (checkout.demo / "thesis.txt").read_text() == "four years of work"


def test_a_port_that_is_taken_is_said_before_anything_is_removed(checkout: Checkout) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        checkout.demo.mkdir(exist_ok=True)
        (checkout.demo / "made-by-countersign-demo").touch()
        held = sorted(path.name for path in checkout.demo.iterdir())

        assert checkout.run("--once", port=port) == (
            1,
            f"CommandError: Port {port} is taken. Choose another: demo --port {port + 1}\n",
        )

    assert sorted(path.name for path in checkout.demo.iterdir()) == held


@pytest.mark.parametrize("people", ["1", "100001"])
def test_a_company_of_no_sensible_size_is_refused(people: str) -> None:
    done = subprocess.run(
        [sys.executable, "manage.py", "demo", "--people", people],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (1, "CommandError: Choose between 2 and 100,000 people.\n")
