"""The registry of retention: every model is in it, it says what is true, and its estimates are bounded."""

from __future__ import annotations

import re
import runpy
from datetime import timedelta
from pathlib import Path

import pytest
from django.apps import apps
from django.conf import settings as configured
from django.contrib.sessions.models import Session
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from portal.management.commands.prunerows import REMOVERS
from portal.models import Domain
from portal.retention import estimates
from portal.retention.estimates import list_going
from portal.retention.registry import LASTING, RULES
from portal.worker.schedules import SCHEDULES
from signatures.analytics.retention import remove_old_counts
from signatures.models import DailyCount, DailyTotal

ROOT = Path(__file__).resolve().parents[2]
OTHERWISE = {"the next report", "the worker", "the mail gateway"}


def test_every_model_has_a_rule_or_a_reason_and_none_has_both():
    ruled = [rule.model for rule in RULES]
    models = {model._meta.label for model in apps.get_models()}

    assert len(ruled) == len(set(ruled))
    assert set(ruled).isdisjoint(LASTING)
    assert {*ruled, *LASTING} == models


def test_the_docs_have_the_registry_s_tables():
    draw = runpy.run_path(str(ROOT / "docs/draw_retention.py"))["draw"]
    page = (ROOT / "docs/retention.md").read_text()

    assert draw(page) == page, "Run `python docs/draw_retention.py`."


def test_each_rule_names_a_schedule_there_is_and_the_default_of_its_setting():
    assert {rule.by for rule in RULES} - {one.name for one in SCHEDULES} == OTHERWISE
    for rule in RULES:
        for name, default in re.findall(r"`(\w+)` \(([\d,]+)\)", rule.kept):
            assert getattr(configured, name) == int(default.replace(",", "")), rule.model


@pytest.mark.django_db
def test_what_is_estimated_is_what_goes_and_what_stays_is_not_counted():
    now = timezone.now()
    for key, days in (("a", -1), ("b", -2), ("live", 1)):
        Session.objects.create(session_key=key, session_data="", expire_date=now + timedelta(days=days))

    before = {each.model: each.rows for each in list_going({})}
    call_command("prunerows", verbosity=0)
    after = {each.model: each.rows for each in list_going({})}

    assert before["sessions.Session"] == 2
    assert Session.objects.count() == 1
    assert {model for model, rows in after.items() if rows} == set()


@pytest.mark.django_db
def test_an_estimate_stops_counting_and_never_counts_a_whole_table(domain, monkeypatch):
    monkeypatch.setattr(estimates, "MOST_COUNTED", 3)
    expired = timezone.now() - timedelta(days=1)
    Session.objects.bulk_create(
        Session(session_key=f"s{n}", session_data="", expire_date=expired) for n in range(9)
    )

    with CaptureQueriesContext(
        connection,
    ) as asked:
        going = {each.model: each for each in list_going({"django_session": 100.0})}

    found = going["sessions.Session"]
    assert (found.rows, found.has_more, found.size_bytes) == (3, True, 300)
    counts = [query["sql"] for query in asked if "COUNT(" in query["sql"]]
    assert counts and all(" LIMIT " in sql and " WHERE " in sql for sql in counts)


@pytest.mark.django_db
def test_old_daily_counts_go_in_both_tables_and_another_domain_s_young_ones_stay(
    domain: Domain, other_domain: Domain, settings
):
    settings.COUNT_KEEP_DAYS = 30  # 400 at least
    today = timezone.now().date()
    for model in (DailyCount, DailyTotal):
        model.objects.create(domain=domain, day=today - timedelta(days=402))
        model.objects.create(domain=domain, day=today - timedelta(days=398))
        model.objects.create(domain=other_domain, day=today)

    assert remove_old_counts() == {"daily counts by sender": 1, "daily counts": 1}
    for model in (DailyCount, DailyTotal):
        assert (
            model.objects.filter(domain=domain).count()
            == model.objects.filter(domain=other_domain).count()
            == 1
        )


@pytest.mark.django_db
def test_removers_count_the_same_without_writing(domain):
    for remove in REMOVERS:
        assert remove(writes=False) == remove(), remove.__name__
