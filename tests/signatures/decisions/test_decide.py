"""What one recipient gets from one sender, and what is kept of it."""

from __future__ import annotations

import pytest
from django.utils import timezone

from signatures.decisions.decide import Why, decide
from signatures.models import Decision

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("look_ups_end")]


def test_a_decision_keeps_the_banner_and_a_digest_and_no_address(domain, place, sender, campaign):
    campaign("Everybody else", ("email_domain", "is", ["elsewhere.example"]), priority=9)
    chosen = campaign("Partners", ("email_domain", "is", ["partner.example"]))

    decided = decide(
        domain, sender, "Kim@Partner.example", way=Decision.Way.API, at=timezone.now(), within=0.8
    )

    decision = Decision.objects.get()
    assert (decided.choice.campaign_id, decided.why) == (chosen.pk, Why.CAMPAIGN)
    assert (decision.sender, decision.campaign, decision.way) == (sender, chosen, "api")
    assert len(decision.recipient_key) == 64
    assert "kim" not in str(Decision.objects.values().get()).lower()
