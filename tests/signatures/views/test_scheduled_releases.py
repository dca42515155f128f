"""Releases with a date: live at their time, rolled out once, cancelled or published sooner."""

from __future__ import annotations

import sys
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from signatures.delivery import after_release
from signatures.models import (
    DeliveryRun,
    Release,
    ReleaseState,
)
from signatures.releases.publish import list_drafts, publish
from signatures.tasks import publish_due_releases
from tests.support.release_pages import ADDRESS, edit_brand, read_form, text_of


def test_a_scheduled_release_goes_live_at_its_time_and_its_rollout_starts_once(published, admin: Client):
    edit_brand(published.domain, name="Acme", tagline="Since 1949")
    form = read_form(admin.get(ADDRESS).content.decode()) | {"when": "later"}
    at = timezone.now() + timedelta(days=2)

    assert admin.post(f"{ADDRESS}publish/", form).status_code == 422
    assert admin.post(f"{ADDRESS}publish/", form | {"publish_at": "2020-01-01T09:00"}).status_code == 422
    admin.post(f"{ADDRESS}publish/", form | {"publish_at": f"{at:%Y-%m-%dT%H:%M}"})

    release = Release.objects.get(domain=published.domain, number=2)
    assert release.state == ReleaseState.SCHEDULED
    assert release.rollout["stages"] == [5, 50, None]
    publish_due_releases()
    assert Release.objects.get(pk=release.pk).state == ReleaseState.SCHEDULED
    page = admin.get(ADDRESS).content.decode()
    assert "Scheduled" in page and "Publish release 2 now…" in page and "Cancel release 2" in page

    Release.objects.filter(pk=release.pk).update(publish_at=timezone.now() - timedelta(minutes=30))
    for _ in range(3):
        publish_due_releases()

    release.refresh_from_db()
    assert release.state == ReleaseState.LIVE
    run = DeliveryRun.objects.get(domain=published.domain)
    assert (run.state, run.started_by_label) == ("queued", "admin@acme.example")


@pytest.mark.parametrize("step", ["before the plan", "planned"])
def test_a_rollout_whose_worker_was_killed_is_started_by_the_next_one_and_not_twice(
    published, bystander, monkeypatch: pytest.MonkeyPatch, step: str
):
    edit_brand(published.domain, name="Acme", tagline="Since 1949")
    at = timezone.now() + timedelta(seconds=1)
    publish(published.domain, actor="ruth@acme.example", publish_at=at)
    publish(bystander.domain, actor="bea@bystander.example", publish_at=at + timedelta(days=1))
    Release.objects.filter(publish_at=at).update(publish_at=timezone.now())
    killed = {"before the plan": "plan_delivery", "planned": "start_delivery"}[step]
    with monkeypatch.context() as patch:
        patch.setattr(after_release, killed, lambda *args, **options: sys.exit(9))
        with pytest.raises(SystemExit):
            publish_due_releases()
    assert Release.objects.get(domain=published.domain, state=ReleaseState.LIVE).number == 2

    publish_due_releases()
    publish_due_releases()

    runs = DeliveryRun.objects.filter(domain=published.domain, state="queued")
    assert [run.started_by_label for run in runs] == ["ruth@acme.example"]
    assert not DeliveryRun.objects.filter(domain=bystander.domain).exists()


def test_of_two_due_releases_the_later_one_is_rolled_out(published):
    for name in ("Acme", "Acme of tomorrow"):
        edit_brand(published.domain, name=name)
        publish(published.domain, actor=f"{name}@acme.example", publish_at=timezone.now() + timedelta(days=1))
    late = timezone.now() - timedelta(hours=3)
    Release.objects.filter(number=2).update(publish_at=late)
    Release.objects.filter(number=3).update(publish_at=late + timedelta(minutes=1))

    publish_due_releases()

    states = Release.objects.filter(domain=published.domain).values_list("number", "state")
    assert set(states) == {(1, "earlier"), (2, "earlier"), (3, "live")}
    assert [run.release.number for run in DeliveryRun.objects.filter(domain=published.domain)] == [3]


def test_a_rollout_that_may_not_start_says_so_and_is_left_to_a_person(published, admin: Client):
    edit_brand(published.domain, name="Acme")
    publish(published.domain, actor="ruth@acme.example", publish_at=timezone.now() + timedelta(days=1))
    Release.objects.filter(number=2).update(publish_at=timezone.now())
    published.connection.paused_at = timezone.now()
    published.connection.save(update_fields=["paused_at"])

    publish_due_releases()

    assert DeliveryRun.objects.get(domain=published.domain).state == "planned"
    words = text_of(admin.get(ADDRESS).content.decode())
    assert "Release 2 is live, and its delivery did not start Deliveries are paused." in words


def test_a_cancelled_release_never_goes_live(published, admin: Client):
    edit_brand(published.domain, name="Acme")
    form = read_form(admin.get(ADDRESS).content.decode())
    at = timezone.now() + timedelta(days=2)
    admin.post(f"{ADDRESS}publish/", form | {"when": "later", "publish_at": f"{at:%Y-%m-%dT%H:%M}"})

    admin.post(f"{ADDRESS}2/cancel/")
    Release.objects.filter(number=2).update(publish_at=timezone.now())
    publish_due_releases()

    assert [r.state for r in Release.objects.filter(domain=published.domain)] == ["cancelled", "live"]
    assert list_drafts(published.domain) == ["brand"]
    assert "is no longer scheduled" in admin.post(f"{ADDRESS}2/now/", follow=True).content.decode()


def test_publishing_a_scheduled_release_now_leaves_nothing_to_its_schedule(published, admin: Client):
    edit_brand(published.domain, name="Acme")
    form = read_form(admin.get(ADDRESS).content.decode())
    at = timezone.now() + timedelta(days=2)
    admin.post(f"{ADDRESS}publish/", form | {"when": "later", "publish_at": f"{at:%Y-%m-%dT%H:%M}"})

    admin.post(f"{ADDRESS}2/now/")
    publish_due_releases()

    assert Release.objects.get(domain=published.domain, state=ReleaseState.LIVE).number == 2
    assert DeliveryRun.objects.get(domain=published.domain).state == "planned"
