"""Look-ups that Outreach answers late, or never: nobody waits for them, and the next one is served."""

from __future__ import annotations

import socket
import time
from datetime import timedelta

import pytest
from django.db import connection as database
from django.utils import timezone

from integrations.errors import Gap
from integrations.lookup import ON_TIME_SECONDS, PATIENCE_SECONDS
from integrations.models import Connection, LookupState
from signatures.models import KnownRecipient
from signatures.recipients.facts import get_cached
from tests.support.installation import wait_until
from tests.support.look_ups import MIRA, PROSPECTS, ask, get_requests

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("reads_beside_writers"),
    pytest.mark.usefixtures("look_ups_end", "prospect", "no_look_up_left_behind"),
]


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
