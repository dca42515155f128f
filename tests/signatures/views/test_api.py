"""The decision API over HTTP, and the document that describes it: each is held to the other."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.test import Client
from django.utils import timezone
from jsonschema import Draft202012Validator, FormatChecker
from openapi_spec_validator import validate

import signatures
from integrations.models import LedgerEntry, LookupState, Mailbox
from signatures.decisions.api_keys import find_key, make_key, revoke_key
from signatures.decisions.tokens import read_token
from signatures.models import BannerPlace, Decision, DecisionKey, Sender

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("look_ups_end")]

DOCUMENT: dict[str, Any] = json.loads((Path(signatures.__file__).parent / "openapi.json").read_text())
PLACE = "/api/v1/decisions"
QUESTION = {"sender": "maria@acme.example", "recipient": "kim@partner.example"}


def get_schema(response_schema: dict[str, Any]) -> Draft202012Validator:
    schema = {**response_schema, "components": DOCUMENT["components"]}
    return Draft202012Validator(schema, format_checker=FormatChecker())


def check(response) -> Any:
    """The answer fits what the document says of its status: media type, headers and body; the body is returned."""
    described = DOCUMENT["paths"][PLACE]["post"]["responses"][str(response.status_code)]
    [(media_type, content)] = described["content"].items()
    assert response["Content-Type"] == media_type
    for name, header in described["headers"].items():
        header = DOCUMENT["components"]["headers"]["NoStore"] if "$ref" in header else header
        get_schema(header["schema"]).validate(response[name])
    body = json.loads(response.content)
    get_schema(content["schema"]).validate(body)
    assert not response.cookies
    return body


@pytest.fixture
def key(domain) -> str:
    return make_key(domain, "Gateway", actor="dana@acme.example").text


@pytest.fixture
def ask(key):
    """Ask with the key as a program does: no cookie, no CSRF token."""

    def post(question: Any = QUESTION, *, authorization: str | None = f"Bearer {key}", **options: Any):
        body = question if isinstance(question, (str, bytes)) else json.dumps(question)
        headers = {"Authorization": authorization} if authorization else {}
        options = {"content_type": "application/json", **options}
        return Client(enforce_csrf_checks=True).post(PLACE, body, headers=headers, **options)

    return post


def test_the_document_is_sound_and_its_examples_fit_it():
    validate(DOCUMENT)
    examples = []
    for operation in (one for path in DOCUMENT["paths"].values() for one in path.values()):
        bodies = [operation.get("requestBody", {}), *operation["responses"].values()]
        for content in (one for body in bodies for one in body.get("content", {}).values()):
            examples += [(content["schema"], one["value"]) for one in content.get("examples", {}).values()]

    assert len(examples) > 10
    for schema, value in examples:
        get_schema(schema).validate(value)


def test_the_document_is_served_to_anybody_as_it_is_checked_in(client):
    response = client.get("/api/v1/openapi.json")

    assert (response.status_code, response["Content-Type"]) == (200, "application/json")
    assert json.loads(response.content) == DOCUMENT
    assert client.post("/api/v1/openapi.json").status_code == 405


def test_a_question_is_answered_with_a_banner_of_its_own(ask, place, sender, campaign, settings):
    settings.PUBLIC_URL = "https://signatures.acme.example"
    chosen = campaign('Partners & "friends" <b>', ("email_domain", "is", ["partner.example"]))

    body = check(ask())

    banner = body["banner"]
    decision = Decision.objects.get()
    assert (body["reason"], body["not_known"], decision.campaign) == ("campaign", None, chosen)
    token = banner["click_url"].removeprefix("https://signatures.acme.example/c/d/")
    assert read_token(token) == decision.pk
    assert banner["image_url"] == f"https://signatures.acme.example/b/d/{token}.png"
    assert banner["image_url_2x"] == f"https://signatures.acme.example/b/d/{token}@2x.png"
    assert len(token) <= 22
    assert "kim" not in json.dumps(body)
    assert "maria" not in json.dumps(body)
    assert read_elements(banner["html"]) == [
        ("a", {"href": banner["click_url"]}),
        (
            "img",
            {
                "src": banner["image_url_2x"],
                "width": "480",
                "height": "120",
                "alt": 'See Partners & "friends" <b>',
                "border": "0",
                "style": "display: block; border: 0; max-width: 100%; height: auto",
            },
        ),
    ]
    assert check(ask())["banner"]["click_url"] != banner["click_url"], "each decision has its own addresses"


class _Elements(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def read_elements(html: str) -> list[tuple[str, dict[str, str | None]]]:
    parser = _Elements()
    parser.feed(html)
    return parser.found


def test_the_default_is_answered_when_no_campaign_is_due_and_nothing_where_there_is_none(
    ask, place, sender, campaign
):
    campaign("Others", ("email_domain", "is", ["elsewhere.example"]))

    assert check(ask())["reason"] == "default"

    BannerPlace.objects.update(default_image=None)
    assert check(ask()) | {"expires_at": ""} == {
        "banner": None,
        "reason": "nothing_due",
        "not_known": None,
        "expires_at": "",
    }
    Sender.objects.update(is_active=False)
    assert check(ask())["reason"] == "sender_inactive"
    BannerPlace.objects.update(is_on=False)
    assert check(ask())["reason"] == "place_is_off"
    assert Decision.objects.count() == 1, "nothing due is nothing kept"


@pytest.mark.parametrize("fault", [("slow", {"seconds": 1.2}), ("status", {"status": 500}), ("reset", {})])
def test_a_look_up_that_fails_or_is_late_leaves_the_default(
    ask, place, sender, campaign, sandbox, connection, fault
):
    LookupState.objects.create(connection=connection, how="array and links")
    campaign("Renewals", ("tags", "has_any", ["renewal"]))
    kind, options = fault
    sandbox.faults.add(kind, path="/api/v2/prospects", **options)

    body = check(ask())

    assert (body["reason"], body["not_known"]) == ("default", "late" if kind == "slow" else "failed")
    assert body["banner"]["alt"] == "Acme"


@pytest.mark.parametrize(
    ("question", "pointer"),
    [
        ({"sender": "maria@acme.example"}, "#/recipient"),
        ({"recipient": "kim@partner.example"}, "#/sender"),
        ({**QUESTION, "recipient": 7}, "#/recipient"),
        ({**QUESTION, "recipient": None}, "#/recipient"),
        ({**QUESTION, "recipient": ""}, "#/recipient"),
        ({**QUESTION, "recipient": "kim"}, "#/recipient"),
        ({**QUESTION, "recipient": "kim@partner.example,x@y.example"}, "#/recipient"),
        ({**QUESTION, "recipient": "a" * 321 + "@partner.example"}, "#/recipient"),
        ({**QUESTION, "recipient": "kim\r\n@partner.example"}, "#/recipient"),
        ({**QUESTION, "recipient": "kim\x00@partner.example"}, "#/recipient"),
        ({**QUESTION, "recipient": "kim\ud800@partner.example"}, "#/recipient"),
        ({**QUESTION, "recipient": "mailto:kim@partner.example"}, "#/recipient"),
        ({**QUESTION, "recipient": "SMTP:kim@partner.example"}, "#/recipient"),
        ({**QUESTION, "recipient": "kim@@partner.example"}, "#/recipient"),
        ({**QUESTION, "recipient": "Kim <kim@partner.example>"}, "#/recipient"),
        ({**QUESTION, "recipient": "kim\u200b@partner.example"}, "#/recipient"),
        ({**QUESTION, "sender": ["maria@acme.example"]}, "#/sender"),
        ({**QUESTION, "at": "2026-01-01T00:00:00Z"}, "#/at"),
        ({**QUESTION, "a/b~c": 1}, "#/a~1b~0c"),
        (r'{"\udfaa": 0}', r"#/\udfaa"),
        (r'{"\ud800": 0, "\ud800": 1}', r"#/\ud800"),
        (r'{"sender": "\udfaa"}', "#/sender"),
        ('{"sender": "a@b.example", "sender": "c@d.example", "recipient": "k@p.example"}', "#/sender"),
        ("[]", "#"),
        (" ", "#"),
        ("null", "#"),
        ("{", "#"),
        ("{'sender': 1}", "#"),
        ("[" * 4000, "#"),
        ('{"sender": NaN}', "#"),
        (b"\xef\xbb\xbf{}", "#"),
        (b'{"sender": "\xff"}', "#"),
    ],
)
def test_a_bad_question_is_a_problem_that_names_the_member(ask, place, sender, question, pointer):
    response = ask(question)

    assert response.status_code == 400
    body = check(response)
    assert [error["pointer"] for error in body["errors"]] == [pointer]
    assert body["detail"] == body["errors"][0]["detail"]
    assert not Decision.objects.exists()


@pytest.mark.parametrize(
    "authorization", [None, "", "Bearer", "Bearer ", "Bearer csk_wrong", "Basic a2V5", "Bearer ключ"]
)
def test_without_a_key_in_force_nothing_is_told(ask, place, sender, authorization):
    response = ask(authorization=authorization)

    assert response.status_code == 401
    check(response)
    assert not Decision.objects.exists()


def test_a_revoked_key_opens_nothing_and_the_others_go_on(ask, domain, place, sender, key):
    other = make_key(domain, "Add-in", actor="dana@acme.example")
    assert check(ask())["banner"]

    revoke_key(find_key(key), actor="dana@acme.example")

    assert check(ask()) == check(ask(authorization="Bearer csk_wrong"))
    assert check(ask(authorization=f"Bearer {other.text}"))["banner"]
    acts = LedgerEntry.objects.filter(action__startswith="decision key").order_by("id")
    assert list(acts.values_list("action", flat=True)) == ["decision key made"] * 2 + ["decision key revoked"]


def test_a_key_is_kept_as_a_digest_and_told_apart_by_its_beginning(domain, key):
    row = DecisionKey.objects.get()

    assert key not in str(DecisionKey.objects.values().get()) + str(LedgerEntry.objects.values())
    assert key.startswith(row.prefix)
    assert len(row.prefix) == 12
    assert row.last_used_at is None


def test_a_foreign_domains_key_and_an_unknown_sender_get_the_same_answer(ask, place, sender, other_domain):
    foreign = make_key(other_domain, "Theirs", actor="x@bystander.example").text

    theirs = ask(authorization=f"Bearer {foreign}")
    unknown = ask({**QUESTION, "sender": "nobody@acme.example"})

    assert theirs.status_code == unknown.status_code == 404
    check(theirs)
    assert theirs.content == unknown.content
    assert theirs.headers.pop("X-Request-ID") != unknown.headers.pop("X-Request-ID")
    assert dict(theirs.items()) == dict(unknown.items())
    assert not Decision.objects.exists()


def test_a_sender_is_found_by_any_of_their_addresses_in_any_case(ask, place, sender, connection):
    Mailbox.objects.create(
        connection=connection,
        remote_id="77",
        email="Sales.Maria@acme.example",
        person_remote_id=sender.person.remote_id,
        changed_at=timezone.now(),
        read_at=timezone.now(),
    )

    for address in ("MARIA@Acme.example", "sales.maria@ACME.example"):
        assert check(ask({**QUESTION, "sender": address}))["banner"]

    assert set(Decision.objects.values_list("sender", flat=True)) == {sender.pk}


def test_other_methods_media_types_and_sizes_are_refused_in_words(ask, key, place, sender, client):
    for method in ("get", "put", "delete", "options", "patch"):
        response = getattr(client, method)(PLACE, headers={"Authorization": f"Bearer {key}"})
        assert response.status_code == 405
        check(response)
    for media_type in ("text/plain", "application/x-www-form-urlencoded", "application/jsonx"):
        response = ask(content_type=media_type)
        assert response.status_code == 415
        check(response)
    assert check(ask(content_type="application/json; charset=utf-8"))["banner"]
    response = ask({**QUESTION, "recipient": "a" * 5000})
    assert response.status_code == 413
    check(response)


def test_a_database_that_is_away_is_a_problem_and_no_traceback(ask, place, sender):
    def fail(*_: Any) -> None:
        raise OperationalError("the server closed the connection: canary")

    with connection.execute_wrapper(fail):
        response = ask()

    assert response.status_code == 503
    check(response)
    assert b"canary" not in response.content
    assert check(ask())["banner"]


def test_a_key_that_asks_too_often_waits_and_another_does_not(
    ask, domain, place, sender, settings, time_machine
):
    settings.DECISIONS_PER_SECOND = 2
    other = make_key(domain, "Add-in", actor="dana@acme.example").text
    time_machine.move_to(timezone.now(), tick=False)

    statuses = [ask().status_code for _ in range(6)]

    assert statuses == [200] * 4 + [429] * 2
    refused = ask()
    assert check(refused)["status"] == 429
    assert refused["Retry-After"] == "1"
    assert check(ask(authorization=f"Bearer {other}"))["banner"]
    time_machine.shift(1)
    assert [ask().status_code for _ in range(3)] == [200, 200, 429]


def test_the_use_of_a_key_is_noted_at_most_once_a_minute(ask, place, sender, time_machine):
    time_machine.move_to(timezone.now(), tick=False)
    ask()
    first = DecisionKey.objects.get().last_used_at
    time_machine.shift(59)
    ask()
    assert DecisionKey.objects.get().last_used_at == first
    time_machine.shift(2)
    ask()
    assert (DecisionKey.objects.get().last_used_at - first).total_seconds() == 61
