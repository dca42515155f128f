"""Where a banner leads: https addresses, and the UTM parameters that say where a click came from."""

from __future__ import annotations

from urllib.parse import quote_plus, unquote_plus, urlsplit

from signatures.rendering.context import build_context

UTM_NAMES = ("source", "medium", "campaign", "content")


class LinkRefused(Exception):
    """An address cannot be a banner's; the message says why, to a person."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


def check_link(link: str) -> str:
    """Return the address as it is stored: absolute, https, in ASCII. Raises: LinkRefused."""
    context = build_context({"company.website": link.strip()})
    checked = context.value("company.website")  # the one check of web addresses, whatever they are for
    if checked is None:
        reason = context.missing["company.website"]
        raise LinkRefused(
            f"This cannot be used: {reason}. Write an address such as https://www.example.com/."
        )
    return checked


def with_utm(link: str, *, source: str = "", medium: str = "", campaign: str = "", content: str = "") -> str:
    """Return the address with the UTM parameters it does not have yet, behind its own query.

    Its own query is kept to the letter, a UTM parameter in it included: whoever wrote it there meant it.
    Empty values add nothing.
    """
    parts = urlsplit(link)
    present = {unquote_plus(pair.partition("=")[0]).lower() for pair in parts.query.split("&")}
    values = zip(UTM_NAMES, (source, medium, campaign, content), strict=True)
    added = [
        f"utm_{name}={quote_plus(value)}" for name, value in values if value and f"utm_{name}" not in present
    ]
    query = "&".join(filter(None, [parts.query.rstrip("&"), *added]))
    return parts._replace(query=query).geturl()
