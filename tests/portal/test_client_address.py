"""Who asks: the address behind whatever gateways write around it, the same for login limits as for readers."""

from __future__ import annotations

import pytest
from allauth.account.adapter import get_adapter
from django.test import RequestFactory

from portal.client_address import get_client_address

V4, V6 = "203.0.113.7", "2001:db8:0:7::1"


def ask(settings, forwarded: str | None, *, proxies: int, peer: str = "10.9.8.7"):
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = proxies
    headers = {} if forwarded is None else {"x-forwarded-for": forwarded}
    return RequestFactory().get("/", REMOTE_ADDR=peer, headers=headers)


@pytest.mark.parametrize(
    ("written", "address"),
    [
        (V4, V4),
        (f"{V4}:17085", V4),
        (f"\t{V4}:1 ", V4),
        (f'"{V4}:17085"', V4),
        (V6, V6),
        (V6.upper(), V6),
        ("2001:0db8:0000:0007:0000:0000:0000:0001", V6),
        ("2001:db8:0:7:0:0:0:1:17085", V6),
        (f"[{V6}]", V6),
        (f"[{V6}]:17085", V6),
        (f'"[{V6}]:17085"', V6),
        ("fe80::1%eth0", "fe80::1"),
        ("fe80::1%25eth0", "fe80::1"),
        ("[fe80::1%eth0]:80", "fe80::1"),
        (f"::ffff:{V4}", V4),
        (f"[::ffff:{V4}]:17085", V4),
        ("", ""),
        ("unknown", ""),
        ("_hidden", ""),
        ("unix:", ""),
        ("203.0.113", ""),
        ("203.0.113.700", ""),
        ("203.0.113.07", ""),
        (f"{V4}:", ""),
        (f"{V4}:http", ""),
        (f"{V4}:17085:17085", ""),
        (f"{V4}:٣", ""),
        (f"[{V6}", V6),
        (f"[{V6}]17085", ""),
        (f"[{V6}]:", ""),
        ("localhost:80", ""),
        ("<script>", ""),
        ("9" * 5_000, ""),
    ],
)
def test_the_address_is_read_in_every_form_that_gateways_write(settings, written, address):
    direct = ask(settings, "192.0.2.1", proxies=0, peer=written)
    assert get_client_address(direct) == address

    forwarded = ask(settings, f"192.0.2.1, {written}", proxies=1)
    assert get_client_address(forwarded) == address
    assert get_adapter().get_client_ip(forwarded) == (address or "10.9.8.7")


@pytest.mark.parametrize(
    ("proxies", "forwarded", "address"),
    [
        (0, "192.0.2.1, 203.0.113.77:1, [2001:db8::9]:2", "10.9.8.7"),
        (1, "192.0.2.1, 203.0.113.77:1, [2001:db8::9]:2", "2001:db8::9"),
        (2, "192.0.2.1, 203.0.113.77:1, [2001:db8::9]:2", "203.0.113.77"),
        (3, "192.0.2.1, 203.0.113.77:1, [2001:db8::9]:2", "192.0.2.1"),
        (4, "192.0.2.1, 203.0.113.77:1, [2001:db8::9]:2", "192.0.2.1"),
        (1, "", "10.9.8.7"),
        (1, None, "10.9.8.7"),
        (1, "192.0.2.1,", ""),
        (2, "203.0.113.77:1,unknown", "203.0.113.77"),
    ],
)
def test_only_what_our_own_proxies_wrote_is_believed(settings, proxies, forwarded, address):
    request = ask(settings, forwarded, proxies=proxies)

    assert get_client_address(request) == address
    assert get_adapter().get_client_ip(request) == (address or "10.9.8.7")
