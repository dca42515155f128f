"""Which pages the admin has, what they show and never show, and what nobody types there."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib import admin
from django.db import connection as database
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from django_q.models import Failure, OrmQ, Success, Task
from django_q.signing import SignedPackage

from integrations.admin.base import ReadOnlyAdmin
from integrations.crypto.sealing import open_sealed
from integrations.ledger.pruning import get_limit, prune_chain
from integrations.ledger.verification import check_and_note
from integrations.models import (
    AssumptionReport,
    Connection,
    LedgerChain,
    Mailbox,
    Notice,
    Person,
    Receipt,
    RejectedRecord,
    SyncKind,
)
from integrations.sync import runs
from portal.models import Domain, User
from portal.worker.schedules import set_up_schedules
from signatures.analytics.aggregation import aggregate_events
from signatures.audiences.pseudonyms import key_of
from signatures.authoring.templates import assign_template, install_starters
from signatures.decisions.api_keys import make_key
from signatures.delivery.digest import digest
from signatures.delivery.left_alone import leave_alone
from signatures.delivery.planning import plan_delivery
from signatures.delivery.texts import keep_texts
from signatures.models import (
    AttributeLabel,
    BannerEvent,
    Brand,
    ChangeState,
    CountingState,
    Decision,
    DeliverySettings,
    Disclaimer,
    FieldSetting,
    Group,
    KnownRecipient,
    LeftAloneWhy,
    LookupShare,
    RecipientList,
    RecipientPrivacy,
    ReleaseRequest,
    SeenValue,
    SelfService,
    Sender,
    SenderAccount,
    SenderChange,
    SenderInvitation,
    Snapshot,
    Template,
)
from signatures.recipients.merge_variable import start_test
from signatures.senders.groups import refresh_groups
from signatures.senders.refresh import refresh_senders
from signatures.senders.values import set_own_values
from tests.support.campaigns import add_banner, make_campaign
from tests.support.deliveries import publish_drafts
from tests.support.furnished_domain import make_user
from tests.support.media import add_medium

ARGUMENT = "canary-argument-5b1f"
RESULT = "canary-result-77c0"
READER = "canary-reader-2f0d"


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
def busy(connection: Connection, other_domain: Domain, tasks: None, write_entry: Any) -> Connection:
    """A company that was synced and grouped, with a delivery planned: every page of the admin has rows."""
    write_entry(other_domain, action="paused", outcome="done", at=timezone.now() - timedelta(days=500))
    chain = LedgerChain.objects.get(pk=other_domain.pk)
    check_and_note(chain)
    prune_chain(chain, before=get_limit(), actor="test")
    run = runs.request_sync(connection, kind=SyncKind.FULL, actor="test")
    runs.carry_out(run.pk)
    refresh_groups(connection)
    refresh_senders(connection, since=None)
    templates = install_starters(connection.domain, actor="test")
    publish_drafts(connection.domain)
    sender, other = Sender.objects.filter(domain=connection.domain)[:2]
    assign_template(connection.domain, template=templates[1], sender=sender, actor="test")
    publish_drafts(connection.domain)
    plan_delivery(connection.domain, actor="test")
    for one in (sender, other):
        set_own_values(one, {"sender.title": "Chief of Ink"}, actor="test", waits=True)
    keep_texts(connection.domain_id, ["<p>Hi</p>", "<p>Ho</p>"])
    held = [(str(number), f"{number}@acme.example", digest("<p>Ho</p>")) for number in range(2)]
    leave_alone(connection, held, why=LeftAloneWhy.KEPT, actor="test")
    Snapshot.objects.create(
        domain=connection.domain,
        mailbox_remote_id="1",
        mailbox_email="a@acme.example",
        original_html="<p>Hi</p>",
    )
    RejectedRecord.objects.create(
        connection=run.connection, run=run, kind="person", remote_id="9", reason="Its id is no number."
    )
    Brand.objects.create(domain=connection.domain, name="Acme")
    make_key(connection.domain, "Gateway", actor="test")
    start_test(connection.domain, "{{email}}", actor="test")
    now = timezone.now()
    Decision.objects.create(domain=connection.domain, sender=sender, recipient_key="k", way="api")
    KnownRecipient.objects.create(domain=connection.domain, recipient_key="k", expires_at=now)
    LookupShare.objects.create(domain=connection.domain, network="203.0.113.0/24", used=1, ends_at=now)
    SeenValue.objects.create(domain=connection.domain, attribute="tags", value="emea", seen_on=now.date())
    AssumptionReport.objects.create(
        connection=connection, actor_label="command", findings=[], report={"kind": "report"}
    )
    for number in range(2):
        add_banner(make_campaign(connection.domain, name=f"Campaign {number}"))
        AttributeLabel.objects.create(
            domain=connection.domain, kind="stage", key=str(number), label=f"Stage {number}"
        )
        RecipientList.objects.create(domain=connection.domain, name=f"List {number}")
    key_of(connection.domain, "a@acme.example")  # the domain has a sealed key now
    for domain in (connection.domain, other_domain):
        for model in (CountingState, DeliverySettings, RecipientPrivacy):
            model.objects.for_domain(domain, create=True)
    Notice.objects.create(connection=connection, kind="lost", audience="owners")
    Receipt.objects.create(domain=connection.domain, domain_name=connection.domain.name, payload="{}")
    BannerEvent.objects.create(
        domain=connection.domain,
        at=timezone.now() - timedelta(hours=1),
        sender_id=1,
        agent="Mail",
        visitor_key=READER,
    )
    aggregate_events(connection.domain)
    set_up_schedules()
    _add_authoring(connection.domain, [sender, other])
    return connection


def _add_authoring(domain: Domain, senders: list[Sender]) -> None:
    """Two rows each of what brand teams, senders and those who approve leave behind."""
    SelfService.objects.create(domain=domain, is_on=True)
    for number, sender in enumerate(senders):
        user = make_user(f"self{number}@acme.example")
        Disclaimer.objects.create(domain=domain, text=f"Fair {number}", starts_on=timezone.now().date())
        FieldSetting.objects.create(domain=domain, name=f"sender.x_text_motto{number}", label="Motto")
        add_medium(domain, f"Logo {number}", colour=f"#2b4ac{number}")
        ReleaseRequest.objects.create(domain=domain, keys=[], asked_by=user, asked_by_label=user.email)
        SenderAccount.objects.create(sender=sender, user=user)
        SenderChange.objects.create(
            sender=sender,
            field="sender.title",
            value="Chief",
            state=ChangeState.WAITING,
            made_by_label=user.email,
        )
        SenderInvitation.objects.create(
            domain=domain,
            sender=sender,
            email=user.email,
            token_sha256=f"digest {number}",
            invited_by=user,
            expires_at=timezone.now(),
        )


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
        "signatures.Decision",
        "signatures.DecisionKey",
        "signatures.Delivery",
        "signatures.DeliveryRun",
        "signatures.DeliverySettings",
        "signatures.Disclaimer",
        "signatures.DraftEdit",
        "signatures.FieldSetting",
        "signatures.Group",
        "signatures.KnownRecipient",
        "signatures.LeftAlone",
        "signatures.LookupShare",
        "signatures.MailboxState",
        "signatures.MediaImage",
        "signatures.RecipientList",
        "signatures.RecipientPrivacy",
        "signatures.Release",
        "signatures.ReleaseRequest",
        "signatures.SeenValue",
        "signatures.SelfService",
        "signatures.Sender",
        "signatures.SenderAccount",
        "signatures.SenderChange",
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
    assert len(statuses) == 3 * 43


def test_a_finished_task_is_not_put_into_the_queue_again(
    client: Client, superuser: User, tasks: None
) -> None:
    client.force_login(superuser)
    before = OrmQ.objects.count()

    for model in (Success, Failure):
        page = reverse(f"admin:django_q_{model._meta.model_name}_changelist")
        client.post(page, {"action": "resubmit_task", "_selected_action": [model.objects.get().pk]})

    assert (OrmQ.objects.count(), Failure.objects.count()) == (before, 1)
