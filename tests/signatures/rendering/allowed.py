"""A second reading of the allow-list, by the standard library's parser: what a checker would look for."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from signatures.rendering.sanitize import ALLOWED_ATTRIBUTES, ALLOWED_TAGS

_FORBIDDEN_CSS = re.compile(
    r"url|expression|position|behavior|binding|import|javascript|var\(|calc|attr|\\|@|\{|\}|<|>|content|display: none",
    re.IGNORECASE,
)


class Breaches(HTMLParser):
    """Collects whatever in markup stands outside the allow-list."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[str] = []
        self.text = ""
        self.values: list[tuple[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ALLOWED_TAGS:
            self.found.append(f"<{tag}>")
        self.values += [(name, value or "") for name, value in attrs]
        for name, value in attrs:
            if name not in ALLOWED_ATTRIBUTES["*"] | ALLOWED_ATTRIBUTES.get(tag, frozenset()):
                self.found.append(f"<{tag} {name}>")
            if name in ("href", "src") and not re.match(
                r"https://[^@\s/]+(/|\?|#|$)|mailto:|tel:", value or ""
            ):
                self.found.append(f"{name}={value}")
            if name == "style" and _FORBIDDEN_CSS.search(value or ""):
                self.found.append(f"style={value}")

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_comment(self, data: str) -> None:
        self.found.append(f"<!--{data}-->")

    def handle_decl(self, decl: str) -> None:
        self.found.append(f"<!{decl}>")

    def handle_pi(self, data: str) -> None:
        self.found.append(f"<?{data}>")


def breaches(html: str) -> list[str]:
    """Return what in `html` is outside the allow-list; the empty list for a safe signature."""
    reader = Breaches()
    reader.feed(html)
    reader.close()
    return reader.found


def attribute_values(html: str) -> list[tuple[str, str]]:
    """Return every (attribute, value) in `html`."""
    reader = Breaches()
    reader.feed(html)
    reader.close()
    return reader.values


def words(html: str) -> str:
    """Return the characters a reader sees."""
    reader = Breaches()
    reader.feed(html)
    reader.close()
    return reader.text
