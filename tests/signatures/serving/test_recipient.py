"""Banners where the reader's address stands in the picture's: only what is known shows, and nobody waits for more."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from portal.models import Domain
from signatures.audiences.attributes import parse_audience
from signatures.audiences.pseudonyms import key_of
from signatures.conditions.conditions import digest_conditions
from signatures.models import BannerPlace, Decision, KnownRecipient
from signatures.serving import recipient
from tests.support.banner_requests import fetch
from tests.support.banners import list_events, run_campaign, switch_on
from tests.support.installation import wait_until

pytestmark = pytest.mark.usefixtures("fresh_serving")

AUDIENCE = [{"attribute": "title", "operator": "is", "values": ["Boss"]}]
BOSS, CLERK = "boss@reader.example", "clerk@reader.example"


def know(domain: Domain, address: str, **verdicts: bool) -> None:
    """The recipient was looked up within the hour."""
    told = {
        str(campaign.pk): [digest_conditions(parse_audience(campaign.audience)), verdicts["matches"]]
        for campaign in domain.campaigns.exclude(audience=[])
    }
    KnownRecipient.objects.create(
        domain=domain,
        recipient_key=key_of(domain, address),
        verdicts=told,
        asked_at=timezone.now(),
        answered_at=timezone.now(),
        expires_at=timezone.now() + timedelta(hours=1),
    )


@pytest.fixture
def company_with_two(company):
    switch_on(company.domain, recipient_variable="{{email}}")
    run_campaign(company.domain, "red")
    run_campaign(company.domain, "blue", priority=5, audience=AUDIENCE)
    return company


@pytest.mark.django_db(transaction=True)
def test_a_known_reader_gets_the_banner_that_is_for_them_and_others_the_default_choice(company_with_two):
    company, reader = company_with_two, Client()
    ana = company.add("Ana Silva")
    know(company.domain, BOSS, matches=True)
    know(company.domain, CLERK, matches=False)

    # Whoever is slow to be remembered is nobody for this once, so it is asked until it is so.
    wait_until(lambda: fetch(reader, ana, f"@2x.png?r={BOSS}") == "blue")
    wait_until(lambda: "/blue" in reader.get(f"/c/{ana.banner_key}?r={BOSS}")["Location"])

    for address in (
        CLERK,
        "",
        "{{email}}",
        "%7B%7Bemail%7D%7D",
        "%25email%25",
        "nobody",
        f"{BOSS}&r={CLERK}",
        "@" * 2_000,
    ):
        assert fetch(reader, ana, f"@2x.png?r={address}") == "red", address
    # Both were decided about by their keys; who was slow to be remembered is asked again.
    keys = {key_of(company.domain, address) for address in (BOSS, CLERK)}
    wait_until(
        lambda: fetch(reader, ana, f"@2x.png?r={CLERK}") and list_events() and set(list_keys()) == keys
    )
    kept = (
        str(list_events()) + str(list(KnownRecipient.objects.values())) + str(list(Decision.objects.values()))
    )
    assert "reader.example" not in kept


def list_keys() -> list[str]:
    return list(Decision.objects.values_list("recipient_key", flat=True))


@pytest.mark.django_db(transaction=True)
def test_without_a_variable_of_the_domains_the_address_counts_for_nothing(company_with_two):
    company, reader = company_with_two, Client()
    ana = company.add("Ana Silva")
    know(company.domain, BOSS, matches=True)
    for variable in ("", "email"):
        switch_on(company.domain, recipient_variable=variable)
        BannerPlace.objects.touch(company.domain)

        assert {fetch(reader, ana, f"@2x.png?r={BOSS}") for _ in range(5)} == {"red"}


@pytest.mark.django_db(transaction=True)
def test_a_reader_nobody_asked_about_is_asked_about_behind_the_readers_back(company_with_two):
    company, reader = company_with_two, Client()
    ana = company.add("Ana Silva")

    first = fetch(reader, ana, f"@2x.png?r={BOSS}")
    wait_until(lambda: KnownRecipient.objects.filter(recipient_key=key_of(company.domain, BOSS)).exists())

    assert first == "red"


@pytest.mark.django_db(transaction=True)
def test_while_too_many_wait_to_be_remembered_the_rest_is_nobody(company_with_two):
    company, reader = company_with_two, Client()
    ana = company.add("Ana Silva")
    know(company.domain, BOSS, matches=True)
    wait_until(lambda: fetch(reader, ana, f"@2x.png?r={BOSS}") == "blue")
    taken = []
    while recipient._waiting.acquire(blocking=False):
        taken.append(1)
    try:
        assert fetch(reader, ana, f"@2x.png?r={BOSS}") == "red"
    finally:
        for _ in taken:
            recipient._waiting.release()


@pytest.mark.parametrize(
    ("query", "address"),
    [
        ("r=ana%40acme.example", "ana@acme.example"),
        ("r=ana@acme.example&preview", "ana@acme.example"),
        ("r=ana%2Bnews%40acme.example", "ana+news@acme.example"),
        ("r=", ""),
        ("r=%7B%7Bemail%7D%7D", ""),
        ("r=%25email%25", ""),
        ("r=$%7Bemail%7D@x.example", ""),
        ("r=a@b.example&r=c@d.example", ""),
        ("r=a@b.example%0d%0aX: y", ""),
        ("s=a@b.example", ""),
        ("r=a@b.example" + "&x=1" * 400, ""),
        ("&" * 900 + "r=a@b.example", ""),
    ],
)
def test_only_one_whole_address_is_an_address(query, address):
    assert recipient.read_address(query) == address
