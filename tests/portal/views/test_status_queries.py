"""Queries of the system status: as many for many domains as for one, and each domain's own retention is counted."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django_q.models import Schedule, Task

from integrations.ledger.record import record_act
from integrations.models import Notice
from integrations.models.notice import Audience, NoticeKind
from portal.models import Domain, User, WorkerMachine
from portal.worker.machines import note_machine
from portal.worker.schedules import set_up_schedules
from signatures.models import (
    BannerEvent,
    Campaign,
    CampaignRevision,
    DailyCount,
    DailyTotal,
    Decision,
    DeliveryRun,
    DeliveryRunState,
    RecipientPrivacy,
)
from signatures.recipients.retention import remove_old_decisions, remove_old_events
from tests.support.company import found_company
from tests.support.page_text import words_of

pytestmark = pytest.mark.django_db

AT_MOST = 20
MODELS = (BannerEvent, CampaignRevision, Decision, DailyCount, DailyTotal)


@pytest.fixture
def operator(client: Client, settings) -> Client:
    settings.SECURE_SSL_REDIRECT = False
    set_up_schedules()
    now = timezone.now()
    Task.objects.create(id="1", name="t", func="f", started=now, stopped=now, success=True)
    Schedule.objects.update(task="1")
    note_machine(is_busy=False, memory_mb=100)
    client.force_login(User.objects.create_user("operator@acme.example", is_staff=True))
    session = client.session
    session["seen_at"] = time.time()  # noted once a minute, which is a write
    session.save()
    return client


def add_domain(name: str, *, decision_days: int, event_days: int, ages: tuple[int, ...]) -> Domain:
    """Return a domain at work that has a row of each kind of each of these ages, in days."""
    domain = Domain.objects.create(name=name)
    company = found_company(domain)
    company.run(DeliveryRunState.RUNNING)
    record_act("retention changed", domain=domain, actor_label="dana@acme.example", detail="")
    RecipientPrivacy.objects.create(domain=domain, decision_days=decision_days, event_days=event_days)
    campaign = Campaign.objects.create(domain=domain, name="Fair", starts_at=timezone.now())
    for age in ages:
        at = timezone.now() - timedelta(days=age)
        BannerEvent.objects.create(domain=domain, at=at, kind="view", is_judged=True)
        CampaignRevision.objects.create(campaign=campaign, since=at, rule={})
        Decision.objects.create(domain=domain, recipient_key="k", way="api", at=at)
        DailyCount.objects.create(domain=domain, day=at.date())
        DailyTotal.objects.create(domain=domain, day=at.date())
    return domain


def count_queries(operator: Client, address: str) -> int:
    with CaptureQueriesContext(connection) as asked:
        assert operator.get(address).status_code == 200
    return len(asked)


def read_rows(operator: Client) -> dict[str, int]:
    """Return what goes next of the tables whose rows a domain keeps for a time of its own, or for all."""
    going = {each["model"]: each["rows"] for each in operator.get("/manage/status.json").json()["retention"]}
    return {model.__name__: going[model._meta.label] for model in MODELS}


@pytest.mark.parametrize("address", ["/manage/status/", "/manage/status.json"])
def test_the_status_asks_as_often_for_many_domains_as_for_one(operator, address):
    add_domain("acme.example", decision_days=30, event_days=90, ages=(1, 40, 100))
    operator.get(address)  # what a process keeps is there from the second time on
    one = count_queries(operator, address)

    for number in range(24):
        add_domain(
            f"acme{number}.example", decision_days=10 + number, event_days=50 + number, ages=(1, 40, 100)
        )

    assert (one, count_queries(operator, address)) == (one, one)
    assert one <= AT_MOST


@pytest.mark.parametrize("kind", [NoticeKind.LEDGER, NoticeKind.DISK, NoticeKind.MAILS])
@pytest.mark.parametrize("address", ["/manage/status/", "/manage/status.json"])
def test_an_installation_in_trouble_asks_no_more_than_a_page_may(operator, address, kind):
    add_domain("acme.example", decision_days=30, event_days=90, ages=(40,))
    Notice.objects.create(kind=kind, audience=Audience.STAFF, subject="machine one")
    Schedule.objects.filter(name="refresh tokens").update(next_run=timezone.now() - timedelta(hours=3))
    DeliveryRun.objects.update(lease_until=timezone.now() - timedelta(hours=1))
    WorkerMachine.objects.update(seen_at=timezone.now() - timedelta(hours=1))
    operator.get(address)

    assert "is late" in operator.get(address).content.decode()
    assert count_queries(operator, address) <= AT_MOST


def test_what_goes_next_is_counted_by_each_domain_s_own_time(operator):
    add_domain("acme.example", decision_days=30, event_days=90, ages=(1, 40, 100, 1200))
    add_domain("same.example", decision_days=30, event_days=90, ages=(40,))
    bystander = add_domain("bystander.example", decision_days=300, event_days=1000, ages=(40, 100, 200))

    # Of revisions, the last one before everything that is kept stays, and of bystander.example all do.
    assert read_rows(operator) == {
        "BannerEvent": 2,
        "CampaignRevision": 1,
        "Decision": 4,
        "DailyCount": 1,
        "DailyTotal": 1,
    }

    RecipientPrivacy.objects.filter(pk=bystander.pk).update(decision_days=150, event_days=150)

    assert read_rows(operator) == {
        "BannerEvent": 3,
        "CampaignRevision": 1,
        "Decision": 5,
        "DailyCount": 1,
        "DailyTotal": 1,
    }
    assert "signatures_decision the domain's Data retention (30 days) Remove old decisions 5" in words_of(
        operator.get("/manage/status/")
    )


def test_what_is_counted_goes_and_another_domain_s_rows_stay(operator):
    acme = add_domain("acme.example", decision_days=30, event_days=90, ages=(1, 40, 100, 1200))
    bystander = add_domain("bystander.example", decision_days=300, event_days=1000, ages=(40, 100, 200))
    counted = read_rows(operator)

    assert (remove_old_events(), remove_old_decisions()) == (counted["BannerEvent"], counted["Decision"])

    assert {
        domain.name: (
            BannerEvent.objects.filter(domain=domain).count(),
            CampaignRevision.objects.filter(campaign__domain=domain).count(),
            Decision.objects.filter(domain=domain).count(),
        )
        for domain in (acme, bystander)
    } == {"acme.example": (2, 3, 1), "bystander.example": (3, 3, 3)}
    left = read_rows(operator)
    assert (left["BannerEvent"], left["CampaignRevision"], left["Decision"]) == (0, 0, 0)
