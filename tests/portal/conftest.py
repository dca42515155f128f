"""Two domains with one of everything, so that each page can be asked for by everybody, operators too."""

from __future__ import annotations

import pytest
from django.test import Client

from portal.models import User
from portal.worker.heartbeat import record_beat
from tests.support.addresses import furnish_admin, make_clients
from tests.support.furnished_domain import FurnishedDomain, furnish, make_user


@pytest.fixture
def furnished(db) -> FurnishedDomain:
    return furnish("acme.example")


@pytest.fixture
def other_furnished(db) -> FurnishedDomain:
    """The bystander: nobody of the first domain may learn that it exists."""
    return furnish("bystander.example")


@pytest.fixture
def operator(db: None) -> User:
    return make_user("operator@portal.example", is_staff=True)


@pytest.fixture
def superuser(db: None) -> User:
    return User.objects.create_superuser("root@portal.example", "correct horse battery")


@pytest.fixture
def staff(client: Client, operator: User) -> Client:
    client.force_login(operator)
    return client


@pytest.fixture
def clients(furnished: FurnishedDomain, other_furnished: FurnishedDomain) -> dict[str, Client]:
    furnish_admin(furnished)
    record_beat()
    return make_clients(furnished, other_furnished)
