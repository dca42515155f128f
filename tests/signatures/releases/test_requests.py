"""Requests: of two who decide at once, exactly one does."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from django.db import connection as database

from portal.models import Domain, Role, User
from signatures.authoring.templates import save_template
from signatures.models import DeliverySettings, Release, ReleaseRequest, Template
from signatures.releases.publish import PublishRefused, list_drafts
from signatures.releases.requests import RequestRefused, approve, ask, send_back, withdraw


@pytest.fixture
def people(company, bystanders, make_member: Callable[..., User]) -> dict[str, User]:
    DeliverySettings.objects.create(domain=company.domain, requires_approval=True)
    return {role: make_member(company.domain, Role(role)) for role in ("editor", "approver", "admin")}


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("reads_beside_writers")
@pytest.mark.parametrize("other", ["approve", "send back", "withdraw"])
def test_of_two_who_decide_at_once_exactly_one_does(company, bystanders, people: dict[str, User], other: str):
    domain: Domain = company.domain
    template = Template.objects.get(domain=domain, name="Letterhead")
    save_template(domain, name="Letterhead", template=template, source="<p>Second</p>", actor="editor")
    asked = ask(domain, keys=list_drafts(domain), by=people["editor"])
    acts: dict[str, Callable[[], object]] = {
        "approve": lambda: approve(asked, by=people["admin"]),
        "send back": lambda: send_back(asked, by=people["admin"], comment="Not yet"),
        "withdraw": lambda: withdraw(asked, by=people["editor"]),
    }
    outcomes: list[bool] = []
    both = threading.Barrier(2)

    def decide(act: Callable[[], object]) -> None:
        both.wait()
        try:
            act()
            outcomes.append(True)
        except (PublishRefused, RequestRefused):
            outcomes.append(False)
        finally:
            database.close()

    mine = threading.Thread(target=decide, args=[lambda: approve(asked, by=people["approver"])])
    theirs = threading.Thread(target=decide, args=[acts[other]])
    for thread in (mine, theirs):
        thread.start()
    for thread in (mine, theirs):
        thread.join()

    assert sorted(outcomes) == [False, True]
    state = ReleaseRequest.objects.get(pk=asked.pk).state
    assert Release.objects.filter(domain=domain).count() == (2 if state == "approved" else 1)
    assert Release.objects.filter(domain=bystanders.domain).count() == 1
