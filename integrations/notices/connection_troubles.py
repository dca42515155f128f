"""Troubles: what needs a person now, at a connection and at the installation."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from datetime import datetime, timedelta

from django.db.models import Max
from django.urls import reverse

from integrations.connection.health import LAPSES_SOON, describe, get_incomplete_run
from integrations.models import CallBudget, ChainCheck, Connection, ConnectionState, NoticeKind
from integrations.signature_service import get_signature_service
from integrations.trouble import Trouble
from portal.models import Domain

from .messages import say

CALLS_SHORT_PERCENT = 90  # background work leaves a fifth of an hour's calls to people
LONG_WAIT = timedelta(minutes=5)

Source = Callable[[Collection[str]], Iterable[Trouble]]
_sources: list[Source] = []


def register_source(source: Source) -> None:
    """Let this list more troubles of the installation, by kinds; called once, when the apps are ready."""
    _sources.append(source)


def list_installation_troubles(kinds: Collection[str] = tuple(NoticeKind)) -> list[Trouble]:
    """Return what needs a person at the installation, of these kinds, whatever its connections do."""
    chains = _list_broken_chains() if NoticeKind.LEDGER in kinds else ()
    more = [trouble for source in _sources for trouble in source(kinds)]
    return [trouble for trouble in (*chains, *more) if trouble.kind in kinds]


def list_troubles(connection: Connection, *, at: datetime) -> list[Trouble]:
    """Return what needs a person at this connection now; nothing where it is over.

    One that is being disconnected needs somebody only where the originals cannot be restored automatically.
    """
    if connection.state == ConnectionState.DISCONNECTED:
        return []
    return [*_list_own_troubles(connection, at), *get_signature_service().list_troubles(connection)]


def _list_own_troubles(connection: Connection, at: datetime) -> Iterator[Trouble]:
    """Yield what concerns the connection itself, whatever its signatures do."""
    page = reverse("integrations:outreach", args=[connection.domain.name])
    if connection.state == ConnectionState.LOST:
        advice = "Connect again on the Outreach page. Every setting is kept, and signatures stay as they are."
        yield Trouble(NoticeKind.LOST, describe(connection).sentence, advice, page)
    if connection.state == ConnectionState.MISCONFIGURED:
        advice = (
            "The operator corrects the client ID or secret; “Check the connection” on the Outreach page then "
            "resumes syncs and deliveries. Token and settings are kept."
        )
        yield Trouble(NoticeKind.MISCONFIGURED, describe(connection).sentence, advice, page)
    if connection.state != ConnectionState.ACTIVE:
        return
    lapses_at = connection.refresh_lapses_at
    if lapses_at is not None and lapses_at - at < LAPSES_SOON:
        yield Trouble(
            NoticeKind.LAPSING,
            f"The Outreach token could not be refreshed since {say(connection.refreshed_at)}. "
            f"It expires on {say(lapses_at)}.",
            "Press “Check the connection” on the Outreach page; it shows the cause. A new connection is "
            "valid for another 14 days.",
            page,
        )
    incomplete = get_incomplete_run(connection)
    if incomplete is not None:
        yield Trouble(
            NoticeKind.INCOMPLETE,
            incomplete.cause,
            "The page of the sync lists the rejected records, each with its reason. Correct them in Outreach; "
            "where nearly all are listed, tell the operator that Outreach’s replies changed.",
            reverse("integrations:run", args=[connection.domain.name, incomplete.pk]),
        )
    short = _describe_short_calls(connection, at)
    if short:
        yield Trouble(
            NoticeKind.CALLS,
            short,
            "Syncs and deliveries wait and continue automatically. Where this happens often, see which other "
            "applications use the same Outreach account, or ask Outreach for a larger allowance.",
            page,
        )


def _describe_short_calls(connection: Connection, at: datetime) -> str:
    """Return how the calls of this hour, or of the one before it, ran short; '' where they did not."""
    budget = CallBudget.objects.filter(connection=connection).first()
    if budget is None:
        return ""
    if budget.blocked_until is not None and budget.blocked_until > at + LONG_WAIT:
        return f"Outreach takes no calls until {say(budget.blocked_until)}."
    is_recent = budget.window_ends_at is not None and budget.window_ends_at > at - timedelta(hours=1)
    if is_recent and budget.used * 100 >= budget.limit * CALLS_SHORT_PERCENT:
        return f"{budget.used:,} of the {budget.limit:,} calls of an hour were used."
    return ""


def _list_broken_chains() -> Iterator[Trouble]:
    """Yield each chain of the ledger whose last check found it broken."""
    last = ChainCheck.objects.order_by().values("chain").annotate(last=Max("pk")).values("last")
    broken = ChainCheck.objects.filter(pk__in=last, is_intact=False).select_related("chain__domain")
    for check in broken.order_by("chain"):
        domain: Domain | None = check.chain.domain
        yield Trouble(
            NoticeKind.LEDGER,
            f"The ledger of {check.chain.domain_name or 'no domain'} is broken. {check.finding}",
            "Run verifyledger, which names the first entry that does not fit, and compare it with a backup.",
            reverse("integrations:ledger", args=[domain.name]) if domain else reverse("portal:status"),
            subject=f"ledger {check.chain_id}",
            domain=domain,
        )
