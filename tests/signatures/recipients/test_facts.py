"""Looking a recipient up: what is asked, how often, for how long, and what stays of it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection as database
from django.utils import timezone

from integrations.errors import Gap, PolicyViolation
from integrations.models import CallBudget, Connection, LedgerEntry
from signatures.models import BannerPlace, Campaign, KnownRecipient
from signatures.recipients.facts import Known, get_cached
from tests.support.look_ups import CANARY, MIRA, PROSPECTS, ask, get_requests

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("reads_beside_writers"),
    pytest.mark.usefixtures("look_ups_end", "prospect", "no_look_up_left_behind"),
]


def test_l6_a_look_up_asks_for_the_fields_of_live_audiences_and_no_others(
    domain, known_how, campaign, sandbox
):
    chosen = campaign("Renewals", ("tags", "has_any", ["renewal"]), ("custom7", "is", ["gold"]))
    campaign("Others", ("owner", "is", ["99"]))
    campaign("Paused", ("title", "contains", ["cfo"]), paused_at=timezone.now())
    campaign("Next month", ("region", "is", ["emea"]), starts_at=timezone.now() + timedelta(days=30))
    campaign("Over", ("score", "at_least", ["1"]), ends_at=timezone.now() - timedelta(hours=1))

    known = ask(domain)

    assert (known.gap, known.facts.matched) == (Gap.NONE, {chosen.pk})
    assert [sorted(fields.split(",")) for fields in get_requests(sandbox)] == [
        ["custom7", "emails", "owner", "tags", "trashedAt"]
    ]
    [entry] = LedgerEntry.objects.filter(endpoint="find_prospect")
    assert sorted(entry.fields) == ["custom7", "emails", "owner", "tags", "trashedAt"]
    assert MIRA not in str(LedgerEntry.objects.values().get(pk=entry.pk))


def test_l6_a_field_outside_the_table_is_refused_before_anything_leaves(sandbox, known_how):
    from integrations.connection.sessions import open_session
    from integrations.outreach.allowed_calls import FIND_PROSPECT

    query = {"page[size]": "2", "fields[prospect]": "emails,homePhones", "filter[emails]": MIRA}
    with open_session(known_how, job="test") as session, pytest.raises(PolicyViolation):
        session.connector._client.send(FIND_PROSPECT, query=query)

    assert get_requests(sandbox) == []


def test_nothing_is_asked_where_no_audience_needs_the_record(domain, known_how, campaign, sandbox):
    chosen = campaign("Partners", ("email_domain", "is", ["first.example"]))

    known = ask(domain)

    assert (known.gap, known.facts.matched) == (Gap.NONE, {chosen.pk})
    assert get_requests(sandbox) == []


def test_one_address_is_asked_for_once_an_hour(domain, known_how, campaign, sandbox, time_machine):
    campaign("Renewals", ("tags", "has_any", ["renewal"]))

    first, second = ask(domain), ask(domain, MIRA.upper())

    assert first == second
    assert len(get_requests(sandbox)) == 1
    time_machine.move_to(timezone.now() + timedelta(minutes=61))
    assert ask(domain).facts == first.facts
    assert len(get_requests(sandbox)) == 2


def test_an_audience_that_changed_is_unknown_until_the_hour_is_over(domain, known_how, campaign, sandbox):
    chosen = campaign("Renewals", ("tags", "has_any", ["renewal"]))
    ask(domain)
    Campaign.objects.filter(pk=chosen.pk).update(
        audience=[{"attribute": "tags", "operator": "has_any", "values": ["vip"]}]
    )
    BannerPlace.objects.touch(domain)

    known = ask(domain)

    assert (known.gap, known.facts.matched) == (Gap.ASKED_BEFORE, frozenset())
    asked_at = KnownRecipient.objects.get().asked_at
    assert known.until == asked_at + timedelta(hours=1)
    assert get_cached(domain, MIRA).matched == frozenset()
    assert len(get_requests(sandbox)) == 1


@pytest.mark.parametrize(
    ("fault", "options"),
    [
        ("status", {"status": 500}),
        ("rate_limited", {}),
        ("unauthorized", {}),
        ("truncated_json", {}),
        ("reset", {}),
        ("missing_scope", {"scope": "prospects.read"}),
    ],
)
def test_a_look_up_that_fails_is_not_repeated_and_lets_the_rest_stand(
    domain, known_how, campaign, sandbox, fault, options
):
    campaign("Renewals", ("tags", "has_any", ["renewal"]))
    local = campaign("Partners", ("email_domain", "is", ["first.example"]))
    sandbox.faults.add(fault, path=PROSPECTS, times=None, **options)

    first, second = ask(domain), ask(domain)

    assert (first.gap, first.facts.matched) == (Gap.FAILED, {local.pk})
    assert (second.gap, second.facts.matched) == (Gap.ASKED_BEFORE, {local.pk})
    assert len(get_requests(sandbox)) == 1


def test_a_rejected_token_is_renewed_for_the_next_recipient_and_nobody_is_asked_for_twice(
    domain, known_how, campaign, sandbox
):
    campaign("Renewals", ("tags", "has_any", ["renewal"]))
    past = timezone.now() - timedelta(hours=3)
    Connection.objects.filter(pk=known_how.pk).update(refreshed_at=past)
    before = Connection.objects.get(pk=known_how.pk).token_version
    sandbox.faults.add("unauthorized", path=PROSPECTS)

    assert [ask(domain).gap, ask(domain, "kim@else.example").gap] == [Gap.FAILED, Gap.NONE]

    assert [request.status for request in sandbox.requests.to(PROSPECTS)] == [401, 200]
    assert Connection.objects.get(pk=known_how.pk).token_version == before + 1


@pytest.mark.parametrize(
    "change",
    [
        {"scopes_switched_off": ["prospects.read"]},
        {"scopes_granted": ["users.all"]},
        {"state": "lost", "state_reason": "Outreach no longer accepts our access."},
        {"state": "disconnected"},
    ],
)
def test_where_nobody_can_be_looked_up_nothing_leaves_and_the_choice_goes_on(
    domain, known_how, campaign, sandbox, change
):
    campaign("Renewals", ("tags", "has_any", ["renewal"]))
    Connection.objects.filter(pk=known_how.pk).update(**change)

    known = ask(domain)

    assert (known.gap, known.facts.matched) == (Gap.NOT_CONNECTED, frozenset())
    assert get_requests(sandbox) == []
    Connection.objects.filter(pk=known_how.pk).update(
        scopes_switched_off=[], scopes_granted=["prospects.read"], state="active"
    )
    assert ask(domain).gap is Gap.NONE


def test_a_look_up_that_our_own_budget_refused_may_be_asked_again(domain, known_how, campaign, sandbox):
    campaign("Renewals", ("tags", "has_any", ["renewal"]))
    CallBudget.objects.update_or_create(
        connection=known_how,
        defaults={"limit": 1, "used": 1, "window_ends_at": timezone.now() + timedelta(minutes=5)},
    )

    assert ask(domain).gap is Gap.FAILED

    assert get_requests(sandbox) == []
    CallBudget.objects.all().delete()
    assert ask(domain).gap is Gap.NONE


def test_how_to_ask_is_learnt_once_on_nobodys_address(domain, connection, campaign, sandbox):
    campaign("Renewals", ("tags", "has_any", ["renewal"]))
    sandbox.settings.change(array_filter_on_emails=False)

    assert (ask(domain).gap, ask(domain, "someone@else.example").gap) == (Gap.NONE, Gap.NONE)

    asked_about = [
        next(value[0] for name, value in request.parameters.items() if name.startswith("filter"))
        for request in sandbox.requests.to(PROSPECTS)
    ]
    assert asked_about == [*["nobody@countersign.invalid"] * 3, MIRA, "someone@else.example"]


def test_nothing_of_the_record_stays_in_the_database_the_cache_or_the_log(
    domain, known_how, campaign, sandbox, caplog
):
    caplog.set_level("DEBUG")
    chosen = campaign("Finance", ("title", "contains", ["of finance"]))

    assert ask(domain).facts.matched == {chosen.pk}

    with database.cursor() as cursor:
        tables = database.introspection.table_names(cursor)
        rows = []
        for table in tables:
            cursor.execute(f'SELECT * FROM "{table}"')  # noqa: S608 - names come from the database itself
            rows += map(str, cursor.fetchall())
    assert "portal_cache" in tables
    assert not [row for row in rows if CANARY in row or MIRA in row]
    assert CANARY not in caplog.text
    assert MIRA not in caplog.text


def test_a_recipient_of_another_domain_is_not_known_by_this_ones_look_up(
    domain, known_how, campaign, other_domain, sandbox
):
    campaign("Renewals", ("tags", "has_any", ["renewal"]))
    campaign("Theirs", ("tags", "has_any", ["renewal"]), domain=other_domain)

    ask(domain)

    assert get_cached(other_domain, MIRA) is None
    assert ask(other_domain).gap is Gap.NOT_CONNECTED
    keys = set(KnownRecipient.objects.values_list("recipient_key", flat=True))
    assert len(keys) == 2


@pytest.mark.parametrize(
    "text", ["", "mira", "@first.example", "mira@", "a b@c.example", "a@b.example,c@d.example"]
)
def test_what_is_no_address_is_neither_asked_for_nor_kept(domain, known_how, campaign, sandbox, text):
    campaign("Renewals", ("tags", "has_any", ["renewal"]))

    assert ask(domain, text) == Known(None, Gap.NO_ADDRESS)

    assert get_requests(sandbox) == []
    assert not KnownRecipient.objects.exists()
