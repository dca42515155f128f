"""The ledger's figures over one connection alone: what an earlier one did is not the present one's."""

from __future__ import annotations

import pytest
from django.urls import reverse

from integrations.disconnect.steps import continue_disconnect, request_disconnect
from integrations.ledger.usage import list_days, list_written, summarise
from integrations.models import Connection, ConnectionState
from tests.support.sync_runs import run_sync

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def two(sandbox, connection, connect, domain, owner, without_waiting):
    """An earlier connection that read everything and ended, and the present one that read nothing."""
    run_sync(connection)
    request_disconnect(connection, actor=owner.email, restores=False)
    continue_disconnect(str(connection.pk))
    connection.refresh_from_db()
    assert connection.state == ConnectionState.DISCONNECTED
    return connection, connect(domain, owner)


def count(uses):
    return {use.scope: use.calls for use in uses if use.calls}


def test_what_an_earlier_connection_used_is_not_counted_for_the_present_one(domain, two):
    earlier, present = two

    assert count(summarise(domain, present, over=present)) == {}
    assert count(summarise(domain, earlier, over=earlier)) == count(summarise(domain, present))
    assert count(summarise(domain, earlier, over=earlier)).keys() == {
        "users.all",
        "teams.read",
        "mailboxes.all",
    }
    assert sum(day.calls for day in list_days(domain, over=present)) == 0
    assert sum(day.calls for day in list_days(domain, over=earlier)) == sum(
        d.calls for d in list_days(domain)
    )
    assert list_written(domain, over=earlier).times == 0


def test_the_page_shows_one_connection_alone_where_there_were_several(client, domain, owner, two):
    earlier, present = two
    client.force_login(owner)
    address = reverse("integrations:ledger", args=[domain.name])

    everything = client.get(address)
    alone = client.get(address, {"connection": str(present.pk)})
    before = client.get(address, {"connection": str(earlier.pk)})

    assert b'name="connection"' in everything.content
    assert "for this connection only" in " ".join(alone.content.decode().split())
    assert count(alone.context["uses"]) == {}
    assert {entry.connection_ref for entry in before.context["page_obj"]} == {str(earlier.pk)}
    assert count(before.context["uses"]) == count(everything.context["uses"])


def test_a_domain_with_one_connection_is_not_asked_which(client, domain, owner, connection):
    client.force_login(owner)

    page = client.get(reverse("integrations:ledger", args=[domain.name]))

    assert b'name="connection"' not in page.content


def test_another_domains_connection_is_no_choice(client, domain, owner, two, bystander):
    client.force_login(owner)

    page = client.get(reverse("integrations:ledger", args=[domain.name]), {"connection": str(bystander.pk)})

    assert list(page.context["page_obj"]) == []
    assert Connection.objects.filter(pk=bystander.pk).exists()
    assert b"bystander.example" not in page.content
