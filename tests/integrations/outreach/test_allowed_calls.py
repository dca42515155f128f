"""The table of calls: what is in it, and that everything else is derived from it."""

from integrations.outreach.allowed_calls import ENDPOINTS
from integrations.outreach.scopes import REQUESTED, SCOPES


def test_the_table_holds_five_calls_and_one_of_them_writes_one_attribute():
    assert [(one.name, one.method, one.path, one.scope, one.attributes_written) for one in ENDPOINTS] == [
        ("list_users", "GET", "/api/v2/users", "users.all", ()),
        ("list_teams", "GET", "/api/v2/teams", "teams.read", ()),
        ("list_mailboxes", "GET", "/api/v2/mailboxes", "mailboxes.all", ()),
        ("find_prospect", "GET", "/api/v2/prospects", "prospects.read", ()),
        ("write_signature", "PATCH", "/api/v2/mailboxes/{id}", "mailboxes.all", ("emailSignature",)),
    ]


def test_every_call_says_what_it_reads_where_that_is_documented_and_why():
    assert [one.name for one in ENDPOINTS if not (one.fields_read and one.source and one.purpose)] == []


def test_no_call_reads_or_writes_a_secret_of_a_mailbox():
    secrets = {"password", "smtpPassword", "sendgridApiKey", "ewsEndpoint", "smtpHost", "username"}

    assert [one.name for one in ENDPOINTS if secrets & {*one.fields_read, *one.attributes_written}] == []


def test_fields_are_said_in_full_and_the_numbered_ones_in_one_phrase():
    said = {one.name: one.fields_in_words for one in ENDPOINTS}

    assert said["find_prospect"].endswith("owner, stage, persona, account, custom1 to custom150")
    assert said["list_users"].split(", ")[9:14] == ["custom1", "custom2", "custom3", "custom4", "custom5"]
    assert said["list_teams"] == "name, users"


def test_the_scopes_requested_are_those_of_the_table_in_a_fixed_order():
    assert REQUESTED == ("users.all", "teams.read", "mailboxes.all", "prospects.read")


def test_each_scope_names_its_calls_and_every_call_has_its_scope():
    assert {scope.name: [one.name for one in scope.endpoints] for scope in SCOPES} == {
        "users.all": ["list_users"],
        "teams.read": ["list_teams"],
        "mailboxes.all": ["list_mailboxes", "write_signature"],
        "prospects.read": ["find_prospect"],
    }
