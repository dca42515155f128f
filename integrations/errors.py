"""Errors: what can go wrong with an outside system, and who must act then."""

from __future__ import annotations

from enum import StrEnum


class PolicyViolation(Exception):
    """A call that our own table does not allow was attempted; it never left the process.

    Outside the family on purpose: it is our bug, and no `except IntegrationError` may soften it.
    """


class IntegrationError(Exception):
    """An outside system did not do what was asked.

    message: a sentence for a person, ending in what to do.
    detail: identifiers, status, redacted reply; for operators and the ledger, never a token or a body.
    permanent: trying again changes nothing until a person acts.
    stops_batch: the rest of the batch would fail for the same reason.
    has_left: whether a request may have reached the outside system; False only where that is certain.
    """

    permanent = False
    stops_batch = True
    whose_turn = "nobody"
    has_left = True

    def __init__(self, message: str, *, detail: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.detail = detail

    def __str__(self) -> str:
        return self.message


class Unreachable(IntegrationError):
    """No usable answer arrived: network, timeout, or a server error. It is over after a while."""


class RateLimited(IntegrationError):
    """The allowance is used up; `retry_after_seconds` is how long to wait. It is over after a while."""

    def __init__(self, message: str, *, retry_after_seconds: float, detail: str = "") -> None:
        super().__init__(message, detail=detail)
        self.retry_after_seconds = retry_after_seconds


class ConnectionLost(IntegrationError):
    """The other side no longer accepts our access; somebody has to reconnect."""

    permanent = True
    whose_turn = "admin"


class ScopeMissing(IntegrationError):
    """The permission for this call was not granted or is switched off here."""

    permanent = True
    whose_turn = "admin"

    def __init__(self, message: str, *, scope: str, detail: str = "") -> None:
        super().__init__(message, detail=detail)
        self.scope = scope


class ClientMisconfigured(IntegrationError):
    """Our client id or secret was not accepted (`invalid_client`); the tokens are kept."""

    permanent = True
    whose_turn = "operator"


class AccountRestricted(IntegrationError):
    """The account behind the connection may not see what its permission opens.

    Not ConnectionLost: the access works, but the other side's own rules for that account end it.
    """

    permanent = True
    whose_turn = "admin"


class WritesNotAllowed(IntegrationError):
    """The connection is in dry run or paused here; the write never left the process."""

    permanent = True
    whose_turn = "admin"


class ItemError(IntegrationError):
    """One object could not be handled; the rest of the batch continues."""

    permanent = True
    stops_batch = False
    whose_turn = "admin"


class Refused(ItemError):
    """The other side does not allow this on this object."""


class NotFound(ItemError):
    """The object is not there any more."""


class Rejected(ItemError):
    """The other side's validation said no; `field` names where."""

    def __init__(self, message: str, *, field: str = "", detail: str = "") -> None:
        super().__init__(message, detail=detail)
        self.field = field


class UnexpectedReply(IntegrationError):
    """The reply does not have the shape we rely on; nothing of it was used."""

    whose_turn = "operator"


class UnreadableRecord(UnexpectedReply):
    """The reply was sound, and one record in it was not; the others can be read without it."""


class UnreadableReply(UnexpectedReply):
    """What came is no answer of the outside system: a page of HTML, half a document, another packing.

    Whatever stands between may have sent it, so that a second try of a read may bring the answer.
    """


class ReplyTooLarge(UnreadableReply):
    """The reply has more bytes than we take; a second try brings the same."""


class Gap(StrEnum):
    """Why a recipient's record is not known; NONE where it is, or where nothing asks for it."""

    NONE = ""
    NO_ADDRESS = "no_address"
    NOT_CONNECTED = "not_connected"
    RESTING = "resting"
    BUSY = "busy"
    LATE = "late"
    FAILED = "failed"
    ASKED_BEFORE = "asked_before"
