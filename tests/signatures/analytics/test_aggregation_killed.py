"""kill -9 while events are counted, and two workers at once: every event is counted once."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.installation import Installation, migrate_template, wait_until

pytestmark = pytest.mark.soak

EVENTS = 1_200

FILL = f"""
from datetime import UTC, datetime, timedelta
from portal.models import Domain
from signatures.models import BannerEvent
domain = Domain.objects.create(name="acme.example")
nine = datetime(2026, 11, 24, 9, tzinfo=UTC)
BannerEvent.objects.bulk_create([
    BannerEvent(domain=domain, at=nine + timedelta(seconds=number // 20), kind="click" if number % 10 == 0 else "image",
        sender_id=number % 7, group_id=1, network="198.51.100.0", agent="Mozilla/5.0 (X11) Firefox/140.0",
        visitor_key=f"r{{number % 50}}")
    for number in range({EVENTS})
])
"""
SIFT = """
from portal.models import Domain
from signatures.analytics.aggregation import aggregate_events
aggregate_events(Domain.objects.get(), batch_size=20)
"""


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    template = tmp_path / "migrated"
    template.mkdir()
    made = Installation(tmp_path, migrate_template(template))
    made.run(FILL)
    yield made
    made.close()


def count(installation: Installation) -> tuple[int, int]:
    """Return how many events are marked as counted, and how many the counts hold."""
    (marked,), (held,) = installation.rows(
        "SELECT count(*) FROM signatures_bannerevent WHERE is_judged "
        "UNION ALL SELECT coalesce(sum(impressions + clicks + bot_impressions + bot_clicks), 0) "
        "FROM signatures_dailycount"
    )
    return marked, held


def test_workers_that_are_killed_or_work_at_once_count_each_event_once(installation: Installation):
    chance = random.Random(5)  # noqa: S311 - the same each time
    for _ in range(2):
        before, _ = count(installation)
        goal = before + chance.randint(20, EVENTS // 4)
        worker = installation.start_script(SIFT)
        wait_until(lambda goal=goal: count(installation)[0] >= goal)
        worker.kill()
        worker.wait()
        marked, held = count(installation)
        assert marked == held

    assert marked < EVENTS, "the workers were killed before they were done"
    both = [installation.start_script(SIFT) for _ in range(2)]
    for worker in both:
        assert worker.wait(timeout=60) == 0, worker.stdout and worker.stdout.read()

    assert count(installation) == (EVENTS, EVENTS)
    totals = "SELECT sum(impressions), sum(clicks), sum(bot_impressions), sum(bot_clicks) FROM signatures_"
    assert installation.rows(totals + "dailycount") == installation.rows(totals + "dailytotal")
