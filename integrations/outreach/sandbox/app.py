"""App: the API's routes, authorization and replies."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from .clock import Clock, iso
from .directory import Directory
from .documents import Documents, collection
from .errors import (
    ApiError,
    NotInSources,
    missing_scope,
    no_route,
    not_found,
    rate_limited,
    unsupported_media_type,
)
from .http import JSON_API, Request, Response
from .limits import Allowance, Usage
from .listing import Listings, Page
from .oauth import Grant, OAuth
from .query import Query, encode_cursor, read_query
from .schema import RESOURCES, Resource
from .settings import Settings
from .writes import Writes

# Documented collections without records in the sandbox: 403 without the scope, 501 with it.
OTHER_COLLECTIONS = """
accounts batches calls callDispositions callPurposes complianceRequests contentCategories customDuties
emailAddresses events favorites imports jobRoles mailAliases mailings opportunities opportunityProspectRoles
opportunityStages personas phoneCalls phoneNumbers profiles recipients roles rulesets sequences
sequenceStates sequenceSteps sequenceTemplates snippets stages tasks taskPriorities templates webhooks
"""
VERBS = {"GET": "read", "POST": "write", "PATCH": "write", "DELETE": "delete"}
MAILBOX_ACTIONS = frozenset({"testSend", "testSync", "linkEwsMasterAccount", "unlinkEwsMasterAccount"})


class App:
    def __init__(self, directory: Directory, oauth: OAuth, settings: Settings, clock: Clock) -> None:
        self.directory = directory
        self.oauth = oauth
        self.settings = settings
        self.allowance = Allowance(clock, settings)
        self.base_url = ""
        self.documents = Documents(directory, settings, lambda: self.base_url)
        self.listings = Listings(directory)
        self.writes = Writes(directory, settings)

    def answer(self, request: Request) -> Response:
        """Return the reply to a request below /api/v2."""
        grant = self.oauth.grant_of(request.headers.get("authorization", ""))
        if grant is None:
            return self._unauthorized()
        usage = self.allowance.spend(grant.user_id)
        try:
            response = self._answer(request, grant, usage)
        except ApiError as error:
            response = Response.json(error.status, error.document(self.settings.detail_key))
        response.headers += usage.headers()
        return response

    def _unauthorized(self) -> Response:
        if self.settings.unauthorized_body == "text":
            # Hull's recorded fixtures, 2018.
            return Response.text(401, "Invalid access token")
        return Response.json(
            401,
            {"error": "Invalid JWT token.", "description": "The JWT token could not be decoded."},
            "application/json",
        )

    def _answer(self, request: Request, grant: Grant, usage: Usage) -> Response:
        if usage.is_over:
            raise rate_limited(usage.limit, iso(usage.reset_at))
        parts = request.decoded_path.removeprefix("/api/v2").split("/")[1:]
        if not parts or parts == [""]:
            raise NotInSources("GET /api/v2, which one third party describes and another denies")
        name, rest = parts[0], parts[1:]
        if name == "types":
            raise NotInSources("/types, whose scope is not published")
        resource = RESOURCES.get(name)
        if resource is None and name not in OTHER_COLLECTIONS.split():
            raise no_route()
        # Asked of every request, GET included.
        if request.content_type != JSON_API:
            raise unsupported_media_type()
        if request.method not in VERBS:
            raise no_route()
        if resource is None:
            self._require(grant, name, VERBS[request.method])
            raise NotInSources(f"/{name}")
        return self._resource(request, resource, rest, grant)

    def _resource(self, request: Request, resource: Resource, rest: list[str], grant: Grant) -> Response:
        method = request.method
        if resource.type == "mailbox" and len(rest) == 3 and rest[1] == "actions" and method == "POST":
            if rest[2] not in MAILBOX_ACTIONS:
                raise no_route()
            self._require(grant, resource.plural, "write")
            raise NotInSources("what the mailbox actions return")
        is_documented = method == "GET" or (method in resource.methods and (method == "POST") == (not rest))
        if len(rest) > 1 or rest == [""] or not is_documented:
            raise no_route()
        self._require(grant, resource.plural, VERBS[method])
        if method == "POST":
            return self._create(request, resource, grant)
        if not rest:
            return self._list(request, resource, grant)
        if not (rest[0].isascii() and rest[0].isdigit() and len(rest[0]) < 19):
            raise not_found(resource.type, rest[0])
        return self._record(request, resource, int(rest[0]), grant)

    def _record(self, request: Request, resource: Resource, record_id: int, grant: Grant) -> Response:
        if request.method == "DELETE":
            with self.directory.lock:
                self.writes.delete(resource, record_id, grant.user_id)
            return Response(204, content_type="")
        if request.method == "PATCH":
            with self.directory.lock:
                record = self.writes.update(resource, record_id, request, grant.user_id)
            return self._one(200, resource, record, Query(), grant)
        query = read_query(resource.plural, request.parameters, self.settings, single=True)
        record = self.directory.table(resource.plural).get(record_id)
        if record is None:
            raise not_found(resource.type, str(record_id))
        return self._one(200, resource, record, query, grant)

    def _require(self, grant: Grant, plural: str, verb: str) -> None:
        """Scopes are not additive: write does not include read. `.all` is read, write and delete."""
        if f"{plural}.all" not in grant.scopes and f"{plural}.{verb}" not in grant.scopes:
            raise missing_scope(f"{plural}.{verb}")

    def _create(self, request: Request, resource: Resource, grant: Grant) -> Response:
        with self.directory.lock:
            record = self.writes.create(resource, request, grant.user_id)
        return self._one(201, resource, record, Query(), grant)

    def _one(self, status: int, resource: Resource, record: Any, query: Query, grant: Grant) -> Response:
        may_write = self._may_write(resource, query, grant)
        piece = self.documents.piece(resource.plural, record, query.fieldset, may_write)
        return Response(status, b'{"data":' + piece + b"}")

    def _may_write(self, resource: Resource, query: Query, grant: Grant) -> Callable[[Any], bool] | None:
        """What provideAuthorizationMeta=true asks about each record; None where it was not sent."""
        if not query.with_authorization:
            return None
        return lambda record: self.writes.may_write(resource, record, grant.user_id)

    def _list(self, request: Request, resource: Resource, grant: Grant) -> Response:
        query = read_query(resource.plural, request.parameters, self.settings, single=False)
        heavy = self.settings.heavy_page_size
        if heavy is not None and query.size > heavy:
            # Estuary: "Bad Gateway" when a page is too heavy; it halves page[size] and asks again.
            return Response.text(502, "Bad Gateway")
        page = self.listings.page(resource.plural, query)
        may_write = self._may_write(resource, query, grant)
        data = self.documents.page(resource.plural, page.records, query.fieldset, may_write)
        links = self._links(request, resource, query, page)
        meta: dict[str, Any] | None = None
        if page.count is not None:
            meta = {"count": page.count, "count_truncated": False}
            if self.settings.overloaded_counts:
                meta = {"count": 0, "count_truncated": True}
        return Response(200, collection(data, links, meta))

    def _links(self, request: Request, resource: Resource, query: Query, page: Page) -> dict[str, str]:
        """Absolute links with encoded brackets; none at all where the page is empty (Estuary)."""
        if not page.records:
            return {}
        kept = [
            (name, value) for name, value in request.parameters if name not in ("page[after]", "page[before]")
        ]

        def link(*cursor: tuple[str, str]) -> str:
            return f"{self.base_url}/api/v2/{resource.plural}?{urlencode([*kept, *cursor])}"

        links = {"first": link()}
        if page.has_previous:
            links["prev"] = link(("page[before]", encode_cursor(resource, query, page.records[0])))
        if page.has_next:
            links["next"] = link(("page[after]", encode_cursor(resource, query, page.records[-1])))
        return links
