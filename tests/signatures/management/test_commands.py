"""The four commands: what they print, what they change, and when they fail."""

from __future__ import annotations

import io

import pytest
from django.core.management import CommandError, call_command

from integrations.models import Connection
from signatures.delivery.drift_check import Drifted, check_drift
from signatures.models import DeliveryRun, Sender
from tests.support.deliveries import get_delivered, get_held, get_writes

pytestmark = pytest.mark.django_db(transaction=True)


def run(name: str, *args: str) -> str:
    stream = io.StringIO()
    call_command(name, "--domain", "acme.example", *args, stdout=stream)
    return stream.getvalue()


def test_deliversignatures_delivers_and_tells_the_tally(sandbox, ready):
    sandbox.directory.set_editable(int(min(get_held(sandbox), key=int)), False)

    text = run("deliversignatures")

    delivered = len(get_writes(sandbox))
    assert (
        f"{delivered:,} mailboxes would change" in text or f"{delivered + 1:,} mailboxes would change" in text
    )
    assert f"{delivered:,} delivered, 0 unchanged" in text
    assert "× The mailbox is not shared with the integration user." in text


def test_deliversignatures_dry_run_writes_nothing_and_leaves_nothing(sandbox, ready):
    before = get_held(sandbox)

    text = run("deliversignatures", "--dry-run")

    assert "mailboxes would change" in text
    assert (get_held(sandbox), list(sandbox.requests), DeliveryRun.objects.count()) == (before, [], 0)


def test_deliversignatures_fails_where_it_was_halted(sandbox, ready):
    sandbox.faults.add("forbidden", method="PATCH", times=None)

    with pytest.raises(CommandError, match="10 mailboxes in a row failed"):
        run("deliversignatures")


@pytest.mark.parametrize("name", ["deliversignatures", "previewsignature", "restoresignatures", "checkdrift"])
def test_unknown_domain_is_named(db, name):
    more = ["--sender", "a@b.example"] if name == "previewsignature" else []

    with pytest.raises(CommandError, match=r"acme\.example"):
        run(name, *more)


def test_deliversignatures_says_why_it_cannot(sandbox, ready):
    Connection.objects.filter(pk=ready.pk).update(paused_at="2026-01-01T00:00:00Z")

    with pytest.raises(CommandError, match="paused"):
        run("deliversignatures")

    assert get_writes(sandbox) == []


def test_previewsignature_prints_exactly_what_is_delivered(sandbox, ready, deliver):
    delivered = deliver()
    row = delivered.deliveries.filter(state="delivered").select_related("sender").first()

    html = run("previewsignature", "--sender", row.sender.email.upper())
    text = run("previewsignature", "--sender", row.sender.email, "--text")

    assert html.removesuffix("\n") == get_held(sandbox)[row.mailbox_remote_id]
    assert "<" not in text.replace(f"<{row.sender.email}>", "")


def test_previewsignature_names_a_sender_that_is_not_there(ready):
    with pytest.raises(CommandError, match=r"no sender nobody@acme\.example"):
        run("previewsignature", "--sender", "nobody@acme.example")


def test_restoresignatures_gives_originals_back(sandbox, ready, deliver):
    before = get_held(sandbox)
    count = len(get_delivered(deliver()))

    preview = run("restoresignatures", "--dry-run")
    held = get_held(sandbox)
    text = run("restoresignatures")

    assert preview.startswith(f"{count} originals would be restored, 0 were edited")
    assert held != before
    assert text.startswith(f"{count} restored, 0 unchanged")
    assert get_held(sandbox) == before


def test_restoresignatures_of_one_sender(sandbox, ready, deliver):
    delivered = deliver()
    row = delivered.deliveries.filter(state="delivered").select_related("sender").first()
    held = get_held(sandbox)

    run("restoresignatures", "--sender", row.sender.email)

    changed = {id for id, html in get_held(sandbox).items() if html != held[id]}
    owned = {str(mailbox.id) for mailbox in sandbox.directory.mailboxes_of(int(row.person_remote_id))}
    assert row.mailbox_remote_id in changed
    assert changed <= owned
    with pytest.raises(CommandError, match="has no sender"):
        run("restoresignatures", "--sender", "nobody@acme.example")


def test_checkdrift_is_content_after_a_delivery_and_writes_nothing(sandbox, ready, deliver):
    count = len(get_delivered(deliver()))
    sandbox.requests.clear()

    text = run("checkdrift")

    assert text.startswith(f"{count} match, 0 drifted, 0 are no longer listed")
    assert {entry.method for entry in sandbox.requests} == {"GET"}


def test_checkdrift_names_each_drifted_mailbox_and_fails(sandbox, ready, deliver, domain):
    before = get_held(sandbox)
    edited, undone, gone, *rest = sorted(get_delivered(deliver()), key=int)
    sandbox.directory.set_signature(int(edited), "<p>Mine</p>")
    sandbox.directory.set_signature(int(undone), before[undone])
    sandbox.directory.remove_mailbox(int(gone))

    report = check_drift(domain, actor="test")

    emails = {str(mailbox.id): mailbox.email for mailbox in sandbox.directory.mailboxes.values()}
    assert sorted(report.edited, key=lambda each: int(each.mailbox_remote_id)) == [
        Drifted(edited, emails[edited], holds_original=False),
        Drifted(undone, emails[undone], holds_original=True),
    ]
    assert (report.matching, report.missing) == (len(rest), [gone])
    with pytest.raises(CommandError, match="drifted"):
        run("checkdrift")


def test_checkdrift_is_content_where_outreach_rewrites(sandbox, ready, deliver, domain):
    sandbox.settings.signature_normaliser = "wrap"
    deliver()

    assert not check_drift(domain, actor="test").has_drift


def test_inactive_sender_does_not_hide_the_active_one_of_the_same_address(ready):
    sender = Sender.objects.filter(is_active=True).first()
    Sender.objects.exclude(pk=sender.pk).update(email=sender.email, is_active=False)

    assert run("previewsignature", "--sender", sender.email)
