"""Lifecycle: accepts, pauses, resumes and checks a connection; ending one is in `disconnect`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone

from integrations.catalogue import get_provider
from integrations.connector import Connector
from integrations.errors import ClientMisconfigured, ConnectionLost, IntegrationError
from integrations.interfaces import TokenPair
from integrations.ledger.record import record_act
from integrations.models import Connection, ConnectionState, Mode
from portal.models import Domain, User
from portal.page_reads import once_per_page, remembers_reads

from .sessions import open_session, renew_now
from .tokens import sealed_fields


class AuthorisationRefused(Exception):
    """An authorisation was not accepted. Its words are for the person who came back from Outreach."""

    def __init__(self, what_happened: str, what_to_do: str) -> None:
        super().__init__(what_happened)
        self.what_happened = what_happened
        self.what_to_do = what_to_do


def list_open(domain: Domain) -> QuerySet[Connection]:
    """Return the domain's open connection, in whatever state; none or one."""
    return domain.connections.exclude(state=ConnectionState.DISCONNECTED).select_related("domain")


@once_per_page
def list_connections(domain: Domain) -> Sequence[Connection]:
    """Return the domain's connections, ended ones too; the newest first."""
    found = list(domain.connections.select_related("domain"))
    for connection in found if remembers_reads(domain) else ():
        connection.domain = domain  # whose reads are kept, as nothing is changed meanwhile
    return found


def get_connection(domain: Domain) -> Connection | None:
    """Return the domain's open connection, in whatever state, or None."""
    return next((each for each in list_connections(domain) if each.is_open), None)


def get_last_connection(domain: Domain) -> Connection | None:
    """Return the open connection, or else the one that ended last, or None."""
    return get_connection(domain) or next(iter(list_connections(domain)), None)


@dataclass(frozen=True, slots=True)
class Authorisation:
    """What a person brought back from the provider, with the organisation it opens."""

    domain: Domain
    user: User
    pair: TokenPair
    scopes_requested: Sequence[str]
    scopes_granted: Sequence[str]
    scopes_known: bool
    account_key: str
    account_label: str


def accept_authorisation(connection_id: UUID, found: Authorisation) -> Connection:
    """The domain is connected with the new tokens; an open connection of the same organisation is renewed.

    connection_id: the id for a new row. Raises AuthorisationRefused, changing nothing, where the open
    connection belongs to another organisation or is being disconnected.
    """
    now = timezone.now()
    with transaction.atomic():
        present = (
            Connection.objects.select_for_update()
            .filter(domain=found.domain)
            .exclude(state=ConnectionState.DISCONNECTED)
            .first()
        )
        if present is not None:
            _refuse_mismatch(present, found)
        connection = present or _begin(connection_id, found.domain)
        connection.state = ConnectionState.ACTIVE
        connection.state_reason = ""
        connection.state_changed_at = now
        connection.account_key = found.account_key or connection.account_key
        connection.account_label = found.account_label or connection.account_label
        connection.authorised_by = found.user
        connection.authorised_by_label = found.user.email
        connection.authorised_at = now
        connection.scopes_requested = list(found.scopes_requested)
        connection.scopes_granted = list(found.scopes_granted)
        connection.scopes_known = found.scopes_known
        connection.forbidden = {}  # what an earlier grant did not open says nothing of this one
        connection.token_version += 1
        for column, value in sealed_fields(connection.pk, found.pair, at=now).items():
            setattr(connection, column, value)
        try:
            connection.save(force_insert=present is None)
        except IntegrityError as error:
            raise AuthorisationRefused(
                "Somebody else connected this domain at the same moment.",
                "Open the connection to check whether it is the one you need.",
            ) from error
        record_act(
            "reconnected" if present else "connected",
            domain=found.domain,
            actor_label=found.user.email,
            connection=connection,
            detail=f"granted: {' '.join(found.scopes_granted) or 'nothing'}",
        )
    return connection


def _begin(connection_id: UUID, domain: Domain) -> Connection:
    """Return a row for a new connection; what was switched off before stays off until a person says why not."""
    earlier = domain.connections.first()
    if earlier is None:
        return Connection(id=connection_id, domain=domain)
    return Connection(
        id=connection_id,
        domain=domain,
        scopes_switched_off=earlier.scopes_switched_off,
        switch_notes=earlier.switch_notes,
    )


def _refuse_mismatch(present: Connection, found: Authorisation) -> None:
    if present.state == ConnectionState.DISCONNECTING:
        raise AuthorisationRefused(
            "This domain is being disconnected right now.", "Wait until that has ended, then connect again."
        )
    if present.account_key and found.account_key != present.account_key:
        raise AuthorisationRefused(
            "You authorised another Outreach organisation than the one this domain is connected to."
            if found.account_key
            else "We could not confirm that you authorised the same Outreach organisation as before.",
            "Sign in to Outreach with an account of the connected organisation, or disconnect here first.",
        )


def pause(connection: Connection, *, actor: str) -> None:
    """Nothing is written until somebody resumes; reading continues."""
    _change(connection, "paused", actor, paused_at=timezone.now())


class ResumeRefused(Exception):
    """Writing stays paused. message: a sentence for a person."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


def pause_restored(*, actor: str) -> int:
    """Every open connection is paused until it was tested: its rows came from a backup. Returns how many.

    What a backup holds may be older than what mailboxes hold now, and its refresh token older than the last.
    """
    open_ones = Connection.objects.exclude(state=ConnectionState.DISCONNECTED).select_related("domain")
    now = timezone.now()
    for connection in open_ones:
        _change(
            connection,
            "restored from a backup",
            actor,
            restored_at=now,
            paused_at=connection.paused_at or now,
        )
    return len(open_ones)


def resume(connection: Connection, *, actor: str) -> None:
    """Writing is allowed again. Raises ResumeRefused where the rows came from a backup and nobody tested since."""
    connection.refresh_from_db(fields=["restored_at"])
    if connection.restored_at is not None:
        raise ResumeRefused("This connection came from a backup. Check the connection first, then resume.")
    _change(connection, "resumed", actor, paused_at=None)


def set_mode(connection: Connection, mode: Mode, *, actor: str) -> None:
    """The connection writes (live) or only plans (dry run)."""
    _change(connection, f"mode set to {Mode(mode).label.lower()}", actor, mode=mode)


def _change(connection: Connection, act: str, actor: str, **columns: object) -> None:
    with transaction.atomic():
        Connection.objects.filter(pk=connection.pk).update(**columns)
        record_act(act, domain=connection.domain, actor_label=actor, connection=connection)
    connection.refresh_from_db()


@dataclass(frozen=True, slots=True)
class Health:
    """checked: (scope, 'ok' or a sentence), one for each permission that was tried."""

    is_ok: bool
    sentence: str
    account_label: str
    checked: tuple[tuple[str, str], ...]


def check_connection(connection: Connection, *, actor: str) -> Health:
    """Each granted permission was tried with one small read; a connection that works again says so.

    Looking a recipient up is left out: it needs somebody's address, and none is at hand.
    """
    try:
        # A restored refresh token may be an older one than Outreach's last; only using it tells.
        if connection.state == ConnectionState.MISCONFIGURED or connection.restored_at is not None:
            renew_now(connection, job="check", actor_label=actor)
        with open_session(connection, job="check", actor_label=actor, background=False) as session:
            checked = [
                (connection.name_scope(scope), _try(probe, session.connector))
                for scope, probe in get_provider().probes.items()
                if connection.has_scope(scope)
            ]
    except IntegrationError as error:
        return Health(False, error.message, connection.account_label, ())
    failed = [sentence for _, sentence in checked if sentence != "ok"]
    if not failed and connection.restored_at is not None:
        _change(connection, "tested after a restore", actor, restored_at=None)
    sentence = failed[0] if failed else "Outreach answers, and every permission that was granted works."
    return Health(not failed, sentence, connection.account_label, tuple(checked))


def _try(probe: Callable[[Connector], object], connector: Connector) -> str:
    try:
        probe(connector)
    except (ConnectionLost, ClientMisconfigured):
        raise
    except IntegrationError as error:
        return error.message
    return "ok"
