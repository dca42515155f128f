"""Permissions of a connection: switches them off and on here, and says what does not work without them."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import transaction
from django.utils import timezone

from integrations.catalogue import (
    features_lost,
    get_provider,
    list_alternatives,
    list_narrower_scopes,
    list_scopes,
)
from integrations.ledger.record import record_act
from integrations.models import Connection, ConnectionState, DisconnectStep, SwitchedOff


@dataclass(frozen=True, slots=True)
class Switch:
    """One granted permission as it is here. off: who switched it off, when and why; None where it is on."""

    scope: str
    title: str
    off: SwitchedOff | None


def list_switches(connection: Connection) -> list[Switch]:
    """Return every permission that was asked for and granted, in the order of the request."""
    return [
        Switch(scope.name, scope.title, connection.get_switch(scope.name))
        for scope in list_scopes(requested=connection.scopes_requested)
        if scope.name in connection.scopes_granted
    ]


class SwitchRefused(Exception):
    """A permission was not switched; the words say why."""


def switch_off(connection: Connection, scope: str, *, actor: str, reason: str) -> None:
    """Nothing under `scope` leaves any more; work under way stops at its next call, within a second.

    Raises SwitchRefused, changing nothing, where it is not granted or off already.
    """
    with transaction.atomic():
        row = _get_row(connection, scope)
        if row.is_switched_off(scope):
            raise SwitchRefused(f"{scope} is switched off already.")
        at = timezone.now()
        row.scopes_switched_off = [*row.scopes_switched_off, scope]
        row.switch_notes = row.switch_notes | {
            scope: {"by": actor, "at": at.isoformat(timespec="seconds"), "why": reason}
        }
        _store(row, "scope switched off", scope, actor, reason)
    connection.refresh_from_db()


def switch_on(connection: Connection, scope: str, *, actor: str, reason: str) -> None:
    """What depends on `scope` works again. Raises SwitchRefused, changing nothing, where it is on."""
    with transaction.atomic():
        row = _get_row(connection, scope)
        if not row.is_switched_off(scope):
            raise SwitchRefused(f"{scope} is switched on already.")
        names = list_alternatives(scope)
        row.scopes_switched_off = [name for name in row.scopes_switched_off if name not in names]
        row.switch_notes = {name: note for name, note in row.switch_notes.items() if name not in names}
        _store(row, "scope switched on", scope, actor, reason)
    connection.refresh_from_db()


def _get_row(connection: Connection, scope: str) -> Connection:
    """Return the row, held until the transaction ends, if `scope` can be switched on it."""
    row = Connection.objects.select_for_update(of=("self",)).select_related("domain").get(pk=connection.pk)
    if row.state == ConnectionState.DISCONNECTED or row.disconnect_step == DisconnectStep.REVOKING:
        raise SwitchRefused("This connection has ended, so no scope can be switched.")
    if scope not in row.scopes_requested or scope not in row.scopes_granted:
        raise SwitchRefused(f"Outreach did not grant {scope}, so it cannot be switched.")
    return row


def _store(row: Connection, act: str, scope: str, actor: str, reason: str) -> None:
    row.save(update_fields=["scopes_switched_off", "switch_notes"])
    record_act(act, domain=row.domain, connection=row, actor_label=actor, object_ref=scope, detail=reason)


def get_block_reason(connection: Connection, scope: str) -> str:
    """Return why nothing is done under `scope`, or '' where it is granted and switched on."""
    name = connection.name_scope(scope)
    if connection.has_scope(scope):
        return ""
    if name not in connection.scopes_granted:
        return f"The permission {name} is not granted. Connect again on the Outreach page and allow it."
    off = connection.get_switch(scope)
    by = f" by {off.actor} on {off.at:%-d %b %Y}, because “{off.reason}”" if off else ""
    return f"The permission {name} was switched off here{by}. Switch it on on the Outreach page."


@dataclass(frozen=True, slots=True)
class LostFeature:
    """What does not work, and why. off: who switched the permission off here; None where it was not granted."""

    scope: str
    sentence: str
    off: SwitchedOff | None


def list_lost_features(connection: Connection, *listings: str) -> list[LostFeature]:
    """Return what each permission takes away that was asked for and is not granted, or is switched off here.

    listings: of people, teams and mailboxes, those that matter on a page; all permissions where none is named.
    """
    wanted = [connection.name_scope(get_provider().listing_scopes[listing]) for listing in listings]
    return [
        LostFeature(
            scope,
            " ".join(features_lost([scope])),
            connection.get_switch(scope) if scope in connection.scopes_granted else None,
        )
        for scope in connection.scopes_requested
        if (not wanted or scope in wanted) and not connection.has_scope(scope)
    ]


def asks_narrowly(connection: Connection | None) -> bool:
    """Return whether this connection was asked for with the narrower request."""
    if connection is None:
        return False
    narrower = {less.name for _, less in list_narrower_scopes()}
    return not narrower.isdisjoint(connection.scopes_requested)


def get_unusable_reason(connection: Connection | None) -> str:
    """Return why nothing can be called over this connection, or ''."""
    if connection is None or connection.state == ConnectionState.DISCONNECTED:
        return "Outreach is not connected. Connect it on the Outreach page."
    if connection.state == ConnectionState.DISCONNECTING:
        return "Outreach is being disconnected. Connect it again when that is done."
    if connection.is_usable:
        return ""
    lost = "Outreach no longer accepts our access. Connect again on the Outreach page."
    return connection.state_reason or lost


def get_lookup_block_reason(connection: Connection | None) -> str:
    """Return why no recipient can be looked up over this connection, or ''."""
    if connection is None or not connection.is_usable:
        return get_unusable_reason(connection)
    return get_block_reason(connection, get_provider().lookup_scope)
