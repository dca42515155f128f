"""Publishing: one release is live at any time, of one domain alone, and an unusable one is never made."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import connection as database
from django.utils import timezone

from integrations.models import LedgerEntry
from portal.models import Domain
from signatures.authoring.templates import assign_template, save_template
from signatures.delivery.after_release import publish_due
from signatures.models import Group, Release, ReleaseState, Template
from signatures.releases.live import ReleaseDamaged, get_content, get_live, get_live_content
from signatures.releases.publish import (
    PublishRefused,
    cancel_release,
    go_live,
    list_drafts,
    list_due_releases,
    publish,
    republish,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def live_domain(company, bystanders) -> Domain:
    """A domain with release 1 live, beside another one that nobody touches."""
    return company.domain


@pytest.fixture(autouse=True)
def untouched_bystander(bystanders):
    """Whatever happens here, the other domain keeps its release, and has no draft."""
    before = list(Release.objects.filter(domain=bystanders.domain).values())
    yield
    assert list(Release.objects.filter(domain=bystanders.domain).values()) == before
    assert list_drafts(bystanders.domain) == []


def edit(domain: Domain, source: str, name: str = "Letterhead") -> Template:
    template = Template.objects.get(domain=domain, name=name)
    save_template(domain, name=name, template=template, source=source, actor="editor")
    return template


def get_states(domain: Domain) -> list[tuple[int, str]]:
    return list(Release.objects.filter(domain=domain).order_by("number").values_list("number", "state"))


def test_publishing_some_drafts_leaves_the_others_drafts(live_domain):
    letterhead, card = edit(live_domain, "<p>Letterhead 2</p>"), edit(live_domain, "<p>Card 2</p>", "Card")

    release = publish(live_domain, keys=[f"template:{card.pk}"], note="Cards", actor="approver")

    card.refresh_from_db()
    letterhead.refresh_from_db()
    content = get_live_content(live_domain)
    assert content.templates[card.pk] == card.current_id
    assert content.templates[letterhead.pk] != letterhead.current_id
    assert list_drafts(live_domain) == [f"template:{letterhead.pk}"]
    assert get_states(live_domain) == [(1, "earlier"), (2, "live")]
    entry = LedgerEntry.objects.filter(domain=live_domain, action="release published").latest("pk")
    assert (entry.object_ref, entry.actor_label, entry.detail) == (str(release), "approver", "Cards")


def test_a_template_that_was_left_out_and_is_assigned_by_what_was_chosen_is_refused(live_domain):
    version = save_template(live_domain, name="New", source="<p>New</p>", actor="editor")
    everyone = Group.objects.get(domain=live_domain, is_default=True)
    assign_template(live_domain, template=version.template, group=everyone, actor="editor")

    with pytest.raises(PublishRefused, match="“New” is assigned by what you chose"):
        publish(live_domain, keys=[f"group:{everyone.pk}"], actor="approver")

    assert get_states(live_domain) == [(1, "live")]
    publish(live_domain, keys=[f"group:{everyone.pk}", f"template:{version.template_id}"], actor="approver")
    assert list_drafts(live_domain) == []


@pytest.mark.parametrize("keys", [[], None, ["template:987654321"]])
def test_publishing_nothing_or_what_is_no_draft_is_refused(live_domain, keys):
    with pytest.raises(PublishRefused, match=r"(?i)nothing was published"):
        publish(live_domain, keys=keys, actor="approver")

    assert get_states(live_domain) == [(1, "live")]


def test_an_earlier_release_is_published_again_as_a_new_one_and_drafts_stay_drafts(live_domain):
    first = get_live(live_domain)
    edit(live_domain, "<p>Second</p>")
    publish(live_domain, actor="approver")
    edited = edit(live_domain, "<p>Third</p>")

    again = republish(first, actor="approver")

    assert (again.number, again.digest, again.made_from) == (3, first.digest, first)
    assert get_states(live_domain) == [(1, "earlier"), (2, "earlier"), (3, "live")]
    assert list_drafts(live_domain) == [f"template:{edited.pk}"]
    with pytest.raises(PublishRefused, match="exactly the same"):
        republish(first, actor="approver")


def test_a_scheduled_release_goes_live_at_its_time_once(live_domain):
    edit(live_domain, "<p>Second</p>")
    scheduled = publish(live_domain, actor="approver", publish_at=timezone.now() + timedelta(hours=1))
    before = get_states(live_domain), list_due_releases()
    Release.objects.filter(pk=scheduled.pk).update(publish_at=timezone.now() - timedelta(seconds=1))

    due = list_due_releases()
    go_live(scheduled)

    assert before == ([(1, "live"), (2, "scheduled")], [])
    assert (due, list_due_releases()) == ([scheduled.pk], [])
    assert get_states(live_domain) == [(1, "earlier"), (2, "live")]
    with pytest.raises(PublishRefused):
        go_live(scheduled)
    with pytest.raises(PublishRefused):
        cancel_release(scheduled, actor="approver")
    assert get_states(live_domain) == [(1, "earlier"), (2, "live")]


@pytest.mark.parametrize("name", ["Card", "Letterhead"])
def test_a_scheduled_release_never_undoes_what_went_live_since(live_domain, name):
    edit(live_domain, "<p>Second</p>")
    scheduled = publish(live_domain, actor="approver", publish_at=timezone.now() + timedelta(hours=1))
    newer = edit(live_domain, "<p>Newer</p>", name)
    publish(live_domain, keys=[f"template:{newer.pk}"], actor="approver")
    Release.objects.filter(pk=scheduled.pk).update(publish_at=timezone.now() - timedelta(seconds=1))

    publish_due()

    assert get_states(live_domain) == [(1, "earlier"), (2, "scheduled"), (3, "live")]
    with pytest.raises(PublishRefused, match="Release 3 went live after Release 2 was scheduled"):
        go_live(scheduled)


def test_a_cancelled_release_never_goes_live_and_its_changes_are_drafts_still(live_domain):
    template = edit(live_domain, "<p>Second</p>")
    scheduled = publish(live_domain, actor="approver", publish_at=timezone.now() + timedelta(hours=1))

    cancel_release(scheduled, actor="approver")

    with pytest.raises(PublishRefused):
        go_live(scheduled)
    assert get_states(live_domain) == [(1, "live"), (2, "cancelled")]
    assert list_drafts(live_domain) == [f"template:{template.pk}"]


def test_nothing_is_read_from_a_release_that_differs_from_what_was_published(live_domain):
    release = get_live(live_domain)
    Release.objects.filter(pk=release.pk).update(
        content=release.content | {"people": {"1": 1}}, digest="0" * 64
    )
    release.refresh_from_db()

    with pytest.raises(ReleaseDamaged):
        get_content(release)


def test_release_of_another_domain_is_never_read(live_domain, bystanders):
    ours, theirs = get_live_content(live_domain), get_live_content(bystanders.domain)

    assert not ours.templates.keys() & theirs.templates.keys()
    assert not ours.group_by_id.keys() & theirs.group_by_id.keys()
    assert get_live(live_domain).domain_id == live_domain.pk


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("reads_beside_writers")
def test_of_two_who_publish_at_once_one_release_is_live(live_domain):
    edit(live_domain, "<p>Second</p>")
    outcomes: list[str] = []
    both = threading.Barrier(2)

    def try_to_publish() -> None:
        both.wait()
        try:
            outcomes.append(str(publish(live_domain, actor="approver")))
        except PublishRefused:
            outcomes.append("refused")
        finally:
            database.close()

    threads = [threading.Thread(target=try_to_publish) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(outcomes) == ["Release 2", "refused"]
    assert get_states(live_domain) == [(1, "earlier"), (2, ReleaseState.LIVE)]
