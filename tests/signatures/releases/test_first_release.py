"""The upgrade to releases: what was delivered before is what is live after, and no mailbox is written by it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.db import connection as database
from django.db.migrations.executor import MigrationExecutor

from integrations.models import Connection, SyncKind
from signatures.models import DeliveryRun, MailboxState, Release, Template
from signatures.releases.publish import list_drafts
from signatures.tasks import follow_sync, sweep_deliveries
from tests.support.deliveries import change_template, get_delivered, get_held, get_writes
from tests.support.hand_edits import sync_mailboxes

pytestmark = [pytest.mark.soak, pytest.mark.django_db(transaction=True)]

BEFORE = ("signatures", "0023_plain_names")  # the last without releases


@pytest.fixture
def upgrade() -> Iterator[None]:
    """Take the database back to the version before releases, with the rows it has, and forward again."""
    leaves = MigrationExecutor(database).loader.graph.leaf_nodes()

    def migrate() -> None:
        try:
            MigrationExecutor(database).migrate([BEFORE])
        finally:
            MigrationExecutor(database).migrate(leaves)

    yield migrate


def follow_last_sync(ready: Connection) -> None:
    """What the worker does within a minute of the upgrade: nobody has followed the last sync since."""
    follow_sync(run_id=ready.sync_runs.latest("pk").pk)


def get_statuses() -> dict[str, str]:
    return dict(MailboxState.objects.values_list("mailbox__remote_id", "status"))


def test_mailboxes_hold_what_the_first_release_has_and_none_is_written(
    sandbox, ready, domain, other_domain, deliver, upgrade
):
    delivered = get_delivered(deliver())
    sync_mailboxes(ready)
    before, held = get_statuses(), get_held(sandbox)
    sandbox.requests.clear()

    upgrade()
    follow_last_sync(ready)
    for kind in (SyncKind.MAILBOXES, SyncKind.FULL):
        sync_mailboxes(ready, kind)
        sweep_deliveries()

    assert {before[mailbox_id] for mailbox_id in delivered} <= {"up_to_date", "altered"}
    assert get_statuses() == before
    assert (get_writes(sandbox), get_held(sandbox)) == ([], held)
    assert [(release.domain, release.number) for release in Release.objects.all()] == [(domain, 1)]
    assert list_drafts(domain) == []
    assert DeliveryRun.objects.count() == 1


def test_of_two_delivered_versions_the_commonest_is_live_and_the_others_are_pending_and_told_of(
    sandbox, ready, domain, deliver, upgrade
):
    delivered = get_delivered(deliver())
    sync_mailboxes(ready)
    ahead = MailboxState.objects.filter(mailbox__remote_id__in=delivered).order_by("pk")[0]
    theirs = set(ahead.sender.mailbox_states.values_list("mailbox__remote_id", flat=True)) & delivered
    change_template(domain, "<p>Second {{ sender.name }}</p>")
    newer = get_delivered(deliver(sender_ids=[ahead.sender_id]))
    sync_mailboxes(ready)
    held = get_held(sandbox)
    sandbox.requests.clear()

    upgrade()
    follow_last_sync(ready)
    sync_mailboxes(ready)
    statuses = get_statuses()
    mailbox_id = min(delivered - newer, key=int)
    owner = sandbox.directory.mailboxes[int(mailbox_id)].user_id
    sandbox.directory.set_title(owner, "Chief Lamplighter")
    sandbox.directory.set_title(int(ahead.sender.person.remote_id), "Chief Lamplighter")
    unwritten, still = get_writes(sandbox), get_held(sandbox)
    sync_mailboxes(ready, SyncKind.FULL)

    release = Release.objects.get()
    assert newer == theirs
    assert {statuses[each] for each in newer} == {"pending"}
    assert {statuses[each] for each in delivered - newer} <= {"up_to_date", "altered"}
    hold = "1 mailbox holds" if len(newer) == 1 else f"{len(newer)} mailboxes hold"
    assert f"{hold} another version of the template" in release.note
    assert (unwritten, still) == ([], held)
    assert (
        set(get_writes(sandbox)) == {str(box.id) for box in sandbox.directory.mailboxes_of(owner)} & delivered
    )
    assert {each: get_held(sandbox)[each] for each in newer} == {each: held[each] for each in newer}
    assert [f"template:{Template.objects.get(domain=domain, versions__number=2).pk}"] == list_drafts(domain)
