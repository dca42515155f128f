"""GET and POST /oauth/authorize: who is asked, what they may leave out, where they are sent."""

from __future__ import annotations

import pytest
import requests

from integrations.outreach.sandbox import Sandbox
from tests.support.sandbox_clients import CALLBACK, SCOPES, Browser, callback_of


def test_consent_page_lists_scopes_and_administrators_and_says_sandbox(browser: Browser) -> None:
    page = browser.open()

    assert page.status_code == 200
    assert "SANDBOX" in page.text
    for scope in SCOPES:
        assert f'name="grant" value="{scope}" checked' in page.text
    assert page.text.count("<option") == 2
    assert '<option value="1">Ingrid Solberg (ingrid.solberg@acme.example)</option>' in page.text
    assert "<script" not in page.text


def test_locked_administrators_cannot_be_chosen(sandbox: Sandbox, browser: Browser) -> None:
    sandbox.directory.set_locked(2)

    assert browser.open().text.count("<option") == 1


def test_allow_returns_code_and_state(browser: Browser) -> None:
    answer = browser.decide(state="a&b=c")

    assert answer["state"] == "a&b=c"
    assert answer["code"].startswith("sandbox-code-")
    assert set(answer) == {"code", "state"}


def test_state_is_left_out_where_none_was_sent(browser: Browser) -> None:
    fields = browser.asked()
    del fields["state"]

    reply = browser.session.post(
        f"{browser.sandbox.base_url}/oauth/authorize",
        data={**fields, "decision": "allow", "user_id": "1", "grant": SCOPES},
        allow_redirects=False,
        timeout=10,
    )

    assert set(callback_of(reply)) == {"code"}


def test_deny_returns_access_denied(browser: Browser) -> None:
    answer = browser.decide("deny")

    assert (answer["error"], answer["state"]) == ("access_denied", "state-1")
    assert "code" not in answer


def test_state_with_markup_is_escaped_on_the_page(browser: Browser) -> None:
    page = browser.open(state='"><b>x')

    assert 'value="&quot;&gt;&lt;b&gt;x"' in page.text


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"client_id": "somebody-else"}, 401),
        ({"redirect_uri": "https://portal.example/callback/"}, 400),
        ({"redirect_uri": "https://portal.example/callback?x=1"}, 400),
        ({"redirect_uri": "https://evil.example/callback"}, 400),
    ],
)
def test_wrong_client_or_address_is_shown_and_never_redirected(
    browser: Browser, changes: dict[str, str], status: int
) -> None:
    page = browser.open(**changes)

    assert page.status_code == status
    assert "Location" not in page.headers


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"scope": ""}, "invalid_scope"),
        ({"scope": "users.all webhooks.all"}, "invalid_scope"),
        # A subset is meant by name: users.all registered does not make users.read registered.
        ({"scope": "users.read"}, "invalid_scope"),
    ],
)
def test_wrong_request_goes_back_as_an_error(browser: Browser, changes: dict[str, str], error: str) -> None:
    assert callback_of(browser.open(**changes))["error"] == error


def test_who_consented_before_is_sent_straight_back(browser: Browser) -> None:
    browser.decide()

    answer = callback_of(browser.open(state="second"))

    assert answer["state"] == "second"
    assert answer["code"].startswith("sandbox-code-")


def test_other_scopes_are_asked_for_again(browser: Browser) -> None:
    browser.decide()

    assert browser.open(scope="teams.read").status_code == 200


def test_remembered_consent_can_be_switched_off(sandbox: Sandbox, browser: Browser) -> None:
    sandbox.settings.remember_consent = False
    browser.decide()

    assert browser.open().status_code == 200


def test_revocation_forgets_the_consent(sandbox: Sandbox, browser: Browser) -> None:
    browser.decide()
    sandbox.oauth.revoke_all()

    assert browser.open().status_code == 200


def test_unticked_scopes_are_not_granted(browser: Browser) -> None:
    code = browser.decide(grant=["teams.read", "users.all"])["code"]

    assert browser.exchange(code).json()["scope"] == "users.all teams.read"


@pytest.mark.parametrize(
    "granted", [(), ("teams.read",), ("users.all", "teams.read", "calls.all"), tuple(reversed(SCOPES))]
)
def test_scripted_grant_overrules_the_page(
    sandbox: Sandbox, browser: Browser, granted: tuple[str, ...]
) -> None:
    sandbox.settings.grant_scopes = granted

    code = browser.decide()["code"]

    assert browser.exchange(code).json()["scope"] == " ".join(granted)


def test_scripted_error_ends_the_consent(sandbox: Sandbox, browser: Browser) -> None:
    sandbox.settings.authorize_error = "temporarily_unavailable"

    assert callback_of(browser.open())["error"] == "temporarily_unavailable"


def test_consent_pages_take_only_get_and_post(sandbox: Sandbox) -> None:
    assert requests.put(f"{sandbox.base_url}/oauth/authorize", timeout=10).status_code == 405


def test_unknown_person_cannot_authorize(browser: Browser) -> None:
    reply = browser.session.post(
        f"{browser.sandbox.base_url}/oauth/authorize",
        data={**browser.asked(), "decision": "allow", "user_id": "²"},
        allow_redirects=False,
        timeout=10,
    )

    assert reply.status_code == 400
    assert CALLBACK not in reply.headers.get("Location", "")
