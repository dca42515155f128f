"""Sanitizer: which markup a signature may hold; everything that is not named here is removed.

`sanitize_signature` is the last step before markup leaves this package. It is repeated until its result does not
change any more.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from urllib.parse import urlsplit

import css_inline
import nh3

from signatures.rendering.conversions import convert_attribute
from signatures.rendering.styles import clean_style, convert_style, draft_style

from .sentinels import PRIVATE

# Text, tables and pictures: what mail clients agree on. No form, media, svg, math, iframe,
# object, link, meta, base or style: they fetch, run, submit or reach outside the signature.
ALLOWED_TAGS = frozenset(
    {
        "a",
        "b",
        "blockquote",
        "br",
        "center",
        "div",
        "em",
        "font",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "hr",
        "i",
        "img",
        "li",
        "ol",
        "p",
        "s",
        "small",
        "span",
        "strong",
        "sub",
        "sup",
        "table",
        "tbody",
        "td",
        "tfoot",
        "th",
        "thead",
        "tr",
        "u",
        "ul",
    }
)

# Removed with their content, which is code or foreign markup, never text.
_REMOVED_WITH_CONTENT = frozenset(
    {
        "script",
        "style",
        "title",
        "template",
        "noscript",
        "textarea",
        "select",
        "iframe",
        "noframes",
        "noembed",
        "xmp",
        "plaintext",
        "svg",
        "math",
        "object",
        "embed",
        "applet",
    }
)

# No id, class or name (they could meet the mail client's own), no event handler, no srcset, and
# no `background`: nh3 does not check the address in it.
_ANYWHERE = frozenset({"style", "align", "dir", "lang", "title"})
_CELL = frozenset({"bgcolor", "valign", "width", "height", "colspan", "rowspan", "nowrap"})
ALLOWED_ATTRIBUTES: dict[str, frozenset[str]] = {
    "*": _ANYWHERE,
    "a": frozenset({"href"}),
    "font": frozenset({"color", "face", "size"}),
    "img": frozenset({"src", "alt", "width", "height", "border"}),
    "hr": frozenset({"width", "size", "color"}),
    "table": frozenset({"bgcolor", "width", "height", "border", "cellpadding", "cellspacing", "role"}),
    "tr": frozenset({"bgcolor", "valign", "height"}),
    "td": _CELL,
    "th": _CELL,
}

# https only: http pictures are blocked or downgraded by mail clients and could be exchanged on
# the way; data: bloats and is stripped by several; javascript: and the rest act.
_LINK_SCHEMES = frozenset({"https", "mailto", "tel"})
_PICTURE_SCHEMES = frozenset({"https"})

_VALUE_PATTERNS: dict[str, re.Pattern[str]] = {
    "align": re.compile(r"left|right|center|justify|middle", re.I),
    "valign": re.compile(r"top|middle|bottom|baseline", re.I),
    "dir": re.compile(r"ltr|rtl|auto", re.I),
    "lang": re.compile(r"[A-Za-z0-9-]{1,35}"),
    "bgcolor": re.compile(r"#[0-9a-fA-F]{3}|#[0-9a-fA-F]{6}|#[0-9a-fA-F]{8}|[a-zA-Z]{3,20}"),
    "color": re.compile(r"#[0-9a-fA-F]{3}|#[0-9a-fA-F]{6}|#[0-9a-fA-F]{8}|[a-zA-Z]{3,20}"),
    "face": re.compile(r"[\w .,+-]{1,120}"),
    "width": re.compile(r"\d{1,4}%?"),
    "height": re.compile(r"\d{1,4}%?"),
    "size": re.compile(r"[+-]?\d{1,2}"),
    "border": re.compile(r"\d{1,2}"),
    "cellpadding": re.compile(r"\d{1,3}"),
    "cellspacing": re.compile(r"\d{1,3}"),
    "colspan": re.compile(r"\d{1,2}"),
    "rowspan": re.compile(r"\d{1,2}"),
    "nowrap": re.compile(r"|nowrap", re.I),
    # Screen readers know a layout table by this role; no other role is needed.
    "role": re.compile(r"presentation|none", re.I),
}
# Invisible, and parsers drop it at the start: text after a removed element would lose it the next time.
_BYTE_ORDER_MARK = "\ufeff"
# Nearly all markup is stable after the second pass; what still changes in the last one becomes empty.
_PASSES = 5
_TEL = re.compile(r"tel:\+?[0-9().*#-]+(?:;ext=[0-9]+)?", re.I)
# Browsers drop these silently inside an address, so they would follow another one than was checked.
_HIDDEN_IN_URL = re.compile(r"[\x00-\x20\x7f\\]")


def sanitize_signature(html: str) -> str:
    """Return `html` with only allowed tags, attributes, addresses and CSS left; comments removed.

    Our private characters are dropped, however they are written.
    """
    for _ in range(_PASSES):
        cleaned = PRIVATE.sub("", _clean(_FINAL, PRIVATE.sub("", html)))
        if cleaned == html:
            return html
        html = cleaned
    return ""


def sanitize_template(html: str) -> str:
    """Return the same for a template that is being saved, in the form that every mail client reads.

    What the next steps need stays: placeholders, comments, class names, `!important`, and what hides an element.
    """
    return _clean(_DRAFT, html)


def sanitize_inlined(html: str) -> str:
    """Return the same for a template whose styles are inline: only comments stay for the next steps."""
    return _clean(_INLINED, html)


def _clean(cleaner: nh3.Cleaner, html: str) -> str:
    """Return the result of `cleaner`, without what a parser would remove or change the next time."""
    return cleaner.clean(html).replace(_BYTE_ORDER_MARK, "").replace("\r", "\n")


def inline_styles(html: str, css: str) -> str:
    """Return the fragment `html` with the rules of `css` moved into style attributes; fetches nothing."""
    return css_inline.inline_fragment(html, css, load_remote_stylesheets=False, keep_at_rules=False)


def _filter_attribute(tag: str, name: str, value: str) -> str | None:
    """Return the value to keep for one attribute, or None to remove it."""
    if name == "style":
        return clean_style(value) or None
    return value if is_allowed_attribute(name, value) else None


def _convert_attribute(tag: str, name: str, value: str) -> str | None:
    """Return the same in the form that every mail client reads."""
    if name == "style":
        return convert_style(value) or None
    value = convert_attribute(name, value)
    return value if is_allowed_attribute(name, value) else None


def _draft_attribute(tag: str, name: str, value: str) -> str | None:
    """Return the same with styles that affect others: `!important`, and what hides an element."""
    return draft_style(value) or None if name == "style" else _convert_attribute(tag, name, value)


def _without_errors(keep: Callable[[str, str, str], str | None]) -> Callable[[str, str, str], str | None]:
    """Return `keep` with None wherever it raises, so that what cannot be parsed is removed.

    nh3 before 0.3.8 would keep the attribute as it came.
    """

    def filter_attribute(tag: str, name: str, value: str) -> str | None:
        try:
            return keep(tag, name, value)
        except Exception:
            return None

    return filter_attribute


def is_allowed_attribute(name: str, value: str) -> bool:
    """Return whether the attribute `name` may have this value."""
    if name == "href":
        return is_allowed_url(value, _LINK_SCHEMES)
    if name == "src":
        return is_allowed_url(value, _PICTURE_SCHEMES)
    pattern = _VALUE_PATTERNS.get(name)
    return pattern is None or pattern.fullmatch(value) is not None


@lru_cache(maxsize=4096)
def is_allowed_url(url: str, schemes: frozenset[str]) -> bool:
    """Return whether `url` is absolute, has one of `schemes`, and is read in one way by every parser."""
    if _HIDDEN_IN_URL.search(url):
        return False
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    if parts.scheme not in schemes:
        return False
    if parts.scheme == "tel":
        return _TEL.fullmatch(url) is not None
    # "https:evil.example" and user names before the host are read differently by different parsers.
    return parts.scheme != "https" or (
        bool(parts.hostname) and "@" not in parts.netloc and url[:8] == "https://"
    )


def _cleaner(
    keep: Callable[[str, str, str], str | None], *more_attributes: str, strip_comments: bool
) -> nh3.Cleaner:
    """Return a cleaner. keep: returns the value to keep for an attribute."""
    attributes: dict[str, set[str]] = {tag: set(names) for tag, names in ALLOWED_ATTRIBUTES.items()}
    attributes["*"] |= set(more_attributes)
    return nh3.Cleaner(
        tags=set(ALLOWED_TAGS),
        clean_content_tags=set(_REMOVED_WITH_CONTENT),
        attributes=attributes,
        attribute_filter=_without_errors(keep),
        # Conditional comments are markup for Outlook and would not be checked.
        strip_comments=strip_comments,
        # rel has no effect in mail.
        link_rel=None,
        url_schemes=set(_LINK_SCHEMES),
        # A relative address has no base in a mail.
        url_relative="deny",
    )


_FINAL = _cleaner(_filter_attribute, strip_comments=True)
_INLINED = _cleaner(_convert_attribute, strip_comments=False)
_DRAFT = _cleaner(_draft_attribute, "class", "id", "hidden", strip_comments=False)
