"""What is kept of a fetch or a click, whatever the disk does."""

from __future__ import annotations

import json
import os
import signal
from datetime import timedelta

import pytest
import time_machine
from django.db import transaction
from django.test import Client
from django.utils import timezone

from signatures.analytics import spool as analytics_spool
from signatures.analytics.spool import Spool, count, cut_address
from signatures.analytics.spool_import import sweep_spool
from signatures.models import Decision
from tests.support.banners import list_events, run_campaign, switch_on
from tests.support.company import Company
from tests.support.installation import Installation
from tests.support.spool import AGENT, make, spool_files

pytestmark = pytest.mark.usefixtures("fresh_serving")


@pytest.fixture
def places(company: Company, bystanders: Company) -> tuple[Company, Company]:
    for one, colour in ((company, "red"), (bystanders, "green")):
        switch_on(one.domain)
        run_campaign(one.domain, colour)
    return company, bystanders


def test_an_event_says_what_was_shown_by_whom_and_nothing_that_names_the_reader(places, tmp_path):
    company, bystanders = places
    ana, ida = company.add("Ana Silva", teams=("7",)), bystanders.add("Ida Berg")
    reader = Client(headers={"user-agent": AGENT, "x-forwarded-for": "192.0.2.1"}, REMOTE_ADDR="203.0.113.77")
    banner = company.domain.campaigns.get().banners.get()

    with time_machine.travel("2026-05-04T12:00:00Z", tick=False):
        company.domain.campaigns.update(starts_at=timezone.now())
        bystanders.domain.campaigns.update(starts_at=timezone.now())
        reader.get(f"/b/{ana.banner_key}@2x.png")
        reader.head(f"/b/{ana.banner_key}.png")
        reader.get(f"/c/{ana.banner_key}")
        reader.get(f"/b/{ida.banner_key}.png")
    on_disk = b"".join(path.read_bytes() for path in spool_files(tmp_path))
    image, head, click, theirs = list_events()

    assert {
        name: value for name, value in image.items() if name not in ("id", "visitor_key", "counted_on")
    } == {
        "domain_id": company.domain.pk,
        "at": image["at"],
        "kind": "image",
        "method": "GET",
        "sender_id": ana.pk,
        "group_id": ana.group_id,
        "campaign_id": banner.campaign_id,
        "banner_id": banner.pk,
        "decision_id": None,
        "network": "203.0.113.0/24",
        "agent": AGENT,
        "rule": "",
        "is_judged": False,
    }
    assert image["at"].isoformat() == "2026-05-04T12:00:00+00:00"
    assert [(one["kind"], one["method"]) for one in (head, click)] == [("image", "HEAD"), ("click", "GET")]
    assert theirs["domain_id"] == bystanders.domain.pk
    assert image["visitor_key"] == click["visitor_key"] != theirs["visitor_key"]
    for name in (b"203.0.113.77", b"192.0.2.1", b"Ana", ana.email.encode(), ana.banner_key.encode()):
        assert name not in on_disk


def test_readers_are_told_apart_within_a_day_and_not_across_days(domain):
    with time_machine.travel("2026-05-04T12:00:00Z", tick=False) as clock:
        for reader, agent in (
            ("203.0.113.77", "A"),
            ("203.0.113.77", "A"),
            ("203.0.113.78", "A"),
            ("203.0.113.77", "B"),
        ):
            count(make(domain, visitor=reader, agent=agent))
        clock.shift(timedelta(days=1))
        count(make(domain, visitor="203.0.113.77", agent="A"))

    keys = [event["visitor_key"] for event in list_events()]

    assert keys[0] == keys[1]
    assert len(set(keys)) == 4


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.77", "203.0.113.0/24"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1::/48"),
        ("::ffff:203.0.113.77", "203.0.113.0/24"),
        (" 203.0.113.77 ", "203.0.113.0/24"),
        ("", ""),
        ("unknown", ""),
        ("203.0.113.77, 10.0.0.1", ""),
        ("fe80::1%eth0", "fe80::/48"),
    ],
)
def test_addresses_are_cut_before_they_touch_the_disk(address, network):
    assert cut_address(address) == network


@pytest.mark.parametrize(
    ("proxies", "network"), [(0, "10.9.8.0/24"), (1, "198.51.100.0/24"), (2, "203.0.113.0/24")]
)
def test_the_reader_is_whom_the_outermost_of_our_proxies_saw(places, settings, proxies, network):
    ana = places[0].add("Ana Silva")
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = proxies
    settings.SECURE_PROXY_SSL_HEADER = None
    reader = Client(
        headers={"x-forwarded-for": "192.0.2.1, 203.0.113.77, 198.51.100.9"}, REMOTE_ADDR="10.9.8.7"
    )

    reader.get(f"/b/{ana.banner_key}.png")

    assert [event["network"] for event in list_events()] == [network]


def test_an_agent_is_kept_short_and_on_one_line(domain, tmp_path):
    count(make(domain, agent="Mozilla\r\n\x00{}" + '"' * 20 + "é" * 5_000))

    assert len(spool_files(tmp_path)[0].read_bytes().splitlines()) == 1
    assert list_events()[0]["agent"] == ("Mozilla{}" + '"' * 20 + "é" * 5_000)[:200]


def test_a_full_disk_loses_the_count_and_not_the_banner_and_says_so_once(places, caplog):
    ana = places[0].add("Ana Silva")
    reader = Client(REMOTE_ADDR="203.0.113.77")
    assert reader.get(f"/b/{ana.banner_key}.png").status_code == 200
    spool, healthy = analytics_spool.SPOOL, analytics_spool.SPOOL._file
    assert healthy is not None

    spool._file = os.open("/dev/full", os.O_WRONLY)
    answers = [
        reader.get(f"/{what}").status_code for what in (f"b/{ana.banner_key}.png", f"c/{ana.banner_key}") * 2
    ]
    lost = spool.lost
    os.close(spool._file)
    spool._file = healthy
    reader.get(f"/c/{ana.banner_key}")

    assert answers == [200, 302] * 2
    assert (lost, spool.lost) == (4, 0)
    said = [record.message for record in caplog.records if record.name == "signatures.analytics.spool"]
    assert len(said) == 2
    assert "cannot be kept" in said[0]
    assert said[1] == "Banner events are kept again; 4 were lost."
    assert [event["kind"] for event in list_events()] == ["image", "click"]


def test_a_line_torn_by_a_full_disk_spoils_no_other(domain, tmp_path, caplog):
    count(make(domain, sender_id=1))
    path = analytics_spool.SPOOL.path
    assert path is not None
    with path.open("ab") as file:
        file.write(b'[1,"image","GE')
    analytics_spool.SPOOL._is_torn = True
    count(make(domain, sender_id=2))

    assert [event["sender_id"] for event in list_events()] == [1, 2]
    assert "torn by a full disk" in caplog.text


def test_two_torn_lines_never_count_as_one_event(domain, tmp_path):
    count(make(domain, sender_id=1))
    path = analytics_spool.SPOOL.path
    assert path is not None
    whole = path.read_bytes()
    before, _, behind = whole.partition(b",")
    with path.open("ab") as file:
        file.write(before + b"\n" + behind)
    count(make(domain, sender_id=2))

    assert [event["sender_id"] for event in list_events()] == [1, 2]


def test_a_line_without_its_end_waits_and_goes_with_a_dead_process(domain, tmp_path):
    count(make(domain))
    path = analytics_spool.SPOOL.path
    assert path is not None
    with path.open("ab") as file:
        file.write(b'[1,"ima')

    assert sweep_spool() == 1
    analytics_spool.SPOOL.close()
    assert sweep_spool() == 0
    assert not path.exists()


def test_a_folder_that_cannot_be_written_loses_counts_and_no_answers(places, settings, tmp_path):
    (tmp_path / "file").write_text("in the way")
    settings.SPOOL_FOLDER = str(tmp_path / "file" / "spool")
    ana = places[0].add("Ana Silva")

    assert Client().get(f"/b/{ana.banner_key}.png").status_code == 200
    assert sweep_spool() == 0


def test_what_known_recipients_were_shown_counts_towards_caps_once_an_hour(places):
    company = places[0]
    ana = company.add("Ana Silva")
    banner = company.domain.campaigns.get().banners.get()
    shown = make(
        company.domain,
        sender_id=ana.pk,
        campaign_id=banner.campaign_id,
        banner_id=banner.pk,
        recipient_key="0" * 64,
    )
    with time_machine.travel("2026-05-04T12:00:00Z", tick=False) as clock:
        for minutes in (0, 5, 90):
            clock.shift(timedelta(minutes=minutes))
            count(shown)
        count(make(company.domain, campaign_id=999, banner_id=998, recipient_key="1" * 64))
        sweep_spool()

    rows = Decision.objects.order_by("at").values_list(
        "recipient_key", "campaign_id", "way", "at__hour", "at__minute"
    )
    assert list(rows) == [
        ("0" * 64, banner.campaign_id, "variable", 12, 0),
        ("0" * 64, banner.campaign_id, "variable", 13, 35),
    ]


COUNT_UNTIL_KILLED = """
from signatures.analytics.spool import Event, count
number = 0
while True:
    number += 1
    count(Event("click", "GET", int(sys.argv[1]), number, None, None, None, visitor="203.0.113.77", agent="A"))
    print(number, flush=True)
"""


def test_what_was_counted_outlives_a_kill_of_its_process(domain, tmp_path, settings):
    installation = Installation(tmp_path, None)
    settings.SPOOL_FOLDER = str(tmp_path / "spool")
    process = installation.start_script(
        COUNT_UNTIL_KILLED, str(domain.pk), SPOOL_FOLDER=settings.SPOOL_FOLDER
    )
    try:
        assert process.stdout is not None
        for _ in range(200):
            process.stdout.readline()
        sweep_spool()  # while it is at it
        os.kill(process.pid, signal.SIGKILL)
        said = [line for line in process.stdout.read().splitlines() if line.isdigit()]
        process.wait()
    finally:
        installation.close()
    sweep_spool()

    answered = int(said[-1]) if said else 200
    counted = sorted(event["sender_id"] for event in list_events())
    assert counted == list(range(1, len(counted) + 1))
    assert answered <= len(counted) <= answered + 1
    assert spool_files(tmp_path) == []


def test_a_spool_is_nobody_elses_to_read(domain, tmp_path):
    count(make(domain))

    modes = [oct(path.stat().st_mode & 0o777) for path in (tmp_path / "spool", *spool_files(tmp_path))]
    assert modes == ["0o700", "0o600"]
    line = json.loads(spool_files(tmp_path)[0].read_text())
    assert len(line) == 13


def test_a_fresh_spool_is_never_taken_for_a_dead_processes(domain, tmp_path):
    spool = Spool()
    spool.append(b"[]\n")
    path = spool.path
    assert path is not None

    sweep_spool()

    assert path.exists()
    spool.close()
    with transaction.atomic():
        sweep_spool()
    assert not path.exists()
