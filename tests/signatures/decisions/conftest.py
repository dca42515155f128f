"""A domain with a place for banners, a sender, and campaigns made in one line each."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection as database
from django.utils import timezone

from integrations.models import Connection, Person
from integrations.outreach.sandbox import Sandbox
from portal.models import Domain
from signatures.campaigns.ruleset import get_place, touch
from signatures.models import Banner, BannerImage, BannerPlace, Campaign, Sender


def make_image(domain: Domain) -> BannerImage:
    name = str(BannerImage.objects.count())
    return BannerImage.objects.create(
        domain=domain,
        sha256=name.rjust(64, "0"),
        media_type="image/png",
        width=480,
        height=120,
        bytes_1x=b"1x",
        bytes_2x=b"2x",
    )


def open_place(domain: Domain) -> BannerPlace:
    """The domain's signatures carry a banner, with one of its own to show by default."""
    place = get_place(domain)
    place.is_on = True
    place.default_image = make_image(domain)
    place.default_alt = "Acme"
    place.default_link = "https://acme.example/"
    place.save()
    return place


@pytest.fixture(autouse=True)
def _look_ups_end(look_ups_end: None) -> None:
    """Every test here may look somebody up."""


@pytest.fixture
def hold(sandbox: Sandbox) -> Iterator[Callable[[str], Callable[[], None]]]:
    """Requests for the path are answered once what is returned was called, and at the end of the test."""
    released = threading.Event()

    def hold_path(path: str) -> Callable[[], None]:
        sandbox.watchers.append(lambda request: request.path == path and released.wait())
        return released.set

    yield hold_path
    released.set()


@pytest.fixture
def place(domain: Domain) -> BannerPlace:
    return open_place(domain)


@pytest.fixture
def sender(domain: Domain, connection: Connection) -> Sender:
    person = Person.objects.create(
        connection=connection, remote_id="9001", email="maria@acme.example", changed_at=timezone.now()
    )
    return Sender.objects.create(
        domain=domain,
        person=person,
        email="maria@acme.example",
        name="Maria Alvarez",
        changed_at=timezone.now(),
    )


@pytest.fixture
def campaign(domain: Domain) -> Callable[..., Campaign]:
    """Make a running campaign with one banner, for an audience given as (attribute, operator, values)."""

    def make(name: str, *conditions: tuple[str, str, list[str]], **options: Any) -> Campaign:
        audience = [
            {"attribute": attribute, "operator": operator, "values": values}
            for attribute, operator, values in conditions
        ]
        options = {"domain": domain, "starts_at": timezone.now() - timedelta(days=1), **options}
        made = Campaign.objects.create(name=name, audience=audience, **options)
        Banner.objects.create(
            campaign=made,
            name=f"{name} banner",
            image=make_image(made.domain),
            alt=f"See {name}",
            link=f"https://acme.example/{made.pk}",
        )
        touch(made.domain)
        return made

    return make


@pytest.fixture
def reads_beside_writers(transactional_db: None) -> Iterator[None]:
    """What the test reads while a thread writes neither waits for it nor stops it.

    Connections to one database in memory lock whole tables against each other, which a database on disk does not.
    """
    with database.cursor() as cursor:
        cursor.execute("PRAGMA read_uncommitted = 1")
        yield
        cursor.execute("PRAGMA read_uncommitted = 0")
