"""Channels: the webhook and the Slack-compatible webhook of a domain or of the installation, and posts to them.

Addresses are secrets: they stand sealed in the database, and in no log, page or ledger entry.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from django.conf import settings

from integrations.crypto.sealing import Unsealable, open_sealed
from integrations.models import Audience, NoticeChannels
from portal.models import Domain
from portal.outgoing import NotReached, post

from .messages import Message

SECONDS = 10.0
"""How long one post may take in all."""


class NotTaken(Exception):
    """The message was not accepted; the words are the last answer, fit for a page."""


@dataclass(frozen=True, slots=True)
class Channel:
    """One address. secret: what signs the body; '' for Slack, which takes a text."""

    audience: Audience
    url: str = field(repr=False)
    secret: str = field(default="", repr=False)

    @property
    def host(self) -> str:
        """The part of the address that a page may show."""
        return urlsplit(self.url).hostname or ""

    @property
    def is_slack(self) -> bool:
        return self.audience in (Audience.SLACK, Audience.OPERATOR_SLACK)


def list_channels(domain: Domain) -> list[Channel]:
    """Return what this domain has set; one that cannot be decrypted has an empty address, and takes nothing."""
    row = NoticeChannels.objects.filter(domain=domain).first()
    if row is None:
        return []
    found = []
    if row.webhook_url_sealed:
        found.append(Channel(Audience.WEBHOOK, _open(row, "webhook_url"), _open(row, "webhook_secret")))
    if row.slack_url_sealed:
        found.append(Channel(Audience.SLACK, _open(row, "slack_url")))
    return found


def list_operator_channels() -> list[Channel]:
    """Return what the settings name for the installation."""
    found = []
    if settings.NOTICE_WEBHOOK_URL:
        found.append(
            Channel(Audience.OPERATOR_WEBHOOK, settings.NOTICE_WEBHOOK_URL, settings.NOTICE_WEBHOOK_SECRET)
        )
    if settings.NOTICE_SLACK_URL:
        found.append(Channel(Audience.OPERATOR_SLACK, settings.NOTICE_SLACK_URL))
    return found


def send(channel: Channel, message: Message) -> str:
    """Return the answer of a channel that took the message. Raises: NotTaken"""
    if not channel.url or not (channel.secret or channel.is_slack):
        raise NotTaken("The stored address or secret cannot be decrypted. Enter it again.")
    body = json.dumps({"text": message.slack_text} if channel.is_slack else message.as_json()).encode()
    headers = {"Content-Type": "application/json", "User-Agent": "Countersign-Notices"}
    if not channel.is_slack:
        headers["X-Countersign-Signature"] = sign(channel.secret, body, at=int(time.time()))
    try:
        status = post(
            channel.url, body, headers=headers, seconds=SECONDS, private_hosts=settings.NOTICE_PRIVATE_HOSTS
        )
    except NotReached as error:
        raise NotTaken(f"Not reached: {error}.") from None
    # Not a word of the answer's body: it may repeat the address.
    if not 200 <= status < 300:
        raise NotTaken(f"HTTP {status}")
    return f"HTTP {status}"


def sign(secret: str, body: bytes, *, at: int) -> str:
    """Return the signature of a body: when it was made, and the HMAC of that instant and the body."""
    signed = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256)
    return f"t={at},v1={signed.hexdigest()}"


def _open(row: NoticeChannels, name: str) -> str:
    column = f"{name}_sealed"
    try:
        return open_sealed(getattr(row, column), bound_to=row.bound_to(column))
    except Unsealable:
        return ""
