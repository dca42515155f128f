"""What the ledger shows: figures, permissions, entries, and filters that tell nothing false."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django_q.models import OrmQ

from integrations import tasks
from integrations.catalogue import list_calls
from integrations.models import ChainCheck, LedgerEntry
from portal.models import Role


@pytest.fixture
def page(domain) -> str:
    return reverse("integrations:ledger", args=[domain.name])


@pytest.fixture
def add(domain, write_entry):
    """Make an entry; a call of `users.all` that was answered, where nothing else is said."""

    def make(in_domain=domain, **fields) -> LedgerEntry:
        defaults = {
            "action": "call",
            "endpoint": "list_users",
            "method": "GET",
            "scope": "users.all",
            "verb": "read",
            "outcome": "answered",
            "status": 200,
        }
        return write_entry(in_domain, **(defaults | fields))

    return make


def get_shown(response) -> list[int]:
    return [entry.pk for entry in response.context["page_obj"]]


def test_figures_count_the_domains_own_calls(as_owner, page, other_domain, connected, add):
    connected()
    add(times=40)
    add(scope="mailboxes.all", verb="write", endpoint="write_signature", method="PATCH")
    add(scope="mailboxes.all", verb="write", outcome="refused", status=0, times=2)
    add(times=500, at=timezone.now() - timedelta(days=31))
    add(action="connected", endpoint="", method="", scope="", verb="", outcome="done", status=0)
    add(other_domain, times=9_000)

    context = as_owner.get(page).context

    figures = ("requested", "granted", "used", "extra", "calls", "writes", "refused")
    assert [context[figure] for figure in figures] == [4, 4, 2, 0, 41, 1, 2]
    assert [(use.scope, use.calls) for use in context["uses"]] == [
        ("users.all", 540),
        ("teams.read", 0),
        ("mailboxes.all", 1),
        ("prospects.read", 0),
    ]


def test_a_permission_nobody_asked_for_is_shown_as_never_used(as_owner, page, connected, add):
    connected(scopes_granted=["users.all", "teams.read", "mailboxes.all", "prospects.read", "calls.all"])

    response = as_owner.get(page)

    assert "1 granted but not requested, never used" in " ".join(response.content.decode().split())
    assert [(verb.name, verb.state) for verb in response.context["uses"][-1].verbs] == [
        ("read", "never"),
        ("write", "never"),
        ("delete", "never"),
    ]


def test_each_filter_shows_what_matches_and_nothing_else(as_owner, page, add):
    sync = add(job="sync 12", at=datetime(2026, 11, 20, 12, tzinfo=UTC))
    write = add(
        scope="mailboxes.all", outcome="failed", job="delivery 5", at=datetime(2026, 11, 21, 12, tzinfo=UTC)
    )
    act = add(action="paused", scope="", outcome="done", at=datetime(2026, 11, 22, 12, tzinfo=UTC))

    def show(query: str) -> list[int]:
        return get_shown(as_owner.get(f"{page}?{query}"))

    assert show("") == [act.pk, write.pk, sync.pk]
    assert show("scope=users.all") == [sync.pk]
    assert show("scope=-") == [act.pk]
    assert show("outcome=failed") == [write.pk]
    assert show("job=SYNC+12") == [sync.pk]
    assert show("since=2026-11-21") == [act.pk, write.pk]
    assert show("until=2026-11-21") == [write.pk, sync.pk]
    assert show("since=2026-11-21&until=2026-11-21&scope=mailboxes.all") == [write.pk]


def test_days_are_days_of_the_domains_zone(as_owner, page, domain, add):
    domain.time_zone = "America/New_York"
    domain.save()
    late = add(at=datetime(2026, 11, 21, 3, 30, tzinfo=UTC))  # half past ten in the evening of the 20th
    add(at=datetime(2026, 11, 21, 5, 0, tzinfo=UTC))

    assert get_shown(as_owner.get(f"{page}?since=2026-11-20&until=2026-11-20")) == [late.pk]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("since=yesterday", "since"),
        ("scope=other.all", "scope"),
        ("since=2026-11-21&until=2026-11-20", "until"),
    ],
)
def test_a_filter_that_makes_no_sense_shows_no_entry_and_says_so(as_owner, page, add, query, field):
    add()

    response = as_owner.get(f"{page}?{query}")

    assert get_shown(response) == []
    assert list(response.context["form"].errors) == [field]


def test_turning_the_page_keeps_the_filter(as_owner, page, add):
    for _ in range(51):
        add(job="sync 12")
    add(job="sync 13")

    html = " ".join(as_owner.get(f"{page}?job=sync+12").content.decode().split())

    assert 'href="?job=sync+12&amp;page=2"' in html
    assert "1–50 of 51 entries" in html


def test_another_domains_entries_are_never_shown(as_owner, page, other_domain, add):
    mine = add()
    add(other_domain, job="sync 99")

    assert get_shown(as_owner.get(page)) == [mine.pk]
    assert get_shown(as_owner.get(f"{page}?job=sync+99")) == []


def test_more_entries_cost_no_more_queries(as_owner, page, connected, add, django_assert_max_num_queries):
    connected()
    add()
    with django_assert_max_num_queries(50) as one:
        as_owner.get(page)
    add()
    add()

    with django_assert_max_num_queries(len(one)):
        assert len(get_shown(as_owner.get(page))) == 3


def test_what_outsiders_wrote_is_shown_as_text(as_owner, page, add):
    add(detail="<script>alert(1)</script>", actor_label="<img src=x>", object_ref="<b>7</b>", job="<i>")

    html = " ".join(as_owner.get(page).content.decode().split())

    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    assert not any(tag in html for tag in ("<script>alert", "<img", "<b>7", "<i>"))


def test_an_empty_ledger_says_why(signed_in, page):
    assert "Nothing has left yet" in " ".join(signed_in(Role.AUDITOR).get(page).content.decode().split())


def test_the_calls_are_those_of_the_table_and_one_of_them_writes(as_owner, domain):
    response = as_owner.get(reverse("integrations:ledger_calls", args=[domain.name]))

    html = " ".join(response.content.decode().split())
    assert "The five calls this portal can make" in html
    assert "One of them writes." in html
    for call in list_calls():
        assert f"<code>{call.method} {call.path}</code>" in html
        assert call.fields_in_words in html


@pytest.mark.parametrize("is_known", [True, False])
def test_a_connection_that_failed_says_what_happened_and_what_to_do(domain, rf, is_known):
    html = render_to_string(
        "integrations/connection/connect_failed.html",
        {
            "domain": domain if is_known else None,
            "what_happened": "Outreach said <no>.",
            "what_was_not_lost": "Nothing was stored.",
            "what_to_do": "Connect again.",
        },
    )

    assert "Outreach said &lt;no&gt;." in html
    assert "<dd>Nothing was stored.</dd>" in html
    assert "<dd>Connect again.</dd>" in html
    assert (reverse("integrations:outreach", args=[domain.name]) in html) is is_known


def test_an_auditor_has_the_chain_checked_from_the_page(
    signed_in, domain, other_domain, page, add, django_capture_on_commit_callbacks
):
    add()
    add(other_domain)
    auditor = signed_in(Role.AUDITOR)

    assert "Check the ledger now" in auditor.get(page).content.decode()
    with django_capture_on_commit_callbacks(execute=True):
        response = auditor.post(reverse("integrations:ledger_check", args=[domain.name]))
    queued = [each.task for each in OrmQ.objects.all()]
    assert [task["func"] for task in queued] == ["integrations.tasks.check_chain"]
    tasks.check_chain(**queued[0]["kwargs"])

    assert response["Location"] == f"{page}#chain"
    assert list(ChainCheck.objects.values_list("chain", "is_intact")) == [(domain.pk, True)]


def test_a_filter_offers_the_domains_own_people_and_jobs(as_owner, page, other_domain, add):
    add(actor_label="dana@acme.example", job="sync 12")
    add(other_domain, actor_label="eve@bystander.example", job="restore 3")

    context = as_owner.get(page).context

    assert (context["people"], context["jobs"]) == (["dana@acme.example"], ["sync"])
