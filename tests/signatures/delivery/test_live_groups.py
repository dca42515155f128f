"""Groups of a plan: who is in one is what the live release says, whatever was edited since."""

from __future__ import annotations

import pytest
from django.urls import reverse

from portal.models import Role
from signatures.delivery.planning import plan_delivery
from signatures.delivery.restore_plan import Target, plan_restore
from signatures.models import Delivery, DeliveryRun, Group, Sender, Snapshot
from signatures.senders.groups import reorder_groups
from tests.support.deliveries import publish_drafts

pytestmark = pytest.mark.django_db


@pytest.fixture
def groups(company) -> tuple[Group, Group]:
    """Sales, which Ana is in by priority, and Support, where she would be next and Tom is."""
    company.add("Ana Silva", teams=("Sales", "Support"))
    company.add("Tom Okafor", teams=("Support",))
    sales, support = (Group.objects.get(domain=company.domain, name=name) for name in ("Sales", "Support"))
    reorder_groups(company.domain, [sales.pk, support.pk], actor="ruth")
    publish_drafts(company.domain)
    return sales, support


def list_planned(run: DeliveryRun) -> list[str]:
    return sorted(run.deliveries.values_list("sender__name", flat=True))


def test_plan_for_a_group_takes_who_the_live_release_has_in_it_and_not_the_drafts(
    company, bystanders, groups
):
    sales, support = groups
    bystanders.add("Kim Theirs", teams=("Support",))
    reorder_groups(company.domain, [support.pk, sales.pk], actor="ruth")
    drafted = Sender.objects.get(name="Ana Silva").group

    def plan() -> dict[str, list[str]]:
        runs = {
            each.name: plan_delivery(company.domain, actor="ruth", group_ids=[each.pk]) for each in groups
        }
        return {name: list_planned(run) for name, run in runs.items()}

    as_released = plan()
    publish_drafts(company.domain)

    assert drafted == support
    assert as_released == {"Sales": ["Ana Silva"], "Support": ["Tom Okafor"]}
    assert plan() == {"Sales": [], "Support": ["Ana Silva", "Tom Okafor"]}


def test_restore_of_a_group_takes_who_the_live_release_has_in_it(company, groups):
    sales, support = groups
    for sender in Sender.objects.filter(domain=company.domain).select_related("person"):
        company.place(sender)
        Snapshot.objects.create(
            domain=company.domain,
            account_key=company.connection.account_key,
            mailbox_remote_id=f"m{sender.person.remote_id}",
            mailbox_email=sender.email,
            original_html="<p>Long before</p>",
        )
    reorder_groups(company.domain, [support.pk, sales.pk], actor="ruth")

    run = plan_restore(company.domain, Target(), actor="ruth", group_ids=[support.pk])

    assert list_planned(run) == ["Tom Okafor"]


def test_group_that_no_release_has_cannot_be_planned_for(client, company, groups, make_member):
    client.force_login(make_member(company.domain, Role.ADMIN))
    drafted = Group.objects.create(domain=company.domain, name="Night shift", position=9)
    page = client.get(reverse("signatures:deliveries", args=[company.domain.name])).content.decode()

    answer = client.post(
        reverse("signatures:delivery_plan", args=[company.domain.name]), {"groups": [drafted.pk]}, follow=True
    )

    assert "Support" in page and "Night shift" not in page
    assert "Nothing was planned." in answer.content.decode()
    assert not Delivery.objects.exists()


def test_figures_of_a_plan_name_the_groups_of_the_live_release(client, company, groups, make_member):
    client.force_login(make_member(company.domain, Role.ADMIN))
    reorder_groups(company.domain, [group.pk for group in reversed(groups)], actor="ruth")
    run = plan_delivery(company.domain, actor="ruth", group_ids=[groups[0].pk])

    page = client.get(reverse("signatures:delivery_run", args=[company.domain.name, run.pk])).content.decode()
    export = client.get(reverse("signatures:delivery_export", args=[company.domain.name, run.pk]))

    assert "<dt>Sales</dt><dd>1 mailbox</dd>" in page and "<dt>Support</dt>" not in page
    assert b"Ana Silva,person1@acme.example,m1,Sales," in export.getvalue()
