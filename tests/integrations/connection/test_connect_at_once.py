"""One answer brought many times at once, to a portal that really serves."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from django.test import Client
from django.urls import reverse

from portal.models import Domain
from tests.support.consent import RoundTrip, token_calls
from tests.support.installation import wait_until

pytestmark = pytest.mark.usefixtures("unchanged_bystander")


def sign_in(address):
    """A browser signed in as the owner of acme.example."""
    browser = requests.Session()
    browser.get(f"{address}/accounts/login/", timeout=20)
    reply = browser.post(
        f"{address}/accounts/login/",
        data={
            "login": "owner@acme.example",
            "password": "correct horse battery",
            "csrfmiddlewaretoken": _form_token(browser, f"{address}/accounts/login/"),
        },
        headers={"Referer": address},
        allow_redirects=False,
        timeout=20,
    )
    assert reply.status_code == 302, reply.text
    return browser


def _form_token(browser, page):
    found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', browser.get(page, timeout=20).text)
    assert found
    return found.group(1)


def test_o11_one_answer_brought_twenty_times_at_once_is_exchanged_once(installation, sandbox):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    sandbox.client.redirect_uris = (address + reverse("outreach_callback"),)
    installation.connect("acme.example", None)
    page = f"{address}/manage/domains/acme.example/integrations/outreach/"
    installation.start(
        "serve", "--sandbox", "--no-worker", f"--port={port}", output=installation.log, PUBLIC_URL=address
    )

    def is_answering():
        with contextlib.suppress(requests.ConnectionError):
            return requests.get(f"{address}/healthz", timeout=5).ok

    wait_until(is_answering, seconds=60)
    browser = sign_in(address)
    out = browser.post(
        page + "connect/",
        data={"csrfmiddlewaretoken": _form_token(browser, page)},
        headers={"Referer": page},
        allow_redirects=False,
        timeout=20,
    )
    back = RoundTrip(Client(), sandbox, Domain(name="acme.example")).decide(out.headers["Location"])
    code = parse_qs(urlsplit(back).query)["code"][0]
    cookies = browser.cookies.get_dict()
    start = threading.Barrier(20)

    def come_back(_):
        start.wait()
        return requests.get(back, cookies=cookies, allow_redirects=False, timeout=60).status_code

    with ThreadPoolExecutor(20) as pool:
        answers = Counter(pool.map(come_back, range(20)))

    assert answers == {302: 1, 400: 19}
    assert [entry.status for entry in token_calls(sandbox)] == [200]
    assert installation.rows("select state, token_version from integrations_connection") == [("active", 1)]
    assert code not in installation.log.read_text()  # no access log keeps it either
