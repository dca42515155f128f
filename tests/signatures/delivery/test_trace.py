"""One id goes from a click through its task to the write in the log and to the ledger; no line names a person."""

from __future__ import annotations

import io
import json
import logging.config
import re
from collections.abc import Callable, Iterator

import pytest
from django.conf import settings as all_settings
from django.test import Client
from django_q.models import OrmQ

from integrations.ledger.verification import check_and_note
from integrations.models import LedgerChain, LedgerEntry, SyncRun
from portal.models import User
from signatures.models import DeliveryRun
from tests.support.background import carry_out_queue
from tests.support.deliveries import get_writes

pytestmark = pytest.mark.django_db(transaction=True)
PAGES = ("", "senders/?q=ana@acme.example", "groups/", "templates/", "campaigns/", "deliveries/", "ledger/")


@pytest.fixture(params=["text", "json"])
def log(request) -> Iterator[Callable[[], list[str]]]:
    """Return a function that gives the lines of the log so far, written at INFO as an installation writes them."""
    console = io.StringIO()
    handler = {**all_settings.LOGGING["handlers"]["console"], "stream": console, "formatter": request.param}
    handlers = {**all_settings.LOGGING["handlers"], "console": handler}
    logging.config.dictConfig(all_settings.LOGGING | {"handlers": handlers})
    yield lambda: console.getvalue().splitlines()
    logging.config.dictConfig(all_settings.LOGGING)


@pytest.fixture
def click(owner: User) -> Callable[[str, str], str]:
    """Return a function that does what a page's button does and returns the id of the request."""
    browser = Client()
    browser.force_login(owner)

    def post(address: str, **form: str) -> str:
        response = browser.post(f"/domains/acme.example/{address}", form)
        assert response.status_code == 302, response.content
        return response["X-Request-ID"]

    return post


def write_day(click, owner: User) -> tuple[str, str, DeliveryRun]:
    """Look at pages, sync, plan and deliver; return the ids of the sync and of the delivery, and the run."""
    OrmQ.objects.all().delete()
    browser = Client()
    browser.force_login(owner)
    for page in PAGES:
        browser.get(f"/domains/acme.example/{page}")
    synced = click("syncs/now/", kind="full")
    carry_out_queue()
    click("deliveries/plan/")
    carry_out_queue()
    run = DeliveryRun.objects.latest("pk")
    started = click(f"deliveries/{run.pk}/start/")
    carry_out_queue()
    run.refresh_from_db()
    return synced, started, run


def test_one_id_goes_from_the_click_to_the_write_and_the_ledger(ready, sandbox, other_domain, click, owner):
    synced, started, run = write_day(click, owner)

    assert (run.state, run.trace) == ("complete", started)
    assert SyncRun.objects.latest("pk").trace == synced
    writes = LedgerEntry.objects.filter(verb="write")
    assert len(get_writes(sandbox)) == writes.count() == run.delivered > 0
    assert set(writes.values_list("trace", "job")) == {(started, run.job_label)}
    acts = LedgerEntry.objects.filter(action="delivery started").values_list("trace", flat=True)
    assert list(acts) == [started]
    reads = LedgerEntry.objects.filter(job=f"sync {SyncRun.objects.latest('pk').pk}")
    assert set(reads.values_list("trace", flat=True)) == {synced}
    assert started != synced
    assert not LedgerEntry.objects.filter(domain=other_domain).exists()


def test_the_chain_verifies_over_entries_with_and_without_an_id(ready, click, owner):
    write_day(click, owner)

    check = check_and_note(LedgerChain.objects.get(pk=ready.domain_id))

    entries = LedgerEntry.objects.filter(domain=ready.domain)
    assert entries.filter(trace=None).exists() and entries.exclude(trace=None).exists()
    assert (check.is_intact, check.finding) == (True, "")


def test_lines_of_the_main_job_say_the_id_and_name_nobody(ready, sandbox, click, owner, log):
    _, started, run = write_day(click, owner)

    lines = log()

    text = "\n".join(lines).lower()
    people = sandbox.directory.users.values()
    assert len(people) > 20
    for person in people:
        for word in (person.email, person.first_name, person.last_name):
            assert not re.search(rf"\b{re.escape(word.lower())}\b", text), word
    assert owner.email not in text and "@" not in text and "?q=" not in text
    writes = [line for line in lines if "PATCH write_signature: answered 200" in line]
    assert len(writes) == run.delivered
    assert all(started in line and run.job_label in line and "acme.example" in line for line in writes)
    click_line = next(line for line in lines if "POST signatures:delivery_start: 302 in" in line)
    assert started in click_line and "acme.example" in click_line


@pytest.mark.parametrize("log", ["json"], indirect=True)
def test_each_line_is_one_json_object(ready, click, owner, log):
    _, started, run = write_day(click, owner)
    logging.getLogger("portal").error("a fault\nwith two lines", exc_info=ValueError("why"))

    lines = [json.loads(line) for line in log()]

    assert all({"time", "level", "logger", "message"} <= line.keys() for line in lines)
    ended = next(line for line in lines if line["logger"] == "signatures.delivery.executor")
    assert ended | {"time": ""} == {
        "time": "",
        "level": "INFO",
        "logger": "signatures.delivery.executor",
        "message": f"Delivery {run.pk}: complete, {run.settled} of {run.planned} mailboxes",
        "trace": started,
        "domain": "acme.example",
        "run": run.job_label,
        "task": "signatures.tasks.deliver_signatures",
    }
    assert lines[-1]["message"] == "a fault\nwith two lines"
    assert lines[-1]["exception"] == "ValueError: why"


def test_an_id_is_made_here_and_never_taken_from_a_request(client, settings):
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = 1
    sent = "a" * 32

    first = client.get("/accounts/login/", headers={"x-request-id": sent})
    second = client.get("/accounts/login/", headers={"x-request-id": sent})

    ids = {sent, first["X-Request-ID"], second["X-Request-ID"]}
    assert len(ids) == 3
    assert all(re.fullmatch("[0-9a-f]{32}", one) for one in ids)
