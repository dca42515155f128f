"""Stored statuses stay true when a release goes live while another process stores them."""

from __future__ import annotations

import pytest
from django.urls import reverse

from integrations.models import Connection, ConnectionState
from portal.models import Role
from signatures.authoring.templates import save_template
from signatures.delivery import planning, status
from signatures.models import MailboxState, MailboxStatus, Sender, Template
from signatures.releases.publish import publish
from signatures.self_service.changes import save_changes
from tests.support.company import Company
from tests.support.self_service import switch_on

pytestmark = pytest.mark.django_db


def test_a_release_that_goes_live_between_two_chunks_is_what_the_later_ones_are_compared_with(
    company, bystanders, monkeypatch
):
    senders = [company.add("Ana Silva"), company.add("Tom Okafor")]
    theirs = bystanders.add("Kim Theirs")
    for sender in (*senders, theirs):
        (bystanders if sender == theirs else company).place(sender)
    template = Template.objects.get(domain=company.domain, name="Letterhead")
    listed = status.list_sender_ids

    def list_and_publish(connection, **options):
        for number, ids in enumerate(listed(connection, **options)):
            if number == 1:
                monkeypatch.setattr(status, "list_sender_ids", listed)
                save_template(
                    company.domain, name=template.name, template=template, source="<p>Newer</p>", actor="noor"
                )
                publish(company.domain, actor="ruth")
                status.follow_release(connection)
            yield ids

    monkeypatch.setattr(status, "CHUNK", 1)
    monkeypatch.setattr(status, "list_sender_ids", list_and_publish)

    status.refresh_states(company.connection, sender_ids=[sender.pk for sender in senders])

    found = dict(MailboxState.objects.values_list("sender", "status"))
    assert [found[sender.pk] for sender in senders] == ["pending", "pending"]
    assert found[theirs.pk] == "up_to_date"
    assert Sender.objects.count() == 3


def test_a_value_of_a_sender_of_an_earlier_account_leaves_the_mailboxes_of_the_new_one(
    client, company, bystanders, domain, make_member
):
    bystanders.add("Kim Theirs")
    switch_on(domain)
    earlier = company.add("Ana Silva")
    [change] = save_changes(earlier, {"sender.linkedin_url": "https://www.linkedin.com/in/ana"}, actor="ana")
    Connection.objects.filter(pk=company.connection.pk).update(state=ConnectionState.DISCONNECTED)
    anew = Connection.objects.create(domain=domain, account_key="another organisation")
    later = Company(domain, anew).add("Tom Okafor")
    before = list(MailboxState.objects.order_by("pk").values())
    client.force_login(make_member(domain, Role.APPROVER))

    decided = {"change": change.pk, "decision": "approve"}
    client.post(reverse("signatures:sender_changes_decide", args=[domain.name]), decided)

    earlier.refresh_from_db()
    assert (earlier.is_active, earlier.own_values) == (False, {change.field: change.value})
    assert later.person.remote_id == earlier.person.remote_id  # each Outreach counts from 1
    assert list(MailboxState.objects.order_by("pk").values()) == before


def test_a_mailbox_that_settles_while_it_is_planned_counts_as_one_that_stays(
    company, bystanders, monkeypatch
):
    for people, name in ((company, "Ana Silva"), (company, "Tom Okafor"), (bystanders, "Kim Theirs")):
        people.place(people.add(name))
    template = Template.objects.get(domain=company.domain, name="Letterhead")
    save_template(company.domain, name=template.name, template=template, source="<p>Newer</p>", actor="noor")
    publish(company.domain, actor="ruth")
    read = planning.read_states

    def settle_and_read(ids):
        MailboxState.objects.filter(pk=ids[0]).update(status=MailboxStatus.UP_TO_DATE)
        return read(ids)

    monkeypatch.setattr(planning, "read_states", settle_and_read)

    run = planning.plan_delivery(company.domain, actor="ruth")

    assert (run.planned, run.unchanged, run.deliveries.count()) == (1, 1, 1)
    assert set(MailboxState.objects.filter(domain=bystanders.domain).values_list("status", flat=True)) == {
        "up_to_date"
    }
