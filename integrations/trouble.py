"""Trouble: what needs a person, and to whom it is written."""

from __future__ import annotations

from dataclasses import dataclass

from integrations.models import Audience, NoticeKind
from portal.models import Domain


@dataclass(frozen=True, slots=True)
class Trouble:
    """What needs a person. path: of the page where it is corrected, in this portal.

    findings: mailbox and digest of each edit that no mail has listed. detail: for mails alone, as it names people.
    subject, domain: whose it is, where it is no connection's.
    """

    kind: NoticeKind
    sentence: str
    what_to_do: str
    path: str
    findings: tuple[tuple[int, str], ...] = ()
    detail: str = ""
    subject: str = ""
    domain: Domain | None = None

    @property
    def audiences(self) -> tuple[Audience, ...]:
        """Return who is written to; what only the operator can correct goes to the operator as well."""
        if self.kind in (NoticeKind.WORKER, NoticeKind.DISK, NoticeKind.MAILS):
            return (Audience.STAFF,)
        if self.kind == NoticeKind.LEDGER and self.domain is None:  # of a domain that is gone
            return (Audience.STAFF,)
        if self.kind in (NoticeKind.MISCONFIGURED, NoticeKind.LEDGER):
            return (Audience.OWNERS, Audience.STAFF)
        if self.kind in (NoticeKind.EDITED, NoticeKind.CALLS):
            return (Audience.MANAGERS,)
        return (Audience.OWNERS,)
