"""Decisions in Django admin: looked at, keys taken back, and no key or address to be read."""

from __future__ import annotations

import pytest
from django.urls import reverse
from django.utils import timezone

from portal.models import User
from signatures.decisions.api_keys import find_key, make_key
from signatures.decisions.decide import decide
from signatures.models import Decision, DecisionKey, KnownRecipient
from signatures.recipients.merge_variable import start_test

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("look_ups_end")]


@pytest.fixture
def staff(client):
    client.force_login(User.objects.create_user("op@portal.example", "correct horse battery", is_staff=True))
    return client


def test_operators_look_and_see_no_key(staff, domain, place, sender, campaign):
    campaign("Partners", ("email_domain", "is", ["partner.example"]))
    made = make_key(domain, "Gateway", actor="x")
    decide(domain, sender, "kim@partner.example", way=Decision.Way.API, at=timezone.now())
    test = start_test(domain, "{{email}}", actor="x")
    rows = [made.row, Decision.objects.get(), KnownRecipient.objects.get(), test]

    for row in rows:
        name = f"admin:signatures_{row._meta.model_name}"
        listed = staff.get(reverse(f"{name}_changelist"))
        shown = staff.get(reverse(f"{name}_change", args=[row.pk]))
        words = listed.content.decode() + shown.content.decode()
        assert (listed.status_code, shown.status_code) == (200, 200)
        assert made.row.key_sha256 not in words
        assert made.text not in words
        assert test.key not in words
        assert staff.get(reverse(f"{name}_add")).status_code == 403
        assert staff.post(reverse(f"{name}_change", args=[row.pk]), {"name": "x"}).status_code == 403


def test_a_key_is_taken_back_from_its_list(staff, domain):
    made, other = (make_key(domain, name, actor="x") for name in ("Gateway", "Add-in"))

    answer = staff.post(
        reverse("admin:signatures_decisionkey_changelist"),
        {"action": "revoke", "_selected_action": [made.row.pk]},
        follow=True,
    )

    assert "revoked." in answer.content.decode()
    assert (find_key(made.text), find_key(other.text)) == (None, DecisionKey.objects.get(pk=other.row.pk))
