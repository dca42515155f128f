"""Groups in Django admin: priority, members and policies, by the portal's rules and with its drafts and entries."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from integrations.models import Connection
from portal.models import Domain
from signatures.models import DraftEdit, Group, GroupMember, Sender
from signatures.senders.groups import create_group, get_group_order
from tests.support.admin_acts import BY, act, get_acts
from tests.support.company import Company

LIST = "/admin/signatures/group/"
VP = {"attribute": "title", "operator": "contains", "values": ["VP"]}
POLICIES = {
    "automatic": "at_once",
    "drift_policy": "report",
    "drift_grace_hours": 24,
}  # as the page shows them


def change(staff: Client, group: Group, **typed: Any) -> Any:
    """Save the page of a group with what is typed; its other inputs are sent as it shows them."""
    page = f"{LIST}{group.pk}/change/"
    form = staff.get(page).context["adminform"].form
    shown = {name: form[name].value() for name in form.fields}
    return staff.post(page, {name: value for name, value in {**shown, **typed}.items() if value is not None})


@pytest.fixture
def people(company: Company) -> dict[str, Sender]:
    return {
        "ana": company.add("Ana Silva", teams=("Sales",), title="VP of Sales"),
        "tom": company.add("Tom Okafor", teams=("Sales",), title="Manager"),
    }


@pytest.fixture
def theirs(bystanders: Company) -> Sender:
    """Somebody of another domain, with a title that the rule would match."""
    return bystanders.add("Bea Bystander", teams=("Others",), title="VP")


@pytest.fixture
def vps(company: Company, people: dict[str, Sender]) -> Group:
    return create_group(company.domain, "VPs", actor="test")


def get_order(domain: Domain) -> list[str]:
    rows = Group.objects.filter(domain=domain, is_default=False).order_by("position", "id")
    return list(rows.values_list("name", flat=True))


def get_drafts(domain: Domain) -> set[str]:
    return set(DraftEdit.objects.filter(domain=domain, edited_by_label=BY).values_list("key", flat=True))


# ── Priority and policies ────────────────────────────────────────────────────────────────────────
def test_a_group_is_moved_and_everybody_is_in_the_group_that_then_wins(
    staff: Client, ready: Connection
) -> None:
    before = get_order(ready.domain)
    last = Group.objects.get(domain=ready.domain, name=before[-1])

    answer = staff.post(f"{LIST}{last.pk}/change/", {"place": 1, "name": "ignored"} | POLICIES)

    assert answer.status_code == 302
    assert get_order(ready.domain) == [before[-1], *before[:-1]]
    assert len(get_acts(ready.domain, "groups reordered")) == 1
    assert get_drafts(ready.domain) == {"order"}
    in_team = [
        sender
        for sender in Sender.objects.filter(domain=ready.domain).select_related("person")
        if last.follows_team_id in sender.person.team_ids
    ]
    assert in_team
    assert {sender.group_id for sender in in_team} == {last.pk}


def test_a_group_saved_as_it_is_changes_nothing(staff: Client, ready: Connection) -> None:
    before = get_order(ready.domain)
    second = Group.objects.get(domain=ready.domain, name=before[1])

    page = staff.get(f"{LIST}{second.pk}/change/")
    answer = change(staff, second)

    assert answer.status_code == 302
    assert page.context["adminform"].form["place"].value() == 2
    assert get_order(ready.domain) == before
    acts = ("groups reordered", "drift policy changed", "group members changed", "automatic policy changed")
    assert get_acts(ready.domain, *acts) == []


def test_policies_are_changed_with_their_entries_and_never_by_leaving_them_out(
    staff: Client, ready: Connection
) -> None:
    group = Group.objects.get(domain=ready.domain, name=get_order(ready.domain)[0])
    page = f"{LIST}{group.pk}/change/"
    changed = {"drift_policy": "ask", "drift_grace_hours": 48, "automatic": "approval"}

    statuses = [staff.post(page, {"place": 1} | sent).status_code for sent in (changed, {})]

    group.refresh_from_db()
    assert statuses == [302, 200]
    assert (group.drift_policy, group.drift_grace_hours, group.automatic) == ("ask", 48, "approval")
    assert get_acts(ready.domain, "drift policy changed", "automatic policy changed") == [
        ("automatic policy changed", BY, "After approval"),
        ("drift policy changed", BY, "Ask, grace period 48 hours"),
    ]


# ── Whom it takes ────────────────────────────────────────────────────────────────────────────────
def test_a_group_is_added_as_a_draft_and_its_name_is_taken_once(
    staff: Client, company: Company, people: dict[str, Sender], theirs: Sender
) -> None:
    answers = [staff.post(f"{LIST}add/", {"domain": company.domain.pk, "name": "VPs"}) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [302, 200]
    assert "A group with this name exists already." in answers[1].content.decode()
    made = Group.objects.get(domain=company.domain, name="VPs")
    assert list(get_group_order(company.domain))[-1] == made.pk
    assert get_drafts(company.domain) == {f"group:{made.pk}"}
    assert len(get_acts(company.domain, "group created")) == 1
    assert not Group.objects.filter(domain=theirs.domain, name="VPs").exists()


def test_people_by_hand_and_a_rule_are_saved_by_the_portals_own_function(
    staff: Client, company: Company, people: dict[str, Sender], vps: Group, theirs: Sender
) -> None:
    before = theirs.group_id

    answer = change(staff, vps, name="Leaders", place=1, included=[people["tom"].pk], rule=json.dumps([VP]))

    assert answer.status_code == 302, answer.context["adminform"].form.errors
    vps.refresh_from_db()
    assert (vps.name, vps.rule, list(vps.included.all())) == ("Leaders", [VP], [people["tom"]])
    rows = Sender.objects.filter(domain=company.domain)
    assert set(rows.values_list("group__name", flat=True)) == {"Leaders"}
    assert GroupMember.objects.filter(group=vps).count() == 2
    assert get_acts(company.domain, "group members changed") == [
        ("group members changed", BY, "0 teams, 1 included, 0 excluded, 1 conditions")
    ]
    theirs.refresh_from_db()
    assert theirs.group_id == before

    change(staff, vps, included=[], excluded=[people["ana"].pk])

    assert set(rows.filter(group=vps)) == set()


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"rule": '[{"attribute": "shoe"}]'}, "Condition 1: Choose a field for the condition."),
        ({"rule": "{"}, "Enter a valid JSON."),
        ({"name": "Sales"}, "A group with this name exists already."),
        ({"automatic": "daily"}, "Enter the time of day at which new values go."),
        ({"included": "theirs"}, "Bea Bystander is of bystander.example, the group of acme.example."),
    ],
)
def test_what_cannot_be_is_told_and_nothing_is_saved(
    staff: Client, vps: Group, theirs: Sender, typed: dict[str, Any], said: str
) -> None:
    before = Group.objects.filter(pk=vps.pk).values().get()
    typed = {name: [theirs.pk] if value == "theirs" else value for name, value in typed.items()}

    answer = change(staff, vps, **typed)

    assert answer.status_code == 200
    assert said in answer.content.decode()
    assert Group.objects.filter(pk=vps.pk).values().get() == before
    assert not vps.included.exists()
    assert get_acts(vps.domain, "group members changed") == []


def test_groups_are_archived_and_restored_and_those_of_teams_are_not(
    staff: Client, company: Company, people: dict[str, Sender], vps: Group
) -> None:
    team = Group.objects.get(domain=company.domain, name="Sales")

    told = act(staff, LIST, "archive", vps, team)

    assert sorted(told) == [
        "Sales: A group that follows a team is archived when Outreach removes the team.",
        "VPs: archived as a draft.",
    ]
    vps.refresh_from_db()
    assert vps.archived_at is not None
    assert change_status(staff, vps) == 403
    assert act(staff, LIST, "archive", vps) == ["VPs: “VPs” is archived already."]
    assert act(staff, LIST, "restore", vps) == ["VPs: restored as a draft."]
    assert [each[0] for each in get_acts(company.domain, "group archived", "group restored")] == [
        "group archived",
        "group restored",
    ]


def change_status(staff: Client, group: Group) -> int:
    return staff.post(f"{LIST}{group.pk}/change/", {"name": "Other"} | POLICIES).status_code


def test_the_default_group_has_policies_and_neither_name_nor_members(staff: Client, domain: Domain) -> None:
    default = Group.objects.create(domain=domain, name="Everybody else", is_default=True)
    archived = Group.objects.create(domain=domain, name="Old team", archived_at=timezone.now())

    page = staff.get(f"{LIST}{default.pk}/change/").content.decode()
    statuses = [change_status(staff, group) for group in (default, archived)]

    assert [name for name in ("place", "name", "teams", "included", "rule") if f'name="{name}"' in page] == []
    assert statuses == [302, 403]
    assert list(Group.objects.order_by("pk").values_list("name", flat=True)) == ["Everybody else", "Old team"]


def test_many_people_by_hand_are_counted_and_stay(
    staff: Client, company: Company, people: dict[str, Sender], vps: Group, monkeypatch: pytest.MonkeyPatch
) -> None:
    vps.included.set(people.values())
    monkeypatch.setattr("signatures.admin.groups.MOST_EDITED", 1)

    page = staff.get(f"{LIST}{vps.pk}/change/").content.decode()
    change(staff, vps, rule=json.dumps([VP]))

    assert "2 senders" in page
    assert 'name="included"' not in page
    vps.refresh_from_db()
    assert (vps.rule, vps.included.count()) == ([VP], 2)


@pytest.mark.parametrize(
    ("way", "names"),
    [
        ("team", ["Others", "Sales"]),
        ("rule", ["VPs"]),
        ("included", ["VPs"]),
        ("excluded", []),
        ("brand", ["Sales"]),
    ],
)
def test_groups_are_found_by_what_they_take(
    staff: Client, company: Company, vps: Group, theirs: Sender, way: str, names: list[str]
) -> None:
    Group.objects.filter(pk=vps.pk).update(rule=[VP])
    vps.included.add(Sender.objects.filter(domain=company.domain)[0])
    Group.objects.filter(domain=company.domain, name="Sales").update(company_values={"phone": "1"})

    found = staff.get(LIST, {"takes": way}).context["cl"].queryset

    assert sorted(group.name for group in found) == names
