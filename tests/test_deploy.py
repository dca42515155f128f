"""The examples in `deploy/` name settings, commands, addresses and files that are there, and keep secrets in files."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography.fernet import Fernet
from django.core.management import get_commands, load_command_class
from django.urls import resolve

from portal import __version__
from portal.env import FROM_FILES
from tests.support.containers import read_container_file
from tests.test_docs import settings_in_code

ROOT = Path(__file__).resolve().parents[1]
DEPLOY = ROOT / "deploy"
SECRETS = {
    "SECRET_KEY", "TOKEN_KEYS", "DATABASE_URL", "EMAIL_URL", "OUTREACH_CLIENT_ID", "OUTREACH_CLIENT_SECRET",
}  # fmt: skip
COMPOSE = yaml.safe_load((DEPLOY / "compose/compose.yaml").read_text())
OURS = ("migrate", "portal", "worker")
KUBERNETES = yaml.safe_load((DEPLOY / "kubernetes/countersign.yaml").read_text())["items"]
STAGES = read_container_file(DEPLOY / "Containerfile")
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
KNOWN = settings_in_code() | {f"{name}_FILE" for name in FROM_FILES}


def read_unit(path: Path) -> dict[str, list[str]]:
    """Return the values of each key of a unit's [Service]."""
    lines = path.read_text().partition("[Service]\n")[2].partition("\n[")[0].splitlines()
    found: dict[str, list[str]] = {}
    for line in lines:
        if line and not line.startswith("#"):
            key, _, value = line.partition("=")
            found.setdefault(key, []).append(value)
    return found


def read_unit_environ(path: Path) -> dict[str, str]:
    words = [word for line in read_unit(path)["Environment"] for word in shlex.split(line)]
    lines = [line for line in (DEPLOY / "systemd/environment").read_text().splitlines() if "=" in line]
    return dict(each.split("=", 1) for each in [*words, *lines])


def find_pods() -> dict[str, dict[str, Any]]:
    return {
        item["metadata"]["name"]: item["spec"]["template"]["spec"]
        for item in KUBERNETES
        if item["kind"] in ("Job", "Deployment", "StatefulSet")
    }


ENVIRONS = {
    **{f"compose {name}": COMPOSE["services"][name]["environment"] for name in OURS},
    "kubernetes": next(item["data"] for item in KUBERNETES if item["kind"] == "ConfigMap"),
    **{path.name: read_unit_environ(path) for path in UNITS},
}
COMMANDS = {
    "image": STAGES[-1].command,
    **{f"compose {name}": COMPOSE["services"][name]["command"] for name in OURS},
    **{f"kubernetes {name}": pod["containers"][0]["args"] for name, pod in find_pods().items()},
    **{path.name: shlex.split(read_unit(path)["ExecStart"][0])[2:] for path in UNITS},
}


@pytest.mark.parametrize("where", ENVIRONS)
def test_every_setting_is_known_and_every_secret_comes_from_a_file(where):
    environ = {name: value for name, value in ENVIRONS[where].items() if not name.startswith("PYTHON")}

    assert environ.keys() - KNOWN == set()
    assert {f"{name}_FILE" for name in SECRETS} <= environ.keys()
    assert environ.keys() & SECRETS == set()
    assert (environ["TRUSTED_PROXIES"], environ["PUBLIC_URL"][:8]) == ("1", "https://")


def test_the_files_of_secrets_are_those_that_the_script_makes(tmp_path):
    folder = tmp_path / "secrets"
    done = subprocess.run([DEPLOY / "make-secrets", folder], capture_output=True, text=True, check=True)
    made = {path.name: path.read_text() for path in folder.iterdir()}
    asked = set(re.findall(r"^(\w+): write", done.stdout, re.MULTILINE))
    subprocess.run([DEPLOY / "make-secrets", folder], capture_output=True, check=True)

    assert made.keys() - {"database_password"} == {name.lower() for name in SECRETS} - asked
    assert {path.name: path.read_text() for path in folder.iterdir()} == made
    assert folder.stat().st_mode & 0o777 == 0o700
    assert made["database_password"] in made["database_url"]
    assert Fernet(made["token_keys"])
    assert len(made["secret_key"]) >= 50
    for service in OURS:
        assert set(COMPOSE["services"][service]["secrets"]) == {name.lower() for name in SECRETS}
    for path in UNITS:
        loaded = [line.split(":")[0] for line in read_unit(path)["LoadCredential"]]
        assert sorted(loaded) == sorted(name.lower() for name in SECRETS)


@pytest.mark.parametrize("where", COMMANDS)
def test_every_command_is_one_of_ours_and_takes_these_options(where):
    name, *options = COMMANDS[where]
    app = get_commands()[name]

    parsed = load_command_class(app, name).create_parser("manage.py", name).parse_args(options)

    if name == "serve" and not parsed.no_web:
        assert parsed.port == 8000
        assert parsed.host == ("127.0.0.1" if where.endswith(".service") else "0.0.0.0")  # noqa: S104 - compared


def test_images_are_pinned_and_ours_is_this_version():
    used = [each["image"] for each in COMPOSE["services"].values()]
    used += [container["image"] for pod in find_pods().values() for container in pod["containers"]]
    base = re.findall(r"^ARG PYTHON=(\S+)", (DEPLOY / "Containerfile").read_text(), re.MULTILINE)

    assert {image for image in used if "countersign" in image} == {
        f"countersign:{__version__}", f"registry.example.com/countersign:{__version__}",
    }  # fmt: skip
    assert [image for image in used if not re.search(r":\d+\.\d+(\.\d+)?(-\w+)?$", image)] == []
    assert re.fullmatch(r"\d+\.\d+\.\d+-slim-\w+", base[0])


def test_health_is_asked_at_addresses_and_ports_that_there_are():
    (asked,) = re.findall(r"http://127\.0\.0\.1:(\d+)([\w/]+)", " ".join(STAGES[-1].health))
    (portal,) = find_pods()["countersign-portal"]["containers"]
    probes = [portal[name]["httpGet"] for name in ("startupProbe", "livenessProbe", "readinessProbe")]

    assert asked[0] == "8000"
    assert portal["ports"] == [{"name": "http", "containerPort": 8000}]
    assert {probe["port"] for probe in probes} == {"http"}
    for path in (asked[1], *(probe["path"] for probe in probes)):
        assert resolve(path).view_name in ("portal:healthz", "portal:readyz_web")
    assert (
        portal["livenessProbe"]["httpGet"]["path"] == "/healthz"
    )  # a database that is away restarts nothing


def test_the_health_of_workers_is_asked_by_a_command_that_there_is():
    (worker,) = find_pods()["countersign-worker"]["containers"]
    probes = [worker[name]["exec"]["command"] for name in ("startupProbe", "readinessProbe")]

    for python, manage, name, *options in (COMPOSE["services"]["worker"]["healthcheck"]["test"][1:], *probes):
        parsed = load_command_class("portal", name).create_parser("manage.py", name).parse_args(options)
        assert (python, manage, parsed.probe) == ("python", "manage.py", "machine")


def test_the_spool_folder_of_each_pod_can_be_written_to():
    (image,) = re.findall(r"SPOOL_FOLDER=(\S+)", (DEPLOY / "Containerfile").read_text())

    for name in ("countersign-portal", "countersign-worker"):
        (container,) = find_pods()[name]["containers"]
        own = {each["name"]: each["value"] for each in container.get("env", [])}
        folder = Path(own.get("SPOOL_FOLDER", image))
        mounts = [mount for mount in container["volumeMounts"] if not mount.get("readOnly")]
        assert own.keys() <= KNOWN
        assert any(folder.is_relative_to(mount["mountPath"]) for mount in mounts), name


@pytest.mark.parametrize("name", ["startupProbe", "readinessProbe"])
def test_a_probe_that_starts_python_has_time_to(name):
    (worker,) = find_pods()["countersign-worker"]["containers"]

    assert worker[name].get("timeoutSeconds", 1) >= 30  # Kubernetes' default is one second
    assert worker[name]["periodSeconds"] <= 60


def test_the_last_stage_installs_nothing_and_runs_as_nobody_in_particular():
    last = STAGES[-1]
    taken = {word for step in STAGES[0].steps if step.verb == "COPY" for word in step.rest.split()[:-1]}
    allowed = set(re.findall(r"^!(\S+)", (ROOT / ".dockerignore").read_text(), re.MULTILINE))

    assert last.user == "10001:10001"
    assert not re.search(
        r"\b(apt|apt-get|gcc|install -c|pip install)\b", " ".join(step.rest for step in last.steps)
    )
    assert taken == allowed
    assert [name for name in taken if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("name", COMPOSE["services"])
def test_every_service_has_a_read_only_root_and_no_privilege_to_gain(name):
    service = COMPOSE["services"][name]

    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    for each in service.get("secrets", []):
        assert (each if isinstance(each, str) else each["source"]) in COMPOSE["secrets"]


@pytest.mark.parametrize("name", find_pods())
def test_every_pod_has_a_read_only_root_and_no_privilege_to_gain(name):
    pod = find_pods()[name]

    assert pod["securityContext"]["runAsNonRoot"] is True
    assert f"{pod['securityContext']['runAsUser']}" == STAGES[-1].user.partition(":")[0]
    assert pod["automountServiceAccountToken"] is False
    for container in pod["containers"]:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]},
        }  # fmt: skip


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_units_let_tasks_end_and_are_hardened(path):
    unit = read_unit(path)

    assert (unit["KillMode"], unit["User"]) == (["mixed"], ["countersign"])
    for key in ("NoNewPrivileges", "PrivateTmp", "ProtectHome", "PrivateDevices"):
        assert unit[key] == ["yes"]
    assert unit["ProtectSystem"] == ["strict"]


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not there.")
def test_systemd_understands_every_line_of_the_units(tmp_path):
    for path in UNITS:
        text = path.read_text().replace("/opt/countersign/.venv/bin/python", "/bin/true")
        (tmp_path / path.name).write_text(text)

    done = subprocess.run(
        ["systemd-analyze", "verify", *tmp_path.glob("*.service")], capture_output=True, text=True
    )

    assert (done.returncode, done.stderr) == (0, "")
