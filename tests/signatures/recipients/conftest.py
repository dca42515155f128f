"""A recipient whom Outreach knows, and look-ups that end before their test does."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.utils import timezone

from integrations.models import Connection, LookupState
from signatures.models import KnownRecipient
from tests.support.installation import wait_until
from tests.support.look_ups import CANARY, MIRA


@pytest.fixture
def prospect(sandbox) -> object:
    return sandbox.directory.add_prospect(
        [MIRA, "mira@second.example"],
        "Mira",
        "Vale",
        title=f"{CANARY} of finance",
        company="Vale & Sons",
        tags=("renewal",),
        owner_id=3,
        custom7="Gold",
    )


@pytest.fixture
def known_how(connection) -> Connection:
    """How to ask is learnt already, so that each look-up is one request."""
    LookupState.objects.create(connection=connection, how="array and links")
    return connection


@pytest.fixture
def no_look_up_left_behind(sandbox) -> Iterator[None]:
    """A look-up that outlives its caller ends before the database does."""
    yield
    sandbox.faults.clear()
    wait_until(
        lambda: (
            not KnownRecipient.objects.filter(
                asked_at__gt=timezone.now() - timedelta(seconds=6), answered_at=None, failed_at=None
            ).exists()
        )
    )
