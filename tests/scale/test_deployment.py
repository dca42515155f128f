"""Deployment: the image and services of `deploy/` as processes on one machine, the main job through nginx with TLS.

No container is started: `tests/support/containers.py` says what takes its place.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from tests.support.containers import Image, built_image
from tests.support.installation import ROOT, wait_until
from tests.support.portal_process import as_json, find_free_port, running_outreach
from tests.support.postgres import Cluster
from tests.support.tls_proxy import Proxy, running_proxy

pytestmark = [
    pytest.mark.soak, pytest.mark.deployment, pytest.mark.postgres, pytest.mark.redis, pytest.mark.nginx,
    pytest.mark.skipif(
        sys.platform != "linux" or os.geteuid() != 0, reason="File trees are mounted, which takes root on Linux."
    ),
]  # fmt: skip

SERVICES: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "deploy/compose/compose.yaml").read_text())[
    "services"
]
# Arguments: the portal's address, the sandbox's, the certificate to trust.
MAIN_JOB = """
import dataclasses, json, os, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "portal.settings"
sys.path.insert(0, os.getcwd())
import django
django.setup()
from rich.console import Console
from portal.demo import browser
from portal.demo.environment import Plan
from portal.demo.scenario import Scenario
portal, sandbox, certificate = sys.argv[1:]
make_session = browser._make_session
def make_trusting_session():
    session = make_session()
    session.verify = certificate
    return session
browser._make_session = make_trusting_session
class Elsewhere(Plan):
    portal_url = portal
walk = Scenario(Elsewhere(people=24, port=0), sandbox_url=sandbox, console=Console(stderr=True)).walk
print(json.dumps(dataclasses.asdict(walk()), default=str))
"""


@dataclass
class Deployed:
    """What is up: two portals and two workers of one image, behind a proxy. changes: what differs from compose.yaml."""

    image: Image
    proxy: Proxy
    changes: dict[str, str]
    ports: list[int]
    portals: list[subprocess.Popen[bytes]]

    @property
    def url(self) -> str:
        return self.changes["PUBLIC_URL"]

    def get(self, path: str) -> requests.Response:
        return requests.get(
            self.url + path, verify=str(self.proxy.certificate), timeout=20, allow_redirects=False
        )

    def manage(self, *arguments: str, **changes: str) -> subprocess.CompletedProcess[str]:
        environ = SERVICES["worker"]["environment"] | self.changes | changes
        return self.image.run(*arguments, environ=environ, timeout=900)

    def is_healthy(self, port: int) -> bool:
        """Carry out the health check of the image."""
        command = [word.replace("8000", str(port)) for word in self.image.stage.health]
        return self.image.execute(command).returncode == 0


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory, cluster: Cluster) -> Path:
    folder = tmp_path_factory.mktemp("deployment") / "secrets"
    folder.mkdir()
    given = {
        "database_url": cluster.create(),
        "email_url": "smtp://127.0.0.1:9",
        "outreach_client_id": "sandbox-client",
        "outreach_client_secret": "sandbox-secret",
    }
    for name, value in given.items():
        (folder / name).write_text(f"{value}\n")
    subprocess.run([ROOT / "deploy/make-secrets", folder], check=True)
    assert folder.stat().st_mode & 0o777 == 0o700
    folder.chmod(0o755)  # where containers mount files, the tree has the folder
    return folder


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory, secrets: Path) -> Iterator[Image]:
    with built_image(
        ROOT / "deploy/Containerfile", tmp_path_factory.mktemp("trees"), secrets=secrets
    ) as built:
        yield built


@pytest.fixture(scope="module")
def deployed(
    tmp_path_factory: pytest.TempPathFactory, image: Image, secrets: Path, redis_url: str
) -> Iterator[Deployed]:
    folder = tmp_path_factory.mktemp("services")
    ports = [find_free_port(), find_free_port()]
    with contextlib.ExitStack() as stack:
        proxy = stack.enter_context(running_proxy(folder, ports=ports, host="localhost"))
        (secrets / "certificate.pem").write_bytes(proxy.certificate.read_bytes())
        url = f"https://localhost:{proxy.port}"
        outreach = stack.enter_context(running_outreach(folder, people=24, portal_url=url))
        changes = {
            "PUBLIC_URL": url, "REDIS_URL": redis_url, "OUTREACH_BASE_URL": outreach.url,
            "REQUIRE_MFA": "False", "WEB_WORKERS": "1",
        }  # fmt: skip
        made = Deployed(image, proxy, changes, ports, [])
        migrated = made.manage(*SERVICES["migrate"]["command"])
        assert migrated.returncode == 0, migrated.stderr
        for number, port in enumerate(ports):
            for name in ("portal", "worker"):
                service = SERVICES[name]
                command = [word.replace("8000", str(port)) for word in service["command"]]
                environ = service["environment"] | changes
                log = folder / f"{name}-{number}.log"
                process = stack.enter_context(image.running(*command, "--sandbox", environ=environ, log=log))
                if name == "portal":
                    made.portals.append(process)
        for port in ports:
            wait_until(lambda port=port: made.is_healthy(port), seconds=120, what="a portal to be healthy")
        yield made


def test_the_image_runs_without_privileges_and_can_write_to_tmp_and_its_volume_alone(image: Image) -> None:
    paths = ("/tmp", "/var/spool/countersign", "/srv/countersign", "/opt/countersign", "/etc", "/run/secrets")  # noqa: S108 - in the tree

    who = image.execute(["sh", "-c", "id -u; id -g; grep -E 'CapBnd|NoNewPrivs' /proc/self/status"]).stdout
    writable = [path for path in paths if image.execute(["touch", f"{path}/file"]).returncode == 0]

    assert who.split() == ["10001", "10001", "CapBnd:", "0" * 16, "NoNewPrivs:", "1"]
    assert writable == ["/tmp", "/var/spool/countersign"]  # noqa: S108 - in the tree
    assert image.execute(["python", "-m", "pip", "--version"]).returncode != 0
    assert image.run("--version").stdout.startswith("Countersign ")


def test_the_main_job_is_done_through_the_proxy_by_portals_and_workers_of_the_image(
    deployed: Deployed,
) -> None:
    founded = deployed.manage(
        "createdomain", "acme.example", "--owner", "demo@acme.example", OWNER_PASSWORD="countersign-demo"
    )
    assert founded.returncode == 0, founded.stderr

    done = deployed.image.execute(
        [
            "python", "-c", MAIN_JOB, deployed.url, deployed.changes["OUTREACH_BASE_URL"],
            "/run/secrets/certificate.pem",
        ],
        environ=SERVICES["worker"]["environment"] | deployed.changes,
        timeout=400,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    result = as_json(done.stdout)
    assert result["delivered"] > 10
    assert (result["people"], result["read_back"]["mismatches"]) == (24, [])
    ready = requests.get(f"http://127.0.0.1:{deployed.ports[0]}/readyz", timeout=20).json()
    assert (ready["ready"], ready["worker"]["alive"]) == (True, True)
    assert deployed.get("/readyz").status_code == 404  # not for everybody


def test_the_check_of_a_deployment_finds_nothing_in_what_compose_sets(deployed: Deployed) -> None:
    outreach = "https://api.outreach.io"

    checked = deployed.manage("check", "--deploy", "--fail-level", "WARNING", OUTREACH_BASE_URL=outreach)

    assert (checked.returncode, checked.stderr) == (0, "")


def test_a_portal_that_is_stopped_is_not_noticed_through_the_proxy(deployed: Deployed) -> None:
    statuses: list[int] = []
    is_over = threading.Event()

    def ask() -> None:
        while not is_over.is_set():
            statuses.append(deployed.get("/accounts/login/").status_code)

    asking = threading.Thread(target=ask)
    asking.start()
    wait_until(lambda: len(statuses) > 5, what="answers before")
    deployed.portals[0].terminate()
    deployed.portals[0].wait(60)
    before = len(statuses)
    wait_until(lambda: len(statuses) > before + 5, what="answers after")
    is_over.set()
    asking.join()

    assert set(statuses) == {200}
    assert [deployed.is_healthy(port) for port in deployed.ports] == [False, True]
