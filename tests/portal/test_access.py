"""Who gets which answer at which address and by which method: the whole of `matrix.txt`, and nothing outside it."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.apps import apps
from django.core.files.base import ContentFile
from django.db import transaction
from django.http import HttpResponse
from django.test import Client
from django.utils import timezone
from django_q.models import OrmQ, Task
from django_q.signing import SignedPackage

from integrations.ledger.chain import get_chain
from integrations.ledger.record import record_act
from integrations.ledger.verification import check_and_note
from integrations.models import AssumptionReport, LedgerCheckpoint, Notice, Team
from portal.models import Membership, Role, User
from portal.worker.heartbeat import record_beat
from portal.worker.schedules import set_up_schedules
from signatures.analytics.aggregation import sift_events
from signatures.campaigns.ruleset import get_place
from signatures.models import BannerEvent, Brand, Decision, KnownRecipient, LookupShare, Snapshot
from signatures.recipients.merge_variable import start_test
from tests.signatures.campaigns.conftest import make_picture

from .conftest import BANNER, CAMPAIGN, LABEL, House, make_list, make_user
from .matrix import ROLES, WHO, list_addresses, list_missing, read_table

ROWS = read_table()
OURS = ("/domains/<str:domain>/", "/manage/domains/<str:domain>/")
REPEATED = ("owner of A", "staff")  # ask at every further model of a group; the first one hears everybody
MISSING = "987654321"

# Which object of the furnished house an address names: the part before its id, and the house's field.
OBJECTS = {
    "members/<int:pk>": "membership",
    "invitations/<int:pk>": "invitation",
    "syncs/<int:pk>": "sync_run",
    "senders/<int:pk>": "sender",
    "groups/<int:pk>": "group",
    "templates/<int:pk>": "template",
    "deliveries/<int:pk>": "delivery_run",
    "deliveries/<int:run>": "delivery_run",
    "mailboxes/<int:pk>": "delivery",
    "recipient/keys/<int:pk>": "decision_key",
    "lists/<int:pk>": "recipient_list",
    "labels/<int:pk>": "label",
    "pictures/<int:pk>": "picture",
    "campaigns/<int:pk>": "campaign",
    "campaigns/<int:campaign>": "campaign",
    "banners/<int:pk>": "banner",
    "receipts/<int:pk>": "receipt",
    "results/<int:pk>": "campaign",
}
# What stands for a part that names no object of a house.
WORDS = {
    "scopes/<str:scope>": "scopes/users.all",
    "(?P<key>[-:\\w]+)": "none",
    "(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)": "1-none",
    "(?P<app_label>django_q|portal|integrations|signatures)": "portal",
    "(?P<url>.*)": "nowhere",
    "<str:key>": "none",
    "keys/<int:pk>": "keys/1",
    "invitations/<str:token>": "invitations/none",
    "r/<path:content_type_id>/<path:object_id>": "r/1/1",
}


CAMPAIGNS = "/domains/<str:domain>/campaigns/"


def get_body(address: str, house: House) -> dict[str, Any]:
    """Return a form that this address accepts."""
    bodies: dict[str, dict[str, Any]] = {
        "/manage/domains/<str:domain>/": {"time_zone": "Europe/London"},
        "/manage/domains/<str:domain>/sign-in/": {"act": "second step"},
        "/manage/domains/<str:domain>/members/": {"email": "new@acme.example", "role": "auditor"},
        "/manage/domains/<str:domain>/members/<int:pk>/": {"act": "role", "role": "auditor"},
        "/manage/domains/<str:domain>/integrations/outreach/disconnect/": {"restores": "0"},
        "/manage/domains/<str:domain>/integrations/outreach/disconnect/leave/": {"number": 1},
        "/manage/domains/<str:domain>/integrations/outreach/mode/": {"mode": "dry_run"},
        "/manage/domains/<str:domain>/integrations/outreach/scopes/<str:scope>/": {
            "reason": "The audit is open"
        },
        "/domains/<str:domain>/syncs/now/": {"kind": "full"},
        "/domains/<str:domain>/ledger/export/": {"format": "jsonl"},
        "/domains/<str:domain>/groups/<int:pk>/move/": {"position": 1},
        "/domains/<str:domain>/groups/<int:pk>/template/": {"template": house.template.pk},
        "/domains/<str:domain>/templates/new/": {"name": "Another", "source": "<p>{{ sender.name }}</p>"},
        "/domains/<str:domain>/templates/<int:pk>/save/": {
            "name": "Renamed",
            "source": "<p>{{ sender.name }} here</p>",
        },
        "/domains/<str:domain>/templates/<int:pk>/restore/": {"number": 1, "version": house.version.pk},
        "/domains/<str:domain>/templates/trial/": {"source": "<p>{{ sender.name }}</p>"},
        "/domains/<str:domain>/campaigns/recipient/keys/": {"name": "Gateway"},
        "/domains/<str:domain>/campaigns/recipient/person/": {"address": "kim@partner.example"},
        "/domains/<str:domain>/campaigns/recipient/person/export/": {"address": "kim@partner.example"},
        "/domains/<str:domain>/campaigns/recipient/person/erase/": {"address": "kim@partner.example"},
        "/domains/<str:domain>/campaigns/recipient/variable/test/": {"variable": "{{email}}"},
        "/domains/<str:domain>/campaigns/recipient/variable/on/": {
            "variable": "{{email}}",
            "typed": house.domain.name,
        },
        "/domains/<str:domain>/campaigns/recipient/retention/change/": {
            "decision_days": "20",
            "event_days": "80",
        },
        f"{CAMPAIGNS}new/": CAMPAIGN,
        f"{CAMPAIGNS}<int:pk>/change/": CAMPAIGN,
        f"{CAMPAIGNS}why/": {"sender": house.sender.email},
        f"{CAMPAIGNS}<int:pk>/preview/": {"sender": house.sender.email},
        f"{CAMPAIGNS}place/": {"width": 480, "height": 120},
        f"{CAMPAIGNS}lists/": {"name": "Friends", "file": make_list()},
        f"{CAMPAIGNS}lists/<int:pk>/": {"name": "Friends", "file": make_list()},
        f"{CAMPAIGNS}labels/": LABEL,
        f"{CAMPAIGNS}labels/<int:pk>/": LABEL,
        f"{CAMPAIGNS}<int:pk>/audience/": {"save": "1"},
        f"{CAMPAIGNS}<int:pk>/banners/new/": BANNER | {"picture": make_picture()},
        f"{CAMPAIGNS}<int:campaign>/banners/<int:pk>/": BANNER,
        f"{CAMPAIGNS}<int:pk>/banners/destination/": BANNER,
        "/domains/<str:domain>/brand/": {"name": "Acme", "accent": "#2b4acb"},
    }
    return bodies.get(address, {})


def get_query(address: str, house: House) -> str:
    return f"?version={house.version.pk}" if address.endswith("templates/preview/") else ""


def get_path(address: str, house: House, *, objects_of: House | None = None, missing: bool = False) -> str:
    """Return where the address leads in this house, naming objects of `objects_of` where given, or none there is."""
    source = objects_of or house
    path = address.replace("<str:domain>", house.domain.name)
    for part, field in OBJECTS.items():
        value = MISSING if missing else str(getattr(source, field).pk)
        path = path.replace(part, part.partition("<")[0] + value)
    for part, words in WORDS.items():
        path = path.replace(part, words)
    if found := re.fullmatch(r"/admin/(\w+)/(\w+)/<(?:path:object_id|id)>/(.*)", path):
        row = apps.get_model(found[1], found[2])._default_manager.order_by("pk").first()
        assert row is not None, f"furnish_admin makes no {found[2]}"
        path = f"/admin/{found[1]}/{found[2]}/{row.pk}/{found[3]}"
    assert "<" not in path, f"Say in OBJECTS which object of a furnished house {address} names."
    return f"{path}{get_query(address, source)}"


def furnish_admin(house: House) -> None:
    """There is one row of each model that the admin shows and that no domain needs."""
    now = timezone.now()
    Brand.objects.create(domain=house.domain, name="Acme")
    Snapshot.objects.create(
        domain=house.domain, mailbox_remote_id="11", mailbox_email="a@acme.example", original_html="<p>Hi</p>"
    )
    Team.objects.create(connection=house.connection, remote_id="5", digest="d", changed_at=now, name="Sales")
    Notice.objects.create(connection=house.connection, kind="lost", audience="owners")
    AssumptionReport.objects.create(
        connection=house.connection, actor_label="command", findings=[], report={"kind": "report"}
    )
    BannerEvent.objects.create(domain=house.domain, at=now - timedelta(hours=1), sender_id=house.sender.pk)
    sift_events(house.domain)
    record_act("domain made", domain=house.domain, actor_label="command")
    chain = get_chain(house.domain)
    assert chain is not None
    check_and_note(chain)
    LedgerCheckpoint.objects.create(chain=chain, last_sequence=0, older_than=now, actor_label="command")
    Decision.objects.create(domain=house.domain, sender=house.sender, recipient_key="k", way="api")
    get_place(house.domain)
    KnownRecipient.objects.create(domain=house.domain, recipient_key="k", expires_at=now)
    LookupShare.objects.create(domain=house.domain, network="203.0.113.0/24", used=1, ends_at=now)
    start_test(house.domain, "{{email}}", actor_label="command")
    set_up_schedules()
    for number, succeeded in enumerate([True, False]):
        Task.objects.create(
            id=f"{number}" * 32,
            name="t",
            func="portal.tasks.record_beat",
            started=now,
            stopped=now,
            success=succeeded,
        )
    payload = {"id": "2" * 32, "name": "t", "func": "portal.tasks.record_beat", "args": (), "kwargs": {}}
    OrmQ.objects.create(key="countersign", payload=SignedPackage.dumps(payload), lock=now)


def make_clients(house: House, other_house: House) -> dict[str, Client]:
    """Return one browser for each column of the table, logged in where the column says so."""
    clients = {who: Client() for who in WHO}
    for letter, place in (("A", house), ("B", other_house)):
        for role in ROLES:
            user = make_user(f"{role}-{letter}@people.example".lower())
            Membership.objects.create(domain=place.domain, user=user, role=role)
            clients[f"{role} of {letter}"].force_login(user)
    left = make_user("left@people.example")
    Membership.objects.create(domain=house.domain, user=left, role=Role.OWNER)
    clients["deactivated"].force_login(left)
    User.objects.filter(pk=left.pk).update(is_active=False)
    clients["staff"].force_login(make_user("staff@people.example", is_staff=True))
    clients["superuser"].force_login(
        User.objects.create_superuser("superuser@people.example", "correct horse battery")
    )
    return clients


def ask(
    client: Client, method: str, path: str, body: dict[str, Any] | None = None, **extra: Any
) -> HttpResponse:
    """Return the answer, and leave the rows as they were."""
    cookies = client.cookies.copy()
    for value in (body or {}).values():
        if isinstance(value, ContentFile):
            value.seek(0)  # somebody else sent it before
    with transaction.atomic():
        response = (
            client.post(path, body or {}, **extra)
            if method == "POST"
            else client.generic(method, path, **extra)
        )
        transaction.set_rollback(True)
    client.cookies = cookies  # the session's row is as it was, too
    if not response.streaming:
        assert isinstance(response.content, bytes)
    response.close()
    return response  # type: ignore[return-value]  # a test response is one


@pytest.fixture
def clients(house: House, other_house: House) -> dict[str, Client]:
    furnish_admin(house)
    record_beat()
    return make_clients(house, other_house)


def is_same(first: HttpResponse, second: HttpResponse) -> bool:
    """Return whether both are the answer to what does not exist, to the byte."""
    return first.status_code == second.status_code == 404 and first.content == second.content


def test_a1_every_address_is_in_the_table_and_the_table_has_no_other():
    gone = {row.address for row in ROWS} - set(list_addresses())
    missing = list_missing()

    assert not missing, (
        "tests/portal/matrix.txt does not say who gets which answer at these addresses. Read these lines, made "
        "from the permission each view asks for, delete those of methods it refuses with 405, mend the rest, "
        "and add them:\n" + "\n".join(missing)
    )
    assert not gone, f"tests/portal/matrix.txt lists addresses that are gone: {sorted(gone)}"


@pytest.mark.parametrize("part", ["domains", "accounts", "admin"])
def test_a1_everybody_gets_the_answer_of_the_table(part, house, clients):
    rows = [row for row in ROWS if get_part(row.address) == part]
    wrong = []
    for row in rows:
        path, body = get_path(row.address, house), get_body(row.address, house)
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


def test_a1_a_method_without_a_line_is_refused(house, clients):
    listed = {(row.address, row.method) for row in ROWS}
    wrong = {}
    for address in sorted({address for address, _ in listed if address.startswith(OURS)}):
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
            if (address, method) not in listed:
                status = ask(clients["owner of A"], method, get_path(address, house)).status_code
                wrong |= {(address, method): status} if status != 405 else {}

    assert wrong == {}


def test_a1_what_belongs_to_another_domain_answers_like_what_is_not_there(house, other_house, clients):
    owner, different, named = clients["owner of A"], [], set()
    for row in ROWS:
        if not row.address.startswith(OURS):
            continue
        there = get_path(row.address, other_house)
        body = get_body(row.address, other_house)
        nowhere = there.replace(other_house.domain.name, "nowhere.example")
        if not is_same(ask(owner, row.method, there, body), ask(owner, row.method, nowhere, body)):
            different.append(f"{row} in B")
        fields = {field for part, field in OBJECTS.items() if part in row.address}
        if not fields:
            continue
        named |= fields
        theirs = get_path(row.address, house, objects_of=other_house)
        missing = get_path(row.address, house, missing=True)
        if not is_same(ask(owner, row.method, theirs, body), ask(owner, row.method, missing, body)):
            different.append(f"{row} with an object of B")

    assert different == []
    assert named == set(OBJECTS.values())


def test_a2_an_object_of_another_domain_is_no_choice_of_any_form(house, other_house, clients):
    owner = clients["owner of A"]
    foreign = {"template": str(other_house.template.pk), "version": str(other_house.version.pk)}
    rows = [row for row in ROWS if row.method == "POST" and row.address.startswith(OURS)]
    before = (house.template.versions.count(), list(house.domain.assignments.order_by("pk").values()))

    for row in rows:
        body = get_body(row.address, house)
        if body.keys() & foreign.keys():
            response = owner.post(get_path(row.address, house), body | foreign)
            assert response.status_code in (302, 404), row

    assert (house.template.versions.count(), list(house.domain.assignments.order_by("pk").values())) == before
    pages = [row for row in ROWS if row.method == "GET" and row.address.startswith(OURS)]
    for row in pages:
        response = owner.get(get_path(row.address, house))
        assert response.streaming or b"bystander" not in response.content, row


def test_a2_a_session_of_one_domain_under_another_host_name_sees_no_more(house, other_house, clients):
    path = get_path("/domains/<str:domain>/", other_house)

    assert clients["owner of A"].get(path, headers={"host": "bystander.example"}).status_code == 404


def test_a3_a_role_that_was_taken_away_is_gone_at_the_next_request(house, clients):
    path = get_path("/domains/<str:domain>/", house)
    brand = get_path("/domains/<str:domain>/brand/", house)
    assert [clients[f"{role} of A"].get(path).status_code for role in ("editor", "admin")] == [200, 200]
    assert clients["admin of A"].get(brand).status_code == 200

    Membership.objects.filter(domain=house.domain, user__email="editor-a@people.example").delete()
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
def test_a8_a_form_without_its_token_or_from_another_site_does_nothing(house, clients, how):
    wrong = {}
    for row in ROWS:
        if row.method != "POST" or (row.is_repeated and "schedule" not in row.address):
            continue
        if row.address == SAML_ANSWERS:
            continue
        strict = Client(enforce_csrf_checks=True)
        strict.cookies = clients["superuser" if row.address.startswith("/admin/") else "owner of A"].cookies
        headers = {}
        body = get_body(row.address, house)
        if how == "foreign origin":  # the token is right: somebody found it out
            strict.get("/accounts/password/reset/")
            token = strict.cookies["countersign_csrf"].value
            body, headers = body | {"csrfmiddlewaretoken": token}, {"origin": "https://evil.example"}
        response = ask(strict, "POST", get_path(row.address, house), body, headers=headers)
        if response.status_code != 403 or "This page was open too long" not in response.content.decode():
            wrong[str(row)] = response.status_code

    assert wrong == {}
