"""Look-ups: one recipient in the sandbox, and what was asked of it."""

from __future__ import annotations

from signatures.recipients.facts import Known, get_facts

PROSPECTS = "/api/v2/prospects"
MIRA = "mira@first.example"
CANARY = "canary-4f1d9b"


def ask(domain, address: str = MIRA, within: float = 5.0) -> Known:
    return get_facts(domain, address, within=within)


def get_requests(sandbox) -> list[str]:
    """The fields that were asked for, of each request for prospects."""
    return [request.parameters["fields[prospect]"][0] for request in sandbox.requests.to(PROSPECTS)]
