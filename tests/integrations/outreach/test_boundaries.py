"""Who may import what: the wire stands without Django, and one module alone opens connections."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import integrations.outreach

FOLDER = Path(integrations.outreach.__file__).parent
WIRE = (
    "catalogue", "connector", "errors", "interfaces", "outreach.allowed_calls", "outreach.scopes", "outreach.policy",
    "outreach.jsonapi", "outreach.calls", "outreach.rate_limits", "outreach.replies", "outreach.read_spacing",
    "outreach.pace", "outreach.page_size", "outreach.client", "outreach.oauth", "outreach.records",
    "outreach.pagination", "outreach.prospects", "outreach.connector", "outreach.proof", "outreach.value_shapes",
    "outreach.assumption_reads", "outreach.assumptions",
)  # fmt: skip
# They run on the web server's event loop and take requests in; the test below holds that they open nothing.
WEB_SERVER = {"wsgi_adapter.py", "request_body.py", "thread_pool.py"}


def imported(file):
    names = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        if isinstance(node, ast.ImportFrom) and node.level == 0:
            names.add((node.module or "").partition(".")[0])
    return names


@pytest.mark.parametrize("module", WIRE)
def test_the_wire_loads_where_there_is_no_django(module):
    program = (
        "import sys; sys.modules['django'] = None\n"
        f"import integrations.{module}\n"
        "assert not [name for name in sys.modules if name.startswith('django.')]"
    )

    subprocess.run([sys.executable, "-c", program], check=True, cwd=FOLDER.parents[1], timeout=60)


def test_l4_one_module_alone_opens_connections_to_outreach():
    openers = {"requests", "urllib3", "httpx", "aiohttp", "ftplib", "smtplib", "asyncio", "ssl"}
    product = [
        file
        for package in ("integrations", "portal", "signatures")
        for file in (FOLDER.parents[1] / package).rglob("*.py")
        # These act as Outreach, as a browser, pass mail on between mail servers, or ask the company's own
        # identity provider or a typed address, by the one guarded module, where an owner switched that on.
        if not {"sandbox", "demo", "commands", "mailgateway", "sso", "outgoing.py"} & set(file.parts)
    ]

    found = {file.name for file in product if openers & imported(file)}
    assert found == {"client.py"} | WEB_SERVER


@pytest.mark.parametrize("name", sorted(WEB_SERVER))
def test_the_web_server_asks_its_event_loop_for_no_connection(name):
    tree = ast.parse((FOLDER.parents[1] / "portal/webserver" / name).read_text())

    used = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert not {attribute for attribute in used if "connection" in attribute or "subprocess" in attribute}
    assert "socket" not in imported(FOLDER.parents[1] / "portal/webserver" / name)
