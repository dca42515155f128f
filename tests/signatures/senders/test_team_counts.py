"""Team counts: what is stored when something changes is what counting everybody again gives."""

from __future__ import annotations

import pytest

from integrations.models import Mailbox, Person
from portal.models import Domain
from signatures.delivery.status import refresh_domain
from signatures.models import TeamsCount
from signatures.senders.refresh import refresh_senders
from signatures.senders.team_counts import SENDERS, count_again, get_statuses, list_teams
from tests.support.company import Company, found_company

pytestmark = pytest.mark.django_db


@pytest.fixture
def others(other_domain: Domain) -> Company:
    company = found_company(other_domain)
    company.add("Bea Bystander", teams=("Sales",))
    return company


def get_rows(company: Company) -> set[tuple[str, str, int]]:
    rows = TeamsCount.objects.filter(domain=company.domain).exclude(number=0)
    return set(rows.values_list("teams", "status", "number"))


def check(company: Company) -> None:
    kept = get_rows(company)
    count_again(company.connection)
    assert kept == get_rows(company)


def test_counts_follow_each_change_of_a_status_and_of_teams(company, others):
    theirs = get_rows(others)
    ana, tom = company.add("Ana Silva", teams=("Sales",)), company.add("Tom Okafor", teams=("Sales",))
    company.add("Noor Haddad")
    check(company)
    assert get_statuses(company.domain) == {SENDERS: 3, "never": 3}

    company.place(ana)
    refresh_domain(company.domain, sender_ids=[ana.pk])

    check(company)
    assert get_statuses(company.domain) == {SENDERS: 3, "never": 2, "up_to_date": 1}
    assert list_teams(company.domain, ["never"]) == [(("Sales",), "never", 1), ((), "never", 1)]

    Person.objects.filter(pk=tom.person_id).update(team_ids=[], digest="moved")
    refresh_senders(company.connection, since=None)

    check(company)
    assert sorted(list_teams(company.domain, [SENDERS])) == [((), SENDERS, 2), (("Sales",), SENDERS, 1)]

    Mailbox.objects.filter(person_remote_id=ana.person.remote_id).update(retired_at=company.at)
    Person.objects.filter(pk=tom.person_id).update(is_locked=True, digest="locked")
    refresh_senders(company.connection, since=None)
    refresh_domain(company.domain)

    check(company)
    assert get_statuses(company.domain) == {SENDERS: 2, "never": 1, "inactive": 1}
    assert get_rows(others) == theirs
