"""The allow-list written a second time, and read by the standard library's parser: what a checker would look for.

Nothing here is taken from the product: an element that is added to one list alone fails a test.
"""

from __future__ import annotations

import re
from html.parser import HTMLParser


def split(words: str) -> list[str]:
    return words.split()


TAGS = frozenset(
    split(
        "a b blockquote br center div em font h1 h2 h3 h4 h5 h6 hr i img li ol p s small span strong sub sup "
        "table tbody td tfoot th thead tr u ul"
    )
)
_SIZE, _CELL = {"width": "10", "height": "10"}, {"colspan": "2", "rowspan": "2", "nowrap": "nowrap"}
# element -> attribute -> a value that may stand there; "*" for every element
ATTRIBUTES: dict[str, dict[str, str]] = {
    "*": {"style": "color: red", "align": "left", "dir": "ltr", "lang": "en-GB", "title": "Words"},
    "a": {"href": "https://acme.example/"},
    "font": {"color": "#2b4acb", "face": "Arial, Helvetica", "size": "+1"},
    "img": {"src": "https://acme.example/a.png", "alt": "A", "border": "0", **_SIZE},
    "hr": {"width": "50%", "size": "1", "color": "gray"},
    "table": {
        "bgcolor": "#fff",
        "border": "0",
        "cellpadding": "0",
        "cellspacing": "0",
        "role": "presentation",
        **_SIZE,
    },
    "tr": {"bgcolor": "#ffffff", "valign": "top", "height": "10"},
    "td": {"bgcolor": "white", "valign": "middle", **_SIZE, **_CELL},
    "th": {"bgcolor": "white", "valign": "middle", **_SIZE, **_CELL},
}

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
        if tag not in TAGS:
            self.found.append(f"<{tag}>")
        self.values += [(name, value or "") for name, value in attrs]
        for name, value in attrs:
            if name not in ATTRIBUTES["*"] | ATTRIBUTES.get(tag, {}):
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
