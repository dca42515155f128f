"""The sandbox's pages: a person changes titles, teams, locks and signatures, and no other site can."""

from __future__ import annotations

from html import escape
from http.client import HTTPConnection
from urllib.parse import urlencode, urlsplit

import pytest

from integrations.outreach.sandbox import Sandbox

SIGNATURE = "<p>Ana &amp; co</p>\n</textarea><script>alert(1)</script>"


def ask(
    sandbox: Sandbox, method: str, path: str, form: dict[str, object] | None = None, **headers: str
) -> tuple[int, str, dict[str, str]]:
    """Return status, body and headers, as a browser on one of the sandbox's own pages asks."""
    place = urlsplit(sandbox.base_url)
    connection = HTTPConnection(place.hostname, place.port, timeout=10)
    sent = {"Host": place.netloc, "Content-Type": "application/x-www-form-urlencoded"} | headers
    if method == "POST" and "Origin" not in headers:
        sent["Origin"] = sandbox.base_url
    body = urlencode(form, doseq=True) if form is not None else None
    connection.request(method, path, body, {name: value for name, value in sent.items() if value})
    response = connection.getresponse()
    text = response.read().decode()
    connection.close()
    return response.status, text, dict(response.getheaders())


def test_people_are_listed_and_found_by_a_part_of_their_name(sandbox: Sandbox):
    first, other = list(sandbox.directory.users.values())[:2]

    status, everybody, headers = ask(sandbox, "GET", "/people/")
    _, found, _ = ask(sandbox, "GET", f"/people/?{urlencode({'q': first.email.upper()})}")

    assert status == 200
    assert escape(other.name) in everybody
    assert f'<a href="/people/{first.id}">' in found
    assert f'<a href="/people/{other.id}">' not in found
    assert "script" not in headers["Content-Security-Policy"]
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert len(sandbox.requests) == 0


def test_a_person_is_changed_and_locked_and_nobody_else(sandbox: Sandbox):
    before = dict(sandbox.directory.users)
    teams = list(sandbox.directory.teams)[:2]
    user_id = next(iter(before))

    status, _, headers = ask(
        sandbox,
        "POST",
        f"/people/{user_id}",
        {"title": "Chief", "phone": "+1 555 0100", "team": teams, "locked": "on"},
    )

    changed = sandbox.directory.users[user_id]
    assert (status, headers["Location"]) == (303, f"/people/{user_id}")
    assert (changed.title, changed.phone_number, changed.locked) == ("Chief", "+1 555 0100", True)
    assert set(changed.team_ids) == set(teams)
    assert changed.updated_at > before[user_id].updated_at
    assert all(sandbox.directory.users[id] == user for id, user in before.items() if id != user_id)


def test_a_signature_is_edited_and_shown_harmlessly(sandbox: Sandbox):
    user = next(user for user in sandbox.directory.users.values() if user.mailbox_ids)
    before = dict(sandbox.directory.mailboxes)
    mailbox_id = user.mailbox_ids[0]

    status, _, _ = ask(
        sandbox,
        "POST",
        f"/people/{user.id}/mailboxes/{mailbox_id}",
        {"signature": SIGNATURE.replace("\n", "\r\n")},
    )
    _, page, _ = ask(sandbox, "GET", f"/people/{user.id}")

    assert status == 303
    assert sandbox.directory.mailboxes[mailbox_id].email_signature == SIGNATURE
    assert (
        f'<iframe sandbox title="Signature of {before[mailbox_id].email}" srcdoc="{escape(SIGNATURE)}">'
        in page
    )
    assert "<script" not in page
    assert all(sandbox.directory.mailboxes[id] == box for id, box in before.items() if id != mailbox_id)


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "", "http://127.0.0.1:1"])
def test_a_form_of_another_site_changes_nothing(sandbox: Sandbox, origin: str):
    user_id, before = next(iter(sandbox.directory.users)), dict(sandbox.directory.users)

    status, _, _ = ask(sandbox, "POST", f"/people/{user_id}", {"title": "Owned"}, Origin=origin)

    assert status == 403
    assert sandbox.directory.users == before


def test_another_name_that_leads_here_is_refused(sandbox: Sandbox):
    assert ask(sandbox, "GET", "/people/", Host="evil.example")[0] == 403


def test_what_does_not_fit_is_refused_with_a_sentence(sandbox: Sandbox):
    user = next(user for user in sandbox.directory.users.values() if user.mailbox_ids)
    other = next(box for box in sandbox.directory.mailboxes.values() if box.user_id != user.id)
    before = (dict(sandbox.directory.users), dict(sandbox.directory.mailboxes))

    answers = [
        ask(sandbox, "GET", "/people/987654")[0],
        ask(sandbox, "GET", "/people/x")[0],
        ask(sandbox, "POST", f"/people/{user.id}", {"title": "x" * 300})[0],
        ask(sandbox, "POST", f"/people/{user.id}", {"title": "x", "team": 987654})[0],
        ask(sandbox, "POST", f"/people/{user.id}/mailboxes/{other.id}", {"signature": "x"})[0],
        ask(sandbox, "DELETE", f"/people/{user.id}")[0],
    ]

    assert answers == [404, 404, 400, 404, 404, 404]
    assert (dict(sandbox.directory.users), dict(sandbox.directory.mailboxes)) == before
