"""What the gateway asks of our rows: whose slot it is, what a recipient gets, what was passed on before."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from integrations.models import Connection, Mailbox, Person
from portal.models import Domain
from signatures.mailgateway.portal import KEPT, UNSURE, SenderAndReceiptRows
from signatures.models import Decision, MailReceipt, Sender
from tests.support.banner_slot import open_place

rows = SenderAndReceiptRows()


def make_sender(connection: Connection, name: str, **options) -> Sender:
    email = f"{name}@{connection.domain.name}"
    person = Person.objects.create(
        connection=connection, remote_id=f"person-{name}", email=email, changed_at=timezone.now()
    )
    return Sender.objects.create(
        domain=connection.domain, person=person, email=email, name=name, changed_at=timezone.now(), **options
    )


@pytest.fixture
def maria(connection: Connection) -> Sender:
    make_sender(connection, "bystander")
    return make_sender(connection, "maria")


def test_a_slot_is_its_senders_whatever_the_case_of_their_address(maria):
    keys = [maria.banner_key, Sender.objects.get(name="bystander").banner_key, "x" * 22]

    assert rows.get_own_keys(keys, {"maria@acme.example"}) == {maria.banner_key}
    assert rows.get_own_keys(keys, {"someone@acme.example"}) == set()


def test_a_slot_is_also_of_whoever_sends_from_one_of_the_senders_mailboxes(maria):
    Mailbox.objects.create(
        connection=maria.person.connection,
        remote_id="77",
        email="Maria.Alvarez@acme.example",
        person_remote_id=maria.person.remote_id,
        changed_at=timezone.now(),
        read_at=timezone.now(),
    )

    assert rows.get_own_keys([maria.banner_key], {"maria.alvarez@acme.example"}) == {maria.banner_key}


def test_a_sender_who_left_has_no_slot(maria):
    Sender.objects.filter(pk=maria.pk).update(is_active=False)

    assert rows.get_own_keys([maria.banner_key], {"maria@acme.example"}) == set()


def test_a_recipients_banner_is_decided_and_kept(maria, domain: Domain):
    place = open_place(domain)

    shown = rows.decide(maria.banner_key, "jo@customer.example")

    decision = Decision.objects.get()
    assert decision.sender == maria
    assert shown is not None
    assert shown.alt == place.default_alt
    assert "/b/d/" in shown.image_url_2x
    assert "@2x." in shown.image_url_2x
    assert "/c/d/" in shown.click_url


def test_where_nothing_is_due_the_slot_stays_and_nothing_is_kept(maria):
    assert rows.decide(maria.banner_key, "jo@customer.example") is None
    assert not Decision.objects.exists()


@pytest.mark.django_db
def test_receipts_are_written_found_and_struck_out():
    rows.remember(["a" * 64, "b" * 64])
    rows.remember(["a" * 64])

    assert rows.recall(["a" * 64, "c" * 64]) == {"a" * 64: True}
    rows.forget(["a" * 64])
    assert [row.digest for row in MailReceipt.objects.all()] == ["b" * 64]


@pytest.mark.django_db
def test_a_mark_becomes_a_receipt_or_is_struck_out_and_a_receipt_never_becomes_a_mark():
    rows.remember(["taken" * 8])
    rows.mark(["taken" * 8, "refused" * 8, "new" * 8, "bystander" * 7])
    rows.remember(["new" * 8])
    rows.unmark(["taken" * 8, "refused" * 8, "new" * 8])

    assert dict(MailReceipt.objects.values_list("digest", "is_taken")) == {
        "taken" * 8: True, "new" * 8: True, "bystander" * 7: False,
    }  # fmt: skip


@pytest.mark.django_db
@pytest.mark.parametrize("direction", [-1, 1])
def test_a_mark_holds_as_long_as_the_next_hop_may_take_whichever_way_the_clock_went(direction):
    rows.mark(["a" * 64, "b" * 64])
    rows.remember(["c" * 64])
    over = UNSURE + timedelta(seconds=5)
    MailReceipt.objects.filter(digest="a" * 64).update(at=timezone.now() + direction * over)
    MailReceipt.objects.filter(digest="c" * 64).update(at=timezone.now() + direction * over)

    assert rows.recall(["a" * 64, "b" * 64, "c" * 64]) == {"b" * 64: False, "c" * 64: True}
    rows.mark(["a" * 64])
    assert rows.recall(["a" * 64]) == {"a" * 64: False}


@pytest.mark.django_db
def test_receipts_nobody_can_ask_for_any_more_are_dropped():
    rows.remember(["a" * 64, "b" * 64])
    MailReceipt.objects.filter(digest="a" * 64).update(at=timezone.now() - KEPT - timedelta(minutes=1))

    rows.forget_old()

    assert [row.digest for row in MailReceipt.objects.all()] == ["b" * 64]
