"""Look-ups that strangers cause by fetching pictures: bounded by domain and network, and never our people's calls."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from integrations.errors import Gap
from integrations.models import CallBudget, Connection, LookupState
from signatures.audiences.pseudonyms import key_of
from signatures.models import BannerPlace, KnownRecipient, LookupShare, RecipientPrivacy, Sender
from signatures.recipients.facts import get_facts
from signatures.recipients.retention import remove_expired
from tests.support.installation import wait_until

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("reads_beside_writers"),
    pytest.mark.usefixtures("look_ups_end"),
]

PROSPECTS = "/api/v2/prospects"


@pytest.fixture
def fetch(domain, connection: Connection, place, sender: Sender, campaign):
    """Fetch the sender's picture as a reader with an address nobody looked up; returns once it was dealt with."""
    LookupState.objects.create(connection=connection, how="array and links")
    RecipientPrivacy.objects.create(domain=domain, recipient_variable="{{email}}")
    BannerPlace.objects.touch(domain)
    campaign("Renewals", ("tags", "has_any", ["renewal"]))

    def fetch_as(address: str, *, source: str = "203.0.113.7", kind: str = "b") -> None:
        end = ".png" if kind == "b" else ""
        answer = Client(REMOTE_ADDR=source).get(f"/{kind}/{sender.banner_key}{end}?r={address}")
        assert answer.status_code in (200, 302)
        known = KnownRecipient.objects.filter(domain=domain, recipient_key=key_of(domain, address))
        wait_until(
            lambda: known.exists() and not known.filter(asked_at__isnull=False, answered_at=None).exists()
        )

    return fetch_as


def list_asked(sandbox) -> list[str]:
    return [request.parameters["filter[emails][]"][0] for request in sandbox.requests.to(PROSPECTS)]


def invent(number: int, letter: str = "x") -> list[str]:
    return [f"nobody{place}@{letter}{place}.example" for place in range(number)]


def test_one_network_causes_two_fifths_of_the_domains_look_ups_and_the_next_one_the_rest(
    fetch, domain, settings, sandbox, time_machine
):
    settings.RECIPIENT_LOOKUPS_PER_HOUR = 10

    for place, address in enumerate(invent(6)):
        fetch(address, source=f"203.0.113.{place}", kind="bc"[place % 2])
    assert len(list_asked(sandbox)) == 4
    for place, address in enumerate(invent(6, "y")):
        fetch(address, source=f"2001:db8:7:{place}::1")
    assert len(list_asked(sandbox)) == 8
    for place, address in enumerate(invent(4, "z")):
        fetch(address, source=f"198.51.{place}.9")
    assert len(list_asked(sandbox)) == 10

    used = dict(LookupShare.objects.filter(domain=domain).values_list("network", "used"))
    assert used == {
        "203.0.113.0/24": 4,
        "2001:db8:7::/48": 4,
        "198.51.0.0/24": 1,
        "198.51.1.0/24": 1,
        "all": 10,
    }
    time_machine.move_to(timezone.now() + timedelta(minutes=61))
    fetch("later@x.example")
    assert len(list_asked(sandbox)) == 11


def test_when_readers_caused_all_they_may_the_decision_api_still_asks(fetch, domain, settings, sandbox):
    settings.RECIPIENT_LOOKUPS_PER_HOUR = 0
    sandbox.directory.add_prospect(["kim@first.example"], "Kim", "Vale", tags=("renewal",))

    fetch("kim@first.example")
    assert list_asked(sandbox) == []
    known = get_facts(domain, "kim@first.example", within=5.0)

    assert (known.gap, len(known.facts.matched)) == (Gap.NONE, 1)
    assert list_asked(sandbox) == ["kim@first.example"]
    assert not LookupShare.objects.exists()


def test_readers_cause_no_calls_of_those_that_are_kept_for_people(
    fetch, domain, connection, other_domain, sandbox
):
    CallBudget.objects.update_or_create(
        connection=connection,
        defaults={"limit": 100, "used": 80, "window_ends_at": timezone.now() + timedelta(minutes=30)},
    )

    fetch("nobody@x.example")
    assert list_asked(sandbox) == []
    assert get_facts(domain, "kim@first.example", within=5.0).gap is Gap.NONE

    assert list_asked(sandbox) == ["kim@first.example"]
    assert not LookupShare.objects.filter(domain=other_domain).exists()


def test_readers_whom_the_proxy_does_not_tell_are_one_network(fetch, domain, settings, sandbox):
    settings.RECIPIENT_LOOKUPS_PER_HOUR = 5
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = 0

    for address in invent(4):
        fetch(address, source="")

    assert len(list_asked(sandbox)) == 2
    assert dict(LookupShare.objects.values_list("network", "used")) == {"unknown": 2, "all": 2}


def test_networks_are_forgotten_when_their_hour_is_over(fetch, time_machine):
    fetch("nobody@x.example")
    assert LookupShare.objects.count() == 2

    remove_expired()
    assert LookupShare.objects.count() == 2
    time_machine.move_to(timezone.now() + timedelta(minutes=61))
    remove_expired()

    assert not LookupShare.objects.exists()
