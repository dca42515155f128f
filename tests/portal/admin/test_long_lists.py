"""Lists of large tables in the admin: whole values find rows, in the order of an index; the ledger alone has dates."""

from __future__ import annotations

import pytest
from django.contrib import admin
from django.test import Client
from django.utils import timezone

from integrations.admin.long_lists import LongList
from integrations.ledger.record import record_act
from integrations.models import LedgerEntry, Mailbox, Person
from signatures.models import (
    BannerEvent,
    DailyCount,
    DailyTotal,
    Decision,
    Delivery,
    MailboxState,
    Sender,
    Snapshot,
)
from tests.support.furnished_domain import FurnishedDomain

LONG = {
    BannerEvent, DailyCount, DailyTotal, Decision, Delivery, LedgerEntry, Mailbox, MailboxState, Person, Sender,
    Snapshot,
}  # fmt: skip


def find(client: Client, model: type, words: str) -> list[int]:
    page = client.get(f"/admin/{model._meta.app_label}/{model._meta.model_name}/", {"q": words})
    assert page.status_code == 200
    return [row.pk for row in page.context["cl"].result_list]


def test_lists_of_large_tables_are_long_ones_without_dates_but_for_the_ledger() -> None:
    found = {model for model, page in admin.site._registry.items() if isinstance(page, LongList)}

    assert found == LONG
    assert {model for model in found if admin.site._registry[model].date_hierarchy} == {LedgerEntry}


def test_people_and_mailboxes_are_found_by_their_whole_address_however_it_is_written(
    staff: Client, furnished: FurnishedDomain, other_furnished: FurnishedDomain
) -> None:
    sender, state = furnished.sender, furnished.edited
    address = state.mailbox.email

    found = {
        Sender: find(staff, Sender, sender.email.upper()),
        Person: find(staff, Person, sender.person.email.upper()),
        Mailbox: find(staff, Mailbox, address.upper()),
        MailboxState: find(staff, MailboxState, address),
    }

    assert found == {
        Sender: [sender.pk],
        Person: [sender.person.pk],
        Mailbox: [state.mailbox.pk],
        MailboxState: [state.pk],
    }
    assert find(staff, Sender, sender.name) == [sender.pk]
    assert find(staff, Sender, sender.email[:-3]) == find(staff, Mailbox, address[:-3]) == []


def test_deliveries_are_found_by_their_number_and_entries_by_who_acted(
    staff: Client, furnished: FurnishedDomain, other_furnished: FurnishedDomain
) -> None:
    record_act("paused", domain=furnished.domain, actor_label="kim@acme.example")
    record_act("paused", domain=other_furnished.domain, actor_label="noor@bystander.example")

    by = {
        one.actor_label: one.pk for one in LedgerEntry.objects.filter(action="paused").exclude(actor_label="")
    }

    assert find(staff, Delivery, str(furnished.delivery_run.pk)) == [furnished.delivery.pk]
    for person, entry in by.items():
        assert find(staff, LedgerEntry, person) == [entry]
    assert set(find(staff, LedgerEntry, "paused")) >= set(by.values())
    assert find(staff, LedgerEntry, "kim@acme") == []


def test_events_and_decisions_are_found_by_their_number_alone(
    staff: Client, furnished: FurnishedDomain, other_furnished: FurnishedDomain
) -> None:
    sender = furnished.sender
    event = BannerEvent.objects.create(
        domain=furnished.domain, at=timezone.now(), kind="image", method="GET", sender_id=sender.pk,
        group_id=1, campaign_id=1, banner_id=1, network="203.0.113.0/24", agent="x", visitor_key="v",
    )  # fmt: skip
    BannerEvent.objects.create(
        domain=other_furnished.domain, at=timezone.now(), kind="image", method="GET", sender_id=0, group_id=1,
        campaign_id=1, banner_id=1, network="203.0.113.0/24", agent="x", visitor_key="v",
    )  # fmt: skip
    decision = Decision.objects.create(
        domain=furnished.domain, sender=sender, recipient_key="k" * 64, way="api"
    )
    Decision.objects.create(domain=other_furnished.domain, recipient_key="l" * 64, way="api")

    assert find(staff, BannerEvent, str(event.pk)) == [event.pk]
    assert event.pk in find(staff, BannerEvent, str(sender.pk))
    assert find(staff, BannerEvent, "x") == find(staff, BannerEvent, "9" * 30) == []
    assert find(staff, Decision, "k" * 64) == find(staff, Decision, str(decision.pk)) == [decision.pk]


@pytest.mark.parametrize("words", ["", "   "])
def test_an_empty_search_shows_the_whole_list(words: str, staff: Client, furnished: FurnishedDomain) -> None:
    assert find(staff, Sender, words) == list(
        Sender.objects.order_by("domain_id", "name").values_list("pk", flat=True)
    )
