"""A reader of mails, and a sender whose banner slot is on."""

from __future__ import annotations

import pytest
from django.test import Client

from signatures.models import Sender
from tests.support.banners import switch_on
from tests.support.company import Company

AGENT = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:11.0) like Gecko"


@pytest.fixture
def reader() -> Client:
    """Somebody who never logged in."""
    return Client(headers={"user-agent": AGENT}, REMOTE_ADDR="203.0.113.77")


@pytest.fixture
def ana(company: Company) -> Sender:
    switch_on(company.domain)
    return company.add("Ana Silva", teams=("7",))
