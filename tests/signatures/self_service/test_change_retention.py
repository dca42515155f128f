"""Decided changes by senders go after their time; what waits, and the values themselves, stay."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from signatures.models import SenderChange
from signatures.tasks import remove_decided_changes
from tests.support.company import found_company
from tests.support.senders import add_sender

pytestmark = pytest.mark.django_db


def test_decided_changes_go_after_their_time_and_what_waits_stays(domain, other_domain):
    old, young = timezone.now() - timedelta(days=366), timezone.now() - timedelta(days=364)
    senders = [add_sender(found_company(each), "Ana") for each in (domain, other_domain)]
    for field, state, made, decided in (
        ("a", "saved", old, None), ("b", "approved", old, old), ("c", "declined", old, young),
        ("d", "waiting", old, None), ("e", "saved", young, None), ("f", "replaced", old, None),
    ):  # fmt: skip
        SenderChange.objects.create(
            sender=senders[0], field=field, state=state, made_at=made, decided_at=decided, value="Kept value"
        )
    theirs = SenderChange.objects.create(sender=senders[1], field="a", state="saved", made_at=young)

    remove_decided_changes()

    assert sorted(senders[0].changes.values_list("field", flat=True)) == ["c", "d", "e"]
    assert SenderChange.objects.filter(pk=theirs.pk).exists()


def test_the_newest_changes_are_listed_in_the_order_of_an_index(domain, admin_client, settings):
    settings.SECURE_SSL_REDIRECT = False
    SenderChange.objects.create(sender=add_sender(found_company(domain), "Ana"), field="a", state="saved")

    with CaptureQueriesContext(connection) as asked:
        assert admin_client.get("/admin/signatures/senderchange/").status_code == 200

    (listing,) = [
        each["sql"] for each in asked if 'ORDER BY "signatures_senderchange"."made_at" DESC' in each["sql"]
    ]
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN QUERY PLAN {listing}")
        plan = [row[3] for row in cursor.fetchall()]
    assert "SCAN signatures_senderchange USING INDEX changes_by_time" in plan
