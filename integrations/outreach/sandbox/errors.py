"""Errors: the refusals Outreach documents, each with its published words."""

from __future__ import annotations


class ApiError(Exception):
    """Ends a request with one JSON:API error."""

    def __init__(self, status: int, id: str, title: str, detail: str, pointer: str | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.id = id
        self.title = title
        self.detail = detail
        self.pointer = pointer

    def document(self, detail_key: str = "detail") -> dict[str, object]:
        """The body; some replies spell `detail` as `details` (Outreach's error page)."""
        error: dict[str, object] = {"id": self.id, "title": self.title, detail_key: self.detail}
        if self.pointer is not None:
            error["source"] = {"pointer": self.pointer}
        return {"errors": [error]}


class NotInSources(ApiError):
    """A request for something that Outreach's published pages do not describe."""

    def __init__(self, what: str) -> None:
        super().__init__(
            501,
            "notInTheSandbox",
            "Not In The Sandbox",
            f"The sandbox does not answer this, because its sources do not say how Outreach does: {what}.",
        )


def bad_parameters(detail: str) -> ApiError:
    # Documented as "bad action parameters" with 400; the id's spelling is ours.
    return ApiError(400, "badActionParameters", "Bad Action Parameters", detail)


def missing_scope(scope: str) -> ApiError:
    # Word for word from a recorded reply (amp-labs/connectors, providers/outreach/test).
    return ApiError(
        403,
        "unauthorizedOauthScope",
        "Unauthorized OAuth Scope",
        f"Your authorization does not include the required scope '{scope}'.",
    )


def not_authorized() -> ApiError:
    return ApiError(
        403,
        "unauthorizedRequest",
        "Unauthorized Request",
        "You are not authorized to perform that request.",
    )


def not_found(kind: str, record_id: str) -> ApiError:
    return ApiError(
        404, "resourceNotFound", "Resource Not Found", f"Could not find '{kind}' with ID '{record_id}'."
    )


def no_route() -> ApiError:
    return ApiError(
        404,
        "routeNotFound",
        "Route Not Found",
        "The request path does not match any known resource endpoints.",
    )


def unsupported_media_type() -> ApiError:
    return ApiError(
        415,
        "unsupportedMediaType",
        "Unsupported Media Type",
        "The Content-Type header must be 'application/vnd.api+json'.",
    )


def invalid(detail: str, pointer: str) -> ApiError:
    return ApiError(422, "validationError", "Validation Error", detail, pointer)


def rate_limited(limit: int, again_at: str) -> ApiError:
    return ApiError(
        429,
        "rateLimitExceeded",
        "Rate Limit Exceeded",
        f"You have exceeded your permitted rate limit of {limit:,}; please try again at {again_at}.",
    )
