"""What Outreach does not tell stays as it was; who may not be known to be unlocked is not written to."""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import reverse

from integrations.models import Connection, Mailbox, Person, RunState
from signatures import tasks
from tests.support.sync_runs import run_sync

ABSENT = object()


def spoil(sandbox: Any, place: str, field: str, value: Any, record: int | None = None) -> None:
    """From now on, `field` is absent from the records of this listing, or holds `value`."""
    path = f"/api/v2/{place}"
    if value is ABSENT:
        sandbox.faults.add("drop_field", path=path, field=field, record=record, times=None)
    else:
        sandbox.faults.add("set_field", path=path, field=field, value=value, record=record, times=None)


def get_person(connection: Connection, remote_id: int) -> Person:
    return Person.objects.get(connection=connection, remote_id=str(remote_id))


@pytest.mark.parametrize(
    "value", [ABSENT, 7, 10**40, 1.5, True, ["x"], {"a": {"b": 1}}, "x" * 300, "👍" * 256, "x" * 2_000_000]
)
def test_a_line_that_is_not_told_stays_and_the_others_follow(sandbox, mirrored, value):
    sandbox.directory.set_title(6, "Head of Sales")
    sandbox.directory.set_title(8, "Head of Research")
    run_sync(mirrored)
    sandbox.directory.update("users", 6, title="Not told", first_name="Zoë")
    sandbox.directory.set_title(8, "Told")
    spoil(sandbox, "users", "title", value, record=6)

    run = run_sync(mirrored)

    assert (run.state, run.people_read) == (RunState.COMPLETE, 24)
    six, eight = get_person(mirrored, 6), get_person(mirrored, 8)
    assert (six.title, six.first_name, eight.title) == ("Head of Sales", "Zoë", "Told")


def test_half_a_character_costs_its_line_alone_and_an_odd_signature_its_mailbox(sandbox, mirrored):
    sandbox.directory.set_title(6, "Before")
    run_sync(mirrored)
    before = Mailbox.objects.filter(connection=mirrored, remote_id="5001").values().get()
    sandbox.directory.update("users", 6, title="Not told", first_name="Zoë")
    spoil(sandbox, "users", "title", "Head of Sales \ud83d", record=6)
    spoil(sandbox, "mailboxes", "emailSignature", "<p>\udc00</p>", record=5001)
    sandbox.requests.clear()

    run = run_sync(mirrored)

    six = get_person(mirrored, 6)
    assert (six.title, six.first_name, run.people_read, run.rejected) == ("Before", "Zoë", 24, 1)
    assert Mailbox.objects.filter(connection=mirrored, remote_id="5001").values().get() == before
    assert len(sandbox.requests) == 3


def test_a_value_with_references_to_characters_is_shown_as_it_was_meant(
    client, sandbox, mirrored, owner, domain
):
    sandbox.directory.update("users", 6, title="Sales &amp; Marketing &lt;b&gt;", last_name="O&#39;Neil")
    run = run_sync(mirrored)
    tasks.follow_sync(run_id=run.pk)
    client.force_login(owner)

    six = get_person(mirrored, 6)
    senders = client.get(reverse("signatures:senders", args=[domain.name])).content.decode()

    assert (six.title, six.last_name) == ("Sales & Marketing <b>", "O'Neil")
    assert "Sales &amp; Marketing &lt;b&gt;" in senders and "&amp;amp;" not in senders


def test_a_line_that_is_null_or_blank_is_empty(sandbox, mirrored):
    for number, title in ((6, None), (7, ""), (8, " \t\u00a0\n")):
        sandbox.directory.set_title(number, "Before")
        run_sync(mirrored)
        sandbox.directory.set_title(number, title)

    run_sync(mirrored)

    assert [get_person(mirrored, number).title for number in (6, 7, 8)] == ["", "", ""]


@pytest.mark.parametrize("value", [ABSENT, None, "false", "true", 0, 1, [], {}])
def test_a_lock_that_is_not_told_is_unknown_and_one_that_we_know_of_stays(sandbox, mirrored, value):
    sandbox.directory.set_locked(7)
    run_sync(mirrored)
    spoil(sandbox, "users", "locked", value)
    sandbox.directory.set_locked(7, False)
    sandbox.directory.add_user("new@acme.example", "New", "Colleague", id=900)

    run = run_sync(mirrored)

    locks = dict(Person.objects.filter(connection=mirrored).values_list("remote_id", "is_locked"))
    assert run.state == RunState.COMPLETE
    assert locks == {str(number): True if number == 7 else None for number in sandbox.directory.users}

    sandbox.faults.clear()
    run_sync(mirrored)

    told = dict(Person.objects.filter(connection=mirrored).values_list("remote_id", "is_locked"))
    assert told == {str(number): user.locked for number, user in sandbox.directory.users.items()}


@pytest.mark.parametrize("value", [ABSENT, None, "true", 1, "no", [True]])
def test_whether_a_mailbox_is_editable_is_unknown_where_it_is_not_told(sandbox, mirrored, value):
    sandbox.directory.set_editable(5002, False)
    run_sync(mirrored)
    spoil(sandbox, "mailboxes", "editable", value)

    run_sync(mirrored)

    editable = dict(Mailbox.objects.filter(connection=mirrored).values_list("remote_id", "is_editable"))
    boxes = sandbox.directory.mailboxes
    assert editable == {str(id): None if box.editable else False for id, box in boxes.items()}


def test_an_extension_is_kept_with_its_number_and_never_beside_another(sandbox, mirrored):
    for number in (6, 8):
        sandbox.directory.update(
            "users",
            number,
            phone_number="+1 206-555-0199",
            bridge_phone="+12065550199",
            bridge_phone_extension="42",
        )
    run_sync(mirrored)
    spoil(sandbox, "users", "bridgePhone", ABSENT)
    sandbox.directory.update("users", 8, phone_number="+1 415-555-0142")

    run_sync(mirrored)

    six, eight = get_person(mirrored, 6), get_person(mirrored, 8)
    assert (six.phone, six.phone_extension) == ("+1 206-555-0199", "42")
    assert (eight.phone, eight.phone_extension) == ("+1 415-555-0142", "")


def test_the_country_of_a_phone_is_kept_with_it_and_never_beside_another(sandbox, mirrored):
    for number in (6, 8):
        sandbox.directory.update("users", number, phone_number="030 5550142", phone_country_code="DE")
    run_sync(mirrored)
    spoil(sandbox, "users", "phoneCountryCode", ABSENT)
    sandbox.directory.update("users", 8, phone_number="020 7946 0958")

    run_sync(mirrored)

    six, eight = get_person(mirrored, 6), get_person(mirrored, 8)
    assert (six.phone, six.phone_region) == ("030 5550142", "DE")
    assert (eight.phone, eight.phone_region) == ("020 7946 0958", "")
