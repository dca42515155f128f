"""Signatures in Django admin: edited by the portal's own functions."""

from __future__ import annotations

import pytest
from django.test import Client
from django.utils import timezone

from integrations.models import Connection
from portal.models import Domain
from signatures.authoring.templates import save_template
from signatures.models import (
    Assignment,
    Brand,
    Group,
    Sender,
    Template,
)
from tests.support.admin_acts import BY, get_acts

SOURCE = "<p>{{ sender.name }}</p>"


@pytest.fixture
def template(domain: Domain) -> Template:
    return save_template(domain, name="Plain", source=SOURCE, actor="test").template


@pytest.fixture
def other_template(other_domain: Domain) -> Template:
    return save_template(other_domain, name="Theirs", source=SOURCE, actor="test").template


def versions(count: int = 0) -> dict[str, int]:
    return {"versions-TOTAL_FORMS": count, "versions-INITIAL_FORMS": count}


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
