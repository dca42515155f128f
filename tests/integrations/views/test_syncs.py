"""Starting a sync, following it, and reading why it ended as it did."""

from __future__ import annotations

import pytest
from django.urls import reverse
from django_q.models import OrmQ

from integrations.models import ConnectionState, RejectedRecord, RunState, SyncKind, SyncRun
from portal.models import Role
from tests.support.page_text import list_buttons


@pytest.fixture
def now(domain) -> str:
    return reverse("integrations:sync_now", args=[domain.name])


@pytest.fixture
def listing(domain) -> str:
    return reverse("integrations:runs", args=[domain.name])


def test_sync_now_queues_one_run_and_shows_it(
    as_owner, domain, other_domain, now, connected, add_run, django_capture_on_commit_callbacks
):
    connection, bystander = connected(), connected(other_domain)
    add_run(connection)

    with django_capture_on_commit_callbacks(execute=True):
        response = as_owner.post(now, {"kind": "full"})

    run = SyncRun.objects.get(state=RunState.QUEUED)
    assert response["Location"] == reverse("integrations:run", args=[domain.name, run.pk])
    assert (run.connection, run.kind, run.started_by_label) == (
        connection,
        SyncKind.FULL,
        "owner@acme.example",
    )
    assert run.confirms_removals is False
    assert not bystander.sync_runs.exists()
    queued = [each.task for each in OrmQ.objects.all()]
    assert [(task["func"], task["kwargs"]) for task in queued] == [
        ("integrations.tasks.sync_directory", {"run_id": run.pk})
    ]


def test_a_second_sync_says_that_one_is_running(as_owner, now, connected, add_run, listing):
    running = add_run(connected(), state=RunState.RUNNING, finished_at=None)

    response = as_owner.post(now, {"kind": "full"}, follow=True)

    assert response.redirect_chain == [(listing, 302)]
    assert "A sync is running already" in " ".join(response.content.decode().split())
    assert list(SyncRun.objects.all()) == [running]


def test_a_domain_that_is_not_connected_reads_nothing(as_owner, now, connected, listing):
    connected(state=ConnectionState.DISCONNECTED)

    response = as_owner.post(now, {"kind": "full"}, follow=True)

    assert response.redirect_chain == [(listing, 302)]
    assert "this domain is not connected to Outreach" in " ".join(response.content.decode().split())
    assert not SyncRun.objects.exists()


@pytest.mark.parametrize("body", [{}, {"kind": "nothing"}])
def test_a_sync_of_an_unknown_kind_is_not_started(as_owner, now, connected, body):
    connected()

    response = as_owner.post(now, body, follow=True)

    assert "Choose what to read" in " ".join(response.content.decode().split())
    assert not SyncRun.objects.exists()


def test_the_list_shows_the_domains_own_syncs_newest_first(
    as_owner, listing, other_domain, connected, add_run
):
    ended, present = connected(state=ConnectionState.DISCONNECTED), connected()
    runs = [
        add_run(ended),
        add_run(present),
        add_run(present, state=RunState.FAILED, cause="Outreach said <no>."),
    ]
    add_run(connected(other_domain))

    response = as_owner.get(listing)

    assert list(response.context["page_obj"]) == list(reversed(runs))
    assert 'title="Outreach said &lt;no&gt;."' in " ".join(response.content.decode().split())


def test_more_syncs_cost_no_more_queries(
    as_owner, listing, connected, add_run, django_assert_max_num_queries
):
    connection = connected()
    add_run(connection)
    with django_assert_max_num_queries(50) as one:
        as_owner.get(listing)
    add_run(connection)
    add_run(connection)

    with django_assert_max_num_queries(len(one)):
        assert len(as_owner.get(listing).context["page_obj"]) == 3


def test_the_list_pages_through_many(as_owner, listing, connected, add_run):
    connection = connected()
    for _ in range(51):
        add_run(connection)

    html = " ".join(as_owner.get(listing + "?page=2").content.decode().split())

    assert "51–51 of 51 syncs" in html


@pytest.mark.parametrize(
    ("is_connected", "words"), [(False, "Nothing to read from"), (True, "Outreach has not been read yet")]
)
def test_an_empty_list_says_why(as_owner, listing, connected, is_connected, words):
    if is_connected:
        connected()

    assert words in " ".join(as_owner.get(listing).content.decode().split())


def test_a_run_under_way_is_followed_until_it_ends(as_owner, domain, connected, add_run):
    run = add_run(
        connected(),
        state=RunState.RUNNING,
        finished_at=None,
        phase="mailboxes",
        teams_read=12,
        people_read=2_000,
        mailboxes_read=150,
    )
    address = reverse("integrations:run_progress", args=[domain.name, run.pk])

    moving = as_owner.get(address)

    html = " ".join(moving.content.decode().split())
    assert [(step.title, step.words, step.state) for step in moving.context["steps"]] == [
        ("Teams", "12 read", "done"),
        ("People", "2,000 read", "done"),
        ("Mailboxes", "150 read", "now"),
    ]
    assert f'hx-get="{address}"' in html
    assert "HX-Refresh" not in moving
    SyncRun.objects.filter(pk=run.pk).update(state=RunState.COMPLETE)
    over = as_owner.get(address)
    assert over["HX-Refresh"] == "true"
    assert "hx-get" not in " ".join(over.content.decode().split())


def test_a_waiting_run_says_until_when(as_owner, domain, connected, add_run):
    run = add_run(
        connected(),
        state=RunState.WAITING,
        finished_at=None,
        cause="This hour’s calls are used up.",
        resume_at="2026-11-23T15:00:00Z",
    )

    html = " ".join(
        as_owner.get(reverse("integrations:run", args=[domain.name, run.pk])).content.decode().split()
    )

    assert "This hour’s calls are used up. It continues" in html
    assert "23 Nov 2026, 15:00 UTC" in html


def test_a_failed_run_says_where_it_stopped_and_why(as_owner, domain, connected, add_run):
    run = add_run(
        connected(), state=RunState.FAILED, phase="people", teams_read=12, cause="Outreach answered 502."
    )

    response = as_owner.get(reverse("integrations:run", args=[domain.name, run.pk]))

    assert [(step.words, step.state) for step in response.context["steps"]] == [
        ("12 read", "done"),
        ("nothing read", "failed"),
        ("not reached", "skipped"),
    ]
    assert "Outreach answered 502." in " ".join(response.content.decode().split())


def test_records_that_did_not_fit_are_listed_with_their_reason(as_owner, domain, connected, add_run):
    run = add_run(connected(), rejected=1)
    RejectedRecord.objects.create(
        connection=run.connection,
        run=run,
        kind="person",
        remote_id="77",
        reason="Its name is <b>no text</b>.",
    )

    html = " ".join(
        as_owner.get(reverse("integrations:run", args=[domain.name, run.pk])).content.decode().split()
    )

    assert '<td>person</td> <td class="mono"> 77 </td>' in html
    assert "Its name is &lt;b&gt;no text&lt;/b&gt;." in html


def test_held_removals_are_confirmed_by_a_button_that_says_so(as_owner, domain, now, connected, add_run):
    run = add_run(connected(), held_removals=37, cause="Outreach no longer lists 37 of 40 people.")

    html = " ".join(
        as_owner.get(reverse("integrations:run", args=[domain.name, run.pk])).content.decode().split()
    )
    as_owner.post(now, {"kind": "full", "confirms_removals": "1"})

    assert "Read everything and retire what is missing" in list_buttons(html)
    assert '<input type="hidden" name="confirms_removals" value="1">' in html
    assert SyncRun.objects.get(state=RunState.QUEUED).confirms_removals is True


def test_a_reader_without_the_right_finds_no_button(signed_in, domain, listing, connected, add_run):
    run = add_run(connected(), held_removals=37, cause="Outreach no longer lists 37 of 40 people.")
    client = signed_in(Role.EDITOR)

    pages = [client.get(listing), client.get(reverse("integrations:run", args=[domain.name, run.pk]))]

    assert [list_buttons(page.content.decode()) for page in pages] == [[], []]
