"""From real fetches and clicks to the numbers on the page."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.utils import timezone

from portal.models import Role
from signatures.analytics.results import Figures
from signatures.models import BannerEvent, DailyCount
from signatures.tasks import sift_banner_events
from tests.support.banners import list_events, run_campaign, switch_on
from tests.support.company import Company

pytestmark = pytest.mark.usefixtures("fresh_serving")

BROWSER = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0 Safari/537.36"
ADDRESS = "203.0.113.77"


def read_as(agent: str, address: str = ADDRESS) -> Client:
    return Client(headers={"user-agent": agent}, REMOTE_ADDR=address)


def test_what_readers_and_scanners_fetch_and_click_becomes_the_campaigns_numbers(
    company: Company, bystanders: Company, make_member: Any, time_machine: time_machine.TimeMachineFixture
):
    ana = company.add("Ana Silva", teams=("Sales",))
    switch_on(company.domain)
    switch_on(bystanders.domain)
    banner = run_campaign(company.domain, "red")
    reader, scanner = read_as(BROWSER), read_as("Barracuda Sentinel (EE)", "198.51.100.9")
    began = timezone.now()

    def fetch(client: Client, seconds: float, kind: str, method: str = "get") -> None:
        time_machine.move_to(began + timedelta(seconds=seconds))
        address = f"/b/{ana.banner_key}@2x.png" if kind == "picture" else f"/c/{ana.banner_key}"
        assert getattr(client, method)(address).status_code in (200, 302)

    fetch(scanner, 1, "click")
    fetch(reader, 2, "click")  # before anybody's picture
    fetch(reader, 30, "picture", "head")
    fetch(reader, 31, "picture")
    fetch(reader, 60, "click")
    fetch(reader, 63, "click")  # the same again
    fetch(scanner, 64, "picture")
    assert len(list_events()) == 7
    time_machine.move_to(began + timedelta(minutes=5))

    sift_banner_events()

    count = DailyCount.objects.get()
    assert (count.campaign_name, count.banner_name, count.group_name, count.sender_name) == (
        "The red one",
        "red",
        "Sales",
        "Ana Silva",
    )
    assert (count.impressions, count.clicks, count.bot_impressions, count.bot_clicks) == (1, 1, 2, 3)
    rules = list(BannerEvent.objects.order_by("at").values_list("rule", flat=True))
    assert rules == ["agent", "no_picture", "head", "", "", "repeat", "agent"]
    viewer = Client()
    viewer.force_login(make_member(company.domain, Role.AUDITOR))
    page = viewer.get(f"/domains/{company.domain.name}/results/{banner.campaign_id}/")
    assert page.context["total"] == Figures(1, 1, 2, 3)


def test_no_row_holds_a_readers_whole_address(company: Company):
    ana = company.add("Ana Silva")
    switch_on(company.domain)
    run_campaign(company.domain, "red")
    for address in (ADDRESS, "2001:db8:7:8:9::a", "::ffff:198.51.100.23"):
        read_as(BROWSER, address).get(f"/b/{ana.banner_key}.png")

    events = list_events()

    assert {event["network"] for event in events} == {"203.0.113.0/24", "2001:db8:7::/48", "198.51.100.0/24"}
    kept = str(list(BannerEvent.objects.values()))
    assert not any(part in kept for part in (ADDRESS, "7:8:9", "198.51.100.23"))


@pytest.mark.parametrize(
    ("hops", "network"),
    [
        (("203.0.113.7:17085", "203.0.113.7:17086", "203.0.113.7:17087", "203.0.113.7:17088"), "203.0.113.0/24"),
        (("203.0.113.7", "203.0.113.7:2", "::ffff:203.0.113.7", "[::ffff:203.0.113.7]:4"), "203.0.113.0/24"),
        (("[2001:db8::7]:1", "[2001:db8::7]:2", "2001:db8::7", '"[2001:DB8::7]:4"'), "2001:db8::/48"),
    ],
    ids=["ports", "ports and IPv4 as IPv6", "IPv6"],
)  # fmt: skip
@pytest.mark.parametrize("proxies", [1, 2])
def test_behind_a_gateway_that_adds_ports_one_reader_stays_one(
    company: Company,
    bystanders: Company,
    settings: Any,
    time_machine: time_machine.TimeMachineFixture,
    hops: tuple[str, ...],
    network: str,
    proxies: int,
):
    settings.ALLAUTH_TRUSTED_PROXY_COUNT, settings.SECURE_PROXY_SSL_HEADER = proxies, None
    ana = company.add("Ana Silva")
    switch_on(company.domain)
    switch_on(bystanders.domain)
    run_campaign(company.domain, "red")
    began = timezone.now()
    behind = ", 10.0.0.9:443" * (proxies - 1)

    for hop, (kind, seconds) in zip(
        (*hops, "198.51.100.9:17085"), (("b", 0), ("c", 0.3), ("c", 3), ("c", 4), ("c", 5)), strict=True
    ):
        time_machine.move_to(began + timedelta(seconds=seconds))
        reader = Client(
            headers={"user-agent": BROWSER, "x-forwarded-for": f"192.0.2.1, {hop}{behind}"},
            REMOTE_ADDR="10.9.8.7",
        )
        address = f"/{kind}/{ana.banner_key}" + ("@2x.png" if kind == "b" else "")
        assert reader.get(address).status_code in (200, 302)
    assert [event["network"] for event in list_events()] == [network] * 4 + ["198.51.100.0/24"]
    time_machine.move_to(began + timedelta(minutes=5))
    sift_banner_events()

    rules = list(BannerEvent.objects.order_by("at").values_list("rule", flat=True))
    assert rules == ["", "rush", "repeat", "repeat", ""]
    assert len(set(BannerEvent.objects.values_list("visitor_key", flat=True))) == 2
