"""Token endpoints: exchange a code or refresh token for a new pair, and revoke a token."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from urllib.parse import parse_qsl

from .http import Request, Response
from .oauth import Code, OAuth


class TokenEndpoints:
    def __init__(self, oauth: OAuth) -> None:
        self.oauth = oauth

    def token(self, request: Request) -> Response:
        """Answer POST /oauth/token: exchange a code or a refresh token for a new pair."""
        if request.method != "POST":
            return Response.text(404, "Not Found")
        body = _body(request)
        if body is None:
            return self._refuse("invalid_request", "The request body could not be read.", 400)
        if not self._is_client(body):
            return self._refuse(
                "invalid_client",
                "Client authentication failed due to unknown client, no client authentication included, "
                "or unsupported authentication method.",
                401,
            )
        kind = body.get("grant_type")
        with self.oauth.lock:
            if kind == "authorization_code":
                return self._from_code(body)
            if kind == "refresh_token":
                return self._from_refresh(body)
        return self._refuse(
            "unsupported_grant_type",
            "The authorization grant type is not supported by the authorization server.",
            400,
        )

    def revoke(self, request: Request) -> Response:
        """POST /oauth/revoke in Doorkeeper's way: 200 and {} whether or not the token was known."""
        status = self.oauth.settings.revoke_status
        if request.method != "POST" or status == 404:
            return Response.text(404, "Not Found")
        if status != 200:
            return Response.text(status, "Service Unavailable")
        body = _body(request) or {}
        if not self._is_client(body):
            return self._refuse("unauthorized_client", "You are not authorized to revoke this token", 403)
        token = body.get("token", "")
        with self.oauth.lock:
            grant = self.oauth.by_access.get(token) or self.oauth.by_refresh.get(token)
            if grant is not None:
                self.oauth.by_access.pop(grant.access_token, None)
                self.oauth.by_refresh.pop(grant.refresh_token, None)
        return Response.json(200, {}, "application/json")

    def _is_client(self, body: dict[str, str]) -> bool:
        pairs = (
            (body.get("client_id", ""), self.oauth.client.id),
            (body.get("client_secret", ""), self.oauth.client.secret),
        )
        return all(_same(given, known) for given, known in pairs)

    def _from_code(self, body: dict[str, str]) -> Response:
        code = self.oauth.codes.get(body.get("code", ""))
        if (
            code is None
            or code.expires_at <= self.oauth.clock.now()
            or body.get("redirect_uri") != code.redirect_uri
            or not self._proves(code, body.get("code_verifier", ""))
        ):
            return self._invalid_grant()
        if self.oauth.is_throttled(code.user_id):
            return self._throttled()
        del self.oauth.codes[body["code"]]
        return self._minted(code.user_id, code.scopes)

    def _from_refresh(self, body: dict[str, str]) -> Response:
        grant = self.oauth.by_refresh.get(body.get("refresh_token", ""))
        if grant is None or grant.refresh_until <= self.oauth.clock.now():
            return self._invalid_grant()
        # Airbyte refreshes without redirect_uri, so it is checked only where it is sent.
        if body.get("redirect_uri", "") not in ("", *self.oauth.client.redirect_uris):
            return self._invalid_grant()
        if self.oauth.is_throttled(grant.user_id):
            return self._throttled()
        if self.oauth.settings.rotation == "strict":
            del self.oauth.by_refresh[grant.refresh_token]
        return self._minted(grant.user_id, grant.scope_order)

    def _proves(self, code: Code, verifier: str) -> bool:
        if self.oauth.settings.pkce != "enforce":
            return True
        if not code.challenge:
            return False
        if code.challenge_method == "S256":
            digest = hashlib.sha256(verifier.encode("utf-8", "surrogatepass")).digest()
            verifier = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        return _same(verifier, code.challenge)

    def _minted(self, user_id: int, scopes: tuple[str, ...]) -> Response:
        self.oauth.minted_at[user_id] = self.oauth.clock.now()
        headers = [("Cache-Control", "no-store"), ("Pragma", "no-cache")]
        response = Response.json(200, self.oauth.mint(user_id, scopes), "application/json")
        response.headers += headers
        return response

    @staticmethod
    def _throttled() -> Response:
        # product-os/jellyfish #8080: the body is this text, not JSON.
        return Response.text(429, "Retry later\n", "text/plain")

    def _invalid_grant(self) -> Response:
        return self._refuse(
            "invalid_grant",
            "The provided authorization grant is invalid, expired, revoked, does not match the redirection "
            "URI used in the authorization request, or was issued to another client.",
            self.oauth.settings.token_error_status,
        )

    @staticmethod
    def _refuse(error: str, description: str, status: int) -> Response:
        body = {"error": error, "error_description": description}
        return Response.json(status, body, "application/json")


def _same(given: str, known: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "surrogatepass"), known.encode())


def _body(request: Request) -> dict[str, str] | None:
    """The fields of a form (Outreach's docs) or a JSON object (Estuary); None where it is neither."""
    if request.content_type.partition(";")[0].strip().lower() != "application/json":
        return dict(parse_qsl(request.body.decode("latin-1"), keep_blank_values=True))
    try:
        fields = json.loads(request.body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(fields, dict):
        return None
    return {str(name): value for name, value in fields.items() if isinstance(value, str)}
