"""What a believed answer of a SAML provider says."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Addresses:
    """Ours, as the identity provider knows them. metadata is our entity ID as well; acs: where answers are sent."""

    metadata: str
    acs: str


@dataclass(frozen=True, slots=True)
class Answer:
    """Who it is about, by the signed assertion alone.

    request_id: which of our requests it answers. authenticated_at: when they last proved it there, in
    seconds since 1970.
    """

    uid: str
    email: str
    request_id: str
    authenticated_at: float


class NotBelieved(Exception):
    """The answer was not believed; the words say why, to the person and to whoever set the provider up."""
