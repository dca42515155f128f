"""Who gets which answer at which address and by which method: all of `access_table.txt`, and nothing outside it."""

from __future__ import annotations

import pytest
from django.http import HttpResponse
from django.test import Client

from portal.models import Membership, Role, User
from tests.support.access_table import WHO, list_addresses, list_missing, read_table
from tests.support.addresses import (
    OBJECTS,
    ask,
    get_body,
    get_path,
)

ROWS = read_table()
OURS = ("/domains/<str:domain>/", "/manage/domains/<str:domain>/")
REPEATED = ("owner of A", "staff")  # ask at every further model of a group; the first one hears everybody


def is_same(first: HttpResponse, second: HttpResponse) -> bool:
    """Return whether both are the answer to what does not exist, to the byte."""
    return first.status_code == second.status_code == 404 and first.content == second.content


def test_a1_every_address_is_in_the_table_and_the_table_has_no_other():
    gone = {row.address for row in ROWS} - set(list_addresses())
    missing = list_missing()

    assert not missing, (
        "tests/support/access_table.txt does not say who gets which answer at these addresses. Read these lines, made "
        "from the permission each view asks for, delete those of methods it refuses with 405, mend the rest, "
        "and add them:\n" + "\n".join(missing)
    )
    assert not gone, f"tests/support/access_table.txt lists addresses that are gone: {sorted(gone)}"


@pytest.mark.parametrize("part", ["domains", "accounts", "admin"])
def test_a1_everybody_gets_the_answer_of_the_table(part, furnished, clients):
    rows = [row for row in ROWS if get_part(row.address) == part]
    wrong = []
    for row in rows:
        path, body = get_path(row.address, furnished), get_body(row.address, furnished)
        for who, expected in zip(WHO, row.statuses, strict=True):
            if row.is_repeated and who not in REPEATED:
                continue
            status = ask(clients[who], row.method, path, body).status_code
            if status != expected:
                wrong.append(f"{row}: {who} got {status}, the table says {expected}")

    assert not wrong, "\n".join(wrong)
    assert len(rows) > 50


def get_part(address: str) -> str:
    return next((part for part in ("accounts", "admin") if address.startswith(f"/{part}/")), "domains")


def test_a1_a_method_without_a_line_is_refused(furnished, clients):
    listed = {(row.address, row.method) for row in ROWS}
    wrong = {}
    for address in sorted({address for address, _ in listed if address.startswith(OURS)}):
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
            if (address, method) not in listed:
                status = ask(clients["owner of A"], method, get_path(address, furnished)).status_code
                refused = 302 if method == "GET" else 405  # to the page that the form is on
                wrong |= {(address, method): status} if status != refused else {}

    assert wrong == {}


def test_a1_the_address_of_a_form_leads_to_its_page(furnished, clients):
    listed = {(row.address, row.method) for row in ROWS}
    forms = {address for address, method in listed if address.startswith(OURS) and method == "POST"}
    forms -= {address for address, method in listed if method == "GET"}
    owner, wrong = clients["owner of A"], {}
    for address in sorted(forms):
        path = get_path(address, furnished)
        answer = owner.get(path, follow=True)
        if answer.status_code != 200 or "<main" not in answer.content.decode():
            wrong[address] = (answer.status_code, answer.redirect_chain)

    assert wrong == {}
    assert len(forms) > 30


def test_a1_what_belongs_to_another_domain_answers_like_what_is_not_there(
    furnished, other_furnished, clients
):
    owner, different, named = clients["owner of A"], [], set()
    for row in ROWS:
        if not row.address.startswith(OURS):
            continue
        there = get_path(row.address, other_furnished)
        body = get_body(row.address, other_furnished)
        nowhere = there.replace(other_furnished.domain.name, "nowhere.example")
        if not is_same(ask(owner, row.method, there, body), ask(owner, row.method, nowhere, body)):
            different.append(f"{row} in B")
        fields = {field for part, field in OBJECTS.items() if part in row.address}
        if not fields:
            continue
        named |= fields
        theirs = get_path(row.address, furnished, objects_of=other_furnished)
        missing = get_path(row.address, furnished, missing=True)
        if not is_same(ask(owner, row.method, theirs, body), ask(owner, row.method, missing, body)):
            different.append(f"{row} with an object of B")

    assert different == []
    assert named == set(OBJECTS.values())


def test_a2_an_object_of_another_domain_is_no_choice_of_any_form(furnished, other_furnished, clients):
    owner = clients["owner of A"]
    foreign = {"template": str(other_furnished.template.pk), "version": str(other_furnished.version.pk)}
    rows = [row for row in ROWS if row.method == "POST" and row.address.startswith(OURS)]
    before = (furnished.template.versions.count(), list(furnished.domain.assignments.order_by("pk").values()))

    for row in rows:
        body = get_body(row.address, furnished)
        if body.keys() & foreign.keys():
            response = owner.post(get_path(row.address, furnished), body | foreign)
            assert response.status_code in (302, 404, 422), row

    assert (
        furnished.template.versions.count(),
        list(furnished.domain.assignments.order_by("pk").values()),
    ) == before
    pages = [row for row in ROWS if row.method == "GET" and row.address.startswith(OURS)]
    for row in pages:
        response = owner.get(get_path(row.address, furnished))
        assert response.streaming or b"bystander" not in response.content, row


def test_a2_a_session_of_one_domain_under_another_host_name_sees_no_more(furnished, other_furnished, clients):
    path = get_path("/domains/<str:domain>/", other_furnished)

    assert clients["owner of A"].get(path, headers={"host": "bystander.example"}).status_code == 404


def test_a3_a_role_that_was_taken_away_is_gone_at_the_next_request(furnished, clients):
    path = get_path("/domains/<str:domain>/", furnished)
    brand = get_path("/domains/<str:domain>/brand/", furnished)
    assert [clients[f"{role} of A"].get(path).status_code for role in ("editor", "admin")] == [200, 200]
    assert clients["admin of A"].get(brand).status_code == 200

    Membership.objects.filter(domain=furnished.domain, user__email="editor-a@people.example").delete()
    Membership.objects.filter(user__email="admin-a@people.example").update(role=Role.AUDITOR)
    User.objects.filter(email="owner-a@people.example").update(is_active=False)
    User.objects.filter(email="staff@people.example").update(is_staff=False)

    assert clients["editor of A"].get(path).status_code == 404
    assert clients["admin of A"].get(brand).status_code == 403
    assert clients["owner of A"].get(path).status_code == 302
    assert clients["staff"].get(path).status_code == 404
    assert clients["staff"].get("/admin/portal/domain/").status_code == 302
    assert clients["auditor of A"].get(path).status_code == 200


# Another site posts here by design, without our cookies. Its answer is believed by its signature, and taken
# up in the session that asked for it alone: see `test_saml.py`.
SAML_ANSWERS = "/accounts/sso/<str:domain>/saml/acs/"


@pytest.mark.parametrize("how", ["no token", "foreign origin"])
def test_a8_a_form_without_its_token_or_from_another_site_does_nothing(furnished, clients, how):
    wrong = {}
    for row in ROWS:
        if row.method != "POST" or (row.is_repeated and "schedule" not in row.address):
            continue
        if row.address == SAML_ANSWERS:
            continue
        strict = Client(enforce_csrf_checks=True)
        strict.cookies = clients["superuser" if row.address.startswith("/admin/") else "owner of A"].cookies
        headers = {}
        body = get_body(row.address, furnished)
        if how == "foreign origin":  # the token is right: somebody found it out
            strict.get("/accounts/password/reset/")
            token = strict.cookies["countersign_csrf"].value
            body, headers = body | {"csrfmiddlewaretoken": token}, {"origin": "https://evil.example"}
        response = ask(strict, "POST", get_path(row.address, furnished), body, headers=headers)
        if response.status_code != 403 or "This page has expired" not in response.content.decode():
            wrong[str(row)] = response.status_code

    assert wrong == {}
