"""Settings: a test's choices where Outreach's behaviour is unknown or varies."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any

MAIN_SCOPES = ("users.all", "teams.read", "mailboxes.all", "prospects.read")


CHOICES: dict[str, tuple[str | None, ...]] = {
    "pkce": ("ignore", "enforce"),
    "scope_spelling": ("space", "plus", "reversed", "duplicated", "absent"),
    "rotation": ("strict", "lenient"),
    "unauthorized_body": ("jwt", "text"),
    "fieldset_relationships": ("accept", "refuse"),
    "detail_key": ("detail", "details"),
    "signature_normaliser": (None, "wrap", "quotes", "trim"),
}


@dataclass(slots=True)
class Settings:
    """Values may be changed while the sandbox runs; the next request sees them."""

    # --- authorization ---
    registered_scopes: tuple[str, ...] = MAIN_SCOPES
    # "ignore": Outreach publishes PKCE for its MCP server only; "enforce": as RFC 7636 has it.
    pkce: str = "ignore"
    # A user who already consented to these scopes is redirected straight back.
    remember_consent: bool = True
    # Scripted answers: grant exactly these scopes, whatever was ticked; end with this `error`.
    grant_scopes: tuple[str, ...] | None = None
    authorize_error: str | None = None
    # How the token response spells its scopes: space, plus, reversed, duplicated, absent.
    scope_spelling: str = "space"

    # --- tokens ---
    throttle_seconds: float = 60
    # "strict": a refresh token works once (PostHog #78866); "lenient": until 14 days or 100 newer
    # ones (Outreach support, quoted by Estuary).
    rotation: str = "strict"
    access_seconds: int = 7200
    refresh_seconds: int = 14 * 86400
    code_seconds: int = 60
    refresh_cap: int = 100
    # invalid_grant comes as 400 or 401; nobody recorded which.
    token_error_status: int = 400
    # No revocation endpoint is documented; 200 is Doorkeeper's, 404 and 503 are worth surviving.
    revoke_status: int = 200
    # The 401 body: "jwt" (the gateway's JSON of today) or "text" (`Invalid access token`, 2018).
    unauthorized_body: str = "jwt"

    # --- listings ---
    default_page_size: int = 50
    max_page_size: int = 1000
    # Above it a page is "too heavy" and ends in 502, as Estuary saw; None: never.
    heavy_page_size: int | None = None
    # Up to this many members a to-many relationship carries its data, above it only a link.
    embed_limit: int = 100
    # Relationship names in a fieldset are JSON:API standard but unconfirmed: "accept" or "refuse".
    fieldset_relationships: str = "accept"
    # Whether newFilterSyntax takes `filter[emails][]` is unconfirmed.
    array_filter_on_emails: bool = True
    ids_as_strings: bool = False
    # "The upper bound of a date filter [is] sometimes ignored" (Estuary).
    ignore_upper_bounds: bool = False
    # Attributes whose filters change nothing, as if they had not been asked for.
    ignored_filters: tuple[str, ...] = ()
    # Under load a count is answered as 0, truncated (Outreach's pagination page).
    overloaded_counts: bool = False
    detail_key: str = "detail"

    # --- writing ---
    # What Outreach does to a signature it stores is unknown: None, "wrap", "quotes" or "trim".
    signature_normaliser: str | None = None

    # --- limits ---
    hourly_limit: int = 10_000
    # `X-RateLimit-Remaining: 9999, 19988` (tap-outreach).
    two_valued_remaining: bool = False

    # --- the sandbox's own ---
    log_bodies: bool = True

    def change(self, **values: Any) -> None:
        """Set the named settings. Raises ValueError for an unknown name or value."""
        known = {each.name for each in fields(self)}
        for name, value in values.items():
            if name not in known:
                raise ValueError(f"There is no setting called {name!r}.")
            if name in CHOICES and value not in CHOICES[name]:
                raise ValueError(f"{name} is one of {CHOICES[name]}, not {value!r}.")
        for name, value in values.items():
            setattr(self, name, tuple(value) if isinstance(value, list) else value)

    def values(self) -> dict[str, Any]:
        return asdict(self)
