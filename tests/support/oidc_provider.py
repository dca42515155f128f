"""A company's OpenID Connect provider on a socket that answers as a test tells it, and counts who asks."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

CLIENT_ID = "countersign"
CONFIGURATION = "/.well-known/openid-configuration"
KEY, STRANGE_KEY = (rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in range(2))


def make_jwk(key: rsa.RSAPrivateKey = KEY, **changes: Any) -> dict[str, Any]:
    published = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key()))
    return {**published, "kid": "first", "use": "sig", "alg": "RS256"} | changes


@dataclass
class Reply:
    """What one address answers. body: bytes as they are, anything else as JSON."""

    body: Any
    status: int = 200
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Provider:
    """claims: of the next ID token, beside those every token has; None takes one of those away.

    replies: instead of what an address answers of itself. asked: how often each address was.
    """

    issuer: str = ""
    claims: dict[str, Any] = field(default_factory=dict)
    header: dict[str, Any] = field(default_factory=dict)
    signing_key: Any = KEY
    algorithm: str = "RS256"
    published: dict[str, Any] = field(default_factory=dict)
    replies: dict[str, Reply] = field(default_factory=dict)
    tokens: dict[str, Any] = field(default_factory=dict)
    asked: Counter[str] = field(default_factory=Counter)
    received: list[tuple[dict[str, str], dict[str, list[str]]]] = field(default_factory=list)

    def answer(self, path: str) -> Reply:
        self.asked[path] += 1
        if path in self.replies:
            return self.replies[path]
        if path == CONFIGURATION:
            return Reply(self.make_configuration())
        if path == "/keys":
            return Reply({"keys": [make_jwk()]})
        if path == "/token":
            return Reply(
                {"access_token": "at", "token_type": "Bearer", "id_token": self.make_token()} | self.tokens
            )
        return Reply({"error": "not_found"}, 404)

    def make_configuration(self) -> dict[str, Any]:
        document = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "userinfo_endpoint": f"{self.issuer}/userinfo",
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        } | self.published
        return {name: value for name, value in document.items() if value is not None}

    def make_token(self) -> str:
        now = int(time.time())
        usual = {"iss": self.issuer, "aud": CLIENT_ID, "sub": "dana", "iat": now, "exp": now + 300}
        claims = {name: value for name, value in (usual | self.claims).items() if value is not None}
        header = {
            name: value for name, value in ({"kid": "first"} | self.header).items() if value is not None
        }
        return jwt.encode(claims, self.signing_key, algorithm=self.algorithm, headers=header)


@contextmanager
def running() -> Iterator[Provider]:
    """Run a provider until the block ends."""
    provider = Provider()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *args: Any) -> None:
            """Say nothing."""

        def send(self, reply: Reply) -> None:
            body = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
            self.send_response(reply.status)
            for name, value in {
                "Content-Type": reply.content_type, "Content-Length": str(len(body)), **reply.headers
            }.items():  # fmt: skip
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self) -> None:
            self.send(provider.answer(urlsplit(self.path).path))

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            provider.received.append((dict(self.headers), parse_qs(body)))
            self.send(provider.answer(urlsplit(self.path).path))

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    provider.issuer = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
