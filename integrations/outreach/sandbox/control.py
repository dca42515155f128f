"""Control: the addresses under `/_sandbox/…`, by which a test in another process reads and changes the sandbox.

JSON in, JSON out, no token: it only exists in the sandbox, on the same socket. These requests are not in the
log of requests, and no fault applies to them.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from .contradictions import contradict
from .http import Request, Response
from .records import FIELD_NAMES, RECORD_CLASSES, Record

if TYPE_CHECKING:
    from .sandbox import Sandbox

PREFIX = "/_sandbox/"


class Refused(Exception):
    """A request that control does not accept; the text says why."""

    def __init__(self, reason: str, status: int = 400) -> None:
        super().__init__(reason)
        self.status = status


class Control:
    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self._routes: dict[tuple[str, str], Callable[[dict[str, Any]], Any]] = {
            ("GET", "state"): self._state,
            ("GET", "requests"): lambda body: [entry.as_dict() for entry in list(sandbox.requests)],
            ("DELETE", "requests"): lambda body: sandbox.requests.clear(),
            ("GET", "faults"): lambda body: [fault.as_dict() for fault in list(sandbox.faults.rules)],
            ("POST", "faults"): lambda body: sandbox.faults.add(**body).as_dict(),
            ("DELETE", "faults"): lambda body: sandbox.faults.clear(),
            ("POST", "contradictions"): lambda body: contradict(sandbox, **body),
            ("GET", "settings"): lambda body: sandbox.settings.values(),
            ("PATCH", "settings"): self._change_settings,
            ("POST", "tokens"): lambda body: sandbox.oauth.issue_tokens(**body),
            ("POST", "revoke"): lambda body: sandbox.oauth.revoke_all(),
            ("POST", "expire"): lambda body: sandbox.oauth.expire_access_tokens(),
            ("POST", "reset-hour"): lambda body: sandbox.allowance.reset(),
            ("POST", "reset-throttle"): lambda body: sandbox.oauth.forget_throttle(),
            ("POST", "advance"): lambda body: sandbox.clock.advance(**body),
        }

    def answer(self, request: Request) -> Response:
        parts = request.decoded_path.removeprefix(PREFIX).strip("/").split("/")
        try:
            body = json.loads(request.body) if request.body else {}
            if not isinstance(body, dict):
                raise Refused("The body must be a JSON object.")
            if parts[0] in RECORD_CLASSES:
                result = self._records(request.method, parts[0], parts[1:], body)
            else:
                route = self._routes.get((request.method, "/".join(parts)))
                if route is None:
                    raise Refused("There is no such address.", 404)
                result = route(body)
        except Refused as error:
            return Response.json(error.status, {"error": str(error)}, "application/json")
        except KeyError as error:
            return Response.json(404, {"error": f"There is no {error}."}, "application/json")
        except (TypeError, ValueError, RecursionError) as error:
            return Response.json(400, {"error": str(error)}, "application/json")
        return Response.json(200, {} if result is None else result, "application/json")

    def _state(self, body: dict[str, Any]) -> dict[str, Any]:
        """Counts, and enough to know which sandbox this is."""
        sandbox = self.sandbox
        return {
            "base_url": sandbox.base_url,
            "counts": {plural: len(sandbox.directory.table(plural)) for plural in RECORD_CLASSES},
            "requests": len(sandbox.requests),
            "faults": len(sandbox.faults.rules),
            "live_refresh_tokens": sandbox.oauth.live_refresh_tokens,
            "crashes": list(sandbox.crashes),
        }

    def _change_settings(self, body: dict[str, Any]) -> dict[str, Any]:
        self.sandbox.settings.change(**body)
        return self.sandbox.settings.values()

    def _records(self, method: str, plural: str, rest: list[str], body: dict[str, Any]) -> Any:
        directory = self.sandbox.directory
        if len(rest) > 1:
            raise Refused("There is no such address.", 404)
        if not rest:
            if method == "POST":
                return as_dict(self._add(plural, body))
            if method == "GET":
                with directory.lock:
                    records = list(directory.table(plural).values())
                return [as_dict(record) for record in records]
            raise Refused("A collection accepts GET and POST only.", 405)
        record_id = int(rest[0])
        if method == "DELETE":
            remove = {
                "users": directory.remove_user,
                "teams": directory.remove_team,
                "mailboxes": directory.remove_mailbox,
                "prospects": directory.prospects.remove,
            }[plural]
            return remove(record_id)
        if method == "PATCH":
            return as_dict(self._change(plural, record_id, body))
        if method != "GET":
            raise Refused("A record accepts GET, PATCH and DELETE only.", 405)
        return as_dict(directory.table(plural)[record_id])

    def _add(self, plural: str, body: dict[str, Any]) -> Record:
        directory = self.sandbox.directory
        values = self._known(plural, body)
        add: dict[str, Callable[..., Record]] = {
            "users": directory.add_user,
            "teams": directory.add_team,
            "mailboxes": directory.add_mailbox,
            "prospects": directory.add_prospect,
        }
        return add[plural](**values)

    def _change(self, plural: str, record_id: int, body: dict[str, Any]) -> Record:
        directory = self.sandbox.directory
        values = self._known(plural, body)
        with directory.lock:
            if plural == "users" and "team_ids" in values:
                directory.move(record_id, values.pop("team_ids"))
            for relation in ("mailbox_ids", "user_ids", "user_id", "id"):
                if relation in values:
                    raise Refused(f"{relation} cannot be changed here.")
            if values:
                directory.update(plural, record_id, **values)
            record: Record = directory.table(plural)[record_id]
            return record

    @staticmethod
    def _known(plural: str, body: dict[str, Any]) -> dict[str, Any]:
        unknown = set(body) - FIELD_NAMES[plural]
        if unknown or "more" in body:
            raise Refused(f"{plural} have no {', '.join(sorted(unknown)) or 'more'} here.")
        return {name: tuple(value) if isinstance(value, list) else value for name, value in body.items()}


def as_dict(record: Record) -> dict[str, Any]:
    """Return the record's fields by their own names; `more` holds its other attributes."""
    values = {each.name: getattr(record, each.name) for each in fields(record)}
    return values | {"more": dict(record.more)}
