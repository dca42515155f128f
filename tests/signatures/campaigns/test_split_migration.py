"""What was one row of a domain becomes three, with every value, and the pseudonyms made with its key stay valid."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.db import connection as database
from django.db.migrations.executor import MigrationExecutor

from integrations.crypto.sealing import seal
from signatures.audiences.pseudonyms import key_of
from signatures.models import BannerPlace, CountingState, RecipientPrivacy

BEFORE, AFTER = ("signatures", "0020_plain_labels"), ("signatures", "0021_split_banner_place")
COUNTED, REMOVED = datetime(2026, 11, 24, 9, tzinfo=UTC), datetime(2026, 8, 1, 9, tzinfo=UTC)
PEPPER = "5e" * 32


@pytest.mark.soak
@pytest.mark.django_db(transaction=True)
def test_every_value_moves_with_its_domain_and_pseudonyms_stay_valid(domain, other_domain):
    executor = MigrationExecutor(database)
    leaves = executor.loader.graph.leaf_nodes()
    key = key_of_pepper(domain)
    executor.migrate([BEFORE])
    old = executor.loader.project_state([BEFORE]).apps.get_model("signatures", "BannerPlace")
    columns = {
        "event_days": 45,
        "decision_days": 12,
        "recipient_variable": "{{email}}",
        "pepper_sealed": seal(PEPPER, bound_to=f"pepper:{domain.pk}"),
        "sifted_until": COUNTED,
        "events_removed_until": REMOVED,
    }
    old.objects.update_or_create(domain_id=domain.pk, defaults={"width": 300, "version": 7, **columns})
    old.objects.update_or_create(domain_id=other_domain.pk)

    try:
        executor = MigrationExecutor(database)
        executor.migrate([AFTER])
        executor = MigrationExecutor(database)
        executor.migrate([BEFORE])
        undone = old.objects.filter(pk=domain.pk).values(*columns).get()
    finally:
        executor = MigrationExecutor(database)
        executor.migrate(leaves)

    assert undone == columns
    assert list(BannerPlace.objects.order_by("pk").values_list("domain", "width", "version")) == [
        (domain.pk, 300, 7),
        (other_domain.pk, 480, 1),
    ]
    privacy = ("domain", "event_days", "decision_days", "recipient_variable", "pepper_sealed")
    assert list(RecipientPrivacy.objects.order_by("pk").values_list(*privacy)) == [
        (domain.pk, 45, 12, "{{email}}", columns["pepper_sealed"]),
        (other_domain.pk, 90, 30, "", ""),
    ]
    marks = ("domain", "counted_until", "events_removed_until")
    assert list(CountingState.objects.order_by("pk").values_list(*marks)) == [
        (domain.pk, COUNTED, REMOVED),
        (other_domain.pk, None, None),
    ]
    assert key_of(domain, "Kim@partner.example") == key


def key_of_pepper(domain) -> str:
    """The pseudonym that this domain made before, with the same key."""
    privacy = RecipientPrivacy(domain=domain, pepper_sealed=seal(PEPPER, bound_to=f"pepper:{domain.pk}"))
    privacy.save()
    key = key_of(domain, "kim@partner.example")
    privacy.delete()
    return key
