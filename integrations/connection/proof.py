"""Proof: runs the least-privilege test for a domain and finds its last run in the ledger."""

from __future__ import annotations

import secrets

from django.db import transaction

from integrations.catalogue import Attempt, Proof, get_provider
from integrations.ledger.record import CallCollector, record_act
from integrations.models import Connection, LedgerEntry
from portal.models import Domain

from .lifecycle import get_connection

ACT = "proof of refusals"


def prove(domain: Domain, *, actor: str) -> Proof:
    """Return the proof: each finding with its attempt, and the counts. Needs no connection and calls nobody.

    Every refusal is in the ledger as refused, and the proof itself as an act with what it came to.
    """
    connection = get_connection(domain)
    job = f"proof {secrets.randbelow(10**9)}"
    # Without a connection the entries name none.
    calls = CallCollector(connection or Connection(id="", domain=domain), job=job, actor_label=actor)
    proof = get_provider().run_proof(record=calls)
    verdict = "holds" if proof.holds else "DOES NOT HOLD"
    with transaction.atomic():
        calls.flush()
        record_act(
            ACT,
            domain=domain,
            connection=connection,
            actor_label=actor,
            job=job,
            detail=f"{verdict}: {proof.stopped} of {len(proof.findings)} forbidden calls refused, "
            f"{proof.connections} connections opened, {proof.tokens} times a token asked for",
        )
    return proof


def list_attempts() -> tuple[Attempt, ...]:
    """Return the forbidden calls that a proof attempts: title, and what each would do."""
    return get_provider().attempts


def get_last_proof(domain: Domain) -> LedgerEntry | None:
    """Return the ledger's entry of the latest proof, or None."""
    return LedgerEntry.objects.filter(domain=domain, scope="", action=ACT).first()
