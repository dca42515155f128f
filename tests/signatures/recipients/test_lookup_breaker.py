"""Look-ups rest after failures in a row, and one tries again."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from integrations.connection.lookup_breaker import FAILURES, get_state, may_try, note_failure
from integrations.errors import Gap
from signatures.models import KnownRecipient
from tests.support.installation import wait_until
from tests.support.look_ups import PROSPECTS, ask, get_requests

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("reads_beside_writers"),
    pytest.mark.usefixtures("look_ups_end", "prospect", "no_look_up_left_behind"),
]


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
