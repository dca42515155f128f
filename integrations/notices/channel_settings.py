"""Channel settings: a domain's webhook and Slack address are set, removed and tried; each change is in the ledger."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from django.core.cache import cache
from django.db import transaction
from django.urls import reverse
from django.utils import timezone

from integrations.crypto.sealing import seal
from integrations.ledger.record import record_act
from integrations.models import Audience, Notice, NoticeChannels
from portal.deadline import within
from portal.models import Domain, User

from .channels import SECONDS, Channel, NotTaken, list_channels, list_operator_channels, send
from .messages import compose_test

MOST_TESTS_PER_HOUR = 10
_HOUR_SECONDS = 3600


class TooManyTests(Exception):
    """No test was sent; the message says why to a person."""


@dataclass(frozen=True, slots=True)
class Tried:
    """How one channel answered a test."""

    label: str
    is_taken: bool
    answer: str


def set_address(domain: Domain, audience: Audience, url: str, *, actor: str) -> str:
    """Set where the notices of a domain are posted to; return the secret that was made for it, or ''.

    A webhook gets its secret with its first address. The secret is not shown again, and nor is the address.
    """
    name = _get_name(audience)
    with transaction.atomic():
        row = _lock(domain)
        secret = ""
        if audience == Audience.WEBHOOK and not row.webhook_secret_sealed:
            secret = _make_secret(row)
        _seal(row, f"{name}_url", url)
        row.save()
        _record(domain, f"notices: {name} set, at {Channel(audience, url).host}", actor)
    return secret


def remove_address(domain: Domain, audience: Audience, *, actor: str) -> None:
    """Remove an address, and a webhook's secret with it; its notices end there."""
    name = _get_name(audience)
    with transaction.atomic():
        row = _lock(domain)
        setattr(row, f"{name}_url_sealed", "")
        if audience == Audience.WEBHOOK:
            row.webhook_secret_sealed = ""
        row.save()
        now = timezone.now()
        theirs = Notice.objects.filter(domain=domain, audience=audience)
        theirs.filter(resolved_sent_at=None).update(resolved_sent_at=now)
        theirs.filter(ended_at=None).update(ended_at=now)
        _record(domain, f"notices: {name} removed", actor)


def renew_secret(domain: Domain, *, actor: str) -> str:
    """Return a new secret of the webhook; the former one signs nothing any more."""
    with transaction.atomic():
        row = _lock(domain)
        secret = _make_secret(row)
        row.save()
        _record(domain, "notices: webhook secret renewed", actor)
    return secret


def send_test(domain: Domain | None, *, to: User) -> list[Tried]:
    """Send a test to everything that is set for a domain, or for the installation, and by e-mail to this person.

    Raises: TooManyTests past MOST_TESTS_PER_HOUR.
    """
    key = f"notice-tests:{domain.pk if domain else 0}"
    cache.add(key, 0, _HOUR_SECONDS)
    if cache.incr(key) > MOST_TESTS_PER_HOUR:
        raise TooManyTests(f"No test was sent: at most {MOST_TESTS_PER_HOUR} an hour. Try again later.")
    path = reverse("integrations:notices", args=[domain.name]) if domain else reverse("portal:status")
    message = compose_test(domain=domain.name if domain else "", path=path)
    tried = []
    try:
        message.as_mail([to.email]).send()
        tried.append(Tried("E-mail", True, f"sent to {to.email}"))
    except OSError:  # what smtplib raises is one, too
        tried.append(Tried("E-mail", False, "the mail server did not take it"))
    with within(SECONDS):  # in all: a person waits
        for channel in list_channels(domain) if domain else list_operator_channels():
            label = str(channel.audience.label)
            try:
                tried.append(Tried(label, True, send(channel, message)))
            except NotTaken as failure:
                tried.append(Tried(label, False, str(failure)))
    return tried


def _get_name(audience: Audience) -> str:
    return {Audience.WEBHOOK: "webhook", Audience.SLACK: "slack"}[audience]


def _lock(domain: Domain) -> NoticeChannels:
    NoticeChannels.objects.get_or_create(domain=domain)
    return NoticeChannels.objects.select_for_update().get(domain=domain)


def _make_secret(row: NoticeChannels) -> str:
    secret = f"csn_{secrets.token_urlsafe(32)}"
    _seal(row, "webhook_secret", secret)
    return secret


def _seal(row: NoticeChannels, name: str, text: str) -> None:
    column = f"{name}_sealed"
    setattr(row, column, seal(text, bound_to=row.bound_to(column)))


def _record(domain: Domain, detail: str, actor: str) -> None:
    record_act("settings changed", domain=domain, actor_label=actor, detail=detail)
