"""Two domains with one of everything, so that each page can be asked for by everybody, operators too."""

from __future__ import annotations

import pytest
from django.test import Client

from portal.models import User
from portal.worker.heartbeat import record_beat
from tests.support.addresses import furnish_admin, make_clients
from tests.support.furnished_domain import House, furnish, make_user


@pytest.fixture
def house(db) -> House:
    return furnish("acme.example")


@pytest.fixture
def other_house(db) -> House:
    """The bystander: nobody of the first house may learn that it exists."""
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
def clients(house: House, other_house: House) -> dict[str, Client]:
    furnish_admin(house)
    record_beat()
    return make_clients(house, other_house)
