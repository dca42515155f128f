"""The page of notices: owners and admins set addresses, see a secret once, and send a test."""

from __future__ import annotations

import re

import pytest
from django.core import mail
from django.core.cache import cache
from django.test import Client
from django.urls import reverse

from integrations.models import Audience, LedgerEntry, Notice, NoticeChannels
from integrations.notices.channel_settings import MOST_TESTS_PER_HOUR, set_address
from integrations.notices.channels import list_channels
from portal.models import Domain, Role
from tests.support.notice_receiver import Receiver, receiving
from tests.support.page_text import words_of

SECRET = re.compile(r"csn_[\w-]{43}")


@pytest.fixture
def page(domain: Domain) -> str:
    return reverse("integrations:notices", args=[domain.name])


@pytest.fixture
def admin(client: Client, domain: Domain, make_member) -> Client:
    client.force_login(make_member(domain, Role.ADMIN))
    cache.clear()
    return client


@pytest.fixture
def receiver(settings):
    settings.DEBUG = True  # plain http to this machine
    with receiving() as running:
        yield running


def test_a_first_webhook_shows_its_secret_once_and_never_its_address(admin, domain, page):
    saved = admin.post(page, {"webhook_secret_url": "https://alerts.acme.example/hideaway"})
    [secret] = SECRET.findall(saved.content.decode())
    shown = admin.get(page).content.decode()

    assert list_channels(domain)[0].secret == secret
    assert saved["Cache-Control"] == "no-store"
    assert secret not in shown and "hideaway" not in shown + saved.content.decode()
    assert "alerts.acme.example" in shown
    assert LedgerEntry.objects.get(domain=domain, action="settings changed").detail == (
        "notices: webhook set, at alerts.acme.example"
    )


def test_another_address_keeps_the_secret_and_a_new_secret_replaces_it(admin, domain, other_domain, page):
    theirs = set_address(other_domain, Audience.WEBHOOK, "https://theirs.example/", actor="x")
    first = set_address(domain, Audience.WEBHOOK, "https://alerts.acme.example/1", actor="x")

    moved = admin.post(page, {"webhook_secret_url": "https://alerts.acme.example/2"})
    assert (moved.status_code, list_channels(domain)[0].secret) == (302, first)
    renewed = admin.post(reverse("integrations:notices_secret", args=[domain.name]))

    [secret] = SECRET.findall(renewed.content.decode())
    assert list_channels(domain)[0].secret == secret != first
    assert list_channels(other_domain)[0].secret == theirs


@pytest.mark.parametrize(
    "url", ["http://alerts.acme.example/", "https://a:b@alerts.acme.example/", "https://alerts.acmé.example/"]
)
def test_an_address_that_is_no_plain_https_is_refused(admin, domain, page, url):
    answer = admin.post(page, {"slack_secret_url": url})

    assert answer.status_code == 422
    assert "Enter a" in words_of(answer)
    assert not NoticeChannels.objects.exists()


def test_an_address_is_removed_and_the_other_stays(admin, domain, page):
    set_address(domain, Audience.WEBHOOK, "https://alerts.acme.example/", actor="x")
    set_address(domain, Audience.SLACK, "https://hooks.slack.example/x", actor="x")
    remove = reverse("integrations:notices_remove", args=[domain.name])

    admin.post(remove, {"audience": "slack"})
    admin.post(remove, {"audience": "owners"})

    assert [channel.audience for channel in list_channels(domain)] == [Audience.WEBHOOK]


def test_a_test_goes_to_each_channel_and_to_whoever_asks_and_says_what_they_answered(
    admin, domain, other_domain, page, receiver: Receiver
):
    set_address(domain, Audience.WEBHOOK, f"{receiver.url}/hook", actor="x")
    set_address(domain, Audience.SLACK, f"{receiver.url}/slack", actor="x")
    set_address(other_domain, Audience.SLACK, f"{receiver.url}/theirs", actor="x")
    receiver.statuses = [200, 410]

    answer = admin.post(reverse("integrations:notices_test", args=[domain.name]), follow=True)

    assert [one.path for one in receiver.received] == ["/hook", "/slack"]
    assert receiver.received[0].json["event"] == "notice.test"
    words = words_of(answer)
    assert "Webhook: HTTP 200" in words and "Slack: HTTP 410" in words
    assert len(mail.outbox) == 1
    assert Notice.objects.count() == 0


def test_tests_are_limited_to_ten_an_hour(admin, domain, receiver: Receiver):
    set_address(domain, Audience.WEBHOOK, receiver.url, actor="x")
    address = reverse("integrations:notices_test", args=[domain.name])

    answers = [admin.post(address, follow=True) for _ in range(MOST_TESTS_PER_HOUR + 1)]

    assert len(receiver.received) == MOST_TESTS_PER_HOUR
    assert "at most 10 an hour" in words_of(answers[-1])


def test_the_page_lists_what_was_sent_with_the_last_answer_and_not_another_domain_s(
    admin, domain, other_domain, page
):
    Notice.objects.create(domain=domain, kind="halted", audience="webhook", answer="HTTP 503", failures=3)
    Notice.objects.create(
        domain=other_domain, kind="halted", audience="webhook", answer="HTTP 418", subject="x"
    )

    words = words_of(admin.get(page))

    assert (
        "A delivery stopped: action needed" in words and "HTTP 503" in words and "3 failed in a row" in words
    )
    assert "HTTP 418" not in words


@pytest.mark.parametrize("role", [Role.APPROVER, Role.EDITOR, Role.AUDITOR])
def test_other_roles_see_and_change_nothing(client, domain, make_member, page, role):
    client.force_login(make_member(domain, role))

    assert client.get(page).status_code == 403
    assert client.post(page, {"slack_secret_url": "https://hooks.slack.example/x"}).status_code == 403
    assert not NoticeChannels.objects.exists()
