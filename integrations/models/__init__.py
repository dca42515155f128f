"""Rows of the door: connections, the mirror, runs and the ledger."""

from .chain import GENESIS, ChainCheck, LedgerChain, LedgerCheckpoint, LedgerDay
from .connection import (
    CallBudget,
    Connection,
    ConnectionState,
    DisconnectStep,
    LookupState,
    Mode,
    SwitchedOff,
)
from .directory import Mailbox, Person, Team
from .ledger import (
    UNFINISHED,
    AppendOnlyError,
    LedgerEntry,
    Outcome,
    QuarantinedRecord,
    RunState,
    SyncKind,
    SyncRun,
)
from .signing import SigningKey

__all__ = [
    "GENESIS",
    "UNFINISHED",
    "AppendOnlyError",
    "CallBudget",
    "ChainCheck",
    "Connection",
    "ConnectionState",
    "DisconnectStep",
    "LedgerChain",
    "LedgerCheckpoint",
    "LedgerDay",
    "LedgerEntry",
    "LookupState",
    "Mailbox",
    "Mode",
    "Outcome",
    "Person",
    "QuarantinedRecord",
    "RunState",
    "SigningKey",
    "SwitchedOff",
    "SyncKind",
    "SyncRun",
    "Team",
]
