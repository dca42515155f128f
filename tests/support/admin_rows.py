"""Rows of every model that Django admin shows, with words that no page may show."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.utils import timezone
from django_q.models import OrmQ, Task
from django_q.signing import SignedPackage

from integrations.ledger.pruning import get_limit, prune_chain
from integrations.ledger.verification import check_and_note
from integrations.models import (
    AssumptionReport,
    Connection,
    LedgerChain,
    Notice,
    Receipt,
    RejectedRecord,
    SyncKind,
)
from integrations.sync import runs
from portal.models import Domain
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
    DatedAssignment,
    Decision,
    DeliverySettings,
    Disclaimer,
    FieldSetting,
    GroupMember,
    KnownRecipient,
    LeftAloneWhy,
    LookupShare,
    RecipientList,
    RecipientPrivacy,
    ReleaseRequest,
    SavedView,
    SeenValue,
    SelfService,
    Sender,
    SenderAccount,
    SenderChange,
    SenderInvitation,
    Snapshot,
)
from signatures.recipients.merge_variable import start_test
from signatures.senders.groups import refresh_groups
from signatures.senders.refresh import refresh_senders
from signatures.senders.values import set_own_values
from tests.support.campaigns import add_banner, make_campaign
from tests.support.deliveries import publish_drafts
from tests.support.furnished_domain import make_user
from tests.support.media import add_medium
from tests.support.value_imports import add_import

ARGUMENT = "canary-argument-5b1f"
RESULT = "canary-result-77c0"
READER = "canary-reader-2f0d"


def add_tasks() -> None:
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


def add_rows(connection: Connection, other_domain: Domain, write_entry: Any) -> None:
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


def _add_authoring(domain: Domain, senders: list[Sender]) -> None:
    """Two rows each of what brand teams, senders and those who approve leave behind."""
    SelfService.objects.create(domain=domain, is_on=True)
    for number, sender in enumerate(senders):
        user = make_user(f"self{number}@acme.example")
        Disclaimer.objects.create(domain=domain, text=f"Fair {number}", starts_on=timezone.now().date())
        DatedAssignment.objects.create(
            domain=domain,
            template=domain.templates.order_by("pk")[0],
            sender=sender,
            starts_on=timezone.now().date(),
        )
        FieldSetting.objects.create(domain=domain, name=f"sender.x_text_motto{number}", label="Motto")
        add_medium(domain, f"Logo {number}", colour=f"#2b4ac{number}")
        ReleaseRequest.objects.create(domain=domain, keys=[], asked_by=user, asked_by_label=user.email)
        SavedView.objects.create(domain=domain, owner=user if number else None, name="Mine", query="q=a")
        GroupMember.objects.get_or_create(sender=sender, group=sender.group)
        add_import(domain, sender)
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
