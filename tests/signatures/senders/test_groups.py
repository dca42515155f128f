"""Teams become groups; their order decides; senders follow the mirror and keep what was written here."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
from django.utils import timezone

from integrations.models import Connection, LedgerEntry, Person, Team
from portal.models import Domain
from signatures.models import Group, Sender
from signatures.senders.field_sources import get_field_sources
from signatures.senders.groups import GroupOrderError, refresh_groups, reorder_groups
from signatures.senders.refresh import SenderTally, refresh_senders
from signatures.senders.value_sources import NO_RULES
from signatures.senders.values import (
    OwnValueError,
    get_company,
    get_group_name,
    get_values,
    set_own_values,
)

pytestmark = pytest.mark.django_db
NOW = timezone.now()


def make_connection(domain: Domain, account_key: str = "acme") -> Connection:
    return Connection.objects.create(id=uuid4(), domain=domain, account_key=account_key)


@pytest.fixture
def linked(domain) -> Connection:
    return make_connection(domain)


def make_team(connection: Connection, remote_id: str, name: str) -> Team:
    return Team.objects.create(
        connection=connection, remote_id=remote_id, name=name, digest=name, changed_at=NOW
    )


def make_person(connection: Connection, remote_id: str, **fields) -> Person:
    values = {
        "email": f"p{remote_id}@acme.example",
        "name": f"Person {remote_id}",
        "digest": remote_id,
    } | fields
    return Person.objects.create(connection=connection, remote_id=remote_id, changed_at=NOW, **values)


def get_groups(domain: Domain) -> list[tuple[str, int, bool, bool]]:
    rows = Group.objects.filter(domain=domain)
    return [(group.name, group.position, group.is_default, group.archived_at is not None) for group in rows]


def get_memberships(domain: Domain) -> dict[str, str]:
    rows = Sender.objects.filter(domain=domain).select_related("group", "person")
    return {sender.person.remote_id: sender.group.name for sender in rows}


def test_each_live_team_becomes_a_group_and_a_default_group_stands_last(domain, linked, other_domain):
    make_team(linked, "2", "South")
    make_team(linked, "1", "North")
    make_team(make_connection(other_domain), "1", "Theirs")

    assert refresh_groups(linked) == 3

    assert get_groups(domain) == [
        ("North", 1, False, False), ("South", 2, False, False), ("Default group", 0, True, False),
    ]  # fmt: skip
    assert get_groups(other_domain) == []
    assert refresh_groups(linked) == 0


def test_group_follows_its_teams_name_is_archived_with_it_and_revived_in_its_place(domain, linked):
    north, south = make_team(linked, "1", "North"), make_team(linked, "2", "South")
    refresh_groups(linked)
    Team.objects.filter(pk=north.pk).update(name="Far North")
    Team.objects.filter(pk=south.pk).update(retired_at=NOW)
    refresh_groups(linked)
    archived = get_groups(domain)

    Team.objects.filter(pk=south.pk).update(retired_at=None)
    refresh_groups(linked)

    assert archived[:2] == [("Far North", 1, False, False), ("South", 2, False, True)]
    assert get_groups(domain)[1] == ("South", 2, False, False)


def test_new_team_comes_last_whatever_its_name(domain, linked):
    make_team(linked, "1", "North")
    refresh_groups(linked)
    make_team(linked, "2", "Antarctic")

    refresh_groups(linked)

    assert [name for name, *_ in get_groups(domain)] == ["North", "Antarctic", "Default group"]


def test_reordering_moves_people_in_several_teams_and_is_in_the_ledger(domain, linked):
    make_team(linked, "1", "North")
    make_team(linked, "2", "South")
    refresh_groups(linked)
    make_person(linked, "10", team_ids=["1", "2"])
    make_person(linked, "11", team_ids=["1"])
    make_person(linked, "12", team_ids=[])
    refresh_senders(linked, since=None)
    before = get_memberships(domain)
    south = Group.objects.get(name="South")

    moved = reorder_groups(domain, [south.pk], actor="ana@acme.example")

    assert before == {"10": "North", "11": "North", "12": "Default group"}
    assert get_memberships(domain) == {"10": "South", "11": "North", "12": "Default group"}
    assert moved == 1
    entry = LedgerEntry.objects.get(action="groups reordered")
    assert (entry.domain, entry.actor_label, entry.detail) == (domain, "ana@acme.example", "First: South")


def test_order_with_another_domains_group_is_refused_and_changes_nothing(domain, linked, other_domain):
    make_team(linked, "1", "North")
    refresh_groups(linked)
    theirs = Group.objects.create(domain=other_domain, name="Theirs", position=5)
    before = get_groups(domain), get_groups(other_domain)

    with pytest.raises(GroupOrderError, match="Load the page again"):
        reorder_groups(domain, [theirs.pk], actor="test")

    assert (get_groups(domain), get_groups(other_domain)) == before


def test_locked_and_retired_people_are_not_active_and_come_back(domain, linked):
    refresh_groups(linked)
    locked, gone, bystander = (make_person(linked, id) for id in ("10", "11", "12"))
    refresh_senders(linked, since=None)
    Person.objects.filter(pk=locked.pk).update(is_locked=True, digest="a")
    Person.objects.filter(pk=gone.pk).update(retired_at=NOW)

    tally = refresh_senders(linked, since=None)

    assert tally == SenderTally(added=0, changed=0, retired=2)
    assert list(Sender.objects.filter(is_active=True).values_list("person", flat=True)) == [bystander.pk]
    Person.objects.filter(pk=locked.pk).update(is_locked=False, digest="b")
    assert refresh_senders(linked, since=None) == SenderTally(added=0, changed=1, retired=0)


def test_unchanged_rows_are_not_written(linked):
    refresh_groups(linked)
    for id in range(30):
        make_person(linked, str(id))
    refresh_senders(linked, since=None)
    before = list(Sender.objects.order_by("pk").values())

    tally = refresh_senders(linked, since=None)

    assert tally.total == 0
    assert list(Sender.objects.order_by("pk").values()) == before


def test_since_takes_only_people_whom_a_sync_changed_by_then(linked):
    refresh_groups(linked)
    make_person(linked, "10")
    late = make_person(linked, "11")
    Person.objects.filter(pk=late.pk).update(changed_at=NOW + timedelta(minutes=5))

    tally = refresh_senders(linked, since=NOW + timedelta(minutes=1))

    assert (tally.added, Sender.objects.get().person) == (1, late)


def test_own_values_and_the_sender_itself_follow_a_person_into_a_new_connection(domain, linked):
    refresh_groups(linked)
    make_person(linked, "10")
    refresh_senders(linked, since=None)
    sender = set_own_values(Sender.objects.get(), {"sender.pronouns": "she/her"}, actor="test")
    Connection.objects.filter(pk=linked.pk).update(state="disconnected")
    again = make_connection(domain)
    person = make_person(again, "10", email="new@acme.example")

    refresh_senders(again, since=None)

    found = Sender.objects.get()
    assert (found.pk, found.person, found.email) == (sender.pk, person, "new@acme.example")
    assert found.own_values == {"sender.pronouns": "she/her"}


def test_senders_of_another_organisation_are_retired_and_its_people_are_new(domain, linked):
    refresh_groups(linked)
    make_person(linked, "10")
    refresh_senders(linked, since=None)
    Connection.objects.filter(pk=linked.pk).update(state="disconnected")
    again = make_connection(domain, account_key="other")
    make_person(again, "10")

    refresh_senders(again, since=None)

    rows = Sender.objects.values_list("person__connection", "is_active")
    assert set(rows) == {(linked.pk, False), (again.pk, True)}


def test_values_are_the_mirrors_with_own_ones_on_top_and_none_where_empty(domain, linked):
    refresh_groups(linked)
    make_person(linked, "10", name="", first_name="Nia", last_name="Park", title="Clerk", phone="")
    refresh_senders(linked, since=None)
    sender = Sender.objects.select_related("person", "group").get()
    set_own_values(sender, {"sender.title": " Head clerk "}, actor="test")
    sender = Sender.objects.select_related("person", "group").get()

    values = get_values(sender, *get_company(domain), get_group_name(sender), NO_RULES)

    assert values["sender.name"] == "Nia Park"
    assert (values["sender.title"], values["sender.phone"], values["group.name"]) == (
        "Head clerk",
        None,
        None,
    )
    sources = {found.field.name: (found.value, found.source) for found in get_field_sources(sender)}
    assert sources["sender.title"] == ("Head clerk", "own")
    assert sources["sender.first_name"] == ("Nia", "outreach")
    assert sources["sender.phone"] == ("", "missing")


def test_an_empty_own_value_gives_the_field_back_to_the_mirror(domain, linked):
    make_person(linked, "10", title="Clerk")
    refresh_senders(linked, since=None)
    sender = Sender.objects.get()
    set_own_values(sender, {"sender.title": "Head clerk", "sender.pronouns": "she/her"}, actor="test")

    set_own_values(sender, {"sender.title": ""}, actor="test")

    assert Sender.objects.get().own_values == {"sender.pronouns": "she/her"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("sender.linkedin_url", "javascript:alert(1)"),
        ("sender.photo_url", "http://acme.example/me.png"),
        ("sender.mobile", "call me"),
        ("company.name", "Mine now"),
        ("sender.salary", "1"),
    ],
)
def test_value_that_does_not_fit_its_field_is_refused_and_nothing_is_kept(linked, name, value):
    make_person(linked, "10")
    refresh_senders(linked, since=None)
    sender = Sender.objects.get()

    with pytest.raises(OwnValueError) as refused:
        set_own_values(sender, {"sender.pronouns": "she/her", name: value}, actor="test")

    assert refused.value.field == name
    assert Sender.objects.get().own_values == {}


def test_changed_own_values_are_in_the_ledger_by_name_and_never_by_value(linked):
    make_person(linked, "10")
    refresh_senders(linked, since=None)

    set_own_values(Sender.objects.get(), {"sender.mobile": "+1 415 555 0188"}, actor="ana@acme.example")

    entry = LedgerEntry.objects.get(action="sender values changed")
    assert (entry.detail, entry.actor_label) == ("sender.mobile", "ana@acme.example")
    assert "0188" not in str(entry.__dict__)
