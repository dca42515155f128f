"""Assumption report: makes what was found fit to send, every value replaced by its type and length."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from integrations.outreach.assumption_reads import Exchange
from integrations.outreach.assumptions import Result

KIND = "countersign report of assumptions"
# Values that are Outreach's own words, and headers that say only how it counts.
_PLAIN_KEYS = frozenset({"type"})
_PLAIN_HEADERS = frozenset({"content-type", "x-ratelimit-limit", "x-ratelimit-remaining"})
_PLAIN_QUERY = re.compile(r"page\[size\]|count|sort|newFilterSyntax|fields\[\w+\]", re.ASCII)
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,40}", re.ASCII)
_MAX_ITEMS = 5
_MAX_DEPTH = 12


def make_report(result: Result, *, made_at: datetime) -> dict[str, Any]:
    """Return findings and replies; of a list, the first five items."""
    return {
        "kind": KIND,
        "version": 1,
        "made_at": made_at.isoformat(timespec="seconds"),
        "findings": [
            {"name": one.name, "assumed": one.assumed, "verdict": one.verdict.value, "seen": one.seen}
            for one in result.findings
        ],
        "reads": [_describe(exchange) for exchange in result.exchanges],
    }


def _describe(exchange: Exchange) -> dict[str, Any]:
    reply = exchange.reply
    return {
        "call": exchange.endpoint.name,
        "query": {
            key: value if _PLAIN_QUERY.fullmatch(key) else redact(value)
            for key, value in exchange.query.items()
        },
        "problem": exchange.problem,
        "headers": {
            name: value if name.lower() in _PLAIN_HEADERS and len(value) <= 60 else redact(value)
            for name, value in (reply.headers.items() if reply else ())
        },
        "document": redact(reply.document) if reply else None,
    }


def redact(value: Any, *, key: str = "", depth: int = 0) -> Any:
    """Return the value's own shape: objects and lists stay, everything in them becomes type and length."""
    if depth > _MAX_DEPTH:
        return "deeper"
    match value:
        case dict():
            return {_name(name): redact(one, key=name, depth=depth + 1) for name, one in value.items()}
        case list():
            shown = [redact(one, key=key, depth=depth + 1) for one in value[:_MAX_ITEMS]]
            return [*shown, f"and {len(value) - _MAX_ITEMS} more"] if len(value) > _MAX_ITEMS else shown
        case str() if key in _PLAIN_KEYS and _WORD.fullmatch(value):
            return value
        case str():
            return f"text of {len(value)}"
        case bool():
            return "true or false"
        case int():
            return f"integer of {len(str(abs(value)))}"
        case float():
            return "number with a fraction"
    return "null"


def _name(name: str) -> str:
    return name if _WORD.fullmatch(name) else f"key of {len(name)}"
