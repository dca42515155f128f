"""Signatures in Django admin: edited by the portal's own functions, delivered by its own actions."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from django_q.models import OrmQ

from integrations.models import Connection, LedgerEntry
from integrations.outreach.sandbox import Sandbox
from portal.models import Domain, User
from signatures import tasks
from signatures.authoring.templates import install_starters, save_template
from signatures.models import (
    Assignment,
    Brand,
    Delivery,
    DeliveryRun,
    DeliveryRunState,
    DeliveryState,
    Group,
    Sender,
    Template,
)
from signatures.senders import company_size
from tests.support.company import Company
from tests.support.deliveries import publish_drafts

BY = "operator@portal.example"
SOURCE = "<p>{{ sender.name }}</p>"


@pytest.fixture
def staff(client: Client, db: None) -> Client:
    client.force_login(User.objects.create_user(BY, "correct horse battery", is_staff=True))
    return client


@pytest.fixture
def template(domain: Domain) -> Template:
    return save_template(domain, name="Plain", source=SOURCE, actor="test").template


@pytest.fixture
def other_template(other_domain: Domain) -> Template:
    return save_template(other_domain, name="Theirs", source=SOURCE, actor="test").template


def act(staff: Client, page: str, action: str, *rows: Any) -> list[str]:
    answer = staff.post(page, {"action": action, "_selected_action": [row.pk for row in rows]}, follow=True)
    return [str(message) for message in answer.context["messages"]]


def get_acts(domain: Domain, *actions: str) -> list[tuple[str, str, str]]:
    rows = LedgerEntry.objects.filter(domain=domain, action__in=actions, actor_label=BY).order_by("pk")
    return list(rows.values_list("action", "actor_label", "detail"))


def versions(count: int = 0) -> dict[str, int]:
    return {"versions-TOTAL_FORMS": count, "versions-INITIAL_FORMS": count}


# ── Deliveries ───────────────────────────────────────────────────────────────────────────────────
def test_planning_writes_nothing_and_says_what_would_change(
    staff: Client, sandbox: Sandbox, ready: Connection
) -> None:
    told = act(staff, "/admin/integrations/connection/", "plan", ready)

    run = DeliveryRun.objects.get()
    assert told == [
        f"outreach for acme.example: {run.planned} mailboxes would change, 0 unchanged, "
        f"{run.refused} blocked. Start it on the Deliveries page."
    ]
    assert (run.state, run.started_by_label) == (DeliveryRunState.PLANNED, BY)
    assert list(sandbox.requests) == []


@pytest.mark.django_db(transaction=True)
def test_planning_for_a_large_domain_is_queued_and_a_small_one_is_planned_at_once(
    staff: Client, ready: Connection, bystanders: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    bystanders.add("Bea Bystander")
    install_starters(bystanders.domain, actor="test")
    publish_drafts(bystanders.domain)
    monkeypatch.setattr(company_size, "AT_ONCE", 1)
    OrmQ.objects.all().delete()

    told = act(staff, "/admin/integrations/connection/", "plan", ready, bystanders.connection)

    large = DeliveryRun.objects.get(domain=ready.domain)
    assert (
        f"outreach for acme.example: delivery {large.pk} is being planned. See the Deliveries page." in told
    )
    assert (large.state, large.deliveries.count()) == (DeliveryRunState.PLANNING, 0)
    queued = [(row.task["func"], row.task["kwargs"]) for row in OrmQ.objects.all()]
    assert queued == [("signatures.tasks.plan_delivery", {"run_id": large.pk})]
    assert DeliveryRun.objects.get(domain=bystanders.domain).state == DeliveryRunState.PLANNED

    tasks.plan_delivery(run_id=large.pk)

    large.refresh_from_db()
    assert large.state == DeliveryRunState.PLANNED and large.planned > 0


@pytest.mark.django_db(transaction=True)
def test_a_planned_delivery_is_started_and_reaches_the_mailboxes(
    staff: Client, sandbox: Sandbox, ready: Connection
) -> None:
    act(staff, "/admin/integrations/connection/", "plan", ready)
    run = DeliveryRun.objects.get()

    told = act(staff, "/admin/signatures/deliveryrun/", "start", run)

    assert told == [f"{run}: delivery {run.pk} to {run.planned} mailboxes is queued."]
    assert get_acts(ready.domain, "delivery started") == [
        ("delivery started", BY, f"{run.planned} mailboxes")
    ]
    tasks.deliver_signatures(run_id=run.pk)
    run.refresh_from_db()
    assert (run.stages, run.state, run.delivered) == ([5, None], DeliveryRunState.WAITING, 5)
    act(staff, "/admin/signatures/deliveryrun/", "resume", run)
    tasks.deliver_signatures(run_id=run.pk)
    run.refresh_from_db()
    assert (run.state, run.delivered) == (DeliveryRunState.COMPLETE, run.planned)
    assert sum(entry.method == "PATCH" for entry in sandbox.requests) == run.planned


def test_no_action_plans_and_writes_in_one_go(staff: Client, ready: Connection) -> None:
    page = staff.get("/admin/integrations/connection/").content.decode()

    act(staff, "/admin/integrations/connection/", "deliver", ready)

    assert 'value="plan"' in page
    assert 'value="deliver"' not in page
    assert not DeliveryRun.objects.exists()


def test_a_paused_connection_delivers_nothing_and_says_so(staff: Client, ready: Connection) -> None:
    act(staff, "/admin/integrations/connection/", "plan", ready)
    act(staff, "/admin/integrations/connection/", "pause_writing", ready)
    run = DeliveryRun.objects.get()

    told = act(staff, "/admin/signatures/deliveryrun/", "start", run)

    assert told == [f"{run}: Deliveries are paused. Resume them on the Integrations page."]
    assert DeliveryRun.objects.get().state == DeliveryRunState.PLANNED


def test_a_stopped_delivery_is_resumed(staff: Client, ready: Connection) -> None:
    act(staff, "/admin/integrations/connection/", "plan", ready)
    DeliveryRun.objects.update(state=DeliveryRunState.HALTED)
    run = DeliveryRun.objects.get()

    told = act(staff, "/admin/signatures/deliveryrun/", "resume", run)

    assert told == [f"{run}: continues with the remaining mailboxes."]
    assert DeliveryRun.objects.get().state == DeliveryRunState.QUEUED


def test_a_delivery_leads_to_its_mailboxes(staff: Client, ready: Connection) -> None:
    act(staff, "/admin/integrations/connection/", "plan", ready)
    run = DeliveryRun.objects.get()

    page = staff.get(f"/admin/signatures/deliveryrun/{run.pk}/change/")
    address = f"/admin/signatures/delivery/?run__id__exact={run.pk}"
    rows = staff.get(address, {"state__exact": DeliveryState.PLANNED} | {"run__id__exact": run.pk})

    assert f'href="{address}"' in page.content.decode()
    assert rows.context["cl"].result_count == Delivery.objects.filter(run=run, state="planned").count()


# ── Templates ────────────────────────────────────────────────────────────────────────────────────
def test_a_template_is_made_with_its_first_version(staff: Client, domain: Domain) -> None:
    answer = staff.post(
        "/admin/signatures/template/add/",
        {"domain": domain.pk, "name": "New", "description": "For all", "source": SOURCE} | versions(),
    )

    made = Template.objects.get()
    assert answer.status_code == 302
    assert (made.name, made.description, made.domain) == ("New", "For all", domain)
    assert made.current is not None
    assert (made.current.number, made.current.source, made.current.created_by_label) == (1, SOURCE, BY)
    assert get_acts(domain, "template saved") == [("template saved", BY, "New, version 1")]


def test_a_changed_source_makes_a_version_and_an_unchanged_one_does_not(
    staff: Client, template: Template, other_template: Template
) -> None:
    page = f"/admin/signatures/template/{template.pk}/change/"
    changed = SOURCE + "\r\n<p>{{ sender.title }}</p>"

    staff.post(page, {"name": "Plain", "description": "", "source": changed, "base": 1} | versions())
    staff.post(page, {"name": "Plainer", "description": "x", "source": changed, "base": 2} | versions())

    template.refresh_from_db()
    assert template.current is not None
    assert (template.name, template.description, template.current.number) == ("Plainer", "x", 2)
    assert template.current.source == changed.replace("\r\n", "\n")
    assert template.versions.count() == 2
    assert other_template.versions.count() == 1


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        ({"source": "<p>{{ sender.nmae }}</p>"}, "Line 1"),
        ({"name": "Taken"}, "A template with this name exists already."),
        ({"base": 0}, "saved version 1 while you were editing."),
    ],
)
def test_what_cannot_be_saved_is_said_at_its_field(
    staff: Client, domain: Domain, template: Template, sent: dict[str, str], told: str
) -> None:
    save_template(domain, name="Taken", source=SOURCE, actor="test")
    whole = {"name": "Plain", "description": "", "source": SOURCE, "base": 1} | sent

    answer = staff.post(f"/admin/signatures/template/{template.pk}/change/", whole | versions())

    assert answer.status_code == 200
    assert told in answer.content.decode()
    template.refresh_from_db()
    assert (template.name, template.versions.count()) == ("Plain", 1)


# ── Assignments ──────────────────────────────────────────────────────────────────────────────────
@pytest.fixture
def group(domain: Domain) -> Group:
    return Group.objects.create(domain=domain, name="Sales", position=1, follows_team_id="1")


def test_a_template_is_assigned_changed_and_taken_away(
    staff: Client, domain: Domain, template: Template, group: Group
) -> None:
    other = save_template(domain, name="Other", source=SOURCE, actor="test").template

    staff.post("/admin/signatures/assignment/add/", {"template": template.pk, "group": group.pk})
    made = Assignment.objects.get()
    staff.post(f"/admin/signatures/assignment/{made.pk}/change/", {"template": other.pk})
    changed = Assignment.objects.get()
    staff.post(f"/admin/signatures/assignment/{made.pk}/delete/", {"post": "yes"})

    assert (made.template, made.group, made.domain) == (template, group, domain)
    assert (changed.pk, changed.template) == (made.pk, other)
    assert not Assignment.objects.exists()
    assert get_acts(domain, "template assigned", "template unassigned") == [
        ("template assigned", BY, "Plain to group Sales"),
        ("template assigned", BY, "Other to group Sales"),
        ("template unassigned", BY, "From group Sales"),
    ]


def test_selected_assignments_are_taken_away_each_with_its_entry(
    staff: Client, domain: Domain, template: Template, group: Group
) -> None:
    staff.post("/admin/signatures/assignment/add/", {"template": template.pk, "group": group.pk})

    staff.post(
        "/admin/signatures/assignment/",
        {"action": "delete_selected", "_selected_action": [Assignment.objects.get().pk], "post": "yes"},
    )

    assert get_acts(domain, "template unassigned") == [("template unassigned", BY, "From group Sales")]
    assert not Assignment.objects.exists()


def test_no_template_of_another_domain_is_assigned(
    staff: Client, group: Group, other_template: Template
) -> None:
    answer = staff.post(
        "/admin/signatures/assignment/add/", {"template": other_template.pk, "group": group.pk}
    )

    assert "This template is another domain’s; Sales is of acme.example." in answer.content.decode()
    assert not Assignment.objects.exists()


@pytest.mark.parametrize("both", [True, False])
def test_an_assignment_is_for_a_group_or_a_sender(staff: Client, ready: Connection, both: bool) -> None:
    template = Template.objects.filter(domain=ready.domain).order_by("-pk")[0]
    group = Group.objects.filter(domain=ready.domain, assignment=None)[0]
    sender = Sender.objects.filter(domain=ready.domain)[0]
    sent = {"template": template.pk} | ({"group": group.pk, "sender": sender.pk} if both else {})
    before = Assignment.objects.count()

    answer = staff.post("/admin/signatures/assignment/add/", sent)

    assert "Choose either a group or a sender." in answer.content.decode()
    assert Assignment.objects.count() == before


# ── Groups ───────────────────────────────────────────────────────────────────────────────────────
DRIFT = {"drift_policy": "report", "drift_grace_hours": 24}  # as the page shows them for a new group


def get_order(domain: Domain) -> list[str]:
    rows = Group.objects.filter(domain=domain, is_default=False).order_by("position", "id")
    return list(rows.values_list("name", flat=True))


def test_a_group_is_moved_and_everybody_is_in_the_group_that_then_wins(
    staff: Client, ready: Connection
) -> None:
    before = get_order(ready.domain)
    last = Group.objects.get(domain=ready.domain, name=before[-1])

    answer = staff.post(f"/admin/signatures/group/{last.pk}/change/", {"place": 1, "name": "ignored"} | DRIFT)

    assert answer.status_code == 302
    assert get_order(ready.domain) == [before[-1], *before[:-1]]
    assert len(get_acts(ready.domain, "groups reordered")) == 1
    in_team = [
        sender
        for sender in Sender.objects.filter(domain=ready.domain).select_related("person")
        if last.follows_team_id in sender.person.team_ids
    ]
    assert in_team
    assert {sender.group_id for sender in in_team} == {last.pk}


def test_a_group_saved_without_a_new_place_stays_where_it_is(staff: Client, ready: Connection) -> None:
    before = get_order(ready.domain)
    second = Group.objects.get(domain=ready.domain, name=before[1])

    page = staff.get(f"/admin/signatures/group/{second.pk}/change/")
    answer = staff.post(f"/admin/signatures/group/{second.pk}/change/", {"place": 2} | DRIFT)

    assert answer.status_code == 302
    assert page.context["adminform"].form["place"].value() == 2
    assert get_order(ready.domain) == before
    assert get_acts(ready.domain, "groups reordered", "drift policy changed") == []


def test_a_drift_policy_is_changed_with_its_entry_and_never_by_leaving_it_out(
    staff: Client, ready: Connection
) -> None:
    group = Group.objects.get(domain=ready.domain, name=get_order(ready.domain)[0])
    page = f"/admin/signatures/group/{group.pk}/change/"
    changed = {"drift_policy": "ask", "drift_grace_hours": 48}

    statuses = [staff.post(page, {"place": 1} | sent).status_code for sent in (changed, {})]

    group.refresh_from_db()
    assert statuses == [302, 200]
    assert (group.drift_policy, group.drift_grace_hours) == ("ask", 48)
    assert get_acts(ready.domain, "drift policy changed") == [
        ("drift policy changed", BY, "Ask, grace period 48 hours")
    ]


# ── Senders and brand ────────────────────────────────────────────────────────────────────────────
def test_groups_without_a_place_are_renamed_and_given_none(staff: Client, domain: Domain) -> None:
    default = Group.objects.create(domain=domain, name="Everybody else", is_default=True)
    archived = Group.objects.create(domain=domain, name="Old team", archived_at=timezone.now())

    for group in (default, archived):
        page = f"/admin/signatures/group/{group.pk}/change/"
        assert 'name="place"' not in staff.get(page).content.decode()
        sent = {"name": f"{group.name}, renamed", "place": "1"} | DRIFT
        assert staff.post(page, sent).status_code == 302

    names = list(Group.objects.order_by("pk").values_list("name", flat=True))
    assert names == ["Everybody else, renamed", "Old team, renamed"]


def test_a_senders_own_values_are_kept_over_what_outreach_says(staff: Client, ready: Connection) -> None:
    first, second = Sender.objects.filter(domain=ready.domain)[:2]

    staff.post(
        f"/admin/signatures/sender/{first.pk}/change/",
        {"sender.title": "Chief of Ink", "sender.pronouns": "they/them", "email": "mine@acme.example"},
    )

    before = first.email
    first.refresh_from_db()
    second.refresh_from_db()
    assert first.own_values == {"sender.title": "Chief of Ink", "sender.pronouns": "they/them"}
    assert (first.email, second.own_values) == (before, {})
    assert len(get_acts(ready.domain, "sender values changed")) == 1


def test_a_value_that_no_signature_can_show_is_said_at_its_field(staff: Client, ready: Connection) -> None:
    sender = Sender.objects.filter(domain=ready.domain)[0]

    answer = staff.post(
        f"/admin/signatures/sender/{sender.pk}/change/", {"sender.linkedin_url": "javascript:alert(1)"}
    )

    assert list(answer.context["adminform"].form.errors) == ["sender.linkedin_url"]
    sender.refresh_from_db()
    assert sender.own_values == {}


def test_a_brand_is_made_and_changed(staff: Client, domain: Domain) -> None:
    staff.post("/admin/signatures/brand/add/", {"domain": domain.pk, "name": "Acme", "accent": "#2b4acb"})
    staff.post(f"/admin/signatures/brand/{domain.pk}/change/", {"name": "Acme Ltd", "accent": "#2b4acb"})

    again = staff.post(
        "/admin/signatures/brand/add/", {"domain": domain.pk, "name": "Mine", "accent": "#2b4acb"}
    )

    assert again.status_code == 200
    assert list(Brand.objects.values_list("domain", "name")) == [(domain.pk, "Acme Ltd")]
    assert len(get_acts(domain, "company values changed")) == 2
