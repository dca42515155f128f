"""Disconnecting from Outreach: the choice, the confirmation and the progress."""

from __future__ import annotations

import pytest
from django.urls import reverse
from django.utils import timezone

from integrations.models import Connection, ConnectionState, LedgerEntry
from signatures.models import Delivery, DeliveryRun, DeliveryRunState, DeliveryState, Placement
from tests.support.page_text import list_buttons, read


def place(connection, count: int) -> None:
    Placement.objects.bulk_create(
        Placement(
            domain=connection.domain,
            account_key=connection.account_key,
            mailbox_remote_id=str(number),
            rendered_sha256="r",
            returned_sha256="r",
            placed_at=timezone.now(),
        )
        for number in range(count)
    )


@pytest.fixture
def leave(domain) -> str:
    return reverse("integrations:outreach_disconnect", args=[domain.name])


def test_leaving_says_how_many_mailboxes_get_theirs_back(as_owner, leave, connected, other_domain):
    place(connected(account_key="acme"), 48)
    place(connected(other_domain, account_key="other"), 3)

    html = read(as_owner, leave)

    assert list_buttons(html) == ["Restore 48 mailboxes and disconnect", "Disconnect without restoring"]
    assert "48 mailboxes have a signature delivered from here" in html
    assert not LedgerEntry.objects.exists()


def test_leaving_a_lost_connection_restores_nothing_and_says_why(as_owner, leave, connected):
    place(connected(account_key="acme", state=ConnectionState.LOST), 1)

    html = read(as_owner, leave)

    assert list_buttons(html) == ["Disconnect without restoring"]
    assert "Reconnect first, or download the originals and disconnect." in html
    assert "1 mailbox keeps its current signature" in html


@pytest.mark.parametrize(("restores", "step"), [("1", "restoring"), ("0", "revoking")])
def test_leaving_begins_in_the_way_that_was_chosen(
    as_owner, domain, leave, connected, other_domain, page, restores, step
):
    connection, bystander = connected(), connected(other_domain)

    response = as_owner.post(leave, {"restores": restores, "confirmation": domain.name})

    connection.refresh_from_db()
    bystander.refresh_from_db()
    assert response["Location"] == page
    assert (connection.state, connection.disconnect_step) == (ConnectionState.DISCONNECTING, step)
    assert connection.disconnect_requested_by_label == "owner@acme.example"
    assert bystander.state == ConnectionState.ACTIVE
    acts = LedgerEntry.objects.order_by("id").values_list("action", "actor_label", "domain_name")
    assert acts[0] == ("disconnect requested", "owner@acme.example", "acme.example")


@pytest.mark.parametrize("body", [{}, {"restores": "maybe"}])
def test_leaving_without_a_choice_changes_nothing(as_owner, leave, connected, body):
    connection = connected()

    response = as_owner.post(leave, body)

    connection.refresh_from_db()
    assert (response.status_code, connection.state) == (200, ConnectionState.ACTIVE)
    assert response.context["form"].errors["restores"]


@pytest.mark.parametrize("typed", ["", "bystander.example", "acme"])
def test_leaving_needs_the_domain_typed(as_owner, domain, leave, connected, other_domain, typed):
    connection, bystander = connected(), connected(other_domain)

    response = as_owner.post(leave, {"restores": "1", "confirmation": typed})

    connection.refresh_from_db()
    bystander.refresh_from_db()
    assert (response.status_code, connection.state) == (200, ConnectionState.ACTIVE)
    assert bystander.state == ConnectionState.ACTIVE
    assert response.context["form"].errors["confirmation"]
    assert not LedgerEntry.objects.exists()


def test_leaving_twice_leads_to_the_progress_of_the_first(as_owner, leave, connected, page):
    connected(
        state=ConnectionState.DISCONNECTING, disconnect_step="restoring", disconnect_requested_by_label="ari"
    )

    response = as_owner.post(leave, {"restores": "0"})

    assert response["Location"] == page
    assert not LedgerEntry.objects.exists()


def test_progress_counts_what_was_restored_and_asks_again_until_it_is_over(as_owner, domain, connected):
    connection = connected(state=ConnectionState.DISCONNECTING, disconnect_step="restoring")
    run = DeliveryRun.objects.create(
        domain=domain,
        connection=connection,
        kind=DeliveryRun.Kind.RESTORE,
        state=DeliveryRunState.RUNNING,
        planned=48,
        delivered=30,
        refused=2,
    )
    for number in range(2):
        Delivery.objects.create(
            run=run, mailbox_remote_id=str(number), state=DeliveryState.REFUSED, reason_code="conflict"
        )
    address = reverse("integrations:outreach_progress", args=[domain.name])

    moving = as_owner.get(address)

    html = " ".join(moving.content.decode().split())
    assert "30 of 48 mailboxes restored; 2 edited since and left unchanged" in html
    assert '<progress max="48" value="32"' in html
    assert f'hx-get="{address}"' in html
    assert reverse("signatures:delivery_run", args=[domain.name, run.pk]) in html
    assert "HX-Refresh" not in moving
    Connection.objects.filter(pk=connection.pk).update(
        state=ConnectionState.DISCONNECTED, disconnect_step="erased", revocation_confirmed=True
    )
    over = as_owner.get(address)
    assert over["HX-Refresh"] == "true"
    assert "hx-get" not in " ".join(over.content.decode().split())
    assert "30 of 48 mailboxes restored" in " ".join(over.content.decode().split())


def test_progress_of_a_domain_never_connected_is_not_there(as_owner, domain):
    assert as_owner.get(reverse("integrations:outreach_progress", args=[domain.name])).status_code == 404
