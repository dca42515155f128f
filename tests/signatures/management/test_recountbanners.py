"""recountbanners: what a rule more or less would move, and what it moved."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command

from integrations.models import LedgerEntry
from portal.models import Domain
from signatures.analytics.aggregation import aggregate_events
from tests.support.banner_events import NINE, get_counts, open_show

MOVED = "1 impression and 1 click moved to bot traffic; 0 impressions and 0 clicks moved to human"


@pytest.fixture
def seen(domain: Domain, other_domain: Domain, settings):
    for each in (domain, other_domain):
        show = open_show(each)
        show.see(0)
        show.see(60, click=True)
        aggregate_events(each, now=NINE + timedelta(hours=1))
    settings.SCANNER_NETWORKS = ["198.51.100.0/24"]


def test_a_dry_run_says_what_would_move_and_a_run_moves_it(domain, other_domain, seen, capsys):
    (key,) = get_counts(domain)

    call_command("recountbanners", "--domain", domain.name, "--since", "2026-11-24", "--dry-run")
    assert get_counts(domain) == {key: (1, 1, 0, 0)}
    call_command("recountbanners", "--domain", domain.name, "--since", "2026-11-24")
    call_command("recountbanners", "--domain", domain.name, "--since", "2026-11-24")

    assert get_counts(domain) == {key: (0, 0, 1, 1)}
    assert get_counts(other_domain) == {key: (1, 1, 0, 0)}
    assert capsys.readouterr().out.splitlines()[:2] == [f"Dry run: {MOVED}.", f"{MOVED}."]
    (act,) = LedgerEntry.objects.filter(action="banner counts judged anew")
    assert (act.domain, act.detail) == (domain, f"since 2026-11-24: {MOVED}")


def test_days_before_the_first_one_stay(domain, seen):
    call_command("recountbanners", "--domain", domain.name, "--since", "2026-11-25")

    assert list(get_counts(domain).values()) == [(1, 1, 0, 0)]


@pytest.mark.parametrize(
    ("domain_name", "since", "words"),
    [("nobody.example", "2026-11-24", "no domain"), ("acme.example", "yesterday", "not a date such as")],
)
def test_what_cannot_be_done_is_said(domain, domain_name, since, words):
    with pytest.raises(CommandError, match=words):
        call_command("recountbanners", "--domain", domain_name, "--since", since)
