"""Receipts: write, sign and check the receipt of a disconnect.

What is signed is the receipt as JSON in UTF-8 with its keys sorted and no space between them (`serialise`),
so that anybody can make the same bytes from the file again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import DatabaseError
from django.db.models import Count, Q, Sum
from django.utils import timezone

from integrations.crypto.sealing import Unsealable
from integrations.crypto.signing import Signature, export_pem, is_signed_by, sign, verify
from integrations.ledger.chain import get_chain
from integrations.ledger.pruning import get_limit
from integrations.ledger.record import record_act
from integrations.models import Connection, LedgerEntry, Outcome, Receipt
from integrations.signature_service import get_signature_service

KIND = "countersign disconnect receipt"
VERSION = 1
WORK = "disconnect"  # the ledger's job for the calls of the disconnect itself

_UNTIL_DELETED = (
    {
        "what": "original signatures that were not restored",
        "until": "the domain is deleted here",
    },
    {
        "what": "people, teams, mailboxes, groups, templates and deliveries",
        "until": "the domain is deleted here",
    },
    {"what": "this receipt", "until": "the portal is removed"},
)


@dataclass(frozen=True, slots=True)
class Afterwards:
    """One call with the tokens after they were revoked. at: None where none was made; status: 0 for no answer."""

    at: datetime | None
    status: int
    verdict: str


def serialise(content: Mapping[str, Any]) -> bytes:
    """Return the bytes that stand for this content, always the same."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def write_receipt(
    connection: Connection, *, ended_at: datetime, revocation: str, afterwards: Afterwards
) -> Receipt:
    """Store the receipt of this disconnect, signed where the key can be decrypted.

    Call it inside the transaction that erases the tokens: there is never the one without the other.
    """
    payload = serialise(_describe(connection, ended_at, revocation, afterwards))
    return Receipt.objects.create(
        domain=connection.domain,
        domain_name=connection.domain.name,
        connection_ref=str(connection.pk),
        created_at=ended_at,
        payload=payload.decode(),
        signature=_sign(payload),
    )


def sign_receipts() -> int:
    """Every receipt that could not be signed when it was written is signed, if it can be now; how many were."""
    signed = 0
    for receipt in Receipt.objects.filter(signature={}).select_related("domain"):
        signature = _sign(receipt.payload.encode())
        if not signature or not Receipt.objects.filter(pk=receipt.pk, signature={}).update(
            signature=signature
        ):
            continue
        signed += 1
        if receipt.domain is not None:
            record_act("receipt signed", domain=receipt.domain, object_ref=receipt.connection_ref)
    return signed


def _sign(payload: bytes) -> dict[str, str]:
    try:
        return sign(payload).as_dict()
    except Unsealable:
        return {}  # a lost key must not keep anybody from disconnecting


def _describe(
    connection: Connection, ended_at: datetime, revocation: str, afterwards: Afterwards
) -> dict[str, Any]:
    entries = LedgerEntry.objects.filter(domain=connection.domain, connection_ref=str(connection.pk))
    asked = entries.filter(action="disconnect requested").first()
    chain = get_chain(connection.domain)
    return {
        "kind": KIND,
        "version": VERSION,
        "domain": connection.domain.name,
        "connection": str(connection.pk),
        "account": connection.account_label,
        "authorised": {"at": _say(connection.authorised_at), "by": connection.authorised_by_label},
        "asked_for": {
            "at": _say(asked.at) if asked else "",
            "by": connection.disconnect_requested_by_label,
        },
        "ended_at": _say(ended_at),
        "permissions": {
            "requested": connection.scopes_requested,
            "granted": connection.scopes_granted,
            "switched_off_here": connection.scopes_blocked,
        },
        "calls": _describe_calls(entries),
        "originals": _describe_originals(connection),
        "tokens": {
            "erased_at": _say(ended_at),
            "revocation": revocation,
        },
        "call_afterwards": {
            "at": _say(afterwards.at) if afterwards.at else "",
            "http_status": afterwards.status,
            "verdict": afterwards.verdict,
        },
        "ledger": {"entries": chain.count, "head": chain.digest} if chain else {"entries": 0, "head": ""},
        "kept": _list_kept(ended_at),
    }


def _list_kept(ended_at: datetime) -> list[dict[str, str]]:
    keep = timezone.now() - get_limit()
    ledger = {
        "what": "the ledger of calls and admin actions",
        "until": f"{ended_at + keep:%Y-%m-%d} or later; no entry younger than {keep.days} days is pruned",
    }
    return [ledger, *_UNTIL_DELETED]


def _describe_calls(entries: Any) -> dict[str, Any]:
    calls = entries.filter(action="call").exclude(outcome=Outcome.REFUSED)
    totals = calls.aggregate(times=Sum("times", default=0), writes=Count("id", filter=Q(verb="write")))
    last = calls.exclude(job=WORK).first()
    return {
        "made": totals["times"],
        "of_them_wrote_a_signature": totals["writes"],
        "last": {
            "at": _say(last.at),
            "call": f"{last.method} {last.endpoint}".strip(),
            "job": last.job,
            "http_status": last.status,
        }
        if last
        else None,
    }


def _describe_originals(connection: Connection) -> dict[str, Any]:
    service = get_signature_service()
    restoration = service.describe_restore(connection)
    left = service.list_left_behind(connection)
    return {
        "were_to_be_restored": connection.disconnect_restores,
        "mailboxes": restoration.total,
        "restored": restoration.restored,
        "left_as_they_are": [
            {"mailbox": each.email, "id": each.remote_id, "why": each.why, "is_conflict": each.is_conflict}
            for each in left
        ],
    }


def _say(at: datetime) -> str:
    return at.isoformat(timespec="seconds").replace("+00:00", "Z")


def make_file(receipt: Receipt) -> str:
    """Return the receipt as the file one downloads: its content, and the signature of that content."""
    return json.dumps(
        {"receipt": receipt.content, "signature": receipt.signature}, indent=2, ensure_ascii=False
    )


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a file is a receipt of this installation, unchanged. words: a sentence for a person."""

    is_genuine: bool
    words: str


def check_file(text: str, *, key: str = "") -> Verdict:
    """Return whether this file is a receipt that nobody changed since it was signed, and by whom.

    key: the public key that must have signed it; '' asks the database for the keys of this installation.
    """
    try:
        document = json.loads(text)
        payload = serialise(document["receipt"])
        given = document["signature"]
        signature = Signature(given["key_id"], given["public_key"], given["signature"])
        is_receipt = document["receipt"]["kind"] == KIND
    except (ValueError, TypeError, KeyError):
        return Verdict(False, "This is not a receipt: a file with a receipt and its signature was expected.")
    if not is_receipt:
        return Verdict(False, "This is not a disconnect receipt.")
    if not is_signed_by(signature.public_key, payload, signature.value):
        return Verdict(False, "The signature does not match: the receipt was changed after it was signed.")
    if key:
        is_theirs = key in (signature.public_key, export_pem(signature.public_key).strip())
        words = "with the key that you named" if is_theirs else f"with another key: {signature.public_key}"
        return Verdict(is_theirs, f"Unchanged, signed {words}.")
    try:
        is_ours = verify(payload, signature)
    except DatabaseError:  # whoever holds the file may have no database of the portal
        return Verdict(
            True,
            f"Unchanged since it was signed with the key {signature.key_id}, {signature.public_key}. Whose key that "
            f"is, no database here can tell: compare it with the one you noted down.",
        )
    if not is_ours:
        return Verdict(
            False,
            f"Unchanged, but signed with the key {signature.key_id}, which does not belong to this installation.",
        )
    return Verdict(True, f"Genuine and unchanged, signed with our key {signature.key_id}.")
