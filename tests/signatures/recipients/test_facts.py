"""Looking a recipient up: what is asked, how often, for how long, and what stays of it."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.db import connection as database
from django.utils import timezone

from integrations.connection.lookup_breaker import FAILURES, get_state, may_try, note_failure
from integrations.errors import Gap, PolicyViolation
from integrations.lookup import ON_TIME_SECONDS, PATIENCE_SECONDS
from integrations.models import CallBudget, Connection, LedgerEntry, LookupState
from signatures.models import BannerPlace, Campaign, KnownRecipient
from signatures.recipients.facts import Known, get_cached, get_facts
from tests.support.installation import wait_until

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("reads_beside_writers"),
    pytest.mark.usefixtures("look_ups_end"),
]

PROSPECTS = "/api/v2/prospects"
MIRA = "mira@first.example"
CANARY = "canary-4f1d9b"


@pytest.fixture(autouse=True)
def prospect(sandbox) -> object:
    return sandbox.directory.add_prospect(
        [MIRA, "mira@second.example"],
        "Mira",
        "Vale",
        title=f"{CANARY} of finance",
        company="Vale & Sons",
        tags=("renewal",),
        owner_id=3,
        custom7="Gold",
    )


@pytest.fixture
def known_how(connection) -> Connection:
    """How to ask is learnt already, so that each look-up is one request."""
    LookupState.objects.create(connection=connection, how="array and links")
    return connection


@pytest.fixture(autouse=True)
def no_look_up_left_behind(sandbox) -> Iterator[None]:
    """A look-up that outlives its caller ends before the database does."""
    yield
    sandbox.faults.clear()
    wait_until(
        lambda: (
            not KnownRecipient.objects.filter(
                asked_at__gt=timezone.now() - timedelta(seconds=6), answered_at=None, failed_at=None
            ).exists()
        )
    )


def ask(domain, address: str = MIRA, within: float = 5.0) -> Known:
    return get_facts(domain, address, within=within)


def get_requests(sandbox) -> list[str]:
    """The fields that were asked for, of each request for prospects."""
    return [request.parameters["fields[prospect]"][0] for request in sandbox.requests.to(PROSPECTS)]


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
    from integrations.outreach.endpoints import FIND_PROSPECT

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


@pytest.mark.parametrize("is_dripping", [False, True], ids=["whole", "dripping"])
def test_an_answer_that_comes_late_is_not_waited_for_and_serves_the_next(
    domain, known_how, campaign, sandbox, hold, is_dripping
):
    chosen = campaign("Renewals", ("tags", "has_any", ["renewal"]))
    if is_dripping:
        sandbox.faults.add("drip", path=PROSPECTS, bytes=32, seconds=0.01)
    release = hold(PROSPECTS)

    known = ask(domain, within=0)

    assert (known.gap, known.facts.matched) == (Gap.LATE, frozenset())
    assert KnownRecipient.objects.get().answered_at is None
    time.sleep(ON_TIME_SECONDS)  # it has been under way for longer than this, and so counts as late
    release()
    wait_until(lambda: get_cached(domain, MIRA).matched == {chosen.pk})
    wait_until(lambda: LookupState.objects.get().failures == 1)
    assert ask(domain).gap is Gap.NONE
    assert len(get_requests(sandbox)) == 1


def test_an_answer_that_comes_while_the_local_audiences_are_kept_stays(
    domain, known_how, campaign, sandbox, hold
):
    chosen = campaign("Renewals", ("tags", "has_any", ["renewal"]))
    local = campaign("Partners", ("email_domain", "is", ["first.example"]))
    release = hold(PROSPECTS)
    overtaken = []

    def let_it_overtake(execute, sql, params, many, context):
        """The answer is stored between the reading of the row and this, the writing of the local audiences."""
        columns = sql.partition(" WHERE ")[0]
        if sql.startswith("UPDATE") and '"verdicts" =' in columns and '"asked_at" =' not in columns:
            release()
            wait_until(lambda: KnownRecipient.objects.get().answered_at)
            overtaken.append(sql)
        return execute(sql, params, many, context)

    with database.execute_wrapper(let_it_overtake):
        known = ask(domain, within=0)

    assert (known.gap, known.facts.matched, len(overtaken)) == (Gap.LATE, {local.pk}, 1)
    assert get_cached(domain, MIRA).matched == {chosen.pk, local.pk}
    row = KnownRecipient.objects.get()
    assert {key: holds for key, (_, holds) in row.verdicts.items()} == {
        str(chosen.pk): True,
        str(local.pk): True,
    }


def test_an_outreach_that_accepts_and_never_answers_is_not_waited_for(
    domain, known_how, campaign, settings, sandbox
):
    campaign("Renewals", ("tags", "has_any", ["renewal"]))
    local = campaign("Partners", ("email_domain", "is", ["first.example"]))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        settings.OUTREACH_BASE_URL = f"http://127.0.0.1:{silent.getsockname()[1]}"
        known = ask(domain, within=0)

    assert (known.gap, known.facts.matched) == (Gap.LATE, {local.pk})

    # Closed, it resets the request, which had left: this hour nobody asks for the address again.
    wait_until(lambda: KnownRecipient.objects.get().failed_at)
    settings.OUTREACH_BASE_URL = sandbox.base_url
    assert ask(domain).gap is Gap.ASKED_BEFORE
    assert get_requests(sandbox) == []


def test_a_renewal_of_the_access_is_not_waited_for_either(domain, known_how, campaign, sandbox, hold):
    chosen = campaign("Renewals", ("tags", "has_any", ["renewal"]))
    past = timezone.now() - timedelta(hours=3)
    Connection.objects.filter(pk=known_how.pk).update(refreshed_at=past, access_expires_at=past)
    release = hold("/oauth/token")

    assert ask(domain, within=0).gap is Gap.LATE

    assert get_requests(sandbox) == []
    release()
    wait_until(lambda: get_cached(domain, MIRA).matched == {chosen.pk})
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


def test_a_look_up_waited_for_in_vain_counts_before_it_is_given_up_and_once(
    domain, known_how, campaign, sandbox, hold
):
    campaign("Renewals", ("tags", "has_any", ["renewal"]))
    release = hold(PROSPECTS)

    assert ask(domain, within=PATIENCE_SECONDS * 2).gap is Gap.LATE

    assert KnownRecipient.objects.get().answered_at is None, "it is under way still"
    assert LookupState.objects.get().failures == 1
    time.sleep(ON_TIME_SECONDS)  # late by its own clock too
    release()
    wait_until(lambda: KnownRecipient.objects.get().answered_at)
    assert LookupState.objects.get().failures == 1


def test_look_ups_rest_after_failures_in_a_row_and_one_tries_again(
    domain, known_how, campaign, sandbox, time_machine
):
    chosen = campaign("Renewals", ("tags", "has_any", ["renewal"]))
    sandbox.faults.add("status", path=PROSPECTS, times=FAILURES + 1, status=500)

    gaps = [ask(domain, f"{number}@first.example").gap for number in range(FAILURES + 2)]

    assert gaps == [Gap.FAILED] * FAILURES + [Gap.RESTING] * 2
    assert len(get_requests(sandbox)) == FAILURES
    assert KnownRecipient.objects.filter(asked_at=None).count() == 2
    time_machine.move_to(timezone.now() + timedelta(seconds=31))
    assert ask(domain, "trial@first.example").gap is Gap.FAILED
    assert ask(domain).gap is Gap.RESTING
    time_machine.move_to(timezone.now() + timedelta(seconds=61))
    assert ask(domain).facts.matched == {chosen.pk}
    state = get_state(known_how)
    assert (state.failures, state.rests_until) == (0, None)


def test_after_a_rest_one_tries_and_the_others_wait_for_what_comes_of_it(
    domain, known_how, campaign, sandbox, hold, time_machine
):
    chosen = campaign("Renewals", ("tags", "has_any", ["renewal"]))
    for _ in range(FAILURES):
        note_failure(known_how)
    time_machine.move_to(timezone.now() + timedelta(seconds=31))
    release = hold(PROSPECTS)

    gaps = [ask(domain, within=0).gap]
    wait_until(lambda: get_requests(sandbox))  # its thread waits for the answer now, and writes nothing
    gaps += [ask(domain, address, within=0).gap for address in ("kim@else.example", "lee@else.example")]

    assert gaps == [Gap.LATE, Gap.RESTING, Gap.RESTING]
    release()
    wait_until(lambda: get_state(known_how).rests_until is None)
    assert ask(domain).facts.matched == {chosen.pk}
    assert ask(domain, "kim@else.example").gap is Gap.NONE
    assert len(get_requests(sandbox)) == 2


def test_a_trial_that_told_nothing_is_given_up_and_another_one_may_try(known_how, time_machine):
    time_machine.move_to(timezone.now(), tick=False)
    for _ in range(FAILURES):
        note_failure(known_how)
    time_machine.shift(timedelta(seconds=31))

    tries = [may_try(known_how), may_try(known_how)]
    time_machine.shift(timedelta(seconds=30))
    tries.append(may_try(known_how))
    time_machine.shift(timedelta(seconds=1))
    tries += [may_try(known_how), may_try(known_how)]

    assert tries == [True, False, False, True, False]


def test_look_ups_that_were_under_way_when_a_rest_began_do_not_lengthen_it(known_how, time_machine):
    time_machine.move_to(timezone.now(), tick=False)

    for _ in range(FAILURES + 8):
        note_failure(known_how)

    state = get_state(known_how)
    assert (state.failures, state.rests_until) == (FAILURES, timezone.now() + timedelta(seconds=30))


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
