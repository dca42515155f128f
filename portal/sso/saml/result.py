"""Result: what a believed answer of a SAML provider says, or why it is not believed; needs no extra."""

from __future__ import annotations

from dataclasses import dataclass

from portal.sso.identity import Identity


@dataclass(frozen=True, slots=True)
class Addresses:
    """Ours, as the identity provider knows them. metadata is our entity ID as well; acs: where answers are sent."""

    metadata: str
    acs: str


@dataclass(frozen=True, slots=True)
class Answer:
    """Who it is about, by the signed assertion alone. request_id: which of our requests it answers."""

    identity: Identity
    request_id: str


class NotBelieved(Exception):
    """The answer was not believed; the words say why, to the person and to whoever set the provider up.

    cause: a few words for the log.
    """

    def __init__(self, message: str, *, cause: str) -> None:
        super().__init__(message)
        self.cause = cause
