"""Scopes: the permissions to request, what each opens and is for; derived from the table of endpoints."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from integrations.catalogue import Scope, Verb

from .allowed_calls import ENDPOINTS, FIND_PROSPECT, LIST_MAILBOXES, LIST_TEAMS, LIST_USERS, Endpoint


@dataclass(frozen=True, slots=True)
class Grant:
    """What was granted, compared with what was requested.

    granted, missing: of the requested ones, in their order; both () where is_known is False.
    extra: granted, not requested, never used.
    is_known: False where Outreach did not say what it granted.
    """

    granted: tuple[str, ...]
    missing: tuple[str, ...]
    extra: tuple[str, ...]
    is_known: bool


# title, what it opens, why we ask, what it would also allow, what is lost without it
_TEXTS = {
    "users.all": (
        "Read user profiles",
        "Names, titles, e-mail addresses, phone numbers and five custom fields of your Outreach users.",
        "To fill the fields of each person’s signature and keep them current.",
        "Creating, changing or locking users. The portal has no code that does it.",
        "People are not read from Outreach: "
        "new colleagues get no signature, and changed titles stay as they were.",
    ),
    "users.read": (
        "Read user profiles",
        "Names, titles, e-mail addresses, phone numbers and five custom fields of your Outreach users; "
        "to read them, and nothing else.",
        "To fill the fields of each person’s signature and keep them current.",
        "",
        "People are not read from Outreach: "
        "new colleagues get no signature, and changed titles stay as they were.",
    ),
    "teams.read": (
        "Read teams",
        "Team names and who belongs to them.",
        "Teams become signature groups, so that each person gets the right template.",
        "",
        "Groups do not follow Outreach’s teams: "
        "everybody is in the default group until an admin assigns them manually.",
    ),
    "mailboxes.all": (
        "Write signatures",
        "Mailbox settings inside Outreach. "
        "Not the mail itself, and not your Microsoft 365 or Google accounts.",
        "To put each signature where Outreach adds it to outgoing mail. One field is written: the signature.",
        "Deleting mailboxes, changing servers or passwords. "
        "The one request that writes can carry nothing but the signature.",
        "No signature is delivered, checked or restored: mailboxes can be neither read nor written.",
    ),
    "prospects.read": (
        "Look prospects up",
        "Prospect records: title, company, tags, region and a few more named fields.",
        "To pick the banner for the person who receives the mail. "
        "One prospect at a time, by address; nothing is stored.",
        "",
        "Banners cannot be chosen by who receives the mail; those chosen by group and date continue.",
    ),
}

REQUESTED: tuple[str, ...] = tuple(dict.fromkeys(endpoint.scope for endpoint in ENDPOINTS))


# listing -> the permission that opens it; looking one recipient up is no listing
LISTING_SCOPES: Mapping[str, str] = {
    "people": LIST_USERS.scope,
    "teams": LIST_TEAMS.scope,
    "mailboxes": LIST_MAILBOXES.scope,
}
LOOKUP_SCOPE = FIND_PROSPECT.scope


def _narrower(name: str) -> str | None:
    """Return the permission that opens less and is enough for every call under `name`, or None."""
    enough = [set(endpoint.narrower_scopes) for endpoint in ENDPOINTS if endpoint.scope == name]
    return min(set.intersection(*enough), default=None)


# permission -> the one that may be asked for in its place
NARROWER: Mapping[str, str] = {
    name: narrower for name in REQUESTED for narrower in [_narrower(name)] if narrower is not None
}
REQUESTED_NARROWLY: tuple[str, ...] = tuple(NARROWER.get(name, name) for name in REQUESTED)


def _verbs(name: str, endpoints: tuple[Endpoint, ...]) -> tuple[Verb, ...]:
    # `.all` is read, write and delete; Outreach has no read-and-write. Source: /api/oauth, read 2026-08-22.
    opened = ("read", "write", "delete") if name.endswith(".all") else (name.rpartition(".")[2],)
    used = {endpoint.verb for endpoint in endpoints}
    return tuple(Verb(verb, "requested" if verb in used else "never") for verb in opened)


def _scope(name: str) -> Scope:
    title, opens, why, never, _ = _TEXTS[name]
    endpoints = tuple(endpoint for endpoint in ENDPOINTS if name in endpoint.scopes)
    return Scope(name, title, opens, why, never, _verbs(name, endpoints), endpoints)


SCOPES: tuple[Scope, ...] = tuple(_scope(name) for name in REQUESTED)
NARROWER_SCOPES: tuple[Scope, ...] = tuple(_scope(name) for name in NARROWER.values())


def compare(requested: Iterable[str], granted_text: str | None) -> Grant:
    """Return what of `requested` was granted, what is missing and what came on top.

    granted_text: the token reply's `scope`, in any order, joined by spaces, '+' or commas, with
        repetitions; None where the reply had none, which is unknown and never taken for all.
    A requested `x.read` is granted by `x.all` too; a requested `x.all` by nothing less.
    """
    if granted_text is None:
        return Grant((), (), (), is_known=False)
    names = tuple(dict.fromkeys(requested))
    found = {name for name in re.split(r"[\s+,]+", granted_text) if name}
    granted = tuple(name for name in names if name in found or name.removesuffix(".read") + ".all" in found)
    missing = tuple(name for name in names if name not in granted)
    return Grant(granted, missing, tuple(sorted(found - set(names))), is_known=True)


def features_lost(missing: Iterable[str]) -> tuple[str, ...]:
    """Return one sentence for each feature that cannot work without its permission."""
    absent = set(missing)
    return tuple(text[4] for name, text in _TEXTS.items() if name in absent)
