"""The gateway as its own process, with the real rows: stopped, killed and asked again."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.gateway_process import prepare, start_gateway
from tests.support.installation import Installation, migrate_template, wait_until
from tests.support.mail_corpus import KEY, PAGE, SHOWN, message, part
from tests.support.mail_sink import Client, Sink, hand_in

MARIA = "maria@acme.example"
READERS = [f"reader{number}@customer.example" for number in range(4)]
MAIL = message(part(PAGE))


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return migrate_template(tmp_path_factory.mktemp("migrated"))


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory, template: Path) -> Iterator[Installation]:
    made = prepare(tmp_path_factory.mktemp("installation"), template)
    yield made
    made.close()


def test_killed_between_copies_everybody_gets_exactly_one(installation, tmp_path, sink, sink_port):
    """Two copies are out when the kill comes; the retry sends the other two."""
    log = tmp_path / "gateway.log"
    process, port = start_gateway(installation, log, next_hop=sink_port)
    seen: list[str] = []

    def kill(sender: str) -> None:
        seen.append(sender)
        if len(seen) == 4:  # the envelope of all, then one for each copy
            os.kill(process.pid, signal.SIGKILL)
            process.wait(20)

    sink.on_mail = kill
    with Client(port) as client:
        client.envelope(MARIA, READERS)
        assert client.data(MAIL).endswith("closed")
    assert len(sink.taken) == 2
    assert installation.rows("SELECT count(*) FROM signatures_mailreceipt") == [(2,)]

    sink.on_mail = lambda sender: None
    process, port = start_gateway(installation, log, next_hop=sink_port)
    assert hand_in(port, MAIL, *READERS).startswith("250")
    process.terminate()
    assert process.wait(20) == 0

    assert sorted(one.recipients for one in sink.taken) == [(reader,) for reader in READERS]
    assert all(b"/b/d/" in one.raw and KEY.encode() not in one.raw for one in sink.taken)
    assert len({one.raw for one in sink.taken}) == len(READERS)
    assert installation.rows("SELECT count(*) FROM signatures_mailreceipt") == [(0,)]


def test_asked_to_stop_it_finishes_what_is_on_its_way(installation, tmp_path, sink: Sink, sink_port):
    log = tmp_path / "gateway.log"
    process, port = start_gateway(installation, log, next_hop=sink_port)

    def stop(taken) -> None:
        process.terminate()
        wait_until(lambda: "stopping" in log.read_text(), what="the gateway to notice")

    sink.on_data = stop
    assert hand_in(port, MAIL, READERS[0]).startswith("250")
    assert process.wait(20) == 0

    said = log.read_text()
    assert "stopped" in said
    assert len(sink.taken) == 1
    assert not any(word in said for word in ("@", "figures", SHOWN.alt)), said


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--listen", "10025"], "MAILGATEWAY_LISTEN must look like 127.0.0.1:10025"),
        (["--next-hop", "mail.example"], "MAILGATEWAY_NEXT_HOP must look like"),
        (["--listen", "127.0.0.1:9", "--next-hop", "127.0.0.1:9"], "round in a circle"),
    ],
)
def test_settings_that_cannot_work_are_named(arguments, words):
    from django.core.management import CommandError, call_command

    with pytest.raises(CommandError, match=words):
        call_command("mailgateway", *arguments)


def test_networks_and_encryption_that_cannot_be_are_named(settings):
    from django.core.management import CommandError, call_command

    settings.MAILGATEWAY_TRUSTED = ["10.0.0.1/8"]
    with pytest.raises(CommandError, match="has host bits set"):
        call_command("mailgateway")
    settings.MAILGATEWAY_TRUSTED = ["10.0.0.0/8"]
    settings.MAILGATEWAY_TLS = "yes"
    with pytest.raises(CommandError, match="off, starttls or tls"):
        call_command("mailgateway")


def test_the_decisions_it_counted_last_are_stored_when_it_ends(installation, tmp_path, sink, sink_port):
    def count_decisions() -> float:
        return sum(value for (value,) in installation.rows(
            "SELECT value FROM portal_metricsum WHERE metric = 'countersign_decision_duration_seconds_bucket'"
        ))  # fmt: skip

    before = count_decisions()
    process, port = start_gateway(installation, tmp_path / "gateway.log", next_hop=sink_port)

    assert hand_in(port, MAIL, *(f"late{number}@customer.example" for number in range(4))).startswith("250")
    process.terminate()
    assert process.wait(20) == 0

    assert count_decisions() == before + 4
