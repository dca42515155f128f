"""Groups by hand and by rule: who is in them, what a change of one value evaluates, and what campaigns see."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from integrations.models import Person
from signatures.authoring.discard import discard_drafts
from signatures.delivery.group_members import refresh_members
from signatures.delivery.status import refresh_domain
from signatures.models import Group, GroupMember, Sender
from signatures.releases.content import ReleaseContent, ReleasedGroup
from signatures.releases.live import get_live_content
from signatures.releases.publish import list_drafts
from signatures.releases.reach import find_touched, list_audiences
from signatures.senders.group_membership import GroupRule
from signatures.senders.group_preview import preview_group
from signatures.senders.groups import archive_group, create_group, set_membership
from signatures.senders.many_values import set_many_values
from signatures.senders.origins import TYPED
from signatures.senders.refresh import refresh_senders
from signatures.senders.team_counts import count_again
from signatures.senders.values import set_own_values
from tests.support.company import Company
from tests.support.deliveries import publish_drafts

pytestmark = pytest.mark.django_db
BY = "owner@acme.example"
VP = {"attribute": "title", "operator": "contains", "values": ["VP"]}


@pytest.fixture
def vps(company: Company) -> Group:
    """A group by rule that outranks every team, published."""
    group = create_group(company.domain, "VPs", actor=BY)
    Group.objects.filter(pk=group.pk).update(position=0)
    set_membership(group, GroupRule(group.pk, "VPs", rule=(VP,)), actor=BY)
    publish_drafts(company.domain)
    group.refresh_from_db()
    return group


def get_groups(sender: Sender) -> tuple[str, set[str]]:
    """Return the winning group as edited, and every group that campaigns see."""
    sender = Sender.objects.select_related("group").get(pk=sender.pk)
    ids = GroupMember.objects.list_group_ids(sender)
    return sender.group.name, set(Group.objects.filter(pk__in=ids).values_list("name", flat=True))


def test_a_rule_wins_over_a_team_and_both_are_seen_by_campaigns(company, vps):
    ana = company.add("Ana Silva", teams=("Sales",), title="VP of Sales")
    tom = company.add("Tom Berg", teams=("Sales",), title="Account Executive")

    assert get_groups(ana) == ("VPs", {"VPs", "Sales"})
    assert get_groups(tom) == ("Sales", {"Sales"})


def test_one_changed_value_evaluates_one_person(company, vps):
    ana = company.add("Ana Silva", teams=("Sales",), title="Manager")
    tom = company.add("Tom Berg", teams=("Sales",), title="VP of Nothing")
    Sender.objects.filter(pk=tom.pk).update(group=None)  # would be put right by any evaluation of him

    set_own_values(ana, {"sender.title": "VP of Sales"}, actor=BY)
    assert Sender.objects.get(pk=ana.pk).group == vps
    assert Sender.objects.get(pk=tom.pk).group is None

    refresh_domain(company.domain, sender_ids=[ana.pk])
    assert get_groups(ana)[1] == {"VPs", "Sales"}
    tally = refresh_senders(company.connection, since=None)
    assert (tally.changed, Sender.objects.get(pk=tom.pk).group) == (0, None)  # nothing of Outreach's changed


def test_a_sync_evaluates_whom_it_changed_and_nobody_else(company, vps):
    ana = company.add("Ana Silva", title="Manager")
    tom = company.add("Tom Berg", title="Manager")
    before = company.at
    Person.objects.filter(pk=tom.person_id).update(changed_at=before.replace(year=2020))
    Person.objects.filter(pk=ana.person_id).update(title="VP", digest="new", changed_at=before)

    tally = refresh_senders(company.connection, since=before)

    assert (tally.changed, Sender.objects.get(pk=ana.pk).group) == (1, vps)
    assert get_groups(tom)[0] == "Default group"


def test_values_decide_nothing_where_no_group_has_a_rule(company):
    ana = company.add("Ana Silva", teams=("Sales",))

    with CaptureQueriesContext(connection) as queries:
        set_own_values(ana, {"sender.title": "VP"}, actor=BY)

    assert not [one for one in queries if "signatures_group_included" in one["sql"]]


def test_a_draft_of_a_rule_changes_no_campaign_until_it_is_published(company, vps):
    ana = company.add("Ana Silva", teams=("Sales",), title="VP of Sales")
    tom = company.add("Tom Berg", teams=("Sales",), title="Manager")

    set_membership(vps, GroupRule(vps.pk, "VPs", included=(tom.pk,)), actor=BY)
    refresh_members(company.domain)

    assert get_groups(ana) == ("Sales", {"VPs", "Sales"})
    assert get_groups(tom) == ("VPs", {"Sales"})
    publish_drafts(company.domain)
    refresh_domain(company.domain)
    assert get_groups(ana) == ("Sales", {"Sales"})
    assert get_groups(tom) == ("VPs", {"VPs", "Sales"})


def test_a_discarded_draft_puts_back_whom_the_group_takes(company, vps):
    ana = company.add("Ana Silva", title="VP of Sales")
    set_membership(vps, GroupRule(vps.pk, "Vice presidents", excluded=(ana.pk,), rule=(VP,)), actor=BY)
    assert get_groups(ana)[0] == "Default group"

    discard_drafts(company.domain, [f"group:{vps.pk}"], actor=BY)

    assert get_groups(ana)[0] == "VPs"
    assert list_drafts(company.domain) == []


def test_an_archived_group_has_nobody_and_stays_live_until_published(company, vps):
    ana = company.add("Ana Silva", title="VP of Sales")

    archive_group(vps, actor=BY)

    assert get_groups(ana)[0] == "Default group"
    assert list_drafts(company.domain) == [f"group:{vps.pk}"]
    assert get_live_content(company.domain).group_by_id[vps.pk].rule == (VP,)


def test_a_preview_says_who_would_change_group_and_stores_nothing(company, vps, other_domain):
    ana = company.add("Ana Silva", teams=("Sales",), title="VP of Sales")
    tom = company.add("Tom Berg", teams=("Sales",), title="Manager")
    company.add("Eva Roth", teams=("Sales",), title="Engineer")

    preview = preview_group(company.domain, GroupRule(vps.pk, "VPs", included=(tom.pk,)))

    assert preview.members == 1
    assert [(one.name, one.before, one.after) for one in preview.changes] == [
        ("Ana Silva", "VPs", "Sales"),
        ("Tom Berg", "Sales", "VPs"),
    ]
    assert get_groups(ana)[0] == "VPs"


def test_reach_finds_whom_a_rule_touches_and_nobody_else(company, vps):
    ana = company.add("Ana Silva", teams=("Sales",), title="VP of Sales")
    tom = company.add("Tom Berg", teams=("Sales",), title="Manager")
    company.add("Eva Roth", title="Engineer")
    live = get_live_content(company.domain)
    wider = {"attribute": "title", "operator": "contains", "values": ["Manager"]}
    groups = [ReleasedGroup(vps.pk, "VPs", rule=(wider,)) if one.id == vps.pk else one for one in live.groups]
    after = ReleaseContent(live.templates, live.company, live.banner, groups, live.people)

    touched = find_touched(list_audiences(company.domain, live, after), live, after, {})

    assert set(Sender.objects.filter(touched)) == {ana, tom}


def count_reached(company: Company, group: Group) -> tuple[int, int]:
    """Return how many people are in a group of the live release, and how many queries read values of people."""
    live = get_live_content(company.domain)
    with CaptureQueriesContext(connection) as queries:
        audiences = list_audiences(company.domain, live)
    reading = [query for query in queries if '"integrations_person"."title"' in query["sql"]]
    found = (one.number for one in audiences if live.find_group(one.member).id == group.pk)
    return sum(found), len(reading)


def test_whom_a_rule_matches_is_counted_once_until_somebodys_value_changes(company, vps, bystanders):
    """Nobody's value is kept for it, and what other domains change counts nobody again."""
    ana = company.add("Ana Silva", title="VP of Sales")
    company.add("Tom Berg", title="Manager")
    bea = bystanders.add("Bea Bystander", title="VP")

    assert [count_reached(company, vps) for _ in range(2)] == [(1, 1), (1, 0)]
    set_own_values(bea, {"sender.title": "Chief"}, actor=BY)
    assert count_reached(company, vps) == (1, 0)
    set_own_values(ana, {"sender.title": "Chief"}, actor=BY)
    assert [count_reached(company, vps) for _ in range(2)] == [(0, 1), (0, 0)]
    company.add("Eva Roth", title="VP")
    assert count_reached(company, vps) == (1, 1)


def test_who_left_or_is_gone_is_not_counted_any_more(company, vps):
    ana, tom = company.add("Ana Silva", title="VP of Sales"), company.add("Tom Berg", title="VP West")
    company.add("Eva Roth", title="VP")
    assert count_reached(company, vps)[0] == 3

    Person.objects.filter(pk=ana.person_id).update(retired_at=company.at, digest="gone")
    refresh_senders(company.connection, since=None)
    assert count_reached(company, vps)[0] == 2
    tom.delete()
    count_again(company.connection)
    assert count_reached(company, vps)[0] == 1


def test_somebody_chosen_by_hand_is_counted_apart_from_whom_the_rule_matches(company, vps):
    company.add("Ana Silva", title="VP of Sales")
    tom = company.add("Tom Berg", title="Manager")
    eva = company.add("Eva Roth", title="VP")

    set_membership(
        vps, GroupRule(vps.pk, "VPs", included=(tom.pk,), excluded=(eva.pk,), rule=(VP,)), actor=BY
    )
    publish_drafts(company.domain)

    assert count_reached(company, vps)[0] == 2
    assert sum(one.number for one in list_audiences(company.domain, get_live_content(company.domain))) == 3


def test_values_of_many_people_decide_their_groups_at_once(company, vps):
    ana, tom = company.add("Ana Silva", title="Manager"), company.add("Tom Berg", title="VP")
    eva = company.add("Eva Roth", title="Engineer")

    set_many_values(
        company.domain,
        [(ana.pk, {"sender.title": "VP"}), (tom.pk, {"sender.title": "Manager"})],
        actor=BY, run="test", origin=TYPED,
    )  # fmt: skip

    names = [Sender.objects.select_related("group").get(pk=one.pk).group.name for one in (ana, tom, eva)]
    assert names[0] == "VPs"
    assert "VPs" not in names[1:]


def test_a_release_of_an_earlier_version_keeps_its_digest():
    stored = {
        "format": 1, "templates": {"1": 2}, "company": {"name": "Acme"}, "banner": {},
        "groups": [{"id": 4, "name": "Sales", "team_id": "7", "is_default": False, "template_id": 1}],
        "people": {},
    }  # fmt: skip

    content = ReleaseContent.from_json(stored)

    assert content.to_json() == stored
    assert content.digest == "8503f145ca518f02f5533feb9378dce4157fe8d17315dc618a9145b90dbbf25e"
