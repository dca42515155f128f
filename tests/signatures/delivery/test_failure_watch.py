"""When failures and silence halt a run or make it wait: counted, without a database."""

from __future__ import annotations

import pytest

from integrations.errors import RateLimited, Unreachable
from signatures.delivery.failure_watch import FailureWatch, SilenceWatch


def test_more_than_a_fifth_of_fifty_is_reason_to_halt_and_stays_one():
    watch = FailureWatch()
    for number in range(55):
        if number % 5 == 0:
            watch.fail()
        else:
            watch.succeed()
        assert watch.halt_reason == ""

    said = [watch.fail(), watch.fail()]
    for _ in range(60):
        watch.succeed()

    assert said == ["", "11 of the latest 50 mailboxes failed."]
    assert watch.halt_reason == "11 of the latest 50 mailboxes failed."


def test_three_rounds_in_a_row_without_any_answer_are_an_outage_and_an_answer_between_them_is_none():
    watch, limited = SilenceWatch(), RateLimited("Wait.", retry_after_seconds=1)
    rounds = []
    for is_answered in (False, False, True, False, False):
        watch.begin_round()
        watch.limit(limited)
        if is_answered:
            watch.answer()
        rounds.append(watch.end_round())
    watch.begin_round()
    watch.miss("5001", Unreachable("No answer."))

    with pytest.raises(Unreachable):
        watch.end_round()

    assert rounds == [1, 2, 0, 1, 2]


def test_a_mailbox_is_silent_where_others_are_answered_after_it_and_not_while_nobody_is():
    watch = SilenceWatch()
    for number in range(6):
        watch.miss(str(number), Unreachable("No answer."))
    seen = [watch.is_silent("3"), watch.is_halting]

    watch.answer()
    watch.miss("7", Unreachable("No answer."))

    assert seen == [False, True]
    assert [watch.is_silent(id) for id in ("3", "7")] == [True, False]
    assert watch.is_halting is False
