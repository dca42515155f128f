"""What an operator's Prometheus reads under /metrics."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.checks import run_checks
from django.db import OperationalError
from django.utils import timezone
from django_q.models import OrmQ

from integrations.ledger.chain import append
from integrations.models import CallBudget, Connection, LedgerEntry, Outcome, RunState, SyncKind, SyncRun
from integrations.retention import remove_old_syncs
from portal import counters
from portal.counters import COUNTERS
from portal.metrics import catalogue
from portal.metrics.catalogue import METRICS
from portal.models import Domain
from portal.worker.heartbeat import record_beat
from portal.worker.machines import note_machine
from signatures.delivery.retention import remove_old_deliveries
from signatures.models import DeliveryRun, TeamsCount
from tests.support.company import Company, found_company
from tests.support.installation import ROOT
from tests.support.metrics import TOKEN

PAGE = ROOT / "docs/metrics.md"


@pytest.fixture
def company(domain) -> Company:
    return found_company(domain)


@pytest.fixture
def others(domain):
    """A second domain, whose numbers must not change."""
    return Domain.objects.create(name="other.example")


@pytest.mark.parametrize(
    ("setting", "authorization", "status"),
    [
        ("", "", 404),
        ("", "Bearer ", 404),
        ("", f"Bearer {TOKEN}", 404),
        (TOKEN, "", 401),
        (TOKEN, TOKEN, 401),
        (TOKEN, f"Bearer {TOKEN[:-1]}", 401),
        (TOKEN, f"Bearer {TOKEN}\u00e9", 401),
        (TOKEN, f"Bearer {TOKEN}", 200),
    ],
)
def test_metrics_are_read_with_the_token_alone(client, db, settings, setting, authorization, status):
    settings.METRICS_TOKEN = setting

    response = client.get("/metrics", headers={"authorization": authorization})

    assert response.status_code == status
    assert (b"countersign_build_info" in response.content) is (status == 200)
    assert response["Cache-Control"] == "no-store"


def test_a_session_of_an_operator_is_no_token(client, db, token, admin_user):
    client.force_login(admin_user)

    assert client.get("/metrics").status_code == 401


def test_metrics_answer_whatever_the_host_header_says(client, db, token, settings):
    settings.ALLOWED_HOSTS = ["signatures.example.com"]
    settings.SECURE_SSL_REDIRECT = True

    response = client.get("/metrics", headers={"authorization": f"Bearer {TOKEN}", "host": "10.0.0.7:8000"})

    assert response.status_code == 200


@pytest.mark.parametrize(("value", "found"), [("", []), ("t" * 31, ["portal.E016"]), ("t" * 32, [])])
def test_a_token_that_can_be_guessed_is_refused_at_start(settings, value, found):
    settings.METRICS_TOKEN = value

    assert [one.id for one in run_checks(tags=["security"]) if one.id == "portal.E016"] == found


def test_every_metric_is_exported_with_its_type(client, db, token):
    response = client.get("/metrics", headers={"authorization": f"Bearer {TOKEN}"})

    kinds = [line.split()[2:] for line in response.content.decode().splitlines() if line.startswith("# TYPE")]
    assert kinds == [[metric.name, metric.kind] for metric in METRICS]


def test_calls_to_outreach_are_counted_by_endpoint_and_status(read, connection, others):
    def make(status: int, outcome: Outcome, times: int = 1) -> LedgerEntry:
        return LedgerEntry(
            domain=connection.domain, domain_name=connection.domain.name, action="call", endpoint="list_users",
            outcome=outcome, status=status, times=times,
        )  # fmt: skip

    append([make(200, Outcome.ANSWERED, 3), make(429, Outcome.FAILED)], domain=connection.domain)
    append([make(0, Outcome.FAILED), make(0, Outcome.REFUSED)], domain=connection.domain)
    append([make(200, Outcome.ANSWERED)], domain=connection.domain)

    name = connection.domain.name
    assert read()["countersign_outreach_calls_total"] == {
        (name, "list_users", "200"): 4,
        (name, "list_users", "429"): 1,
        (name, "list_users", "none"): 1,
        (name, "list_users", "blocked"): 1,
    }


def test_the_calls_left_of_the_hour_are_those_of_its_connection(read, connection):
    other = Connection.objects.create(domain=Domain.objects.create(name="other.example"))
    now = timezone.now()
    CallBudget.objects.create(
        connection=connection, limit=10_000, used=40, window_ends_at=now + timedelta(minutes=9)
    )
    CallBudget.objects.create(connection=other, limit=500, used=70, window_ends_at=now - timedelta(minutes=9))

    found = read()

    name = connection.domain.name
    assert found["countersign_outreach_calls_left"] == {
        (name, "hour"): 9_960,
        (name, "year"): 250_000,
        ("other.example", "hour"): 500,
        ("other.example", "year"): 250_000,
    }
    assert found["countersign_outreach_calls_used"][name, "hour"] == 40


def test_runs_are_counted_by_kind_and_outcome(read, connection, others):
    for state in (RunState.COMPLETE, RunState.COMPLETE, RunState.FAILED, RunState.QUEUED):
        SyncRun.objects.create(connection=connection, kind=SyncKind.PEOPLE, state=state)

    found = read()

    name = connection.domain.name
    assert found["countersign_runs_total"] == {
        (name, "sync_people", "complete"): 2,
        (name, "sync_people", "failed"): 1,
    }
    assert found["countersign_runs_unfinished"] == {(name, "sync_people", "queued"): 1}


def test_the_queue_and_workers_are_told(read):
    OrmQ.objects.create(key="countersign", payload="x", lock=timezone.now() - timedelta(seconds=90))
    OrmQ.objects.create(key="countersign", payload="x", lock=timezone.now() + timedelta(hours=1))
    OrmQ.objects.create(key="long", payload="x", lock=timezone.now() - timedelta(seconds=9))
    record_beat(at=timezone.now() - timedelta(seconds=30))
    note_machine(is_busy=False, memory_mb=120)

    found = read()

    assert found["countersign_queue_tasks"] == {
        ("short", "waiting"): 1,
        ("short", "taken"): 1,
        ("long", "waiting"): 1,
        ("long", "taken"): 0,
    }
    ages = found["countersign_queue_oldest_seconds"]
    assert 90 <= ages["short",] < 100 and 9 <= ages["long",] < 19
    assert 30 <= found["countersign_worker_heartbeat_age_seconds"]["short",] < 40
    assert ("long",) not in found["countersign_worker_heartbeat_age_seconds"], "it was never seen"
    assert found["countersign_workers"] == {("alive",): 1, ("not_seen",): 0}
    assert list(found["countersign_worker_memory_bytes"].values()) == [120 * 2**20]


def test_processes_add_to_the_same_histogram(read):
    for seconds in (0.004, 0.3, 20):
        COUNTERS.observe("countersign_decision_duration_seconds", "api", seconds=seconds)
        COUNTERS.flush()

    found = read()

    buckets = found["countersign_decision_duration_seconds_bucket"]
    assert [buckets["api", bound] for bound in ("0.005", "0.25", "0.5", "10.0", "+Inf")] == [1, 1, 2, 2, 3]
    assert found["countersign_decision_duration_seconds_count"] == {("api",): 3}
    assert found["countersign_decision_duration_seconds_sum"] == {("api",): pytest.approx(20.304)}


def test_what_could_not_be_stored_is_stored_with_the_next(read):
    with pytest.MonkeyPatch.context() as broken:
        broken.setattr(counters, "upsert_rows", fail)
        COUNTERS.add("countersign_banner_requests_total", "image", "200")
        with pytest.raises(OperationalError):
            COUNTERS.flush()
        COUNTERS.add("countersign_banner_requests_total", "image", "200")

    assert read()["countersign_banner_requests_total"] == {("image", "200"): 2}


def test_a_process_ends_although_its_last_counts_cannot_be_stored(db, caplog, monkeypatch):
    monkeypatch.setattr(COUNTERS, "_added", {})
    monkeypatch.setattr(counters, "upsert_rows", fail)
    COUNTERS.add("countersign_banner_requests_total", "image", "200")

    COUNTERS.flush_at_end()

    assert caplog.messages == ["The last counts of this process are lost: OperationalError."]


def fail(*args: object, **kwargs: object) -> None:
    raise OperationalError("away")


def test_requests_are_counted_by_view_and_status_without_their_address(read, client, owner, domain, others):
    client.force_login(owner)
    client.get(f"/domains/{domain.name}/?q=ana@acme.example")
    client.get(f"/domains/{others.name}/")
    client.get("/nobody/has/this/ana@acme.example")
    client.get("/admin/login/")
    client.get("/healthz")

    found = read()

    assert found["countersign_http_requests_total"] == {
        ("portal:overview", "200"): 1,
        ("portal:overview", "404"): 1,
        ("none", "404"): 1,
        ("admin", "403"): 1,
    }
    assert found["countersign_http_request_duration_seconds_count"] == {
        ("portal:overview",): 2,
        ("none",): 1,
        ("admin",): 1,
    }


def test_a_database_that_is_away_is_said_and_nothing_else(client, db, token, monkeypatch):
    monkeypatch.setattr(catalogue, "read_sums", fail)

    response = client.get("/metrics", headers={"authorization": f"Bearer {token}"})

    assert (response.status_code, response.content) == (503, b"The database does not answer.\n")


def test_counters_never_go_down_as_old_syncs_are_removed(read, connection, others):
    old = timezone.now() - timedelta(days=1000)
    for _ in range(3):
        SyncRun.objects.create(connection=connection, kind="full", state="complete", finished_at=old)
    before = read()["countersign_runs_total"]

    removed = remove_old_syncs()["syncs"]
    SyncRun.objects.create(connection=connection, kind="full", state="complete", finished_at=timezone.now())

    assert (removed, SyncRun.objects.count()) == (2, 2)
    key = (connection.domain.name, "sync_full", "complete")
    assert (before, read()["countersign_runs_total"]) == ({key: 3}, {key: 4})


def test_counters_never_go_down_as_old_deliveries_are_removed(read, company, others):
    old = timezone.now() - timedelta(days=1000)
    for _ in range(3):
        company.run("complete", delivered=5, failed=1, finished_at=old)
    before = read()

    removed = remove_old_deliveries()["deliveries"]

    after = read()
    name = company.domain.name
    assert (removed, DeliveryRun.objects.count()) == (2, 1)
    assert before["countersign_runs_total"] == after["countersign_runs_total"]
    assert after["countersign_runs_total"][name, "delivery", "complete"] == 3
    mailboxes = after["countersign_delivered_mailboxes_total"]
    assert mailboxes == before["countersign_delivered_mailboxes_total"]
    assert {result: number for (_, _, result), number in mailboxes.items() if number} == {
        "delivered": 15,
        "failed": 3,
    }


def test_mailboxes_are_told_by_status_and_domain(read, domain, others):
    for teams, status, number in (
        ("a", "edited", 2),
        ("b", "edited", 3),
        ("a", "up_to_date", 40),
        ("a", "", 50),
    ):
        TeamsCount.objects.create(domain=domain, teams=teams, status=status, number=number)
    TeamsCount.objects.create(domain=others, teams="a", status="edited", number=1)

    assert read()["countersign_mailboxes"] == {
        (domain.name, "edited"): 5,
        (domain.name, "up_to_date"): 40,
        (others.name, "edited"): 1,
    }


def test_the_page_names_every_metric_as_the_code_has_it():
    rows = [line for line in PAGE.read_text().splitlines() if line.startswith("| `countersign_")]

    assert rows == [
        f"| `{each.name}` | {each.kind} | {', '.join(f'`{name}`' for name in each.labels) or '–'} | {each.help} |"
        for each in METRICS
    ]
