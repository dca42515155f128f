"""Rows stored in bulk, and transactions that outlive a power cut."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone

from portal.db import count_each, create_rows, durable_atomic, insert_rows, update_rows, upsert_rows
from portal.models import Domain
from signatures.models import Group, SpoolImport, Template


@pytest.mark.django_db
def test_named_fields_of_the_given_rows_are_stored_and_nothing_else(domain):
    rows = [
        Group.objects.create(domain=domain, name=f"Group {number}", position=number) for number in range(3)
    ]
    now = timezone.now()
    for row in rows[:2]:
        row.name, row.archived_at, row.position = f"{row.name}'s “%s”", now, 99

    update_rows(rows[:2], ["name", "archived_at"])

    assert list(Group.objects.order_by("pk").values_list("name", "archived_at", "position")) == [
        ("Group 0's “%s”", now, 0),
        ("Group 1's “%s”", now, 1),
        ("Group 2", None, 2),
    ]


@pytest.mark.django_db
def test_sets_of_rows_are_counted_up_to_a_number_in_one_query(
    domain, other_domain, django_assert_num_queries
):
    for number in range(3):
        Group.objects.create(domain=domain, name=f"Group {number}", position=number)
    Group.objects.create(domain=other_domain, name="Theirs", position=0)
    ours, theirs = Group.objects.filter(domain=domain), Group.objects.filter(domain=other_domain)

    with django_assert_num_queries(1):
        counted = count_each(
            [[ours], [theirs, Group.objects.none()], [ours, theirs], [], [Group.objects.none()]], most=3
        )

    assert counted == [3, 1, 3, 0, 0]


@pytest.mark.django_db
def test_no_rows_are_no_query(django_assert_num_queries):
    with django_assert_num_queries(0):
        update_rows([], ["name"])


@pytest.mark.django_db
def test_inserted_rows_hold_the_default_of_what_is_not_named():
    insert_rows(SpoolImport, columns=("name",), rows=[("a.events",), ("b.events",)])

    assert list(SpoolImport.objects.order_by("name").values_list("name", "offset")) == [
        ("a.events", 0),
        ("b.events", 0),
    ]
    assert all(row.changed_at <= timezone.now() for row in SpoolImport.objects.all())


@pytest.mark.django_db
@pytest.mark.parametrize(("merge", "offset"), [(None, 5), ({"offset": "old.offset + EXCLUDED.offset"}, 15)])
def test_upserted_rows_overwrite_or_are_merged_into_those_that_are_there(merge, offset):
    early, late = timezone.now(), timezone.now() + timedelta(hours=1)
    SpoolImport.objects.create(name="a.events", offset=10, changed_at=early)
    SpoolImport.objects.create(name="bystander.events", offset=10, changed_at=early)

    upsert_rows(
        SpoolImport,
        unique=("name",),
        same={"changed_at": late},
        columns=("name", "offset"),
        rows=[("a.events", 5), ("new.events", 7)],
        merge=merge,
    )

    assert list(SpoolImport.objects.order_by("name").values_list("name", "offset", "changed_at")) == [
        ("a.events", offset, late),
        ("bystander.events", 10, early),
        ("new.events", 7, late),
    ]


def get_synchronous() -> int:
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA synchronous")
        return cursor.fetchone()[0]


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL waits for the disk at every commit.")
def test_sqlite_waits_for_the_disk_inside_and_not_afterwards():
    normal, full = 1, 2

    with durable_atomic():
        inside = get_synchronous()
        Domain.objects.create(name="acme.example")

    assert (inside, get_synchronous()) == (full, normal)
    assert Domain.objects.filter(name="acme.example").exists()


@pytest.mark.django_db(transaction=True)
def test_what_fails_inside_is_not_stored_and_the_setting_is_put_back(domain):
    with pytest.raises(RuntimeError), durable_atomic():
        Template.objects.create(domain=domain, name="Half")
        raise RuntimeError

    assert not Template.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_inside_another_transaction_it_is_a_part_of_that(domain):
    with transaction.atomic(), durable_atomic():
        Template.objects.create(domain=domain, name="Whole")

    assert Template.objects.get().name == "Whole"


@pytest.mark.django_db
def test_a_column_of_which_first_and_last_row_share_a_value_keeps_the_others():
    zones = ["UTC", "Europe/Berlin", "UTC"]

    create_rows([Domain(name=f"{at}.example", time_zone=zone) for at, zone in enumerate(zones)])

    assert list(Domain.objects.order_by("name").values_list("time_zone", flat=True)) == zones
