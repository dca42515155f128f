"""A delivery that was started and has written nothing yet."""

from __future__ import annotations

import pytest

from signatures.delivery.planning import plan_delivery
from signatures.delivery.runs import start_delivery
from signatures.models import DeliveryRun


@pytest.fixture
def started(ready, domain) -> DeliveryRun:
    return start_delivery(plan_delivery(domain, actor="test"), actor="test")
