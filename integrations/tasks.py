"""Tasks of the background worker: each fetches its row, calls one function, and may run twice."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta

from django.db.models import Q
from django.utils import timezone

from integrations.connection.sessions import renew_now
from integrations.connection.tokens import DAILY
from portal.background import enqueue, enqueue_missing

from . import retention
from .crypto.sealing import Unsealable
from .disconnect import receipts, steps
from .errors import IntegrationError
from .ledger import pruning, verification
from .models import Connection, ConnectionState, DisconnectStep, LedgerChain, RunState, SyncKind, SyncRun
from .notices import sending, watch
from .sync import runs

log = logging.getLogger(__name__)

UNCLAIMED = timedelta(seconds=30)  # a queued run that nobody took by then lost its task


def sync_directory(*, run_id: int) -> None:
    """Carry one requested sync out."""
    runs.carry_out(run_id)


def sync_changes() -> None:
    """Every connection whose domain wants it reads what changed."""
    _request_for_all(runs.choose_regular_kind)


def sync_everything() -> None:
    """Every connection whose domain wants it reads everything; rows that are gone are retired."""
    _request_for_all(lambda connection: SyncKind.FULL)


def read_mailboxes_back() -> None:
    """Every mailbox is read again at night, where the nightly full sync did not come to its end."""
    _request_for_all(lambda connection: SyncKind.MAILBOXES if runs.is_read_back_due(connection) else None)


def _request_for_all(choose_kind: Callable[[Connection], SyncKind | None]) -> None:
    due = Connection.objects.filter(state=ConnectionState.ACTIVE, domain__automatic_sync=True)
    for connection in due.select_related("domain"):
        if not connection.sync_runs.exists():
            continue  # the first reading is a person's decision
        kind = choose_kind(connection)
        if kind is None:
            continue
        try:
            run = runs.request_sync(connection, kind=kind, actor="schedule", wakes_waiting=False)
        except runs.SyncRefused:
            continue  # one is running, or nothing may be read: the page says so
        enqueue("integrations.tasks.sync_directory", run_id=run.pk)


def refresh_tokens() -> None:
    """Every connection that was not renewed for most of a day is renewed, so that 14 days never lapse."""
    due = Connection.objects.filter(
        Q(refreshed_at=None) | Q(refreshed_at__lt=timezone.now() - DAILY),
        state__in=[ConnectionState.ACTIVE, ConnectionState.MISCONFIGURED],
    )
    for connection in due.select_related("domain"):
        try:
            renew_now(connection, job="daily renewal")
        except IntegrationError:
            continue  # recorded on the connection where it ends it; the others heal by the next pass


def check_ledger() -> None:
    """Every chain of the ledger is checked, each by a task of its own."""
    for chain in verification.list_chains():
        enqueue("integrations.tasks.check_chain", chain_id=chain.pk)


def check_chain(*, chain_id: int) -> None:
    """One chain is checked and the result stored; a broken one is in the log as well."""
    chain = LedgerChain.objects.filter(pk=chain_id).first()
    if chain is None:
        log.error("The ledger has entries of chain %s and no head of it. Run verifyledger.", chain_id)
        return
    check = verification.check_and_note(chain)
    if not check.is_intact:
        log.error("The ledger of %s is broken: %s", chain.domain_name or "no domain", check.finding)


def prune_ledger() -> None:
    """Old entries of every chain go, each chain by a task of its own."""
    for chain in verification.list_chains():
        enqueue("integrations.tasks.prune_chain", chain_id=chain.pk)


def prune_chain(*, chain_id: int) -> None:
    """One chain's old entries are gone, and a signed checkpoint stands for them; a broken chain stays as it is."""
    chain = LedgerChain.objects.filter(pk=chain_id).first()
    if chain is None:
        return  # `check_chain` says so
    try:
        pruning.prune_chain(chain, before=pruning.get_limit(), actor="schedule")
    except (pruning.PruningRefused, Unsealable) as refusal:
        log.error("The ledger was not pruned: %s", refusal)


def continue_disconnect(*, connection_id: str) -> None:
    """Carry out the steps of one disconnect that are due now."""
    steps.continue_disconnect(connection_id)


def watch_connections() -> None:
    """What needs a person is noticed, and each message that is due is sent by a task of its own."""
    watch.watch_installation()
    for notice_id in watch.watch_connections():
        enqueue("integrations.tasks.send_notice", notice_id=notice_id)


def send_notice(*, notice_id: int) -> None:
    """Send the message of one notice, if it is still due."""
    sending.send_notice(notice_id)


def remove_old_syncs() -> None:
    """Syncs, notices and rejected records whose time is over are gone."""
    retention.remove_old_syncs()


def sweep_connections() -> None:
    """What a lost task left behind is found: unclaimed and lapsed syncs, waiting ones, half-left connections."""
    take_over()
    receipts.sign_receipts()


def take_over() -> None:
    """Queue what is due and that no process holds; it asks little, as supervisors have it done every few seconds."""
    now = timezone.now()
    for run in runs.end_lapsed_runs():
        enqueue("integrations.tasks.sync_directory", run_id=run.pk)
    due = Q(state=RunState.QUEUED, created_at__lt=now - UNCLAIMED) | Q(
        state=RunState.WAITING, resume_at__lte=now
    )
    for run_id in SyncRun.objects.filter(due).values_list("pk", flat=True):
        enqueue_missing("integrations.tasks.sync_directory", run_id=run_id)
    disconnecting = Connection.objects.filter(
        Q(disconnect_lease_until=None) | Q(disconnect_lease_until__lt=now),
        state=ConnectionState.DISCONNECTING,
        disconnect_step=DisconnectStep.REVOKING,
    )
    for connection_id in disconnecting.values_list("pk", flat=True):
        enqueue_missing("integrations.tasks.continue_disconnect", connection_id=str(connection_id))
