"""Five hundred senders at once: each act goes by the rules for each of them, and touches nobody else."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from integrations.models import LedgerEntry, Mailbox, Person
from signatures.authoring.templates import assign_template
from signatures.delivery.left_alone import leave_alone
from signatures.delivery.status import refresh_domain
from signatures.models import (
    Assignment,
    DeliveryRun,
    DraftEdit,
    LeftAloneWhy,
    Sender,
    Snapshot,
    Template,
    ValueDraft,
)
from signatures.senders.groups import create_group, include_senders, reorder_groups
from signatures.senders.refresh import refresh_senders
from signatures.senders.values import set_own_values
from signatures.tasks import plan_delivery
from tests.support.company import Company
from tests.support.senders import add_people

MANY = 500
LIST = "/domains/acme.example/senders/"
BULK = f"{LIST}bulk/"
BY = "admin@acme.example"


@pytest.fixture
def people(company: Company, bystanders: Company) -> list[Sender]:
    """Five hundred people called Person, and Ana beside them; Bea is another domain's."""
    bystanders.add("Person Bystander")
    company.add("Ana Silva", email="ana@acme.example")
    return add_people(company, MANY)


def get_rows(*models: Any, domain: Any) -> list[Any]:
    """Return everything of these models that belongs to a domain."""
    return [list(model.objects.filter(domain=domain).order_by("pk").values()) for model in models]


@pytest.fixture(autouse=True)
def _bystander_untouched(people: list[Sender], bystanders: Company) -> Any:
    """What another domain has is as it was when the test has ended; it has no draft, plan or entry."""
    before = get_rows(Sender, Assignment, domain=bystanders.domain)
    entries = LedgerEntry.objects.filter(domain=bystanders.domain).count()
    yield
    assert get_rows(Sender, Assignment, domain=bystanders.domain) == before
    assert not DeliveryRun.objects.filter(domain=bystanders.domain).exists()
    assert LedgerEntry.objects.filter(domain=bystanders.domain).count() == entries


def press(client: Client, act: str, *, number: int = MANY, **more: Any) -> list[str]:
    """Mean everybody whom the filters find, press the button of the page that asks, and return what is said."""
    asked = {"act": act, "all": "1", "q": "Person"}
    page = client.get(BULK, asked)
    assert page.context["number"] == number
    answer = client.post(BULK, asked | {"number": number} | more, follow=True)
    return [str(message) for message in answer.context["messages"]]


def test_five_hundred_get_a_template_and_go_back_to_their_groups(
    company: Company, people: list[Sender], admin: Client
) -> None:
    first, second = Template.objects.filter(domain=company.domain).order_by("pk")[:2]
    ana = Sender.objects.get(name="Ana Silva")
    for sender in (people[0], ana):
        assign_template(company.domain, template=first, sender=sender, actor="test")

    said = press(admin, "assign", **{"assign-template": second.pk})

    assert said[0].startswith(f"“{second}” assigned to 500 senders, as a draft.")
    rows = Assignment.objects.exclude(sender=None)
    assert dict(rows.values_list("sender", "template")) == {
        **{sender.pk: second.pk for sender in people},
        ana.pk: first.pk,
    }
    keys = DraftEdit.objects.filter(domain=company.domain, edited_by_label=BY).values_list("key", flat=True)
    assert set(keys) == {f"person:{sender.pk}" for sender in people}
    entry = LedgerEntry.objects.filter(domain=company.domain, actor_label=BY).get()
    assert (entry.action, entry.detail) == ("template assigned", f"{second} to 500 senders")

    press(admin, "assign")

    assert list(rows.values_list("sender", flat=True)) == [ana.pk]


def test_five_hundred_are_put_into_a_group_and_a_higher_one_still_wins(
    company: Company, people: list[Sender], admin: Client
) -> None:
    vips, field = (create_group(company.domain, name, actor="test") for name in ("VIPs", "Field"))
    reorder_groups(company.domain, [vips.pk, field.pk], actor="test")
    include_senders(vips, [people[0].pk], actor="test")
    field.excluded.add(people[1])

    said = press(admin, "group", **{"put-group": field.pk})

    assert said[0].startswith("“Field” takes whom you chose; 499 senders changed group, as a draft.")
    assert (field.included.count(), field.excluded.count()) == (MANY, 0)
    groups = Counter(Sender.objects.filter(domain=company.domain).values_list("group__name", flat=True))
    assert (groups["Field"], groups["VIPs"], sum(groups.values())) == (MANY - 1, 1, MANY + 1)
    assert Sender.objects.get(pk=people[0].pk).group == vips


def make_states(company: Company, people: list[Sender]) -> None:
    """The first ones cannot be written, each for another reason; one holds its signature, and one is locked."""
    now = timezone.now()
    closed, alone, edited, placed, locked = people[:5]
    Mailbox.objects.filter(email=closed.email).update(is_editable=False)
    leave_alone(company.connection, [("mp1", alone.email, "x")], why=LeftAloneWhy.KEPT, actor="test")
    for sender in (edited, placed):
        company.place(sender)
    Mailbox.objects.filter(email=edited.email).update(signature_html="<p>Mine</p>", read_at=now)
    Person.objects.filter(pk=locked.person_id).update(is_locked=True, digest="locked")
    refresh_senders(company.connection, since=None)
    refresh_domain(company.domain)


def fill(run: DeliveryRun) -> Counter[tuple[str, str]]:
    """Plan it as the worker does for so many people, and return how many rows have which state and reason."""
    plan_delivery(run_id=run.pk)
    run.refresh_from_db()
    return Counter(run.deliveries.values_list("state", "reason_code"))


def test_a_delivery_to_five_hundred_leaves_out_each_that_cannot_be_written(
    company: Company, people: list[Sender], admin: Client
) -> None:
    make_states(company, people)

    press(admin, "deliver", number=MANY - 1)

    run = DeliveryRun.objects.get()
    assert fill(run) == {
        ("planned", ""): MANY - 5,
        ("refused", "not_editable"): 1,
        ("refused", "left_alone"): 1,
        ("refused", "edited"): 1,
    }
    assert (run.state, run.planned, run.refused, run.unchanged) == ("planned", MANY - 5, 3, 1)
    assert not run.deliveries.filter(sender__name="Ana Silva").exists()


def test_a_restore_of_five_hundred_leaves_out_each_that_cannot_go_back(
    company: Company, people: list[Sender], admin: Client
) -> None:
    make_states(company, people)
    placed = {people[2].email, people[3].email}
    Mailbox.objects.filter(connection=company.connection).exclude(email__in=placed).update(
        signature_html="<p>After</p>"
    )
    boxes = Mailbox.objects.filter(connection=company.connection).exclude(email=people[5].email)
    Snapshot.objects.bulk_create(
        Snapshot(
            domain=company.domain, account_key=company.connection.account_key, mailbox_remote_id=box.remote_id,
            mailbox_email=box.email,
            original_html="<p>After</p>" if box.email == people[6].email else "<p>Before</p>",
        )
        for box in boxes
    )  # fmt: skip

    press(admin, "restore", number=MANY - 1)

    run = DeliveryRun.objects.get(kind="restore")
    outcomes = fill(run)
    # Left out: the locked one, one without an original, and two whose mailbox holds it.
    assert outcomes == {
        ("planned", ""): MANY - 6,
        ("refused", "not_editable"): 1,
        ("refused", "conflict"): 1,
    }
    assert run.unchanged == 2
    assert not run.deliveries.filter(sender__name="Ana Silva").exists()


def test_an_export_of_five_hundred_has_what_is_edited_here_and_nothing_of_outreach(
    company: Company, people: list[Sender], login: Any
) -> None:
    set_own_values(people[0], {"sender.mobile": "+1 312 555 0190"}, actor="test")
    ValueDraft.objects.create(
        sender=people[1], field="sender.mobile", value="+1 312 555 0191", edited_by_label="ed@acme.example"
    )
    asked = f"{LIST}export/file/?all=1&q=Person&field=sender.mobile&field=sender.title"

    files = {
        role: b"".join(login(role).get(asked)).decode("utf-8-sig").splitlines()
        for role in ("auditor", "editor")
    }

    for role, drafted in (("auditor", ""), ("editor", "'+1 312 555 0191")):
        lines = [line.split(",") for line in files[role]]
        assert [line[0] for line in lines[1:]] == [sender.email for sender in people]
        filled = {line[0]: line[2:] for line in lines[1:] if any(line[2:])}
        assert filled == {
            people[0].email: ["", "'+13125550190"],
            **({people[1].email: ["", drafted]} if drafted else {}),
        }


@pytest.mark.parametrize("act", ["assign", "group", "deliver", "restore"])
def test_five_hundred_change_by_nobody_without_the_permission(
    people: list[Sender], login: Any, act: str
) -> None:
    reader = login("auditor")

    asked = {"act": act, "all": "1", "q": "Person", "number": MANY}

    assert (reader.get(BULK, asked).status_code, reader.post(BULK, asked).status_code) == (403, 403)
    assert not Assignment.objects.exclude(sender=None).exists()
    assert not DeliveryRun.objects.exists()
