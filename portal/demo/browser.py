"""Browser: a minimal HTTP client for the demo, with forms, cookies and redirects, on this machine only."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests

LOOPBACK = ("127.0.0.1", "localhost", "::1")
MOST_REDIRECTS = 10


class DemoFailed(Exception):
    """A page was not what the demo expects; the message says which and why."""


@dataclass(slots=True)
class Form:
    """A form with what it would send if nothing were changed. buttons: (name, value) of each that has a name."""

    action: str
    method: str
    fields: dict[str, list[str]] = field(default_factory=dict)
    buttons: list[tuple[str, str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Page:
    url: str
    status: int
    text: str
    forms: tuple[Form, ...]

    def get_form(self, action: str) -> Form:
        """Return the form that is sent to the path `action`. Raises DemoFailed."""
        for form in self.forms:
            if urlsplit(urljoin(self.url, form.action)).path == action:
                return form
        raise DemoFailed(f"{self.url} (status {self.status}) has no form for {action}.")


class Browser:
    """Keeps cookies, follows redirects, and goes nowhere but to this machine."""

    def __init__(self) -> None:
        self._session = _make_session()

    def open(self, url: str) -> Page:
        return self._go("GET", url)

    def submit(self, page: Page, action: str, *, to: str = "", **changes: str | list[str]) -> Page:
        """Send one form of a page, with some fields changed; follows to the page it leads to.

        to: path that the pressed button names instead of the form's.
        """
        form = page.get_form(action)
        fields = form.fields | {
            name: [value] if isinstance(value, str) else value for name, value in changes.items()
        }
        return self._go(form.method.upper(), urljoin(page.url, to or form.action), fields, referer=page.url)

    def read_json(self, url: str) -> Any:
        """Return what a control address of the sandbox answers."""
        _stay_here(url)
        response = self._session.get(url, timeout=60)
        response.raise_for_status()
        return response.json()

    def ask(self, url: str, question: dict[str, str], *, bearer: str) -> Any:
        """Return what the decision API answers, as a mail gateway asks it: with a key, and no cookie."""
        _stay_here(url)
        headers = {"Authorization": f"Bearer {bearer}"}
        with _make_session() as session:
            response = session.post(url, json=question, headers=headers, timeout=60)
        if not response.ok:
            raise DemoFailed(f"{urlsplit(url).path} was answered with {response.status_code}.")
        return response.json()

    def fetch(self, url: str, *, agent: str) -> None:
        """Request an image or a link as a mail program does: without cookies, and without following the redirect."""
        _stay_here(url)
        with _make_session() as session:
            response = session.get(url, headers={"User-Agent": agent}, allow_redirects=False, timeout=60)
        if response.status_code >= 400:
            raise DemoFailed(f"{urlsplit(url).path} was answered with {response.status_code}.")

    def _go(
        self, method: str, url: str, fields: dict[str, list[str]] | None = None, *, referer: str = ""
    ) -> Page:
        for _ in range(MOST_REDIRECTS):
            _stay_here(url)
            response = self._session.request(
                method,
                url,
                params=fields if method == "GET" else None,
                data=fields if method == "POST" else None,
                headers={"Referer": referer} if referer else {},
                allow_redirects=False,
                timeout=60,
            )
            if response.status_code not in (301, 302, 303, 307, 308):
                reader = _FormReader()
                reader.feed(response.text)
                page = Page(url, response.status_code, response.text, tuple(reader.forms))
                if page.status >= 400:
                    raise DemoFailed(f"{method} {urlsplit(url).path} was answered with {page.status}.")
                return page
            referer, url = url, urljoin(url, response.headers["Location"])
            if response.status_code in (301, 302, 303):
                method, fields = "GET", None
        raise DemoFailed("The redirects do not end.")


def answers(url: str) -> bool:
    """Return whether somebody answers there already."""
    _stay_here(url)
    try:
        with _make_session() as session:
            return session.get(url, timeout=2).ok
    except requests.RequestException:
        return False


def _make_session() -> requests.Session:
    """Return one without cookies that no proxy of the environment gets between."""
    session = requests.Session()
    session.trust_env = False
    return session


def _stay_here(url: str) -> None:
    if urlsplit(url).hostname not in LOOPBACK:
        raise DemoFailed(f"The way leads to {urlsplit(url).hostname}, and the demo stays on this machine.")


class _FormReader(HTMLParser):
    """Collects forms and their fields, as a browser would send them."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self._form: Form | None = None
        self._select = ""
        self._textarea = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._form = Form(given.get("action", ""), given.get("method", "get"))
            self.forms.append(self._form)
        if self._form is None:
            return
        name = given.get("name", "")
        if tag == "select":
            self._select = name
        elif tag == "option" and self._select:
            fields = self._form.fields
            if "selected" in given or self._select not in fields:
                fields[self._select] = [given.get("value", "")]
        elif tag == "textarea" and name:
            self._textarea = name
            self._form.fields[name] = [""]
        elif tag == "button" and name:
            self._form.buttons.append((name, given.get("value", "")))
        elif tag == "input" and name:
            _take_input(self._form, given, name)

    def handle_data(self, data: str) -> None:
        if self._textarea and self._form is not None:
            self._form.fields[self._textarea][0] += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._form = None
        elif tag == "select":
            self._select = ""
        elif tag == "textarea":
            self._textarea = ""


def _take_input(form: Form, given: dict[str, str], name: str) -> None:
    kind = given.get("type", "text")
    if kind in ("submit", "image", "button", "reset", "file"):
        return
    if kind in ("checkbox", "radio") and "checked" not in given:
        return
    form.fields.setdefault(name, []).append(given.get("value", "on" if kind == "checkbox" else ""))
