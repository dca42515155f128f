"""Which pages the admin has, what they show and never show, and what nobody types there."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib import admin
from django.db import connection as database
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django_q.models import Failure, OrmQ, Success

from integrations.admin.base import ReadOnlyAdmin
from integrations.crypto.sealing import open_sealed
from integrations.models import (
    Connection,
    Mailbox,
    Person,
)
from portal.models import Domain, User
from signatures.models import (
    Group,
    RecipientPrivacy,
    Sender,
    Template,
)
from tests.support.admin_rows import ARGUMENT, READER, RESULT, add_rows, add_tasks


@pytest.fixture
def tasks(db: None) -> None:
    add_tasks()


@pytest.fixture
def busy(connection: Connection, other_domain: Domain, tasks: None, write_entry: Any) -> Connection:
    add_rows(connection, other_domain, write_entry)
    return connection


def get_pages(model: type[Any]) -> dict[str, str]:
    """Return the addresses of a model's list and of one of its rows."""
    where = f"admin:{model._meta.app_label}_{model._meta.model_name}"
    row = model._default_manager.first()
    return {"list": reverse(f"{where}_changelist"), "row": reverse(f"{where}_change", args=[row.pk])}


MODELS = sorted(admin.site._registry, key=lambda model: model._meta.label)
READ_ONLY = [model for model in MODELS if isinstance(admin.site._registry[model], ReadOnlyAdmin)]


# ── Which pages there are ────────────────────────────────────────────────────────────────────────
def test_pages_with_tokens_seeds_and_session_keys_are_not_there() -> None:
    labels = {model._meta.label for model in MODELS}

    assert labels == {
        "django_q.Failure",
        "django_q.OrmQ",
        "django_q.Schedule",
        "django_q.Success",
        "integrations.AssumptionReport",
        "integrations.ChainCheck",
        "integrations.Connection",
        "integrations.LedgerChain",
        "integrations.LedgerCheckpoint",
        "integrations.LedgerDay",
        "integrations.LedgerEntry",
        "integrations.Mailbox",
        "integrations.Notice",
        "integrations.Person",
        "integrations.Receipt",
        "integrations.SigningKey",
        "integrations.SyncRun",
        "integrations.Team",
        "portal.Domain",
        "portal.Membership",
        "portal.User",
        "signatures.Assignment",
        "signatures.AttributeLabel",
        "signatures.Banner",
        "signatures.BannerEvent",
        "signatures.BannerPlace",
        "signatures.Brand",
        "signatures.Campaign",
        "signatures.CountingState",
        "signatures.DailyCount",
        "signatures.DailyTotal",
        "signatures.DatedAssignment",
        "signatures.Decision",
        "signatures.DecisionKey",
        "signatures.Delivery",
        "signatures.DeliveryRun",
        "signatures.DeliverySettings",
        "signatures.Disclaimer",
        "signatures.DraftEdit",
        "signatures.FieldSetting",
        "signatures.Group",
        "signatures.GroupMember",
        "signatures.KnownRecipient",
        "signatures.LeftAlone",
        "signatures.LookupShare",
        "signatures.MailboxState",
        "signatures.MediaFile",
        "signatures.MediaImage",
        "signatures.RecipientList",
        "signatures.RecipientPrivacy",
        "signatures.Release",
        "signatures.ReleaseRequest",
        "signatures.SavedView",
        "signatures.SeenValue",
        "signatures.SelfService",
        "signatures.Sender",
        "signatures.SenderAccount",
        "signatures.SenderChange",
        "signatures.SenderImport",
        "signatures.SenderImportRow",
        "signatures.SenderInvitation",
        "signatures.SignatureHtml",
        "signatures.Snapshot",
        "signatures.Template",
        "signatures.ValueDraft",
        "signatures.VariableTest",
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


def test_a4_i8_no_page_shows_a_token_a_sealed_text_or_a_tasks_argument(
    client: Client, superuser: User, busy: Connection
) -> None:
    client.force_login(superuser)
    hidden = [
        busy.access_sealed,
        busy.refresh_sealed,
        open_sealed(busy.access_sealed, bound_to=f"{busy.pk}:access"),
        open_sealed(busy.refresh_sealed, bound_to=f"{busy.pk}:refresh"),
        RecipientPrivacy.objects.get(domain=busy.domain).pepper_sealed,
        superuser.password,
        READER,
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
        "signatures/bannerplace/?domain__recipient_privacy__pepper_sealed__startswith=g",
        "signatures/campaign/?domain__recipient_privacy__pepper_sealed__startswith=g",
        "signatures/recipientprivacy/?pepper_sealed__startswith=g",
        "signatures/release/?domain__recipient_privacy__pepper_sealed__startswith=g",
        "integrations/mailbox/?connection__access_sealed__startswith=g",
        "signatures/bannerevent/?visitor_key__startswith=c",
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
    # The most is that of campaigns: whether one is blocked takes what the linter reads of their domain.
    assert max(few for few, _ in counted.values()) <= 28


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
    assert len(statuses) == 3 * 48


def test_a_finished_task_is_not_put_into_the_queue_again(
    client: Client, superuser: User, tasks: None
) -> None:
    client.force_login(superuser)
    before = OrmQ.objects.count()

    for model in (Success, Failure):
        page = reverse(f"admin:django_q_{model._meta.model_name}_changelist")
        client.post(page, {"action": "resubmit_task", "_selected_action": [model.objects.get().pk]})

    assert (OrmQ.objects.count(), Failure.objects.count()) == (before, 1)
