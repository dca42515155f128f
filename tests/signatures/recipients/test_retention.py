"""Single events go after their time, their counts stay, and no address was ever whole in a row."""

from __future__ import annotations

from datetime import timedelta

import pytest

from portal.models import Domain
from signatures.analytics.aggregation import aggregate_events
from signatures.models import BannerEvent, CountingState, RecipientPrivacy
from signatures.recipients.retention import remove_old_events
from signatures.tasks import remove_old_banner_events
from tests.support.banner_events import NINE, get_counts, open_show


@pytest.fixture
def show(domain: Domain):
    return open_show(domain)


def test_counted_events_go_after_their_days_and_their_counts_stay(show, other_domain):
    show.see(0)
    show.see(86_400)
    aggregate_events(show.domain, now=NINE + timedelta(days=2))
    uncounted = show.see(-10 * 86_400)
    kept_longer = open_show(other_domain, "Theirs")
    kept_longer.see(0)
    aggregate_events(other_domain, now=NINE + timedelta(days=2))
    RecipientPrivacy.objects.create(domain=show.domain, event_days=7)
    counts = get_counts(show.domain)

    assert remove_old_events(now=NINE + timedelta(days=7, seconds=1)) == 1

    left = list(BannerEvent.objects.filter(domain=show.domain).order_by("at"))
    assert [(event.at - NINE).days for event in left] == [-10, 1]
    assert left[0] == uncounted
    assert get_counts(show.domain) == counts
    assert BannerEvent.objects.filter(domain=other_domain).count() == 1
    assert CountingState.objects.for_domain(show.domain).events_removed_until == NINE
    assert CountingState.objects.for_domain(other_domain).events_removed_until is None


def test_one_go_is_bounded_and_the_next_one_goes_on(show):
    for second in range(5):
        show.see(second)
    aggregate_events(show.domain, now=NINE + timedelta(days=1))

    assert remove_old_events(now=NINE + timedelta(days=365), limit=2, batch_size=2) == 2
    assert remove_old_events(now=NINE + timedelta(days=365), batch_size=2) == 3
    assert remove_old_events(now=NINE + timedelta(days=365)) == 0


def test_the_task_runs_as_the_schedule_calls_it(show):
    remove_old_banner_events()

    assert get_counts(show.domain) == {}
