"""What every answer tells the browser, errors and admin among them; and the same behind a real TLS proxy."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import urllib3
from django.http import HttpResponse
from django.test import Client

from tests.support.access_table import read_table
from tests.support.addresses import ask, furnish_admin, get_body, get_path, make_clients
from tests.support.furnished_domain import FurnishedDomain
from tests.support.portal_process import OWNER, PASSWORD, running_portal
from tests.support.tls_proxy import running_proxy

FRAMES = ("/frame/", "/senders/<int:pk>/preview/", "/templates/preview/", "/templates/trial/")
"""Signatures in a sandboxed frame: a policy of their own, stricter still."""


@pytest.fixture
def visitors(furnished: FurnishedDomain, other_furnished: FurnishedDomain) -> dict[str, Client]:
    furnish_admin(furnished)
    return make_clients(furnished, other_furnished)


def list_faults(headers: Any, *, is_frame: bool = False) -> list[str]:
    """Return what an answer's headers lack."""
    policy = headers.get("Content-Security-Policy", "")
    faults = [] if "default-src 'none'" in policy else ["a policy that begins with nothing"]
    directives = {part.split()[0]: part.split()[1:] for part in policy.split(";") if part.strip()}
    script = directives.get("script-src", directives.get("default-src", []))
    if any(word in source for source in script for word in ("unsafe", "*", "http:", "data:")):
        faults.append("scripts of our own alone")
    if not is_frame and "unsafe" in policy:
        faults.append("no unsafe-*")
    if is_frame and "sandbox" not in directives:
        faults.append("the sandbox of a frame")
    if not is_frame and directives.get("base-uri") != ["'none'"]:
        faults.append("base-uri")
    if headers.get("X-Content-Type-Options") != "nosniff":
        faults.append("nosniff")
    if headers.get("X-Frame-Options") not in ({"SAMEORIGIN"} if is_frame else {"DENY"}):
        faults.append("X-Frame-Options")
    if headers.get("Referrer-Policy") not in ("same-origin", "no-referrer"):
        faults.append("Referrer-Policy")
    if headers.get("Cross-Origin-Opener-Policy") != "same-origin":
        faults.append("Cross-Origin-Opener-Policy")
    return faults


def test_a7_every_address_answers_with_the_strict_headers(furnished, visitors):
    lacking: dict[str, list[str]] = {}
    for row in read_table():
        if row.is_repeated or row.address.startswith(("/healthz", "/readyz", "/metrics")):
            continue
        who = "superuser" if row.address.startswith("/admin/") else "owner of A"
        for client in (visitors[who], visitors["anonymous"]):
            response = ask(
                client, row.method, get_path(row.address, furnished), get_body(row.address, furnished)
            )
            is_frame = row.address.endswith(FRAMES) and response.status_code == 200
            if faults := list_faults(response.headers, is_frame=is_frame):
                lacking[str(row)] = faults

    assert lacking == {}


@pytest.mark.parametrize(
    ("status", "path"), [(404, "/nowhere/"), (400, "/domains/a%00b/"), (404, "/admin/nowhere/")]
)
def test_a7_a_page_that_is_not_there_has_them_too(superuser, status, path):
    client = Client(raise_request_exception=False)
    client.force_login(superuser)

    response = client.get(path)

    assert response.status_code in (status, 404)
    assert list_faults(response.headers) == []


def test_a7_a_host_that_is_not_ours_and_a_fault_of_ours_have_them_too(client, owner, settings, monkeypatch):
    client.force_login(owner)
    client.raise_request_exception = False
    settings.ALLOWED_HOSTS = ["signatures.example.com"]
    stranger = client.get("/", headers={"host": "evil.example"})
    settings.ALLOWED_HOSTS = ["*"]

    def fail(*args: Any, **kwargs: Any) -> HttpResponse:
        raise RuntimeError("canary-of-a-fault")

    monkeypatch.setattr("portal.views.domains.get_overview", fail)
    fault = client.get("/domains/acme.example/")

    assert (stranger.status_code, fault.status_code) == (400, 500)
    assert [list_faults(answer.headers) for answer in (stranger, fault)] == [[], []]
    assert b"canary" not in fault.content and b"Traceback" not in fault.content


def test_a7_a_form_that_is_refused_has_them_too(furnished, visitors):
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = visitors["owner of A"].cookies

    refused = strict.post("/manage/domains/acme.example/", {})

    assert refused.status_code == 403
    assert list_faults(refused.headers) == []


# ── behind a real TLS proxy ──────────────────────────────────────────────────────────────────────

HOST = "signatures.acme.example"


class Visitor:
    """A browser that reaches the portal through the proxy, by its public name."""

    def __init__(self, port: int, certificate: Path) -> None:
        self._pool = urllib3.HTTPSConnectionPool(
            "127.0.0.1",
            port,
            ca_certs=str(certificate),
            assert_hostname=HOST,
            server_hostname=HOST,
            retries=False,
        )
        self.cookies: dict[str, str] = {}

    def ask(
        self, method: str, path: str, fields: dict[str, str] | None = None, **headers: str
    ) -> urllib3.HTTPResponse:
        sent = {"Host": HOST, "Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        if fields is not None:
            sent |= {"Referer": f"https://{HOST}{path}", "Content-Type": "application/x-www-form-urlencoded"}
            fields = fields | {"csrfmiddlewaretoken": self.cookies.get("__Host-csrf", "")}
        body = requests.models.RequestEncodingMixin._encode_params(fields) if fields is not None else None
        response = self._pool.urlopen(method, path, body=body, headers=sent, redirect=False)
        for line in response.headers.getlist("Set-Cookie"):
            name, _, value = line.partition(";")[0].partition("=")
            self.cookies[name] = value
        return response  # type: ignore[return-value]  # urllib3's own response

    def guess(self, email: str, **headers: str) -> urllib3.HTTPResponse:
        return self.ask(
            "POST", "/accounts/login/", {"login": email, "password": "wrong horse battery"}, **headers
        )


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory, migrated_database: Path) -> Iterator[tuple[int, Path]]:
    """The portal behind nginx, which ends TLS; its port and the certificate to trust."""
    folder = tmp_path_factory.mktemp("tls-proxy")
    with running_portal(folder, migrated_database, people=2, TRUSTED_PROXIES="1") as portal:
        portal.installation.environ["PUBLIC_URL"] = f"https://{HOST}"
        portal.installation.environ["ALLOWED_HOSTS"] = HOST
        port = int(portal.url.rpartition(":")[2])
        with portal.served(folder, "--no-worker"), running_proxy(folder, ports=[port], host=HOST) as proxy:
            yield proxy.port, proxy.certificate


@pytest.mark.nginx
def test_a6_a7_behind_a_tls_proxy_cookies_and_headers_are_strict(proxy):
    visitor = Visitor(*proxy)
    login = visitor.ask("GET", "/accounts/login/")

    done = visitor.ask("POST", "/accounts/login/", {"login": OWNER, "password": PASSWORD})

    assert (login.status, done.status) == (200, 302), done.data
    cookies = [*login.headers.getlist("Set-Cookie"), *done.headers.getlist("Set-Cookie")]
    assert {line.partition("=")[0] for line in cookies} == {"__Host-session", "__Host-csrf"}
    for line in cookies:
        parts = {part.strip().lower() for part in line.split(";")[1:]}
        assert {"secure", "httponly", "path=/", "samesite=lax"} <= parts
        assert not any(part.startswith("domain") for part in parts)
    for answer in (login, done, visitor.ask("GET", "/nowhere/"), visitor.ask("GET", "/accounts/2fa/")):
        assert list_faults(answer.headers) == []
        assert answer.headers["Strict-Transport-Security"] == "max-age=31536000; includeSubDomains; preload"


@pytest.mark.nginx
def test_o4_behind_a_tls_proxy_a_forged_host_is_refused(proxy):
    answers = [
        Visitor(*proxy).ask("GET", "/accounts/login/", Host="evil.example"),
        Visitor(*proxy).ask("GET", "/accounts/login/", Host=f"{HOST}@evil.example"),
    ]
    forwarded = Visitor(*proxy).ask("GET", "/accounts/login/", X_Forwarded_Host="evil.example")

    assert [answer.status for answer in answers] == [400, 400]
    assert (forwarded.status, b"evil.example" in forwarded.data) == (200, False)


@pytest.mark.nginx
def test_a5_behind_a_tls_proxy_a_forged_address_escapes_no_limit(proxy):
    visitor = Visitor(*proxy)
    visitor.ask("GET", "/accounts/login/")

    answers = [
        visitor.guess(f"guess{number}@acme.example", X_Forwarded_For=f"198.51.100.{number}")
        for number in range(11)
    ]

    assert [b"Too many failed login attempts" in answer.data for answer in answers] == [False] * 10 + [True]
