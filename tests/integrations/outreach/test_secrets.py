"""No token, secret or prospect's address in any error, record, log line or printed object, whatever goes wrong."""

import logging
import traceback
from urllib.parse import unquote

import pytest

from integrations.errors import IntegrationError, Unreachable
from integrations.interfaces import CallRecord
from integrations.outreach.oauth import OAuthClient
from integrations.outreach.scopes import REQUESTED
from tests.support.wire import REDIRECT_URI, Access

CANARY = "canary-9f3b27c1e4-token"
SECRET, REFRESH_TOKEN = "canary-client-secret", "canary-refresh-token"
ADDRESS = "canary.person@prospect.example"
ECHO = (
    f'{{"errors":[{{"id":"{CANARY}","title":"{ADDRESS} {CANARY}","detail":"Bearer {CANARY}-0123456789"}}]}}'
)

FAULTS = [
    {"kind": "status", "status": status, "body": ECHO, "content_type": "application/vnd.api+json"}
    for status in (200, 302, 400, 401, 403, 404, 409, 415, 422, 429, 500, 502, 503)
] + [
    {"kind": kind}
    for kind in ("reset", "lost", "cut", "truncated_json", "redirect", "unauthorized", "retry_later", "huge")
]


def everything_said(error, caplog, *objects):
    trace = "".join(traceback.format_exception(error))
    texts = [
        trace,
        str(error),
        repr(error),
        getattr(error, "detail", ""),
        *map(repr, objects),
        *map(str, objects),
    ]
    # An address has an encoded form in a URL.
    return unquote("\n".join(texts + [record.getMessage() for record in caplog.records]))


@pytest.mark.parametrize(
    "fault", FAULTS, ids=lambda fault: f"{fault['kind']} {fault.get('status', '')}".strip()
)
def test_a_call_that_fails_tells_no_secret(sandbox, make_wire, caplog, fault):
    caplog.set_level(logging.DEBUG)
    wire = make_wire(access=Access([CANARY]))
    sandbox.faults.add(**fault, times=None)

    with pytest.raises(IntegrationError) as caught:
        if wire.connector.find_prospect(ADDRESS) is None:
            raise IntegrationError("nobody was found")

    said = everything_said(caught.value, caplog, wire.records, wire.client, wire.connector)
    assert not [secret for secret in (ADDRESS, CANARY) if secret in said]


@pytest.mark.parametrize(
    "fault", FAULTS, ids=lambda fault: f"{fault['kind']} {fault.get('status', '')}".strip()
)
def test_a_token_call_that_fails_tells_no_secret(sandbox, caplog, fault):
    caplog.set_level(logging.DEBUG)
    records: list[CallRecord] = []
    sandbox.faults.add(**fault, times=None)

    with (
        OAuthClient(
            base_url=sandbox.base_url,
            client_id="sandbox-client",
            client_secret=SECRET,
            record=records.append,
        ) as client,
        pytest.raises(IntegrationError) as caught,
    ):
        client.refresh(REFRESH_TOKEN, REDIRECT_URI)

    said = everything_said(caught.value, caplog, records, client)
    assert not [secret for secret in (SECRET, REFRESH_TOKEN, CANARY) if secret in said]


def test_a_call_that_reaches_nobody_tells_no_secret(make_wire, serve, caplog):
    caplog.set_level(logging.DEBUG)
    server = serve()
    server.close()
    wire = make_wire(base_url=server.base_url, access=Access([CANARY]))

    with pytest.raises(Unreachable) as caught:
        wire.connector.find_prospect(ADDRESS)

    said = everything_said(caught.value, caplog, wire.records)
    assert not [secret for secret in (ADDRESS, CANARY) if secret in said]


def test_a_call_that_works_tells_no_secret(sandbox, make_wire, caplog):
    caplog.set_level(logging.DEBUG)
    wire = make_wire()
    [address, *_] = next(iter(sandbox.directory.prospects.values())).emails
    token = wire.access.tokens[0]

    assert wire.connector.find_prospect(address) is not None

    said = everything_said(IntegrationError(""), caplog, wire.records, wire.client)
    assert address not in said
    assert token not in said
    assert [record.scope for record in wire.records] == [REQUESTED[3]]
