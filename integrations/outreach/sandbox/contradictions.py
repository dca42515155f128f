"""Contradictions: switches that make the sandbox differ from what Outreach's pages say, one thing at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .schema import RESOURCES

if TYPE_CHECKING:
    from .sandbox import Sandbox

_USERS, _TEAMS, _MAILBOXES = "/api/v2/users", "/api/v2/teams", "/api/v2/mailboxes"
_PATHS = {"user": _USERS, "team": _TEAMS, "mailbox": _MAILBOXES}
Switch = Callable[["Sandbox"], Any]


def _fault(kind: str, path: str = "/api/v2/*", **options: Any) -> Switch:
    return lambda sandbox: sandbox.faults.add(kind, path=path, times=None, **options)


def _setting(**values: Any) -> Switch:
    return lambda sandbox: sandbox.settings.change(**values)


def _headers(**values: Any) -> Switch:
    return _fault("headers", values={name.replace("_", "-"): value for name, value in values.items()})


CONTRADICTIONS: dict[str, Switch] = {
    "media_type": _fault("content_type", value="text/html; charset=utf-8"),
    "answers": _fault("status", _TEAMS, status=500),
    "id": _fault("set_field", field="id", value="u-1"),
    "type": _fault("set_field", field="type", value="users"),
    "fieldset": _fault("set_field", _USERS, field="nickname", value="Bee"),
    "fieldset_relationships": _setting(fieldset_relationships="refuse"),
    "user.teams": _fault("drop_field", _USERS, field="relationships.teams"),
    "team.users": _setting(embed_limit=0),
    "mailbox.user": _fault("drop_field", _MAILBOXES, field="relationships.user"),
    "next_link": _fault("next_link", _USERS, to="other-host"),
    "next_page": _fault("duplicate_page", _USERS),
    "sort": _fault("shuffle", _USERS, seed=1),
    "updated_filter.future": _setting(ignored_filters=("updatedAt",)),
    "updated_filter.since": _setting(ignored_filters=("updatedAt",)),
    "owner_filter": _setting(ignored_filters=("userId",)),
    "prospect.array_filter": _setting(array_filter_on_emails=False),
    "prospect.plain_filter": _setting(ignored_filters=("emails",)),
    "rate_limit.limit": _headers(X_RateLimit_Limit="plenty"),
    "rate_limit.remaining": _headers(X_RateLimit_Remaining=None),
    "rate_limit.reset": _headers(X_RateLimit_Reset="soon"),
    "clock": _headers(Date="Thu, 01 Jan 2026 00:00:00 GMT"),
    "token.scopes": _setting(grant_scopes=("users.all", "mailboxes.all")),
    **{
        f"{kind}.{name}": _fault("set_field", path, field=name, value={"odd": True})
        for kind, path in _PATHS.items()
        for name in next(each for each in RESOURCES.values() if each.type == kind).attributes
    },
}


def contradict(sandbox: Sandbox, name: str) -> None:
    """Make the sandbox differ in this from the next request on. Raises ValueError for an unknown name."""
    switch = CONTRADICTIONS.get(name)
    if switch is None:
        raise ValueError(
            f"There is no contradiction called {name!r}; there are {', '.join(sorted(CONTRADICTIONS))}."
        )
    switch(sandbox)
