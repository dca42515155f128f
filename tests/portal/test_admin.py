"""Django admin: who gets in, what it shows, and what it changes about domains, members and people."""

from __future__ import annotations

from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.db import connection as database
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from django_q.models import Failure, OrmQ, Schedule, Success, Task
from django_q.signing import SignedPackage

from integrations import sync
from integrations.admin_base import ReadOnlyAdmin
from integrations.models import Connection, LedgerEntry, Mailbox, Person, QuarantinedRecord, SyncKind
from integrations.sealing import open_sealed
from portal.models import Domain, Membership, Role, User
from portal.schedules import SCHEDULES, set_up_schedules
from signatures.authoring import assign_template, install_starters
from signatures.delivery import plan_delivery
from signatures.groups import refresh_groups
from signatures.models import Brand, Group, Sender, Snapshot, Template
from signatures.senders import refresh_senders

ARGUMENT = "canary-argument-5b1f"
RESULT = "canary-result-77c0"


@pytest.fixture
def operator(db: None) -> User:
    user = User.objects.create_user("operator@portal.example", "correct horse battery", is_staff=True)
    EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    return user


@pytest.fixture
def superuser(db: None) -> User:
    return User.objects.create_superuser("root@portal.example", "correct horse battery")


@pytest.fixture
def staff(client: Client, operator: User) -> Client:
    client.force_login(operator)
    return client


@pytest.fixture
def tasks(db: None) -> None:
    """One task that went well, one that failed and one that waits, each with an argument and a result."""
    now = timezone.now()
    for number, succeeded in enumerate([True, False]):
        Task.objects.create(
            id=f"{number}" * 32,
            name=f"task-{number}",
            func="integrations.tasks.sync_directory",
            args=(ARGUMENT,),
            kwargs={"run_id": ARGUMENT},
            result=RESULT,
            started=now,
            stopped=now,
            success=succeeded,
        )
    payload = {
        "id": "2" * 32,
        "name": "task-2",
        "func": "integrations.tasks.sync_changes",
        "args": (ARGUMENT,),
    }
    OrmQ.objects.create(key="countersign", payload=SignedPackage.dumps(payload | {"kwargs": {}}), lock=now)


@pytest.fixture
def busy(connection: Connection, other_domain: Domain, tasks: None) -> Connection:
    """A company that was synced and grouped, with a delivery planned: every page of the admin has rows."""
    run = sync.request_sync(connection, kind=SyncKind.FULL, by_label="test")
    sync.carry_out(run.pk)
    refresh_groups(connection)
    refresh_senders(connection, since=None)
    templates = install_starters(connection.domain, by_label="test")
    sender = Sender.objects.filter(domain=connection.domain).first()
    assign_template(connection.domain, template=templates[1], sender=sender, actor_label="test")
    plan_delivery(connection.domain, by_label="test")
    Snapshot.objects.create(
        domain=connection.domain,
        mailbox_remote_id="1",
        mailbox_email="a@acme.example",
        original_html="<p>Hi</p>",
    )
    QuarantinedRecord.objects.create(run=run, kind="person", remote_id="9", reason="Its id is no number.")
    Brand.objects.create(domain=connection.domain, name="Acme")
    set_up_schedules()
    return connection


def get_pages(model: type[Any]) -> dict[str, str]:
    """Return the addresses of a model's list and of one of its rows."""
    where = f"admin:{model._meta.app_label}_{model._meta.model_name}"
    row = model._default_manager.first()
    return {"list": reverse(f"{where}_changelist"), "row": reverse(f"{where}_change", args=[row.pk])}


MODELS = sorted(admin.site._registry, key=lambda model: model._meta.label)
READ_ONLY = [model for model in MODELS if isinstance(admin.site._registry[model], ReadOnlyAdmin)]


# ── Who gets in ──────────────────────────────────────────────────────────────────────────────────
def test_a_visitor_is_sent_to_the_portals_own_sign_in_page(client: Client, db: None) -> None:
    response = client.get("/admin/portal/domain/", follow=True)

    assert response.redirect_chain[-1][0].startswith("/accounts/login/?next=")


@pytest.mark.parametrize("role", list(Role))
def test_a_member_of_whatever_role_gets_in_nowhere(
    client: Client, domain: Domain, make_member: Any, role: Role
) -> None:
    client.force_login(make_member(domain, role))

    statuses = {client.get(path, follow=True).status_code for path in ("/admin/", "/admin/portal/domain/")}

    assert statuses == {403}


def test_an_operator_who_was_made_inactive_gets_in_no_more(staff: Client, operator: User) -> None:
    User.objects.filter(pk=operator.pk).update(is_active=False)

    assert staff.get("/admin/").status_code == 302


def test_pages_with_tokens_seeds_and_session_keys_are_not_there() -> None:
    labels = {model._meta.label for model in MODELS}

    assert labels == {
        "django_q.Failure",
        "django_q.OrmQ",
        "django_q.Schedule",
        "django_q.Success",
        "integrations.Connection",
        "integrations.LedgerEntry",
        "integrations.Mailbox",
        "integrations.Person",
        "integrations.SyncRun",
        "integrations.Team",
        "portal.Domain",
        "portal.Membership",
        "portal.User",
        "signatures.Assignment",
        "signatures.Brand",
        "signatures.Delivery",
        "signatures.DeliveryRun",
        "signatures.Group",
        "signatures.Sender",
        "signatures.Snapshot",
        "signatures.Template",
    }


# ── What it shows ────────────────────────────────────────────────────────────────────────────────
def test_every_list_and_every_row_is_shown_to_operators(staff: Client, busy: Connection) -> None:
    statuses = {
        (model._meta.label, page): staff.get(address).status_code
        for model in MODELS
        for page, address in get_pages(model).items()
    }

    assert statuses == {(model._meta.label, page): 200 for model in MODELS for page in ("list", "row")}


def test_every_search_answers(staff: Client, busy: Connection) -> None:
    searchable = [model for model in MODELS if admin.site._registry[model].search_fields]

    statuses = {
        model._meta.label: staff.get(get_pages(model)["list"], {"q": "acme"}).status_code
        for model in searchable
    }

    assert statuses == {model._meta.label: 200 for model in searchable}


def test_every_filter_answers(staff: Client, busy: Connection) -> None:
    for model in MODELS:
        page = staff.get(get_pages(model)["list"]).context["cl"]
        choices = [choice["query_string"] for spec in page.filter_specs for choice in spec.choices(page)]
        for query in choices:
            assert staff.get(get_pages(model)["list"] + query).status_code == 200, (model, query)


def test_no_page_shows_a_token_a_sealed_text_or_a_tasks_argument(
    client: Client, superuser: User, busy: Connection
) -> None:
    client.force_login(superuser)
    hidden = [
        busy.access_sealed,
        busy.refresh_sealed,
        open_sealed(busy.access_sealed, bound_to=f"{busy.pk}:access"),
        open_sealed(busy.refresh_sealed, bound_to=f"{busy.pk}:refresh"),
        superuser.password,
        ARGUMENT,
        RESULT,
    ]
    assert all(hidden)

    for model in MODELS:
        for address in get_pages(model).values():
            text = client.get(address).content.decode()
            assert [word for word in hidden if word in text] == [], address


def test_no_filter_in_the_address_tells_what_a_hidden_column_holds(
    client: Client, superuser: User, busy: Connection
) -> None:
    client.force_login(superuser)
    questions = [
        "integrations/connection/?access_sealed__startswith=g",
        "integrations/connection/?refresh_sealed__regex=.",
        "integrations/mailbox/?connection__access_sealed__startswith=g",
        "portal/user/?password__startswith=m",
        "portal/membership/?user__password__startswith=m",
        "portal/domain/?connections__access_sealed__startswith=g",
        "django_q/success/?args__contains=1",
        "django_q/failure/?result=1",
        "django_q/ormq/?payload__contains=g",
    ]

    statuses = {asked: client.get(f"/admin/{asked}").status_code for asked in questions}

    assert statuses == dict.fromkeys(questions, 400)


def test_a_list_takes_as_many_queries_for_all_rows_as_for_one(
    staff: Client, busy: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: dict[str, list[int]] = {}

    for model in MODELS:
        for shown in (1, 100):
            monkeypatch.setattr(admin.site._registry[model], "list_per_page", shown)
            with CaptureQueriesContext(database) as queries:
                staff.get(get_pages(model)["list"])
            counted.setdefault(model._meta.label, []).append(len(queries))

    assert {label: both for label, both in counted.items() if both[0] != both[1]} == {}
    assert max(few for few, _ in counted.values()) <= 16


def test_no_page_offers_a_list_that_grows_as_a_dropdown(staff: Client, busy: Connection) -> None:
    growing = {Sender, Person, Mailbox, User, Domain, Group, Template}
    request = staff.get("/admin/").wsgi_request

    raw = [
        (page.model._meta.label, owner.model._meta.label, field.name)
        for page in admin.site._registry.values()
        for owner in (page, *page.get_inline_instances(request))
        for field in owner.model._meta.get_fields()
        if field.many_to_one and field.concrete and field.related_model in growing
        if field.name in _get_editable_names(owner, request) - set(owner.get_autocomplete_fields(request))
        if owner is page or field.related_model is not page.model
    ]

    assert raw == []


def _get_editable_names(page: Any, request: Any) -> set[str]:
    if not page.has_change_permission(request) and not page.has_add_permission(request):
        return set()
    form = page.get_formset(request).form if hasattr(page, "get_formset") else page.get_form(request)
    return set(form.base_fields)


# ── What nobody types ────────────────────────────────────────────────────────────────────────────
def test_what_is_derived_is_neither_added_nor_changed_nor_deleted(
    client: Client, superuser: User, busy: Connection
) -> None:
    client.force_login(superuser)

    statuses = {}
    for model in READ_ONLY:
        where = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        row = model._default_manager.all()[0].pk
        for page, arguments in (("add", []), ("change", [row]), ("delete", [row])):
            answer = client.post(reverse(f"{where}_{page}", args=arguments), {"name": "x", "post": "yes"})
            statuses[model._meta.label, page] = answer.status_code

    assert statuses == dict.fromkeys(statuses, 403)
    assert len(statuses) == 3 * 13


def test_nobody_writes_a_schedule(client: Client, superuser: User, db: None) -> None:
    set_up_schedules()
    client.force_login(superuser)
    before = list(Schedule.objects.order_by("pk").values())
    form = {"name": "mine", "func": "os.system", "args": "'true'", "schedule_type": "O", "repeats": "-1"}
    where = "/admin/django_q/schedule/"

    statuses = [
        client.post(f"{where}add/", form).status_code,
        client.post(f"{where}{before[0]['id']}/change/", form).status_code,
        client.get(f"{where}add/").status_code,
    ]

    assert statuses == [403, 403, 403]
    assert list(Schedule.objects.order_by("pk").values()) == before


def test_a_finished_task_is_not_put_into_the_queue_again(
    client: Client, superuser: User, tasks: None
) -> None:
    client.force_login(superuser)
    before = OrmQ.objects.count()

    for model in (Success, Failure):
        page = reverse(f"admin:django_q_{model._meta.model_name}_changelist")
        client.post(page, {"action": "resubmit_task", "_selected_action": [model.objects.get().pk]})

    assert (OrmQ.objects.count(), Failure.objects.count()) == (before, 1)


# ── Schedules' switches ──────────────────────────────────────────────────────────────────────────
def switch(client: Client, name: str, action: str) -> list[str]:
    """Run the action on one schedule and return what the page tells."""
    pk = Schedule.objects.get(name=name).pk
    answer = client.post(
        "/admin/django_q/schedule/", {"action": action, "_selected_action": [pk]}, follow=True
    )
    return [str(message) for message in answer.context["messages"]]


def test_a_schedule_is_switched_off_and_on_and_the_others_stay(staff: Client, operator: User) -> None:
    set_up_schedules()

    told = switch(staff, "sync everything", "switch_off")

    assert told == ["“sync everything” is switched off."]
    assert list(Schedule.objects.filter(repeats=0).values_list("name", flat=True)) == ["sync everything"]
    assert LogEntry.objects.get().user == operator

    switch(staff, "sync everything", "switch_on")

    assert Schedule.objects.filter(repeats=-1).count() == len(SCHEDULES)


def test_the_heartbeat_stays_on(staff: Client) -> None:
    set_up_schedules()

    told = switch(staff, "heartbeat", "switch_off")

    assert told == ["The heartbeat stays on: without it, the worker would be taken for dead."]
    assert not Schedule.objects.filter(repeats=0).exists()


# ── Domains and members ──────────────────────────────────────────────────────────────────────────
def inline(*rows: dict[str, Any], initial: int = 0) -> dict[str, Any]:
    """Return the members' rows of a domain's page as a browser sends them."""
    sent: dict[str, Any] = {"memberships-TOTAL_FORMS": len(rows), "memberships-INITIAL_FORMS": initial}
    for number, row in enumerate(rows):
        sent |= {f"memberships-{number}-{name}": value for name, value in row.items()}
    return sent


def get_acts(domain: Domain) -> list[tuple[str, str, str]]:
    rows = LedgerEntry.objects.filter(domain=domain).order_by("pk")
    return list(rows.values_list("action", "actor_label", "detail"))


def test_an_operator_makes_a_domain_with_its_owner(
    staff: Client, make_member: Any, other_domain: Domain
) -> None:
    person = make_member(other_domain, Role.EDITOR, "dana@acme.example")

    answer = staff.post(
        "/admin/portal/domain/add/",
        {"name": "acme.example", "time_zone": "Europe/London", "automatic_sync": "on"}
        | inline({"user": person.pk, "role": "owner"}),
    )

    made = Domain.objects.get(name="acme.example")
    assert answer.status_code == 302
    assert (made.time_zone, made.automatic_sync, made.automatic_delivery) == ("Europe/London", True, False)
    assert list(made.memberships.values_list("user__email", "role")) == [("dana@acme.example", "owner")]
    assert get_acts(made) == [
        ("domain made", "operator@portal.example", ""),
        ("member added", "operator@portal.example", "dana@acme.example as owner"),
    ]
    assert get_acts(other_domain) == []


def test_a_domain_keeps_its_name_and_its_switches_are_changed(
    staff: Client, domain: Domain, other_domain: Domain
) -> None:
    staff.post(
        f"/admin/portal/domain/{domain.pk}/change/", {"name": "taken.example", "time_zone": "UTC"} | inline()
    )

    domain.refresh_from_db()
    assert (domain.name, domain.automatic_sync, domain.automatic_delivery) == ("acme.example", False, False)
    assert get_acts(domain) == [
        ("settings changed", "operator@portal.example", "automatic_sync: False, automatic_delivery: False")
    ]
    other_domain.refresh_from_db()
    assert (other_domain.automatic_sync, other_domain.automatic_delivery) == (True, True)


def test_members_are_changed_on_the_domains_page(
    staff: Client, domain: Domain, owner: User, make_member: Any
) -> None:
    editor = make_member(domain, Role.EDITOR)
    auditor = make_member(domain, Role.AUDITOR)
    rows = {m.user_id: m.pk for m in domain.memberships.all()}

    answer = staff.post(
        f"/admin/portal/domain/{domain.pk}/change/",
        {"time_zone": "UTC", "automatic_sync": "on", "automatic_delivery": "on"}
        | inline(
            {"id": rows[auditor.pk], "user": auditor.pk, "role": "auditor", "DELETE": "on"},
            {"id": rows[editor.pk], "user": editor.pk, "role": "admin"},
            {"id": rows[owner.pk], "user": owner.pk, "role": "owner"},
            initial=3,
        ),
    )

    assert answer.status_code == 302
    assert set(domain.memberships.values_list("user__email", "role")) == {
        (owner.email, "owner"),
        (editor.email, "admin"),
    }
    assert {act for act, _, _ in get_acts(domain)} == {"role changed", "member removed"}
    assert ("role changed", "operator@portal.example", f"{editor.email} from editor to admin") in get_acts(
        domain
    )


@pytest.mark.parametrize("change", [{"role": "editor"}, {"role": "owner", "DELETE": "on"}])
def test_the_last_owner_is_not_unmade_on_the_domains_page(
    staff: Client, domain: Domain, owner: User, change: dict[str, str]
) -> None:
    pk = domain.memberships.get().pk

    answer = staff.post(
        f"/admin/portal/domain/{domain.pk}/change/",
        {"time_zone": "UTC"} | inline({"id": pk, "user": owner.pk} | change, initial=1),
    )

    assert "would have no owner left" in answer.content.decode()
    assert domain.memberships.get().role == Role.OWNER
    assert get_acts(domain) == []


def test_ownership_is_handed_over_in_one_go(
    staff: Client, domain: Domain, owner: User, make_member: Any
) -> None:
    heir = make_member(domain, Role.ADMIN)
    rows = {m.user_id: m.pk for m in domain.memberships.all()}

    staff.post(
        f"/admin/portal/domain/{domain.pk}/change/",
        {"time_zone": "UTC", "automatic_sync": "on", "automatic_delivery": "on"}
        | inline(
            {"id": rows[heir.pk], "user": heir.pk, "role": "owner"},
            {"id": rows[owner.pk], "user": owner.pk, "role": "editor"},
            initial=2,
        ),
    )

    assert dict(domain.memberships.values_list("user__email", "role")) == {
        heir.email: "owner",
        owner.email: "editor",
    }


def test_the_last_owner_is_not_unmade_on_the_memberships_page(
    staff: Client, domain: Domain, owner: User
) -> None:
    pk = domain.memberships.get().pk

    changed = staff.post(f"/admin/portal/membership/{pk}/change/", {"role": "editor"})
    deleted = staff.post(f"/admin/portal/membership/{pk}/delete/", {"post": "yes"})

    assert "would have no owner left" in changed.content.decode()
    assert deleted.status_code == 403
    assert domain.memberships.get().role == Role.OWNER


def test_a_membership_is_added_changed_and_ended(
    staff: Client, domain: Domain, owner: User, other_domain: Domain, make_member: Any
) -> None:
    person = make_member(other_domain, Role.OWNER, "kim@acme.example")

    staff.post("/admin/portal/membership/add/", {"domain": domain.pk, "user": person.pk, "role": "editor"})
    made = Membership.objects.get(domain=domain, user=person)
    staff.post(f"/admin/portal/membership/{made.pk}/change/", {"role": "auditor"})
    staff.post(f"/admin/portal/membership/{made.pk}/delete/", {"post": "yes"})

    by = "operator@portal.example"
    assert get_acts(domain) == [
        ("member added", by, "kim@acme.example as editor"),
        ("role changed", by, "kim@acme.example from editor to auditor"),
        ("member removed", by, "kim@acme.example"),
    ]
    assert list(domain.memberships.values_list("user__email", flat=True)) == [owner.email]
    assert other_domain.memberships.get().role == Role.OWNER


def test_people_are_found_by_typing(staff: Client, owner: User) -> None:
    answer = staff.get(
        "/admin/autocomplete/",
        {"app_label": "portal", "model_name": "membership", "field_name": "user", "term": "owner@acme"},
    )

    assert [one["id"] for one in answer.json()["results"]] == [str(owner.pk)]


# ── People ───────────────────────────────────────────────────────────────────────────────────────
def test_a_superuser_adds_a_person_who_can_sign_in(client: Client, superuser: User) -> None:
    client.force_login(superuser)
    password = "a long enough passphrase 7"

    client.post(
        "/admin/portal/user/add/",
        {
            "email": "New@Acme.example",
            "usable_password": "true",
            "password1": password,
            "password2": password,
        },
    )

    client.logout()
    answer = client.post("/accounts/login/", {"login": "new@acme.example", "password": password})
    assert answer.status_code == 302
    assert client.session["_auth_user_id"] == str(User.objects.get(email="new@acme.example").pk)


def test_a_changed_address_is_the_one_to_sign_in_with(client: Client, superuser: User, owner: User) -> None:
    client.force_login(superuser)

    answer = client.post(
        f"/admin/portal/user/{owner.pk}/change/", {"email": "dana@acme.example", "is_active": "on"}
    )

    assert answer.status_code == 302
    owner.refresh_from_db()
    assert owner.email == "dana@acme.example"
    assert list(EmailAddress.objects.filter(user=owner).values_list("email", "verified", "primary")) == [
        ("dana@acme.example", True, True)
    ]


def test_an_operator_makes_nobody_an_operator(staff: Client, operator: User, owner: User) -> None:
    statuses = [
        staff.post(f"/admin/portal/user/{owner.pk}/change/", {"email": owner.email, "is_staff": "on"}),
        staff.post(
            f"/admin/portal/user/{operator.pk}/change/", {"email": operator.email, "is_superuser": "on"}
        ),
        staff.post(f"/admin/portal/user/{owner.pk}/password/", {"password1": "x", "password2": "x"}),
        staff.post("/admin/portal/user/add/", {"email": "more@portal.example"}),
    ]

    assert [answer.status_code for answer in statuses] == [403, 403, 403, 403]
    assert not User.objects.filter(is_superuser=True).exists()


def test_nobody_deletes_a_person_or_a_domain(
    client: Client, superuser: User, domain: Domain, owner: User
) -> None:
    client.force_login(superuser)

    statuses = [
        client.post(f"/admin/portal/user/{owner.pk}/delete/", {"post": "yes"}).status_code,
        client.post(f"/admin/portal/domain/{domain.pk}/delete/", {"post": "yes"}).status_code,
    ]

    assert statuses == [403, 403]
    assert (User.objects.count(), Domain.objects.count()) == (2, 1)
