"""A sandbox of its own for each test, and a bare client that knows nothing of the portal's."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from integrations.outreach.sandbox import Sandbox
from tests.support.sandbox_clients import CALLBACK, SCOPES, Api, Browser


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(people=60, teams=5, redirect_uris=(CALLBACK,)) as running:
        yield running
        assert running.crashes == []


@pytest.fixture
def connect(sandbox: Sandbox) -> Callable[..., Api]:
    def connect(scopes: list[str] | None = None, user_id: int = 1) -> Api:
        return Api(sandbox, SCOPES if scopes is None else scopes, user_id)

    return connect


@pytest.fixture
def api(connect: Callable[..., Api]) -> Api:
    return connect()


@pytest.fixture
def browser(sandbox: Sandbox) -> Browser:
    return Browser(sandbox)
