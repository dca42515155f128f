"""Counting on PostgreSQL beside decisions: neither waits for the other."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.banner_company_script import MAKE_COMPANY
from tests.support.installation import Installation, wait_until

pytestmark = [pytest.mark.postgres, pytest.mark.soak]

PREPARE = (
    MAKE_COMPANY
    + """
from datetime import timedelta
from signatures.models import BannerEvent
Campaign.objects.filter(name="For some").update(cap_times=1, cap_days=7, audience=[
    {"attribute": "email_domain", "operator": "is", "values": ["first.example"]}])
BannerPlace.objects.touch(domain)
BannerEvent.objects.create(domain=domain, at=now - timedelta(hours=1), kind="image", sender_id=senders[0].pk)
"""
)
COUNT = """
import time
from pathlib import Path
from django.db import transaction
from portal.models import Domain
from signatures.analytics.aggregation import aggregate_events
folder = Path(sys.argv[1])
with transaction.atomic():
    judged = aggregate_events(Domain.objects.get(name="acme.example")).judged
    (folder / "counting").touch()
    while not (folder / "decided").exists():
        time.sleep(0.01)
print(judged)
"""
DECIDE = """
from django.db import connection
from django.utils import timezone
from portal.models import Domain
from signatures.decisions.decide import decide
from signatures.models import Campaign, Decision, Sender
with connection.cursor() as cursor:
    cursor.execute("SET lock_timeout = '3s'")
domain = Domain.objects.get(name="acme.example")
sender = Sender.objects.filter(domain=domain).order_by("pk")[0]
for _ in range(2):
    decided = decide(domain, sender, "mira@first.example", way=Decision.Way.API, at=timezone.now(), within=1)
    print(Campaign.objects.get(pk=decided.choice.campaign_id).name)
"""


def test_a_capped_decision_does_not_wait_while_events_are_counted(
    install: Callable[..., Installation], tmp_path: Path
) -> None:
    installation = install()
    installation.run(PREPARE)
    counting = installation.start_script(COUNT, str(tmp_path))
    wait_until((tmp_path / "counting").exists, seconds=30, what="the count to be under way")

    try:
        decided = installation.run(DECIDE).splitlines()
    finally:
        (tmp_path / "decided").touch()
        counted = counting.communicate(timeout=30)[0]

    assert decided == ["For some", "Red"]
    assert counted.split() == ["1"]
