"""Sessions: open a provider's connector for one connection and one job, with tokens, budget and ledger."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from integrations.catalogue import get_provider
from integrations.connector import Connector
from integrations.errors import ClientMisconfigured, ConnectionLost
from integrations.ledger.record import CallCollector
from integrations.models import Connection, ConnectionState

from .call_budget import HourlyBudget
from .observations import Observations
from .state import note_failure, set_state
from .tokens import ALIVE, ConnectionWatch, Refresher, renew_tokens


@dataclass(frozen=True, slots=True)
class Session:
    """An open way to one connection. `flush` writes what was called so far into the ledger."""

    connector: Connector
    calls: CallCollector

    def flush(self) -> None:
        self.calls.flush()


@contextmanager
def open_session(
    connection: Connection,
    *,
    job: str,
    actor_label: str = "",
    background: bool = True,
    for_restoring: bool = False,
    single_try_seconds: float | None = None,
) -> Iterator[Session]:
    """Open a session for one job, such as 'sync 12'; every call it makes is in the ledger when it ends.

    single_try_seconds: each call is made once, and ends after this long; None repeats failed reads.
    Errors pass through; those that end the connection itself are recorded on it on their way.
    """
    calls = CallCollector(connection, job=job, actor_label=actor_label)
    seen = Observations(connection.pk, job=job, record=calls)
    budget = HourlyBudget(connection.pk, background=background)
    watch = ConnectionWatch(connection.pk, refresh=_get_refresher(calls), for_restoring=for_restoring)
    try:
        with get_provider().open_connector(
            access=watch,
            permission=watch.get_permission,
            budget=budget,
            record=seen,
            single_try_seconds=single_try_seconds,
        ) as connector:
            yield Session(connector=connector, calls=calls)
    except (ConnectionLost, ClientMisconfigured) as error:
        note_failure(connection, error, token_version=watch.token_version)
        raise
    finally:
        calls.flush()
        seen.store()
        budget.close()


def renew_now(connection: Connection, *, job: str, actor_label: str = "") -> None:
    """The connection's tokens were renewed, and one that waited for the operator works again.

    Raises as `tokens.renew_tokens`, recording what ends the connection.
    """
    calls = CallCollector(connection, job=job, actor_label=actor_label)
    try:
        renew_tokens(
            connection.pk,
            version=connection.token_version,
            refresh=_get_refresher(calls),
            states=(*ALIVE, ConnectionState.MISCONFIGURED),
        )
    except (ConnectionLost, ClientMisconfigured) as error:
        note_failure(connection, error, token_version=connection.token_version)
        raise
    finally:
        calls.flush()
    connection.refresh_from_db()
    set_state(connection, ConnectionState.ACTIVE, only_from=[ConnectionState.MISCONFIGURED])


def _get_refresher(calls: CallCollector) -> Refresher:
    return partial(get_provider().refresh_tokens, record=calls)
