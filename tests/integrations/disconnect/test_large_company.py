"""Leaving a large company: a thousand mailboxes get back what they held, those edited since stay, and both are told."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from django.urls import reverse

from integrations.outreach.sandbox import Sandbox
from tests.support.connections import PUBLIC_URL

MAILBOXES = 1000
OURS = "<p>Ours</p>"
THEIRS = "<p>Edited since</p>"

# A thousand editable mailboxes hold our signature, as far as our own rows tell.
PLACE = """
import json
from django.utils import timezone
from integrations.sync import runs as sync
from integrations.models import Connection, Mailbox, SyncKind
from signatures.delivery.digest import digest
from signatures.models import Placement, Snapshot
row = Connection.objects.get()
sync.carry_out(sync.request_sync(row, kind=SyncKind.FULL, actor="test").pk)
ours, most = sys.argv[1], int(sys.argv[2])
mailboxes = list(Mailbox.objects.exclude(is_editable=False).order_by("pk")[:most])
keys = [dict(domain=row.domain, account_key=row.account_key, mailbox_remote_id=each.remote_id) for each in mailboxes]
Snapshot.objects.bulk_create(
    Snapshot(**key, mailbox_email=each.email, original_html=each.signature_html)
    for key, each in zip(keys, mailboxes))
Placement.objects.bulk_create(
    Placement(**key, rendered_sha256=digest(ours), returned_sha256=digest(ours), placed_at=timezone.now())
    for key in keys)
print(json.dumps({each.remote_id: each.email for each in mailboxes}))
"""

LEAVE = """
from integrations.disconnect.steps import continue_disconnect, request_disconnect
from integrations.models import Connection, Receipt
from signatures.delivery.restore_originals import restore_connection
row = Connection.objects.get()
request_disconnect(row, restores=True, actor="dana@acme.example")
restore_connection(row.pk)
assert continue_disconnect(row.pk)
print(Receipt.objects.get().payload)
"""


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A company with more than a thousand mailboxes."""
    with Sandbox(
        people=1100,
        teams=4,
        seed=7,
        domain="acme.example",
        redirect_uris=(PUBLIC_URL + reverse("outreach_callback"),),
        throttle_seconds=0,
    ) as running:
        yield running


def get_held(sandbox: Sandbox) -> dict[str, str]:
    return {str(id): mailbox.email_signature or "" for id, mailbox in sandbox.directory.mailboxes.items()}


def test_r1_a_thousand_mailboxes_get_their_originals_and_the_edited_ones_are_on_the_receipt(
    installation, sandbox
):
    installation.connect("acme.example", sandbox.oauth.issue_tokens())
    before = get_held(sandbox)
    addresses = json.loads(installation.run(PLACE, OURS, str(MAILBOXES)))
    assert len(addresses) == MAILBOXES
    for remote_id in addresses:
        sandbox.directory.set_signature(int(remote_id), OURS)
    edited = {remote_id: addresses[remote_id] for remote_id in list(addresses)[::20]}
    for remote_id in edited:
        sandbox.directory.set_signature(int(remote_id), THEIRS)
    sandbox.requests.clear()

    receipt = json.loads(installation.run(LEAVE))

    assert get_held(sandbox) == before | dict.fromkeys(edited, THEIRS)
    written = [seen.path.rpartition("/")[2] for seen in sandbox.requests if seen.method == "PATCH"]
    assert sorted(written) == sorted(addresses.keys() - edited.keys())
    originals = receipt["originals"]
    assert (originals["mailboxes"], originals["restored"]) == (MAILBOXES, MAILBOXES - len(edited))
    assert {each["id"]: each["mailbox"] for each in originals["left_as_they_are"]} == edited
    assert all(each["is_conflict"] for each in originals["left_as_they_are"])
    paths = [seen.path for seen in sandbox.requests]
    assert paths[-2:] == ["/oauth/revoke", "/api/v2/users"]  # the originals first, the access last
    assert sandbox.requests[-1].status == 401
    assert installation.rows("select state, access_sealed, refresh_sealed from integrations_connection") == [
        ("disconnected", "", "")
    ]
