"""Reads for the check of assumptions: at most ten small ones through the one client, each call once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from integrations.errors import (
    ClientMisconfigured,
    ConnectionLost,
    IntegrationError,
    RateLimited,
    UnexpectedReply,
)

from .allowed_calls import FIND_PROSPECT, Endpoint
from .client import OutreachClient
from .replies import NotUnderstood, Reply

MAX_READS = 10
PAGE_SIZE = 3
RELATIONSHIPS = (("user", "teams"), ("team", "users"), ("mailbox", "user"))
NOT_ASKED = "not asked"


@dataclass(frozen=True, slots=True)
class Exchange:
    """One read as it was answered. reply: None where no usable one came, and `problem` says why."""

    endpoint: Endpoint
    query: Mapping[str, str]
    reply: Reply | None
    problem: str = ""

    @property
    def items(self) -> list[dict[str, Any]]:
        """The records that came, those that are no objects left out."""
        data = self.reply.document.get("data") if self.reply else None
        return [item for item in data if isinstance(item, dict)] if isinstance(data, list) else []


@dataclass
class Reader:
    """Reads through the one client, each call once, at most MAX_READS of them."""

    client: OutreachClient
    exchanges: list[Exchange] = field(default_factory=list)
    takes_relationships: bool | None = None

    def read(self, endpoint: Endpoint, **filters: str) -> Exchange:
        """Return how one small read was answered; relationships are named until they are refused."""
        if self.takes_relationships is not False:
            exchange = self._send(endpoint, endpoint.fields_read, filters)
            if not exchange.problem.startswith(NotUnderstood.__name__):
                self.takes_relationships = self.takes_relationships or (exchange.reply is not None or None)
                return exchange
            self.takes_relationships = False
        names = tuple(
            name for name in endpoint.fields_read if (endpoint.resource_type, name) not in RELATIONSHIPS
        )
        return self._send(endpoint, names, filters)

    def read_where(self, endpoint: Endpoint, filters: Mapping[str, str] | None) -> Exchange:
        """Return how the read with these filters was answered; nothing is read where there are none."""
        return Exchange(endpoint, {}, None, NOT_ASKED) if filters is None else self.read(endpoint, **filters)

    def find(self, **filters: str) -> Exchange:
        return self._send(FIND_PROSPECT, ("emails",), filters)

    def _send(self, endpoint: Endpoint, fields: Sequence[str], filters: Mapping[str, str]) -> Exchange:
        if len(self.exchanges) >= MAX_READS:
            return Exchange(endpoint, {}, None, NOT_ASKED)
        query = {
            "page[size]": str(PAGE_SIZE),
            "count": "false",
            f"fields[{endpoint.resource_type}]": ",".join(fields),
        }
        query |= filters if endpoint.is_lookup else {"sort": "createdAt", **filters}
        try:
            exchange = Exchange(endpoint, query, self.client.send(endpoint, query=query))
        except (ConnectionLost, ClientMisconfigured, RateLimited):
            raise
        except IntegrationError as error:
            why = f" ({error.detail})" if isinstance(error, UnexpectedReply) and error.detail else ""
            exchange = Exchange(endpoint, query, None, f"{type(error).__name__}{why}")
        self.exchanges.append(exchange)
        return exchange


def since_filter(moment: datetime) -> dict[str, str]:
    text = moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {"newFilterSyntax": "true", "filter[updatedAt][gte]": text}


def get_header(exchange: Exchange, name: str) -> str:
    return (exchange.reply.headers.get(name) or "") if exchange.reply else ""
