"""Page text: the words a person reads on a page."""

from __future__ import annotations

from html.parser import HTMLParser

from django.http import HttpResponse
from django.test import Client


class _Words(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_data(self, data: str) -> None:
        self.found.append(data)


def words_of(response: HttpResponse) -> str:
    """The text a person reads on a page, spaces folded."""
    parser = _Words()
    parser.feed(response.content.decode())
    return " ".join(" ".join(parser.found).split())


class _Buttons(HTMLParser):
    """Collects what each form of a page's main part would do."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._in_button = False
        self._in_main = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._in_main = self._in_main or tag == "main"
        self._in_button = tag == "button" and self._in_main

    def handle_endtag(self, tag: str) -> None:
        self._in_main = self._in_main and tag != "main"
        self._in_button = False

    def handle_data(self, data: str) -> None:
        if self._in_button:
            self.found.append(data.strip())


def list_buttons(page: str) -> list[str]:
    """Return the words on the page's buttons, in reading order."""
    parser = _Buttons()
    parser.feed(page)
    return parser.found


def read(client: Client, address: str) -> str:
    """The markup of a page that is there, spaces folded."""
    response = client.get(address)
    assert response.status_code == 200
    return " ".join(response.content.decode().split())
