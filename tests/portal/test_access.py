"""Who gets which answer at which address: the whole table, and nothing outside it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.db import transaction
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from portal.heartbeat import record_beat
from portal.models import Membership, Role

from .conftest import House, make_user

APPS = ("portal", "integrations", "signatures")
WHO = ("owner", "admin", "editor", "auditor", "staff", "stranger", "nobody")

# One line for each address and method. `stranger` owns another domain; `nobody` is not signed in.
# 302 for nobody leads to the sign-in page; 302 after a POST leads to where its result is seen.
TABLE = """
portal:home                       GET   302 302 302 302 200 302 302
portal:healthz                    GET   200 200 200 200 200 200 200
portal:readyz                     GET   200 200 200 200 200 200 200
portal:overview                   GET   200 200 200 200 200 404 302
portal:settings                   GET   200 200 200 200 200 404 302
portal:settings                   POST  302 302 403 403 403 404 302
portal:members                    GET   200 200 200 200 200 404 302
portal:members                    POST  302 302 403 403 403 404 302
portal:member                     GET   200 200 403 403 403 404 302
portal:member                     POST  302 302 403 403 403 404 302
portal:integrations               GET   200 200 200 200 200 404 302
integrations:outreach             GET   200 200 200 200 200 404 302
integrations:outreach_connect     POST  302 302 403 403 403 404 302
integrations:outreach_disconnect  GET   200 200 403 403 403 404 302
integrations:outreach_disconnect  POST  302 302 403 403 403 404 302
integrations:outreach_pause       POST  302 302 403 403 403 404 302
integrations:outreach_resume      POST  302 302 403 403 403 404 302
integrations:outreach_mode        POST  302 302 403 403 403 404 302
integrations:outreach_check       POST  302 302 403 403 403 404 302
integrations:outreach_progress    GET   200 200 200 200 200 404 302
integrations:runs                 GET   200 200 200 200 200 404 302
integrations:run                  GET   200 200 200 200 200 404 302
integrations:run_progress         GET   200 200 200 200 200 404 302
integrations:sync_now             POST  302 302 403 403 403 404 302
integrations:ledger               GET   200 200 403 200 200 404 302
integrations:ledger_scope         GET   200 200 403 200 200 404 302
integrations:ledger_export        POST  200 200 403 200 200 404 302
integrations:ledger_calls         GET   200 200 200 200 200 404 302
integrations:audit                GET   403 403 403 403 200 403 302
signatures:senders                GET   200 200 200 200 200 404 302
signatures:sender                 GET   200 200 200 200 200 404 302
signatures:sender_values          POST  302 302 302 403 403 404 302
signatures:sender_template        POST  302 302 403 403 403 404 302
signatures:sender_check           POST  302 302 403 403 403 404 302
signatures:sender_preview         GET   200 200 200 200 200 404 302
signatures:groups                 GET   200 200 200 200 200 404 302
signatures:group                  GET   200 200 200 200 200 404 302
signatures:group_move             POST  302 302 403 403 403 404 302
signatures:group_template         POST  302 302 403 403 403 404 302
signatures:templates              GET   200 200 200 200 200 404 302
signatures:template_new           GET   200 200 200 403 403 404 302
signatures:template_new           POST  302 302 302 403 403 404 302
signatures:template_starters      POST  302 302 302 403 403 404 302
signatures:template_preview       GET   200 200 200 200 200 404 302
signatures:template_trial         POST  200 200 200 403 403 404 302
signatures:template               GET   200 200 200 200 200 404 302
signatures:template_save          POST  302 302 302 403 403 404 302
signatures:template_restore       POST  302 302 302 403 403 404 302
signatures:brand                  GET   200 200 403 403 403 404 302
signatures:brand                  POST  302 302 403 403 403 404 302
signatures:deliveries             GET   200 200 200 200 200 404 302
signatures:delivery_plan          POST  302 302 403 403 403 404 302
signatures:delivery_run           GET   200 200 200 200 200 404 302
signatures:delivery_progress      GET   200 200 200 200 200 404 302
signatures:delivery_start         POST  302 302 403 403 403 404 302
signatures:delivery_resume        POST  302 302 403 403 403 404 302
signatures:delivery_stop          POST  302 302 403 403 403 404 302
signatures:delivery_preview       GET   200 200 200 200 200 404 302
signatures:delivery_frame         GET   200 200 200 200 200 404 302
signatures:originals              GET   200 200 403 403 403 404 302
"""

ROWS = [
    (name, method, tuple(map(int, statuses)))
    for name, method, *statuses in map(str.split, TABLE.strip().splitlines())
]
WITHOUT_DOMAIN = ("portal:home", "portal:healthz", "portal:readyz", "integrations:audit")
WORDS = {"integrations:ledger_scope": {"scope": "users.all"}}  # what an address names that is no object
POSTED = {row[0] for row in ROWS if row[1] == "POST"}

# Which object an address names, by the field of the furnished house.
OBJECTS = {
    "portal:member": {"pk": "membership"},
    "integrations:run": {"pk": "sync_run"},
    "integrations:run_progress": {"pk": "sync_run"},
    **{
        f"signatures:{name}": {"pk": "sender"}
        for name in ("sender", "sender_values", "sender_template", "sender_check", "sender_preview")
    },
    **{f"signatures:{name}": {"pk": "group"} for name in ("group", "group_move", "group_template")},
    **{
        f"signatures:{name}": {"pk": "template"} for name in ("template", "template_save", "template_restore")
    },
    **{
        f"signatures:delivery_{name}": {"pk": "delivery_run"}
        for name in ("run", "progress", "start", "resume", "stop")
    },
    **{
        f"signatures:delivery_{name}": {"run": "delivery_run", "pk": "delivery"}
        for name in ("preview", "frame")
    },
}


def get_body(name: str, house: House) -> dict[str, object]:
    """Return a form that this address accepts."""
    bodies: dict[str, dict[str, object]] = {
        "portal:settings": {"time_zone": "Europe/London"},
        "portal:members": {"email": "new@acme.example", "role": "auditor"},
        "portal:member": {"act": "role", "role": "auditor"},
        "integrations:outreach_disconnect": {"restores": "0"},
        "integrations:outreach_mode": {"mode": "dry_run"},
        "integrations:sync_now": {"kind": "full"},
        "integrations:ledger_export": {"format": "jsonl"},
        "signatures:group_move": {"position": 1},
        "signatures:group_template": {"template": house.template.pk},
        "signatures:template_new": {"name": "Another", "source": "<p>{{ sender.name }}</p>"},
        "signatures:template_save": {"name": "Renamed", "source": "<p>{{ sender.name }} here</p>"},
        "signatures:template_restore": {"number": 1, "version": house.version.pk},
        "signatures:template_trial": {"source": "<p>{{ sender.name }}</p>"},
        "signatures:brand": {"name": "Acme", "accent": "#2b4acb"},
    }
    return bodies.get(name, {})


def get_query(name: str, house: House) -> str:
    return f"?version={house.version.pk}" if name == "signatures:template_preview" else ""


def get_address(name: str, house: House, *, objects_of: House | None = None) -> str:
    """Return the address of the page in this house, naming objects of `objects_of` where given."""
    if name in WITHOUT_DOMAIN:
        return reverse(name)
    source = objects_of or house
    ids = {argument: getattr(source, field).pk for argument, field in OBJECTS.get(name, {}).items()}
    named = {"domain": house.domain.name, **ids, **WORDS.get(name, {})}
    return reverse(name, kwargs=named) + get_query(name, source)


def list_names(resolver: URLResolver, namespace: str = "") -> Iterator[str]:
    for pattern in resolver.url_patterns:
        if isinstance(pattern, URLPattern):
            yield f"{namespace}:{pattern.name}"
        else:
            yield from list_names(pattern, pattern.namespace or namespace)


@pytest.fixture
def clients(house: House, other_house: House) -> dict[str, Client]:
    """Return one signed-in client for each column of the table."""
    found = {}
    for who in WHO:
        found[who] = Client()
        if who == "nobody":
            continue
        user = make_user(f"{who}@people.example", is_staff=who == "staff")
        if who in Role.values:
            Membership.objects.create(domain=house.domain, user=user, role=who)
        if who == "stranger":
            Membership.objects.create(domain=other_house.domain, user=user, role=Role.OWNER)
        found[who].force_login(user)
    record_beat()
    return found


def ask(client: Client, name: str, method: str, house: House, address: str) -> int:
    """Return the status, and leave the rows as they were."""
    with transaction.atomic():
        response = (
            client.generic(method, address)
            if method == "GET"
            else client.post(address, get_body(name, house))
        )
        transaction.set_rollback(True)
    return response.status_code


@pytest.mark.parametrize(("name", "method", "expected"), ROWS, ids=[f"{row[1]} {row[0]}" for row in ROWS])
def test_each_role_gets_the_answer_of_the_table(name, method, expected, house, clients):
    address = get_address(name, house)

    answers = {who: ask(client, name, method, house, address) for who, client in clients.items()}

    assert answers == dict(zip(WHO, expected, strict=True))


def test_every_address_of_ours_is_in_the_table():
    names = {name for name in list_names(get_resolver()) if name.split(":")[0] in APPS}

    assert names == {row[0] for row in ROWS}


@pytest.mark.parametrize("name", sorted(OBJECTS))
def test_an_object_of_another_domain_answers_like_one_that_is_not_there(name, house, other_house, clients):
    method = next(row[1] for row in ROWS if row[0] == name)
    foreign = get_address(name, house, objects_of=other_house)
    missing = reverse(name, kwargs={"domain": house.domain.name} | dict.fromkeys(OBJECTS[name], 987_654_321))

    answers = [
        clients["owner"].generic(method, address, content_type="application/x-www-form-urlencoded")
        for address in (foreign, missing)
    ]

    assert [answer.status_code for answer in answers] == [404, 404]
    assert answers[0].content == answers[1].content


@pytest.mark.parametrize(("name", "method"), [row[:2] for row in ROWS if row[0] not in WITHOUT_DOMAIN])
def test_another_domain_answers_like_one_that_is_not_there(name, method, house, other_house, clients):
    foreign = get_address(name, other_house)
    missing = foreign.replace(other_house.domain.name, "nowhere.example")

    answers = [
        clients["owner"].generic(method, address, content_type="application/x-www-form-urlencoded")
        for address in (foreign, missing)
    ]

    assert [answer.status_code for answer in answers] == [404, 404]
    assert answers[0].content == answers[1].content


@pytest.mark.parametrize("name", sorted(POSTED))
def test_a_form_without_its_token_changes_nothing(name, house, clients):
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = clients["owner"].cookies

    response = strict.post(get_address(name, house), get_body(name, house))

    assert response.status_code == 403
    assert "This page was open too long" in response.content.decode()


@pytest.mark.parametrize("name", sorted(POSTED - {row[0] for row in ROWS if row[1] == "GET"}))
def test_an_action_is_never_done_by_a_link(name, house, clients):
    assert clients["owner"].get(get_address(name, house)).status_code == 405


def test_a_role_that_was_taken_away_is_gone_at_the_next_request(house, clients):
    address = get_address("portal:overview", house)
    assert clients["editor"].get(address).status_code == 200

    Membership.objects.filter(domain=house.domain, user__email="editor@people.example").delete()

    assert clients["editor"].get(address).status_code == 404
    assert clients["admin"].get(address).status_code == 200


def test_a_closed_account_gets_nowhere(house, clients):
    membership = Membership.objects.get(user__email="owner@people.example")
    membership.user.is_active = False
    membership.user.save()

    assert clients["owner"].get(get_address("portal:overview", house)).status_code == 302
