"""A receiver of webhooks on this machine, which may be called by plain http."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.notice_receiver import Receiver, receiving


@pytest.fixture
def receiver(settings) -> Iterator[Receiver]:
    settings.DEBUG = True  # plain http to this machine
    with receiving() as running:
        yield running
