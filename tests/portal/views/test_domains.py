"""The list of domains, the overview and the settings."""

from __future__ import annotations

import pytest
from django.urls import reverse
from django.utils import timezone

from integrations.models import Connection, ConnectionState, LedgerEntry, RunState, SyncKind, SyncRun
from portal.models import Domain, Membership, Role
from signatures.models import DeliveryRun, MailboxState
from signatures.senders.team_counts import count_again
from tests.support.furnished_domain import make_user


@pytest.fixture
def person(client, domain):
    """Owns one domain, and is signed in."""
    user = make_user("dana@acme.example")
    Membership.objects.create(domain=domain, user=user, role=Role.OWNER)
    client.force_login(user)
    return user


def add_run(connection, **fields) -> SyncRun:
    now = timezone.now()
    defaults = {
        "kind": SyncKind.FULL,
        "state": RunState.COMPLETE,
        "started_by_label": "command",
        "finished_at": now,
    }
    return SyncRun.objects.create(connection=connection, **(defaults | fields))


# ── The list of domains ──────────────────────────────────────────────────────────────────────────
def test_somebody_with_one_domain_is_taken_there(client, person, domain, other_domain):
    response = client.get("/")

    assert (response.status_code, response["Location"]) == (
        302,
        reverse("portal:overview", args=[domain.name]),
    )


def test_somebody_with_two_domains_sees_those_two(client, person, domain, other_domain):
    Domain.objects.create(name="third.example")
    Membership.objects.create(domain=other_domain, user=person, role=Role.AUDITOR)
    Connection.objects.create(domain=other_domain, state=ConnectionState.DISCONNECTED)
    Connection.objects.create(domain=other_domain, state=ConnectionState.LOST)

    rows = client.get("/").context["rows"]

    assert [(row["name"], row["role"], row["condition"].label) for row in rows] == [
        ("acme.example", "Owner", "Not connected"),
        ("bystander.example", "Auditor", "Revoked in Outreach"),
    ]


def test_somebody_without_a_domain_is_told_who_adds_them(client, domain):
    client.force_login(make_user("new@acme.example"))

    page = client.get("/").content.decode()

    assert "You are not a member of a domain yet" in page
    assert "acme.example/" not in page


def test_staff_find_a_domain_among_all_of_them(client, domain, other_domain):
    client.force_login(make_user("ops@portal.example", is_staff=True))

    assert [row["name"] for row in client.get("/").context["rows"]] == ["acme.example", "bystander.example"]
    assert [row["name"] for row in client.get("/?q=STAND").context["rows"]] == ["bystander.example"]
    assert "No domain has this in its name" in client.get("/?q=nothing").content.decode()


def test_many_domains_cost_as_many_queries_as_two(
    client, person, other_domain, django_assert_max_num_queries
):
    Membership.objects.create(domain=other_domain, user=person, role=Role.EDITOR)
    with django_assert_max_num_queries(50) as few:
        client.get("/")
    for number in range(5):
        added = Domain.objects.create(name=f"d{number}.example")
        Membership.objects.create(domain=added, user=person, role=Role.EDITOR)
        Connection.objects.create(domain=added)

    with django_assert_max_num_queries(len(few)):
        assert len(client.get("/").context["rows"]) == 7


# ── The overview ─────────────────────────────────────────────────────────────────────────────────
def test_overview_of_a_domain_never_connected_shows_the_first_step(client, person, domain):
    page = client.get(reverse("portal:overview", args=[domain.name])).content.decode()

    assert "Four steps to signatures" in page
    assert f'href="{reverse("integrations:outreach", args=[domain.name])}">Connect Outreach</a>' in page


def test_overview_offers_nothing_that_the_reader_may_not_do(client, domain):
    auditor = make_user("auditor@acme.example")
    Membership.objects.create(domain=domain, user=auditor, role=Role.AUDITOR)
    client.force_login(auditor)

    page = client.get(reverse("portal:overview", args=[domain.name])).content.decode()

    assert "An owner or admin of acme.example does this." in page
    assert ">Connect Outreach</a>" not in page


def test_overview_before_the_first_sync_asks_for_it(client, person, domain):
    Connection.objects.create(domain=domain)

    page = client.get(reverse("portal:overview", args=[domain.name])).content.decode()

    assert "Four steps to signatures" in page
    assert '<button class="button main-act">Sync now</button>' in page


def test_overview_while_the_first_sync_runs_follows_it(client, person, domain):
    run = add_run(
        Connection.objects.create(domain=domain),
        state=RunState.RUNNING,
        finished_at=None,
        phase="people",
        people_read=1200,
    )

    page = client.get(reverse("portal:overview", args=[domain.name])).content.decode()

    assert f'hx-get="{reverse("integrations:run_progress", args=[domain.name, run.pk])}"' in page
    assert "1,200 read" in page
    assert "Sync now</button>" not in page


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (ConnectionState.LOST, "Outreach no longer accepts our access."),
        (ConnectionState.MISCONFIGURED, "Configuration error: action needed by the operator"),
        (ConnectionState.DISCONNECTING, "Open progress"),
        (ConnectionState.DISCONNECTED, "Outreach is disconnected."),
    ],
)
def test_overview_says_what_is_wrong_with_the_connection(client, person, domain, state, words):
    add_run(Connection.objects.create(domain=domain, state=state))

    page = client.get(reverse("portal:overview", args=[domain.name])).content.decode()

    assert words in page
    assert "Sync now</button>" not in page


def test_overview_after_the_first_sync_leads_to_the_first_plan(client, furnished):
    user = make_user("dana@acme.example")
    Membership.objects.create(domain=furnished.domain, user=user, role=Role.OWNER)
    client.force_login(user)
    MailboxState.objects.update(status="never", reason="")
    count_again(furnished.connection)

    page = client.get(reverse("portal:overview", args=[furnished.domain.name])).content.decode()

    assert (
        f'href="{reverse("signatures:deliveries", args=[furnished.domain.name])}">Plan the first delivery</a>'
        in page
    )


def test_overview_lists_what_needs_somebody_and_the_delivery_that_runs(client, furnished, other_furnished):
    user = make_user("dana@acme.example")
    Membership.objects.create(domain=furnished.domain, user=user, role=Role.OWNER)
    client.force_login(user)
    for each in (furnished, other_furnished):
        MailboxState.objects.filter(domain=each.domain).update(
            status="action_needed", reason=f"Edited at {each.domain.name} <b>"
        )
        count_again(each.connection)
        DeliveryRun.objects.filter(pk=each.delivery_run.pk).update(state="running", delivered=1, planned=4)

    page = client.get(reverse("portal:overview", args=[furnished.domain.name])).content.decode()
    page = " ".join(page.split())

    assert "<b>0 <small>of 1</small></b> <span>0 waiting for delivery</span>" in page
    assert "Edited at acme.example &lt;b&gt;" in page
    assert '<progress max="4" value="1" aria-label="1 of 4 mailboxes">' in page
    assert "bystander" not in page


def test_overview_lists_the_latest_syncs_of_its_own_domain(client, person, domain, other_domain):
    connection = Connection.objects.create(domain=domain)
    made = [add_run(connection, calls=number) for number in range(8)]
    add_run(Connection.objects.create(domain=other_domain))

    context = client.get(reverse("portal:overview", args=[domain.name])).context

    assert context["runs"] == list(reversed(made))[:6]
    assert context["synced_at"] == made[-1].finished_at


def test_overview_tells_of_a_failed_sync_until_another_ends_well(client, person, domain):
    connection = Connection.objects.create(domain=domain)
    complete = add_run(connection)
    failed = add_run(connection, state=RunState.FAILED, cause="Outreach answered <502>.")
    address = reverse("portal:overview", args=[domain.name])

    response = client.get(address)

    page = response.content.decode()
    assert "The last sync failed" in page
    assert "Outreach answered &lt;502&gt;." in page
    assert reverse("integrations:run", args=[domain.name, failed.pk]) in page
    assert response.context["synced_at"] == complete.finished_at
    add_run(connection)
    assert "The last sync failed" not in client.get(address).content.decode()


def test_more_syncs_cost_no_more_queries(client, person, domain, django_assert_max_num_queries):
    connection = Connection.objects.create(domain=domain)
    add_run(connection)
    address = reverse("portal:overview", args=[domain.name])
    with django_assert_max_num_queries(50) as one:
        client.get(address)
    add_run(connection)
    add_run(connection)

    with django_assert_max_num_queries(len(one)):
        client.get(address)


# ── The settings ─────────────────────────────────────────────────────────────────────────────────
def test_settings_are_saved_and_told_to_the_ledger(client, person, domain, other_domain):
    response = client.post(
        reverse("portal:settings", args=[domain.name]), {"time_zone": "Europe/London", "automatic_sync": "on"}
    )

    assert response["Location"] == reverse("portal:settings", args=[domain.name])
    assert list(Domain.objects.values_list("name", "time_zone", "automatic_sync", "automatic_delivery")) == [
        ("acme.example", "Europe/London", True, False),
        ("bystander.example", "UTC", True, True),
    ]
    assert list(LedgerEntry.objects.values_list("action", "actor_label", "detail")) == [
        ("settings changed", "dana@acme.example", "time_zone: Europe/London, automatic_delivery: False")
    ]


def test_saving_what_was_there_tells_the_ledger_nothing(client, person, domain):
    client.post(
        reverse("portal:settings", args=[domain.name]),
        {"time_zone": "UTC", "automatic_sync": "on", "automatic_delivery": "on"},
    )

    assert not LedgerEntry.objects.exists()


def test_settings_refuse_a_zone_that_does_not_exist_at_its_field(client, person, domain):
    response = client.post(reverse("portal:settings", args=[domain.name]), {"time_zone": "Mars/Olympus"})

    assert response.context["form"].errors == {
        "time_zone": ["Write a time zone such as Europe/London or America/New_York."]
    }
    assert Domain.objects.get(pk=domain.pk).time_zone == "UTC"


def test_settings_sent_empty_are_refused(client, person, domain):
    response = client.post(reverse("portal:settings", args=[domain.name]), {})

    assert response.context["form"].errors == {"time_zone": ["This field is required."]}


def test_settings_show_a_reader_without_the_right_no_form(client, domain):
    auditor = make_user("auditor@acme.example")
    Membership.objects.create(domain=domain, user=auditor, role=Role.AUDITOR)
    client.force_login(auditor)

    page = client.get(reverse("portal:settings", args=[domain.name])).content.decode()

    assert "Save settings" not in page
    assert "<dt>Time zone</dt><dd>UTC</dd>" in page


def test_times_are_written_in_the_zone_of_the_domain(client, person, domain):
    domain.time_zone = "America/New_York"
    domain.save()
    Connection.objects.create(
        domain=domain, authorised_at="2026-07-01T12:30:00Z", authorised_by_label="dana@acme.example"
    )

    page = client.get(reverse("portal:integrations", args=[domain.name])).content.decode()

    assert ' title="1 Jul 2026, 08:30:00 EDT">1 Jul 2026, 08:30 EDT</time> by dana@acme.example' in page
