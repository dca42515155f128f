"""Acts of operators in Django admin: what they press, and what the ledger has of it."""

from __future__ import annotations

from typing import Any

from django.test import Client

from integrations.models import LedgerEntry
from portal.models import Domain

BY = "operator@portal.example"


def act(staff: Client, page: str, action: str, *rows: Any) -> list[str]:
    answer = staff.post(page, {"action": action, "_selected_action": [row.pk for row in rows]}, follow=True)
    return [str(message) for message in answer.context["messages"]]


def get_acts(domain: Domain, *actions: str) -> list[tuple[str, str, str]]:
    rows = LedgerEntry.objects.filter(domain=domain, action__in=actions, actor_label=BY).order_by("pk")
    return list(rows.values_list("action", "actor_label", "detail"))
