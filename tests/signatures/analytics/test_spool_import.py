"""Each spooled event comes into the database once."""

from __future__ import annotations

from datetime import timedelta
from io import BytesIO
from pathlib import Path

import pytest
import time_machine
from django.utils import timezone

from signatures.analytics import spool as analytics_spool
from signatures.analytics import spool_import
from signatures.analytics.spool import count
from signatures.analytics.spool_import import import_file, sweep_spool
from signatures.models import BannerEvent, SpoolImport
from signatures.tasks import take_in_banner_events
from tests.support.banners import list_events
from tests.support.spool import make, spool_files

pytestmark = pytest.mark.usefixtures("fresh_serving")


def test_however_often_the_spool_is_swept_each_event_comes_in_once(domain, tmp_path):
    for _ in range(5):
        count(make(domain))
    first = sweep_spool()
    again = sweep_spool(own_only=True) + sweep_spool()
    count(make(domain))
    take_in_banner_events()

    assert (first, again) == (5, 0)
    assert BannerEvent.objects.count() == 6
    assert len(spool_files(tmp_path)) == 1  # this process is not done with it


class ReadByAnother(type(Path())):  # type: ignore[misc]
    """A spool file that another importer takes in while this one has read it, and not moved the mark yet."""

    def open(self, *args: object, **options: object) -> BytesIO:
        read = BytesIO(Path(self).read_bytes())
        import_file(Path(self))
        return read


@pytest.mark.parametrize("before", [0, 2])
def test_of_two_importers_that_read_the_same_lines_one_brings_them_in(domain, other_domain, before):
    """before: events that were taken in already, so that the mark does not stand at the start."""
    for _ in range(before):
        count(make(domain))
    sweep_spool()
    for number in range(3):
        count(make(domain, sender_id=number))
    count(make(other_domain))
    path = analytics_spool.SPOOL.path
    assert path is not None

    brought = import_file(ReadByAnother(path))

    assert brought == 0
    assert BannerEvent.objects.filter(domain_id=domain.pk).count() == before + 3
    assert BannerEvent.objects.filter(domain_id=other_domain.pk).count() == 1
    assert SpoolImport.objects.get().offset == path.stat().st_size
    count(make(domain))
    assert sweep_spool() == 1


def test_a_file_whose_process_is_done_is_removed_once_it_was_read(domain, tmp_path):
    count(make(domain))
    analytics_spool.SPOOL.close()
    count(make(domain))

    assert len(spool_files(tmp_path)) == 2
    assert sweep_spool() == 2
    assert len(spool_files(tmp_path)) == 1
    with time_machine.travel(timezone.now() + timedelta(days=31)):
        sweep_spool()
        assert SpoolImport.objects.count() == 1


def test_an_idle_file_is_not_forgotten_by_a_machine_that_cannot_see_it(domain, settings, tmp_path):
    here, other = settings.SPOOL_FOLDER, tmp_path / "of another machine"
    other.mkdir()

    def sweep(folder: Path | str) -> int:
        settings.SPOOL_FOLDER = str(folder)
        return sweep_spool()

    count(make(domain))
    now = timezone.now()
    with time_machine.travel(now, tick=False) as clock:
        brought = [sweep(here)]
        for days in (3, 20, 20, 20):  # each since the last time that this machine was on
            clock.shift(timedelta(days=days))
            brought += [sweep(other), sweep(here)]

    assert brought == [1, *8 * [0]]
    assert BannerEvent.objects.count() == 1


def test_a_long_file_is_continued_in_another(domain, tmp_path, monkeypatch):
    monkeypatch.setattr(analytics_spool, "ROTATE_BYTES", 500)
    for _ in range(20):
        count(make(domain))

    assert len(spool_files(tmp_path)) > 3
    assert sweep_spool() == 20


def test_what_fails_half_way_is_neither_lost_nor_doubled(domain, monkeypatch):
    for _ in range(2_500):
        count(make(domain))
    path = analytics_spool.SPOOL.path
    assert path is not None

    class Killed(Exception):
        pass

    batches = []

    def fail(showings: object) -> None:
        batches.append(1)
        if len(batches) == 2:
            raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(spool_import, "_keep_showings", fail)
        with pytest.raises(Killed):
            import_file(path)
    after_failure = BannerEvent.objects.count()

    assert after_failure == 1_000
    assert sweep_spool() == 1_500
    assert BannerEvent.objects.count() == 2_500


def test_events_of_a_domain_that_is_gone_hold_nobody_up(domain, other_domain):
    count(make(other_domain))
    count(make(domain))
    other_domain.delete()

    sweep_spool()

    assert [event["domain_id"] for event in list_events()] == [domain.pk]
