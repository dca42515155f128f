"""Sentences of the delivery and release pages that say never, only, once, before or within, each tried as it reads."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from integrations.models import SyncKind
from signatures.models import Delivery, DeliveryRun, DeliverySettings, Release, Sender, Template
from signatures.releases.content import ReleaseContent
from signatures.tasks import deliver_signatures, publish_due_releases, sweep_deliveries
from tests.support.deliveries import change_template, find_version, get_delivered, get_held, get_writes
from tests.support.hand_edits import sync_mailboxes
from tests.support.release_pages import edit_brand, read_form

pytestmark = pytest.mark.django_db(transaction=True)

HOME = "/domains/acme.example/"


def start(client: Client, run: DeliveryRun, **limits: str) -> DeliveryRun:
    """Start a plan on its page, and let the worker carry it out."""
    client.post(f"{HOME}deliveries/{run.pk}/start/", limits)
    deliver_signatures(run_id=run.pk)
    run.refresh_from_db()
    return run


def list_changes(html: str) -> list[str]:
    """Return what the page of a release says that it changed."""
    return re.findall(r"<ins>(.*?)</ins>", html)


def test_a_release_never_changes_afterwards(sandbox, ready, domain, deliver, admin: Client):
    deliver()
    page = f"{HOME}releases/1/"
    first = Release.objects.get(domain=domain, number=1)
    content, shown = first.content, admin.get(page).content.decode()

    edit_brand(domain, name="Acme of tomorrow")
    change_template(domain, "<p>Other {{ sender.name }}</p>")
    for template in Template.objects.filter(domain=domain):
        admin.post(f"{HOME}templates/{template.pk}/archive/")
    admin.post(f"{HOME}releases/publish/", read_form(admin.get(f"{HOME}releases/").content.decode()))
    admin.post(f"/admin/signatures/release/{first.pk}/change/", {"note": "Another"})
    admin.post(f"/admin/signatures/release/{first.pk}/delete/", {"post": "yes"})

    assert "A release never changes afterwards." in admin.get(f"{HOME}releases/history/").content.decode()
    first.refresh_from_db()
    assert (first.content, first.note) == (content, "")
    assert ReleaseContent.from_json(first.content).digest == first.digest
    assert list_changes(admin.get(page).content.decode()) == list_changes(shown) != []


def test_no_mailbox_changes_before_a_scheduled_release_is_due(sandbox, ready, domain, deliver, admin: Client):
    delivered = get_delivered(deliver())
    sync_mailboxes(ready)
    DeliverySettings.objects.create(domain=domain, stages=[None], automatic_cap_percent=100)
    held = get_held(sandbox)
    sandbox.requests.clear()
    edit_brand(domain, name="Acme of tomorrow")
    at = timezone.now() + timedelta(days=2)
    form = read_form(admin.get(f"{HOME}releases/").content.decode())

    said = admin.post(
        f"{HOME}releases/publish/",
        form | {"when": "later", "publish_at": f"{at:%Y-%m-%dT%H:%M}"},
        follow=True,
    )
    for _ in range(2):
        publish_due_releases()
        sync_mailboxes(ready, SyncKind.FULL)
        sweep_deliveries()
    before = get_held(sandbox)
    Release.objects.filter(number=2).update(publish_at=timezone.now())
    publish_due_releases()
    run = DeliveryRun.objects.latest("pk")
    deliver_signatures(run_id=run.pk)

    assert "No mailbox changes before then." in said.content.decode()
    assert before == held
    assert {id for id, html in get_held(sandbox).items() if html != held[id]} == set(get_writes(sandbox))
    assert set(get_writes(sandbox)) == get_delivered(run) and get_delivered(run) <= delivered


SOON = "once it is published and delivered."


def test_a_saved_version_reaches_mailboxes_once_it_is_published_and_delivered(
    sandbox, ready, domain, deliver, admin: Client
):
    delivered = get_delivered(deliver())
    sync_mailboxes(ready)
    DeliverySettings.objects.create(domain=domain, automatic_cap_percent=100)
    held = get_held(sandbox)
    version = find_version(Sender.objects.filter(domain=domain).first())
    page = f"{HOME}templates/{version.template_id}/"
    source = version.source + "<p>New line</p>"

    assert f"Mailboxes get this version {SOON}" in admin.get(page).content.decode()
    admin.post(f"{page}save/", {"name": version.template.name, "source": source, "base": version.number})
    sync_mailboxes(ready, SyncKind.FULL)
    sweep_deliveries()
    start(admin, plan(admin))
    assert get_held(sandbox) == held

    admin.post(f"{HOME}releases/publish/", read_form(admin.get(f"{HOME}releases/").content.decode()))
    assert get_held(sandbox) == held
    start(admin, plan(admin))
    assert {id for id, html in get_held(sandbox).items() if "New line" in html} == delivered
    assert {id: html for id, html in get_held(sandbox).items() if id not in delivered} == {
        id: html for id, html in held.items() if id not in delivered
    }


def plan(client: Client) -> DeliveryRun:
    client.post(f"{HOME}deliveries/plan/")
    return DeliveryRun.objects.latest("pk")


def test_restore_by_the_number_of_a_delivery_takes_back_only_the_mailboxes_it_wrote(
    sandbox, ready, domain, deliver, admin: Client
):
    before = get_held(sandbox)
    chosen = Sender.objects.filter(mailbox_states__status="never").order_by("pk").distinct()[:2]
    some = deliver(sender_ids=[sender.pk for sender in chosen])
    deliver()
    held, theirs = get_held(sandbox), get_delivered(some)

    page = admin.get(f"{HOME}deliveries/restore/?run={some.pk}").content.decode()
    admin.post(f"{HOME}deliveries/restore/", {"run": some.pk, "to": "original"})
    run = start(admin, DeliveryRun.objects.get(kind="restore"))

    assert "Only mailboxes that this delivery wrote." in page
    assert (run.state, get_delivered(run)) == ("complete", theirs)
    assert get_held(sandbox) == held | {id: before[id] for id in theirs}


def test_limits_of_0_never_stop_a_rollout(sandbox, ready, domain, admin: Client):
    page = admin.post(f"{HOME}deliveries/plan/", follow=True).content.decode()
    run = DeliveryRun.objects.latest("pk")
    planned = list(run.deliveries.filter(state="planned").order_by("pk"))
    for row in planned[:4]:
        sandbox.directory.set_editable(int(row.mailbox_remote_id), False)

    start(admin, run, stages="5", pause_minutes="0", refusal_limit="0", drift_limit="0")

    assert page.count("0 for never.") == 2
    assert (run.state, run.delivered, len(run.stages)) == ("complete", len(planned) - 4, 2)
    assert (
        Delivery.objects.filter(
            run=run, reason_code="not_editable", pk__in=[r.pk for r in planned[:4]]
        ).count()
        == 4
    )


def test_local_values_never_change_outreach_and_a_sync_does_not_undo_them(
    sandbox, ready, domain, deliver, admin: Client
):
    sender = Sender.objects.filter(is_active=True).select_related("person").order_by("pk")[0]
    people = {id: repr(user) for id, user in sandbox.directory.users.items()}
    page = admin.get(f"{HOME}senders/{sender.pk}/").content.decode()
    sandbox.requests.clear()

    admin.post(f"{HOME}senders/{sender.pk}/values/", {"sender.title": "Chief Lamplighter"})
    for _ in range(2):
        sync_mailboxes(ready, SyncKind.FULL)
    deliver()

    assert "Outreach is never changed by this, and a sync does not undo it." in page
    assert Sender.objects.get(pk=sender.pk).own_values == {"sender.title": "Chief Lamplighter"}
    assert {id: repr(user) for id, user in sandbox.directory.users.items()} == people
    changing = {
        entry.path.rsplit("/", 1)[0] for entry in sandbox.requests if entry.method not in ("GET", "POST")
    }
    assert changing == {"/api/v2/mailboxes"}


def test_delivery_to_chosen_people_touches_nobody_elses_mailbox(sandbox, ready, domain, admin: Client):
    one, two = Sender.objects.filter(mailbox_states__status="never").order_by("pk").distinct()[:2]
    held = get_held(sandbox)
    page = admin.get(f"{HOME}deliveries/people/?person={one.pk}&person={two.pk}").content.decode()

    admin.post(f"{HOME}deliveries/plan/", {"person": [one.pk, two.pk]})
    run = DeliveryRun.objects.latest("pk")
    before = get_writes(sandbox)
    start(admin, run)

    theirs = {
        str(box.id)
        for each in (one, two)
        for box in sandbox.directory.mailboxes_of(int(each.person.remote_id))
    }
    changed = {id for id, html in get_held(sandbox).items() if html != held[id]}
    assert "nobody else’s mailbox is touched" in page
    assert before == []
    assert changed and changed == set(get_writes(sandbox)) and changed <= theirs
