"""Links: validates banner links and adds UTM parameters."""

from __future__ import annotations

from urllib.parse import quote_plus, unquote_plus, urlsplit

from signatures.rendering.context import build_context

UTM_NAMES = ("source", "medium", "campaign", "content")


class LinkRefused(Exception):
    """A URL cannot be a banner's link; the message says why, to a person."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


def check_link(link: str) -> str:
    """Return the URL as it is stored: absolute, https, in ASCII. Raises: LinkRefused."""
    context = build_context({"company.website": link.strip()})
    checked = context.value("company.website")  # the one check of web addresses, whatever they are for
    if checked is None:
        reason = context.missing["company.website"]
        raise LinkRefused(
            f"This cannot be used: {reason}. Write an address such as https://www.example.com/."
        )
    return checked


def with_utm(link: str, *, source: str = "", medium: str = "", campaign: str = "", content: str = "") -> str:
    """Return the URL with the UTM parameters it lacks, appended to its query.

    Its own query is not altered, including UTM parameters. Empty values add nothing.
    """
    parts = urlsplit(link)
    present = {unquote_plus(pair.partition("=")[0]).lower() for pair in parts.query.split("&")}
    values = zip(UTM_NAMES, (source, medium, campaign, content), strict=True)
    added = [
        f"utm_{name}={quote_plus(value)}" for name, value in values if value and f"utm_{name}" not in present
    ]
    query = "&".join(filter(None, [parts.query.rstrip("&"), *added]))
    return parts._replace(query=query).geturl()
