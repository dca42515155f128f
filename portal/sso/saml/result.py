"""Result: what a verified answer of a SAML provider says, or why it was rejected; needs no extra."""

from __future__ import annotations

from dataclasses import dataclass

from portal.sso.identity import Identity


@dataclass(frozen=True, slots=True)
class Addresses:
    """Our URLs at the identity provider. metadata is our entity ID too; acs: where answers are sent."""

    metadata: str
    acs: str


@dataclass(frozen=True, slots=True)
class Answer:
    """A person as the signed assertion describes them. request_id: which of our requests it answers."""

    identity: Identity
    request_id: str


class NotBelieved(Exception):
    """An answer could not be verified; the message says why to the person and the owner.

    cause: a few words for the log.
    """

    def __init__(self, message: str, *, cause: str) -> None:
        super().__init__(message)
        self.cause = cause
