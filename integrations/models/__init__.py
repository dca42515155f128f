"""Models: connections, the mirror of the directory, runs and the ledger."""

from .assumption import AssumptionReport
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
    READ_TO_END,
    UNFINISHED,
    AppendOnlyError,
    LedgerEntry,
    Outcome,
    RejectedRecord,
    RunState,
    SyncKind,
    SyncRun,
)
from .notice import MAILED, OPERATORS, Audience, Notice, NoticeChannels, NoticeKind
from .receipt import Receipt
from .signing import SigningKey

__all__ = [
    "GENESIS",
    "MAILED",
    "OPERATORS",
    "READ_TO_END",
    "UNFINISHED",
    "AppendOnlyError",
    "AssumptionReport",
    "Audience",
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
    "Notice",
    "NoticeChannels",
    "NoticeKind",
    "Outcome",
    "Person",
    "Receipt",
    "RejectedRecord",
    "RunState",
    "SigningKey",
    "SwitchedOff",
    "SyncKind",
    "SyncRun",
    "Team",
]
