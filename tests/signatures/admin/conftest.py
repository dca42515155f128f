"""An operator's browser."""

from __future__ import annotations

import pytest
from django.test import Client

from portal.models import User
from tests.support.admin_acts import BY


@pytest.fixture
def staff(client: Client, db: None) -> Client:
    client.force_login(User.objects.create_user(BY, "correct horse battery", is_staff=True))
    return client
