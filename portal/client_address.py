"""Client address: finds the requesting client's IP address behind our own reverse proxies."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import ip_address

from django.conf import settings
from django.http import HttpRequest


def get_client_address(request: HttpRequest) -> str:
    """Return the client's IP address, without port, brackets or zone; '' where it cannot be read.

    With TRUSTED_PROXIES=n it is the n-th from the end of X-Forwarded-For, where a client can write nothing, or
    the first of fewer. Without that header nobody forwarded the request.
    """
    proxies: int = settings.ALLAUTH_TRUSTED_PROXY_COUNT
    forwarded: str = request.META.get("HTTP_X_FORWARDED_FOR", "") if proxies else ""
    if not forwarded:
        return read_address(request.META.get("REMOTE_ADDR", ""))
    hops = forwarded.split(",")
    return read_address(hops[-min(proxies, len(hops))])


@lru_cache(maxsize=4096)
def read_address(text: str) -> str:
    """Return the address in one hop of X-Forwarded-For as Python writes it; '' for `unknown` and all that is none.

    Gateways write 203.0.113.7, 203.0.113.7:17085, 2001:db8::1, [2001:db8::1] and [2001:db8::1]:17085, and some
    quote it as in RFC 7239. An IPv4 address written as IPv6 is the IPv4 one.
    """
    text = text.strip().strip('"')
    if text.startswith("["):
        text, _, behind = text[1:].partition("]")
        return _parse(text) if not behind or (_is_port(behind[1:]) and behind[0] == ":") else ""
    whole = _parse(text)
    if whole:
        return whole
    host, _, port = text.rpartition(":")
    return _parse(host) if _is_port(port) else ""


def _parse(text: str) -> str:
    try:
        found = ip_address(text.partition("%")[0])
    except ValueError:
        return ""
    return str(getattr(found, "ipv4_mapped", None) or found)


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= 5
