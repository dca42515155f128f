"""The forbidden directions hold, migrations are complete, and one module alone speaks to the outside."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from django.core.management import call_command

ROOT = Path(__file__).resolve().parent.parent
APPS = ("portal", "integrations", "signatures")

# Whoever may open a connection to somewhere, and why.
SPEAKERS = {
    "integrations/outreach/client.py": "the one transport",
    "portal/deadline.py": "the bound on time, on the response itself",
    "integrations/outreach/sandbox": "listens, and calls nobody",
    "portal/outgoing.py": "addresses that people type, at public hosts only",
    "portal/sso/transport.py": "a company's identity provider, at login",
    "portal/sso/exchange.py": "names the type of its answers",
    "signatures/mailgateway/server.py": "takes mail in",
    "signatures/mailgateway/transaction.py": "reads a message, and opens nothing itself",
    "signatures/mailgateway/relay.py": "waits for the next hop, and opens nothing itself",
    "signatures/mailgateway/smtp_connection.py": "hands mail to the next hop that was configured",
    "signatures/mailgateway/base.py": "waits for threads, and opens nothing itself",
    "signatures/mailgateway/planner.py": "waits for decisions, and opens nothing itself",
    "signatures/mailgateway/receipts.py": "waits for the rows, and opens nothing itself",
    "signatures/mailgateway/memory_budget.py": "makes large messages wait",
    "signatures/mailgateway/service.py": "listens",
    "portal/webserver/request_body.py": "takes request bodies in, in the web server's own loop",
    "portal/webserver/thread_pool.py": "hands requests to threads, from that loop",
    "portal/webserver/wsgi_adapter.py": "stands between that loop and Django, and opens nothing itself",
    "portal/demo": "acts as the person's browser, on this machine only",
}
NETWORK = {
    "requests", "urllib3", "httpx", "aiohttp", "http.client", "urllib.request", "socket", "ssl", "smtplib", "ftplib",
    "telnetlib", "asyncio", "aiosmtpd.smtp", "xmlrpc.client", "socketserver", "http.server",
}  # fmt: skip


def get_modules() -> list[Path]:
    return sorted(path for app in APPS for path in (ROOT / app).rglob("*.py"))


def get_imports(path: Path) -> set[str]:
    """Every module a file imports, at whatever depth, by its full name."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif (
            isinstance(node, ast.Call)
            and getattr(node.func, "id", getattr(node.func, "attr", "")) in ("import_module", "__import__")
            and node.args
            and isinstance(node.args[0], ast.Constant)
        ):
            found.add(str(node.args[0].value))
    return found


def test_every_import_contract_holds():
    done = subprocess.run(
        [str(Path(sys.executable).with_name("lint-imports")), "--no-cache", "--config", "pyproject.toml"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    assert f"{len(contracts)} kept, 0 broken" in done.stdout


def get_layers(contract: dict) -> set[str]:
    """Every module a layers contract names, whether or not it must exist."""
    prefix = "".join(f"{container}." for container in contract.get("containers", []))
    return {
        prefix + name.strip(" \n()")
        for layer in contract["layers"]
        for name in layer.replace("|", ":").split(":")
    }


def get_children(package: str) -> set[str]:
    folder = ROOT / package.replace(".", "/")
    found = {path.stem for path in folder.glob("*.py")} | {path.parent.name for path in folder.glob("*/*.py")}
    return {f"{package}.{name}" for name in found - {"__init__", folder.name}}


@pytest.mark.parametrize("app", APPS)
def test_every_module_has_a_level_in_its_app(app):
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (levels,) = [contract for contract in contracts if contract.get("containers") == [app]]

    assert get_children(app) - get_layers(levels) == set()
    assert levels["exhaustive"] is True


def test_every_module_has_a_place_in_the_order_of_the_apps():
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (order,) = [contract for contract in contracts if contract.get("id") == "apps"]
    placed = get_layers(order)
    split = {name.rpartition(".")[0] for name in placed if name.count(".") > 1}

    modules = {app for app in APPS if app != "portal"} | get_children("portal")
    modules = (modules - split) | {child for package in split for child in get_children(package)}

    assert modules - placed == set()


def test_i13_no_other_module_imports_what_speaks_to_the_network():
    found = {}
    for path in get_modules():
        name = path.relative_to(ROOT).as_posix()
        if any(name == speaker or name.startswith(f"{speaker}/") for speaker in SPEAKERS):
            continue
        network = sorted(get_imports(path) & NETWORK)
        if network:
            found[name] = network

    assert found == {}


def test_the_exceptions_are_all_still_needed():
    silent = []
    for speaker in SPEAKERS:
        place = ROOT / speaker
        paths = place.rglob("*.py") if place.is_dir() else [place]
        if not any(get_imports(path) & NETWORK for path in paths):
            silent.append(speaker)

    assert silent == []


def test_the_sandbox_imports_the_standard_library_and_itself_alone():
    allowed = sys.stdlib_module_names
    strangers = {
        (path.name, module)
        for path in (ROOT / "integrations/outreach/sandbox").rglob("*.py")
        for module in get_imports(path)
        if module.partition(".")[0] not in allowed and not module.startswith("integrations.outreach.sandbox")
    }

    assert strangers == set()


@pytest.mark.parametrize(
    "words", ["pickle.loads", "mark_safe(", "|safe", "csrf_exempt", "eval(", "exec(", "os.system"]
)
def test_i13_what_reviewers_look_for_first_is_nowhere(words):
    paths = [*get_modules(), *(ROOT / "templates").rglob("*.html")]
    expected = {
        "mark_safe(": ("signatures/", "portal/"),
        # A program that asks with a key has no cookie that a foreign page could ride on; a SAML provider's
        # page is such a foreign page, whose post is believed by its signature and signs nobody in by itself.
        "csrf_exempt": ("signatures/views/api.py", "portal/sso/saml/views.py"),
    }

    found = [path.relative_to(ROOT).as_posix() for path in paths if words in path.read_text()]

    assert [path for path in found if not path.startswith(expected.get(words, ()))] == []


@pytest.mark.django_db
def test_the_migrations_are_complete():
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)
