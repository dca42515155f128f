"""What is assumed about Outreach, asked of the sandbox: all of it holds, and each can be made false and is named."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from integrations.connector import Verdict
from integrations.interfaces import Permission
from integrations.outreach.assumption_reads import MAX_READS
from integrations.outreach.assumption_report import make_report, redact
from integrations.outreach.assumptions import check_assumptions
from integrations.outreach.client import OutreachClient
from integrations.outreach.pace import Pace
from integrations.outreach.sandbox.contradictions import CONTRADICTIONS, contradict
from integrations.outreach.scopes import REQUESTED
from tests.support.wire import Access, Budget

# What else is bound to differ, or can no longer be seen, where this one is made false.
BESIDE = {
    "media_type": None,  # nothing is readable then
    "answers": None,
    "id": None,
    "type": None,
    "fieldset_relationships": {"user.teams", "team.users", "mailbox.user"},
    "team.users": {"user.teams"},
    "next_link": {"next_page"},
    "next_page": {"sort", "updated_filter.future"},
    "prospect.plain_filter": {"prospect.array_filter"},
    "updated_filter.future": {"updated_filter.since"},
    "updated_filter.since": {"updated_filter.future"},
    "user.createdAt": {"sort"},
    "user.updatedAt": {"updated_filter.since"},
    "mailbox.userId": {"owner_filter"},
}


@pytest.fixture
def ask(sandbox):
    """Return what a check of the sandbox shows; the client repeats nothing."""

    def run(granted=REQUESTED):
        tokens = sandbox.oauth.issue_tokens(scopes=list(REQUESTED), user_id=1)
        with OutreachClient(
            base_url=sandbox.base_url,
            access=Access([tokens["access_token"]]),
            budget=Budget(),
            permission=lambda: Permission(frozenset(REQUESTED)),
            record=lambda call: None,
            pace=Pace(repeats=False),
        ) as client:
            return check_assumptions(client, requested=REQUESTED, granted=granted, now=datetime.now(UTC))

    return run


@pytest.fixture
def filled(sandbox):
    """Values in every attribute of the people whom a check reads first, so that each can be seen."""
    for user in list(sandbox.directory.users.values())[:6]:
        values = dict.fromkeys(("title", "phone_number", "bridge_phone", "bridge_phone_extension"), "42")
        values |= {f"custom{number}": "Blue" for number in range(1, 6)}
        sandbox.directory.update("users", user.id, touch=False, **values)
    for mailbox in list(sandbox.directory.mailboxes)[:3]:
        sandbox.directory.set_signature(mailbox, "<p>Hi</p>")


def verdicts(result) -> dict[str, Verdict]:
    return {finding.name: finding.verdict for finding in result.findings}


def test_everything_that_is_assumed_holds_of_the_sandbox_and_is_seen(ask, sandbox, filled):
    result = ask()

    assert {name: verdict for name, verdict in verdicts(result).items() if verdict is not Verdict.HOLDS} == {}
    assert len(result.findings) > 40
    assert len(sandbox.requests) == len(result.exchanges) <= MAX_READS
    assert {request.method for request in sandbox.requests} == {"GET"}


def test_each_assumption_has_a_switch_that_makes_it_false(ask):
    assert {finding.name for finding in ask().findings} <= set(CONTRADICTIONS)


@pytest.mark.parametrize("name", sorted(finding_name for finding_name in [
    "media_type", "answers", "id", "type", "fieldset", "fieldset_relationships", "user.teams", "team.users",
    "mailbox.user", "next_link", "next_page", "sort", "updated_filter.future", "updated_filter.since",
    "owner_filter", "prospect.array_filter", "prospect.plain_filter", "rate_limit.limit",
    "rate_limit.remaining", "rate_limit.reset", "clock",
    *(f"user.{name}" for name in ("email", "firstName", "lastName", "name", "title", "phoneNumber", "bridgePhone",
      "bridgePhoneExtension", "custom1", "custom2", "custom3", "custom4", "custom5", "locked", "userGuid",
      "createdAt", "updatedAt")),
    "team.name",
    *(f"mailbox.{name}" for name in ("email", "emailSignature", "userId", "editable", "sendDisabled", "updatedAt")),
]))  # fmt: skip
def test_an_assumption_that_is_false_is_named_and_no_other(ask, sandbox, filled, name):
    contradict(sandbox, name)

    result = ask()

    found = verdicts(result)
    assert found[name] is Verdict.DIFFERS
    beside = BESIDE.get(name, set())
    if beside is not None:
        assert {other for other, verdict in found.items() if verdict is not Verdict.HOLDS} - {name} <= beside
    assert next(finding for finding in result.findings if finding.name == name).meaning
    assert len(sandbox.requests) <= MAX_READS


@pytest.mark.parametrize("field", ["title", "locked", "email", "bridgePhone"])
def test_an_attribute_that_does_not_come_is_named(ask, sandbox, filled, field):
    sandbox.faults.add("drop_field", path="/api/v2/users", field=field, times=None)

    finding = next(one for one in ask().findings if one.name == f"user.{field}")

    assert finding.verdict is Verdict.DIFFERS
    assert "absent" in finding.seen


@pytest.mark.parametrize(
    ("granted", "verdict"),
    [
        (None, Verdict.DIFFERS),
        (REQUESTED, Verdict.HOLDS),
        (REQUESTED[:3], Verdict.DIFFERS),
        ((*REQUESTED, "calls.read"), Verdict.DIFFERS),
    ],
)
def test_what_the_token_says_of_permissions_is_compared_with_what_was_asked(ask, granted, verdict):
    assert verdicts(ask(granted))["token.scopes"] is verdict


def test_an_empty_organisation_leaves_unseen_what_nobody_can_show(ask, sandbox):
    sandbox.faults.add("empty_collection", path="/api/v2/*", times=None)

    found = verdicts(ask())

    assert found["user.email"] is found["next_link"] is found["owner_filter"] is Verdict.UNSEEN
    assert found["prospect.plain_filter"] is found["clock"] is Verdict.HOLDS


def test_an_outreach_that_does_not_answer_leaves_everything_unseen(ask, sandbox):
    sandbox.faults.add("reset", path="/api/v2/*", times=None)

    found = verdicts(ask())

    assert found.pop("answers") is Verdict.DIFFERS
    assert found.pop("token.scopes") is Verdict.HOLDS
    assert set(found.values()) == {Verdict.UNSEEN}


def test_a_report_holds_no_value_that_a_person_or_company_wrote(ask, sandbox, filled):
    sandbox.faults.add("set_key", path="/api/v2/*", key="Ana Ruiz", value=["secret", 4155550142], times=None)

    text = json.dumps(make_report(ask(), made_at=datetime.now(UTC)), ensure_ascii=False)

    for user in sandbox.directory.users.values():
        for value in (
            user.email,
            user.first_name,
            user.last_name,
            user.title,
            user.phone_number,
            user.user_guid,
        ):
            assert not value or str(value) not in text or value in ("42",)
    for word in ("acme", "Blue", "Ana Ruiz", "secret", "4155550142", "<p>Hi</p>", "countersign.invalid"):
        assert word not in text
    report = json.loads(text)
    assert report["kind"] == "countersign report of assumptions"
    read = report["reads"][0]
    assert read["query"]["fields[user]"].startswith("email,firstName")
    assert read["document"]["data"][0]["type"] == "user"
    assert read["document"]["data"][0]["attributes"]["locked"] == "true or false"
    assert read["document"]["data"][0]["attributes"]["email"].startswith("text of ")


@pytest.mark.parametrize(
    ("value", "shape"),
    [
        ("Ana", "text of 3"),
        (True, "true or false"),
        (4155550142, "integer of 10"),
        (1.5, "number with a fraction"),
        (None, "null"),
        ({"type": "user", "full name": "Ana"}, {"type": "user", "key of 9": "text of 3"}),
        ({"type": "Ana Ruiz"}, {"type": "text of 8"}),
        (list(range(9)), [*["integer of 1"] * 5, "and 4 more"]),
    ],
)
def test_a_value_becomes_its_type_and_length(value, shape):
    assert redact(value) == shape
