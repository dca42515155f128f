"""From a permission down to its calls, whether anything strayed, how the chain is, and all domains at once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from integrations.audit import list_grants
from integrations.ledger.record import record_act
from integrations.ledger.usage import list_days, list_written, summarise
from integrations.ledger.verification import check_and_note
from integrations.models import ChainCheck, LedgerChain, LedgerEntry
from portal.models import Domain, Role, User
from portal.worker.heartbeat import record_beat
from tests.support.page_text import words_of
from tests.support.tampering import tamper

READ = {
    "action": "call", "endpoint": "list_users", "method": "GET", "scope": "users.all", "verb": "read",
    "fields": ["name", "email"], "job": "sync 12", "actor_label": "schedule", "outcome": "answered", "status": 200,
}  # fmt: skip
WRITE = {
    "action": "call", "endpoint": "write_signature", "method": "PATCH", "scope": "mailboxes.all", "verb": "write",
    "fields": ["emailSignature"], "job": "delivery 5", "actor_label": "dana@acme.example", "outcome": "answered",
}  # fmt: skip


@pytest.fixture
def staff(client: Client, db: None) -> Client:
    record_beat()
    client.force_login(User.objects.create_user("operator@portal.example", is_staff=True))
    return client


def get_scope_page(client: Client, domain: Domain, scope: str):
    return client.get(reverse("integrations:ledger_scope", args=[domain.name, scope]))


# ── One permission ───────────────────────────────────────────────────────────────────────────────
def test_a_permissions_page_says_each_verb_by_whom_over_which_fields(
    signed_in, domain, other_domain, connected, write_entry
):
    connected()
    early = datetime(2026, 1, 3, 12, tzinfo=UTC)
    write_entry(domain, **READ | {"scope": "mailboxes.all", "endpoint": "list_mailboxes"}, times=40, at=early)
    write_entry(domain, **WRITE)
    write_entry(domain, **WRITE | {"job": "delivery 6"})
    write_entry(domain, **WRITE | {"outcome": "refused"}, times=3)
    write_entry(other_domain, **WRITE | {"actor_label": "eve@bystander.example"}, times=9)

    response = get_scope_page(signed_in(Role.AUDITOR), domain, "mailboxes.all")

    use = response.context["use"]
    assert (use.calls, use.first_at, use.is_on) == (42, early, True)
    assert [(verb.name, verb.state, verb.times, verb.fields) for verb in use.verbs] == [
        ("read", "used", 40, ("name", "email")),
        ("write", "used", 2, ("emailSignature",)),
        ("delete", "never", 0, ()),
    ]
    assert [(verb, doer.job_kind, doer.actor_label, doer.calls) for verb, doer in use.rows] == [
        ("read", "sync", "schedule", 40),
        ("write", "delivery", "dana@acme.example", 2),
    ]
    words = words_of(response)
    assert "delete No code path 0 never never" in words
    assert "eve@" not in words
    assert "?verb=write&amp;scope=mailboxes.all&amp;job=delivery&amp;person=dana%40acme.example#entries" in (
        response.content.decode()
    )


@pytest.mark.parametrize("scope", ["nothing.all", "users.all%27", "-"])
def test_a_permission_that_is_none_of_the_domains_is_not_there(signed_in, domain, connected, scope):
    connected()

    assert get_scope_page(signed_in(Role.AUDITOR), domain, scope).status_code == 404


def test_a_call_leads_to_its_run_and_its_person(signed_in, domain, write_entry):
    write_entry(domain, **READ)
    write_entry(domain, **WRITE)
    write_entry(domain, **WRITE | {"job": "restore 7"})
    write_entry(domain, **WRITE | {"job": "daily renewal", "actor_label": ""})

    html = " ".join(
        signed_in(Role.AUDITOR)
        .get(reverse("integrations:ledger", args=[domain.name]))
        .content.decode()
        .split()
    )

    for address in (
        reverse("integrations:run", args=[domain.name, 12]),
        reverse("signatures:delivery_run", args=[domain.name, 5]),
        reverse("signatures:delivery_run", args=[domain.name, 7]),
        f"{reverse('integrations:ledger', args=[domain.name])}?person=dana%40acme.example#entries",
    ):
        assert f'href="{address}"' in html
    assert "?person=schedule" not in html


def test_entries_are_filtered_by_verb_person_and_kind_of_job(signed_in, domain, write_entry):
    read = write_entry(domain, **READ)
    write = write_entry(domain, **WRITE)
    kind = write_entry(domain, **READ | {"job": "sync"})
    client = signed_in(Role.AUDITOR)

    def show(query: str) -> list[int]:
        page = client.get(f"{reverse('integrations:ledger', args=[domain.name])}?{query}").context["page_obj"]
        return [entry.pk for entry in page]

    assert show("verb=write") == [write.pk]
    assert show("person=dana@acme.example") == [write.pk]
    assert show("job=sync") == [kind.pk, read.pk]
    assert show("job=sync+1") == []
    assert show("job=delivery&person=schedule") == []


def test_more_than_ten_thousand_entries_are_not_counted(signed_in, domain, write_entry, monkeypatch):
    monkeypatch.setattr("portal.paging.MOST_COUNTED", 60)
    for _ in range(70):
        write_entry(domain, **READ)

    html = " ".join(
        signed_in(Role.AUDITOR)
        .get(reverse("integrations:ledger", args=[domain.name]))
        .content.decode()
        .split()
    )

    assert "1–50 of 60 newest entries; narrow the days for older ones" in html


# ── What was written ─────────────────────────────────────────────────────────────────────────────
def test_nothing_but_signatures_was_written_and_the_page_says_by_whom(signed_in, domain, write_entry):
    client = signed_in(Role.AUDITOR)
    page = reverse("integrations:ledger", args=[domain.name])
    assert "Nothing was ever written. The one thing that could be is emailSignature" in words_of(
        client.get(page)
    )
    write_entry(domain, **WRITE)
    write_entry(domain, **WRITE | {"outcome": "failed"})
    write_entry(domain, **WRITE | {"outcome": "refused"})

    words = words_of(client.get(page))

    assert "Nothing but emailSignature was ever written: 2 times, by those below." in words
    assert "dana@acme.example delivery write emailSignature 2" in words


@pytest.mark.parametrize(
    "stray",
    [
        {"fields": ["emailSignature", "sendMaxPerDay"]},
        {"endpoint": "delete_mailbox", "fields": []},
        {"endpoint": "list_users", "scope": "users.all", "fields": ["title"]},
    ],
)
def test_a_write_of_anything_else_is_shouted(signed_in, domain, other_domain, write_entry, stray):
    write_entry(domain, **WRITE)
    write_entry(domain, **WRITE | stray)
    write_entry(other_domain, **WRITE)

    words = words_of(signed_in(Role.AUDITOR).get(reverse("integrations:ledger", args=[domain.name])))

    assert "Something other than emailSignature was written 1 ×" in words
    assert "Nothing but" not in words
    assert list_written(other_domain).strays == ()


# ── The days ─────────────────────────────────────────────────────────────────────────────────────
def test_days_are_those_of_the_domains_zone_and_none_is_left_out(domain, write_entry, time_machine):
    time_machine.move_to(datetime(2026, 11, 24, 12, tzinfo=UTC), tick=False)
    domain.time_zone = "America/New_York"
    domain.save()
    write_entry(
        domain, **READ, times=5, at=datetime(2026, 11, 24, 3, 30, tzinfo=UTC)
    )  # the evening of the 23rd
    write_entry(domain, **WRITE, at=datetime(2026, 11, 24, 6, tzinfo=UTC))
    write_entry(domain, **WRITE | {"outcome": "refused"}, at=datetime(2026, 11, 24, 6, tzinfo=UTC))
    write_entry(domain, **READ | {"scope": "", "verb": "token"}, at=datetime(2026, 11, 24, 6, tzinfo=UTC))
    write_entry(domain, **READ, times=9, at=datetime(2026, 10, 20, 6, tzinfo=UTC))

    days = list_days(domain)

    assert (len(days), str(days[0].day), str(days[-1].day)) == (30, "2026-10-26", "2026-11-24")
    assert [(str(day.day)[-2:], day.reads, day.writes, day.others) for day in days if day.calls] == [
        ("23", 5, 0, 0),
        ("24", 0, 1, 1),
    ]
    assert sum(day.calls for day in list_days(domain, scope="mailboxes.all")) == 1


def test_the_drawing_needs_no_style_and_its_days_lead_to_their_calls(signed_in, domain, write_entry):
    write_entry(domain, **WRITE)

    html = " ".join(
        signed_in(Role.AUDITOR)
        .get(reverse("integrations:ledger", args=[domain.name]))
        .content.decode()
        .split()
    )

    drawing = html.partition('<svg class="plot"')[2].partition("</svg>")[0]
    assert drawing.count("<rect") == 2, "one call, which is a write"
    assert "style=" not in html and "<script>" not in html
    today = f"{timezone.localdate():%Y-%m-%d}"
    assert f"?since={today}&amp;until={today}#entries" in html


# ── The chain ────────────────────────────────────────────────────────────────────────────────────
def test_the_page_shows_the_head_and_how_the_last_check_ended(signed_in, domain, other_domain, write_entry):
    client = signed_in(Role.AUDITOR)
    page = reverse("integrations:ledger", args=[domain.name])
    assert "No entry yet" in words_of(client.get(page))
    entry = write_entry(domain, **READ)
    write_entry(other_domain, **READ)
    assert "Not checked yet" in words_of(client.get(page))
    assert entry.digest in words_of(client.get(page))

    check_and_note(LedgerChain.objects.get(pk=domain.pk))
    assert "Intact" in words_of(client.get(page))
    ChainCheck.objects.update(at=timezone.now() - timedelta(days=3))
    assert "Not checked lately" in words_of(client.get(page))
    tamper("UPDATE integrations_ledgerentry SET detail = 'x' WHERE id = %s", entry.pk)
    check_and_note(LedgerChain.objects.get(pk=domain.pk))

    words = words_of(client.get(page))
    assert "The ledger was altered Entry 1 (list_users, " in words
    assert client.get(page).context["chain"].state == "broken"


# ── All domains ──────────────────────────────────────────────────────────────────────────────────
def test_operators_see_what_each_domain_granted_and_how_its_chain_is(
    staff, domain, other_domain, connected, write_entry
):
    connected(scopes_granted=["users.all", "mailboxes.all", "sequences.all"])
    write_entry(domain, **WRITE)
    check_and_note(LedgerChain.objects.get(pk=domain.pk))

    response = staff.get(reverse("integrations:audit"))

    rows = {row.domain.name: row for row in response.context["rows"]}
    mine, bystander = rows["acme.example"], rows["bystander.example"]
    assert (mine.connection.scopes_missing, mine.connection.scopes_unasked) == (
        ["teams.read", "prospects.read"],
        ["sequences.all"],
    )
    assert (mine.writes, mine.chain.state) == (1, "intact")
    assert mine.lapses_at - mine.connection.refreshed_at == timedelta(days=14)
    assert (bystander.connection, bystander.writes, bystander.chain.state) == (None, 0, "empty")
    words = words_of(response)
    assert "without teams.read" in words and "not requested: sequences.all" in words


def test_a_grant_is_compared_with_the_one_before_it(domain, other_domain):
    def grant(action: str, scopes: str, of: Domain = domain) -> LedgerEntry:
        return record_act(action, domain=of, actor_label="dana@acme.example", detail=f"granted: {scopes}")

    first = grant("connected", "users.all teams.read")
    grant("connected", "users.all", other_domain)
    same = grant("reconnected", "users.all teams.read")
    other = grant("reconnected", "users.all mailboxes.all")
    nothing = grant("reconnected", "nothing")

    found = {
        grant.entry.pk: (grant.widened, grant.narrowed) for grant in list_grants(LedgerEntry.objects.all())
    }

    assert found[first.pk] == ((), ())
    assert found[same.pk] == ((), ())
    assert found[other.pk] == (("mailboxes.all",), ("teams.read",))
    assert found[nothing.pk] == ((), ("users.all", "mailboxes.all"))


def test_the_audit_of_many_domains_takes_no_more_queries(
    staff, domain, connected, django_assert_max_num_queries
):
    connected()
    record_act("connected", domain=domain, detail="granted: users.all")
    with django_assert_max_num_queries(40) as one:
        staff.get(reverse("integrations:audit"))
    for number in range(3):
        other = Domain.objects.create(name=f"domain-{number}.example")
        connected(other)
        record_act("connected", domain=other, detail="granted: users.all")

    with django_assert_max_num_queries(len(one)):
        words = words_of(staff.get(reverse("integrations:audit")))

    assert "domain-2.example" in words
    assert "domain-2" not in words_of(staff.get(reverse("integrations:audit") + "?q=acme"))


def test_members_see_no_audit_of_all_domains(signed_in):
    assert signed_in(Role.OWNER).get(reverse("integrations:audit")).status_code == 403


def test_a_permission_names_the_job_that_used_it_last(domain, write_entry):
    write_entry(domain, **READ, times=3)
    write_entry(domain, **READ | {"outcome": "failed", "job": "sync 13"})

    (use,) = [use for use in summarise(domain, None) if use.scope == "users.all"]

    assert (use.calls, use.last_job, use.is_granted) == (4, "sync 13", False)
