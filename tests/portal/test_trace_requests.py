"""Requests are counted and logged with one id, and downloads once their last part was made."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.test import RequestFactory

from portal import middleware
from portal.counters import COUNTERS
from portal.trace import get_trace, note

SUM = ("countersign_http_request_duration_seconds_sum", ("none",))


@pytest.fixture
def clock(monkeypatch) -> list[float]:
    """What the middleware's clock says; nothing was counted before, and nothing is refreshed."""
    now = [0.0]
    monkeypatch.setattr(middleware.time, "perf_counter", lambda: now[0])
    monkeypatch.setattr(COUNTERS, "_added", {})
    monkeypatch.setattr(middleware.REFRESHER, "ensure_running", lambda: None)
    return now


def answer(make) -> HttpResponseBase:
    def respond(request: HttpRequest) -> HttpResponseBase:
        note(domain="acme.example")
        request.resolver_match = None
        return make()

    return middleware.trace_requests(respond)(RequestFactory().get("/export"))


def list_added() -> dict:
    return {key: value for key, value in COUNTERS._added.items() if key == SUM or key[0].endswith("_total")}


def test_a_download_takes_as_long_as_its_parts_take_and_they_have_its_id(clock, caplog):
    caplog.set_level(logging.INFO, "portal.middleware")
    ids: list[str] = []

    def make() -> Iterator[bytes]:
        for part in (b"one", b"two"):
            clock[0] += 2
            ids.append(get_trace())
            yield part

    response = answer(lambda: StreamingHttpResponse(make()))
    before = list_added()
    parts = list(response)
    response.close()

    assert (before, parts, get_trace()) == ({}, [b"one", b"two"], "")
    assert ids == [response["X-Request-ID"]] * 2
    assert list_added() == {SUM: 4.0, ("countersign_http_requests_total", ("none", "200")): 1}
    assert [record.getMessage() for record in caplog.records] == ["GET none: 200 in 4000 ms"]


def test_a_download_that_nobody_takes_is_counted_too(clock):
    answer(lambda: StreamingHttpResponse(iter([b"one"]))).close()

    assert list_added() == {SUM: 0.0, ("countersign_http_requests_total", ("none", "200")): 1}


def test_an_answer_in_one_piece_is_counted_at_once(clock):
    def make() -> HttpResponse:
        clock[0] += 1
        return HttpResponse("whole")

    response = answer(make)

    assert list_added() == {SUM: 1.0, ("countersign_http_requests_total", ("none", "200")): 1}
    response.close()
    assert list_added()[SUM] == 1.0
