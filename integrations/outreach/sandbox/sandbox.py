"""Sandbox: one fake Outreach with its organisation, tokens, routes and socket."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from types import TracebackType

from .app import App
from .authorize_endpoint import AuthorizeEndpoint
from .clock import Clock
from .control import PREFIX, Control
from .directory import Directory
from .faults import Faults
from .http import Request, Response
from .limits import Allowance
from .oauth import Client, OAuth
from .pages import ROOT, Pages
from .requestlog import RequestLog
from .seed import build_company
from .server import Server
from .settings import Settings
from .token_endpoints import TokenEndpoints


class Sandbox:
    """A fake Outreach on a real socket, from `start()` to `stop()` or as a context manager."""

    def __init__(
        self,
        *,
        people: int = 200,
        teams: int = 12,
        seed: int = 7,
        domain: str = "acme.example",
        prospects: int | None = None,
        client_id: str = "sandbox-client",
        client_secret: str = "sandbox-secret",  # noqa: S107 - the sandbox's own, worth nothing elsewhere
        redirect_uris: Iterable[str] = (),
        throttle_seconds: float = 60,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        self.clock = Clock()
        self.settings = Settings(throttle_seconds=throttle_seconds)
        self.directory = Directory(self.clock)
        build_company(
            self.directory, people=people, teams=teams, seed=seed, domain=domain, prospects=prospects
        )
        self.client = Client(client_id, client_secret, tuple(redirect_uris))
        self.oauth = OAuth(self.client, self.settings, self.clock)
        self.authorize_endpoint = AuthorizeEndpoint(self.oauth, self.directory)
        self.token_endpoints = TokenEndpoints(self.oauth)
        self.requests = RequestLog()
        self.faults = Faults(self.clock)
        self.control = Control(self)
        self.pages = Pages(self)
        # Called with each request before it is handled, in the thread that handles it: a test changes
        # the organisation between two pages, or stops a client in the middle of its work.
        self.watchers: list[Callable[[Request], None]] = []
        self.app = App(self.directory, self.oauth, self.settings, self.clock)
        # Tracebacks of the sandbox's own errors; empty in a passing test.
        self.crashes: list[str] = []
        self._address = (host, port)
        self._server: Server | None = None

    @property
    def base_url(self) -> str:
        return self.app.base_url

    @property
    def page_url(self) -> str:
        """The address at which a person changes the organisation in a browser."""
        return f"{self.base_url}{ROOT}/"

    @property
    def allowance(self) -> Allowance:
        return self.app.allowance

    def start(self) -> Sandbox:
        """Start to listen; `base_url` says where."""
        self._server = Server(*self._address, self.answer, self.crashes)
        # After a stop it listens at the same address again.
        self._address = (self._address[0], self._server.port)
        self.app.base_url = f"http://{self._address[0]}:{self._server.port}"
        self._server.start()
        return self

    def stop(self) -> None:
        """Stop to listen, and close every connection."""
        if self._server is not None:
            self._server.stop()

    def __enter__(self) -> Sandbox:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def answer(self, request: Request) -> Response:
        """Return the response to one request: logged, handled, and changed if a fault applies."""
        if request.decoded_path.startswith(PREFIX):
            return self.control.answer(request)
        if self.pages.answers(request):
            return self.pages.answer(request)
        entry = self.requests.note(request, at=self.clock.now(), keep_body=self.settings.log_bodies)
        faults = self.faults.matching(request)
        entry.fault = ", ".join(fault.kind for fault in faults) or None
        for watch in list(self.watchers):
            watch(request)
        response = next(filter(None, map(self.faults.instead, faults)), None)
        if response is None:
            response = self._route(request.decoded_path, request)
        for fault in faults:
            self.faults.spoil(fault, request, response)
        entry.status = None if response.transmission.cut_after == 0 else response.status
        return response

    def _route(self, path: str, request: Request) -> Response:
        if path == "/api/v2" or path.startswith("/api/v2/"):
            return self.app.answer(request)
        if path == "/oauth/authorize":
            return self.authorize_endpoint.answer(request)
        if path == "/oauth/token":
            return self.token_endpoints.token(request)
        if path == "/oauth/revoke":
            return self.token_endpoints.revoke(request)
        return Response.text(404, "Not Found")
