"""Allowed calls: the table of those this portal can make to Outreach; what is not in it cannot leave the process."""

from __future__ import annotations

from dataclasses import dataclass

# OAuth's own addresses. They carry no access token and open no record, so they are not in the table.
# Source: https://developers.outreach.io/api/oauth, read 2026-08-22.
AUTHORIZE_PATH = "/oauth/authorize"
TOKEN_PATH = "/oauth/token"  # noqa: S105 - a path, not a secret
# Undocumented by Outreach; other vendors use this Doorkeeper-style address. A failure here is expected.
REVOKE_PATH = "/oauth/revoke"

CUSTOM_FIELDS = tuple(f"custom{number}" for number in range(1, 151))

_SCHEMA = "https://api.outreach.io/api/v2/schema/openapi.json, read 2026-08-22: "


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One call: where it goes, which scope opens it, and every field it reads or writes.

    path: below the base URL; `{id}` is the only part that varies.
    fields_read: attributes and relationships by Outreach's names; a read asks for these or fewer.
    attributes_written: the only attributes a body may hold; () for a read.
    filters: the filter keys a query may hold.
    is_lookup: the call must name one e-mail address, so that it can never list everything.
    narrower_scopes: scopes that open less than `scope` and are enough for this call; one of them may be
        asked for in its place.
    """

    name: str
    method: str
    path: str
    scope: str
    resource_type: str
    fields_read: tuple[str, ...]
    attributes_written: tuple[str, ...]
    source: str
    purpose: str
    filters: tuple[str, ...] = ()
    is_lookup: bool = False
    narrower_scopes: tuple[str, ...] = ()

    @property
    def scopes(self) -> tuple[str, ...]:
        """Every scope that opens this call, the widest first."""
        return (self.scope, *self.narrower_scopes)

    @property
    def fields_in_words(self) -> str:
        """The fields it may read, the numbered ones in one phrase."""
        if not set(CUSTOM_FIELDS) <= set(self.fields_read):
            return ", ".join(self.fields_read)
        named = [name for name in self.fields_read if name not in CUSTOM_FIELDS]
        return ", ".join([*named, f"{CUSTOM_FIELDS[0]} to {CUSTOM_FIELDS[-1]}"])

    @property
    def verb(self) -> str:
        """'read' or 'write'; there is no third kind."""
        return "write" if self.attributes_written else "read"


LIST_USERS = Endpoint(
    name="list_users",
    method="GET",
    path="/api/v2/users",
    scope="users.all",
    resource_type="user",
    fields_read=(
        "email", "firstName", "lastName", "name", "title", "phoneNumber", "phoneCountryCode", "bridgePhone",
        "bridgePhoneExtension", "custom1", "custom2", "custom3", "custom4", "custom5", "locked",
        "userGuid", "createdAt", "updatedAt", "teams",
    ),
    attributes_written=(),
    filters=("filter[updatedAt][gte]",),
    source=_SCHEMA + "GET /users",
    narrower_scopes=("users.read",),
    purpose="Read the people whose signatures are filled, page by page.",
)  # fmt: skip

LIST_TEAMS = Endpoint(
    name="list_teams",
    method="GET",
    path="/api/v2/teams",
    scope="teams.read",
    resource_type="team",
    fields_read=("name", "users"),
    attributes_written=(),
    source=_SCHEMA + "GET /teams",
    purpose="Read team names and members, which become signature groups.",
)

LIST_MAILBOXES = Endpoint(
    name="list_mailboxes",
    method="GET",
    path="/api/v2/mailboxes",
    scope="mailboxes.all",
    resource_type="mailbox",
    fields_read=("email", "emailSignature", "userId", "editable", "sendDisabled", "updatedAt", "user"),
    attributes_written=(),
    filters=("filter[updatedAt][gte]", "filter[userId]"),
    source=_SCHEMA + "GET /mailboxes",
    purpose="Read each mailbox and the signature it holds now.",
)

FIND_PROSPECT = Endpoint(
    name="find_prospect",
    method="GET",
    path="/api/v2/prospects",
    scope="prospects.read",
    resource_type="prospect",
    fields_read=(
        "emails", "title", "occupation", "company", "tags", "region", "addressCity", "addressState",
        "addressCountry", "timeZone", "source", "campaignName", "eventName", "externalSource", "score",
        "engagedScore", "trashedAt", "owner", "stage", "persona", "account", *CUSTOM_FIELDS,
    ),
    attributes_written=(),
    filters=("filter[emails][]", "filter[emails]"),
    is_lookup=True,
    source=_SCHEMA + "GET /prospects",
    purpose="Look one prospect up by e-mail address, to choose the banner; only fields that an audience asks about.",
)  # fmt: skip

WRITE_SIGNATURE = Endpoint(
    name="write_signature",
    method="PATCH",
    path="/api/v2/mailboxes/{id}",
    scope="mailboxes.all",
    resource_type="mailbox",
    fields_read=LIST_MAILBOXES.fields_read,
    attributes_written=("emailSignature",),
    source=_SCHEMA + "PATCH /mailboxes/{id}",
    purpose="Replace the signature of one mailbox, and nothing else of it.",
)

ENDPOINTS: tuple[Endpoint, ...] = (LIST_USERS, LIST_TEAMS, LIST_MAILBOXES, FIND_PROSPECT, WRITE_SIGNATURE)
