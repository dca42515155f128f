"""Every attribute that a sync reads, absent, null and odd, in all records, some, one and a new one.

A second reading without the fault tells what Outreach holds; what the first one made of it is compared whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.urls import reverse

from integrations.models import Connection, Mailbox, Person, RejectedRecord, RunState, Team
from integrations.outreach.allowed_calls import LIST_MAILBOXES, LIST_TEAMS, LIST_USERS
from integrations.outreach.sandbox import Sandbox
from integrations.sync.row_store import COLUMNS
from tests.support.connections import PUBLIC_URL
from tests.support.sync_runs import run_sync

Rows = dict[str, dict[str, Any]]
LINES = {
    "firstName": "first_name", "lastName": "last_name", "name": "name", "title": "title",
    **{f"custom{number}": f"custom{number}" for number in range(1, 6)},
}  # fmt: skip
NO_LINE: tuple[Any, ...] = (7, True, ["x"], {"a": {"b": 1}}, 10**60, 6.5, "x" * 600, "👍" * 600)
PLACES: dict[str, tuple[type[Any], str]] = {
    "user": (Person, "users"), "team": (Team, "teams"), "mailbox": (Mailbox, "mailboxes"),
}  # fmt: skip
KIND_NAMES = {"user": "person", "team": "team", "mailbox": "mailbox"}

Effect = Callable[[dict[str, Any] | None, dict[str, Any]], dict[str, Any] | None]


def as_told(before: dict[str, Any] | None, told: dict[str, Any]) -> dict[str, Any]:
    return told


def rejected(before: dict[str, Any] | None, told: dict[str, Any]) -> dict[str, Any] | None:
    return before


def kept(*columns: str, new: Any = "") -> Effect:
    return lambda before, told: told | {column: before[column] if before else new for column in columns}


def held(**values: Any) -> Effect:
    return lambda before, told: told | values


def stays(column: str, stop: bool) -> Effect:
    """What keeps us from writing stays; anything else is not known."""
    return lambda before, told: told | {column: stop if before and before[column] is stop else None}


# (attribute, form) -> what becomes of a row; the odd values of each attribute.
EFFECTS: dict[tuple[str, str, str], Effect] = {}
ODD: dict[tuple[str, str], Any] = {}


def define(kind: str, attribute: str, absent: Effect, null: Effect, odd: Effect, value: Any) -> None:
    EFFECTS.update(
        {(kind, attribute, form): effect for form, effect in zip(FORMS, (absent, null, odd), strict=True)}
    )
    ODD[kind, attribute] = value


FORMS = ("absent", "null", "odd")
for place, (name, column) in enumerate(LINES.items()):
    define("user", name, kept(column), held(**{column: ""}), kept(column), NO_LINE[place % len(NO_LINE)])
define(
    "user", "phoneNumber", kept("phone", "phone_extension"), held(phone="", phone_extension=""),
    kept("phone", "phone_extension"), 12065550100,
)  # fmt: skip
define("user", "phoneCountryCode", kept("phone_region"), held(phone_region=""), kept("phone_region"), 1)
for name in ("bridgePhone", "bridgePhoneExtension"):
    define("user", name, kept("phone_extension"), held(phone_extension=""), kept("phone_extension"), [42])
define("user", "email", rejected, rejected, rejected, "no address")
define("user", "locked", *[stays("is_locked", True)] * 3, "false")
define("user", "updatedAt", as_told, as_told, as_told, "yesterday")
define("user", "userGuid", as_told, as_told, as_told, 7)
define("user", "createdAt", as_told, as_told, as_told, "yesterday")
define("user", "relationships.teams", as_told, as_told, as_told, {"data": None})
define("team", "name", kept("name"), held(name=""), kept("name"), 7)
define("team", "relationships.users", as_told, as_told, as_told, {"data": [{"type": "users", "id": 1}]})
define("mailbox", "email", rejected, rejected, rejected, 7)
define("mailbox", "emailSignature", rejected, held(signature_html=""), rejected, "a NUL\x00")
define("mailbox", "userId", as_told, as_told, rejected, "x")
define("mailbox", "relationships.user", as_told, as_told, rejected, {"data": {"type": "user", "id": -1}})
define("mailbox", "editable", *[stays("is_editable", False)] * 3, "true")
define("mailbox", "sendDisabled", *[kept("is_send_disabled", new=False)] * 3, "no")
define("mailbox", "updatedAt", as_told, as_told, as_told, 1764000000)
NEVER_NOTED = {"email", "emailSignature", "userId", "relationships.user", "userGuid", "createdAt"}
NULL_IS_NO_ANSWER = {"locked", "editable", "sendDisabled", "updatedAt"}


@pytest.fixture
def sandbox(settings: Any) -> Iterator[Sandbox]:
    """A company small enough for hundreds of readings."""
    with Sandbox(
        people=6,
        teams=3,
        seed=7,
        domain="acme.example",
        client_id=settings.OUTREACH_CLIENT_ID,
        client_secret=settings.OUTREACH_CLIENT_SECRET,
        redirect_uris=(PUBLIC_URL + reverse("outreach_callback"),),
        throttle_seconds=0,
    ) as running:
        settings.OUTREACH_BASE_URL = running.base_url
        yield running


def move_on(sandbox: Sandbox, step: int) -> None:
    """Every value of every record is another one than in the step before."""
    directory = sandbox.directory
    for number, user in list(directory.users.items()):
        lines = {column: f"{column} {step}" for column in LINES.values() if column != "name"}
        directory.update(
            "users",
            number,
            **lines,
            phone_number=f"+1 206{' -'[step % 2]}555 01{number:02}",
            phone_country_code=("US", "CA")[step % 2],
            bridge_phone=f"+120655501{number:02}",
            bridge_phone_extension=str(step),
            locked=(number + step) % 2 == 0,
        )
        directory.move(number, sorted(directory.teams)[: 1 + (number + step) % 2])
        assert user.id == number
    for number in directory.teams:
        directory.update("teams", number, name=f"Team {number}, {step}")
    for number in directory.mailboxes:
        directory.update(
            "mailboxes",
            number,
            email_signature=f"<p>{number}, {step}</p>",
            editable=(number + step) % 2 == 0,
            send_disabled=(number + step) % 2 == 1,
        )


def add_one(sandbox: Sandbox, kind: str) -> int:
    if kind == "team":
        return int(sandbox.directory.add_team("New").id)
    if kind == "mailbox":
        return int(sandbox.directory.add_mailbox(1, "new@acme.example", id=5900).id)
    return int(sandbox.directory.add_user("new@acme.example", "New", "Colleague", id=90).id)


def get_rows(connection: Connection, model: type[Any]) -> Rows:
    rows = model.objects.filter(connection=connection, retired_at=None)
    return {row["remote_id"]: row for row in rows.values("remote_id", *COLUMNS[model])}


@pytest.mark.parametrize("whom", ["all", "some", "one", "new"])
@pytest.mark.parametrize(("kind", "attribute", "form"), list(EFFECTS))
def test_an_attribute_that_is_not_told_stops_as_little_as_it_must(
    sandbox, connection, kind, attribute, form, whom
):
    model, place = PLACES[kind]
    move_on(sandbox, 1)
    run_sync(connection)
    before = {each: get_rows(connection, each) for each, _ in PLACES.values()}
    number = add_one(sandbox, kind) if whom == "new" else 0
    move_on(sandbox, 2)
    table = sandbox.directory.table(place)
    ids = {"all": list(table), "some": sorted(table)[:2], "one": sorted(table)[:1], "new": [number]}[whom]
    for each in ids:
        options = {"path": f"/api/v2/{place}", "field": attribute, "record": each, "times": None}
        if form == "absent":
            sandbox.faults.add("drop_field", **options)
        else:
            sandbox.faults.add("set_field", **options, value=ODD[kind, attribute] if form == "odd" else None)

    run = run_sync(connection)

    after = {each: get_rows(connection, each) for each, _ in PLACES.values()}
    sandbox.faults.clear()
    run_sync(connection)
    expected = {each: get_rows(connection, each) for each, _ in PLACES.values()}
    effect = EFFECTS[kind, attribute, form]
    for each in map(str, ids):
        row = effect(before[model].get(each), expected[model][each])
        if row is None:
            del expected[model][each]
        else:
            expected[model][each] = row
    assert after == expected
    is_rejected = effect is rejected
    assert (run.state, run.rejected, run.retired) == (
        RunState.INCOMPLETE if is_rejected else RunState.COMPLETE,
        len(ids) if is_rejected else 0,
        0,
    )
    assert run.unknown_values == list(get_noted(kind, attribute, form, len(ids)))
    assert not RejectedRecord.objects.exists()  # the last reading took them over


def get_noted(kind: str, attribute: str, form: str, count: int) -> Iterator[dict[str, Any]]:
    """What the run tells of an attribute: nothing of one it does without, nor of null where that is a value."""
    is_link = attribute.startswith("relationships.")
    if attribute in NEVER_NOTED or (form == "absent" and is_link):
        return
    if form == "null" and attribute not in NULL_IS_NO_ANSWER:
        return
    yield {
        "kind": KIND_NAMES[kind],
        "attribute": attribute.removeprefix("relationships."),
        "was_sent": form == "odd",
        "records": count,
    }


def test_the_table_holds_every_attribute_that_is_read():
    read = {
        (endpoint.resource_type, name)
        for endpoint in (LIST_USERS, LIST_TEAMS, LIST_MAILBOXES)
        for name in endpoint.fields_read
    }
    assert {(kind, name.removeprefix("relationships.")) for kind, name, _ in EFFECTS} == read
    assert len(EFFECTS) == len(read) * len(FORMS)
