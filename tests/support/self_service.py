"""Self-service: a domain that lets senders in, fields that are theirs, and a sender's browser."""

from __future__ import annotations

from django.test import Client
from django.urls import reverse

from portal.models import Domain, User
from signatures.models import EditedBy, FieldSetting, SelfService, Sender, SenderAccount

from .furnished_domain import make_user

PORTAL = "https://sign.acme.example"
OPEN = {
    "sender.pronouns": EditedBy.SENDERS,
    "sender.linkedin_url": EditedBy.APPROVED,
    "sender.photo_url": EditedBy.SENDERS,
}


def switch_on(domain: Domain, fields: dict[str, EditedBy] | None = None, **options: object) -> None:
    """Switch self-service on and unlock these fields, or those of OPEN."""
    SelfService.objects.update_or_create(domain=domain, defaults={"is_on": True, **options})
    for name, by in (OPEN if fields is None else fields).items():
        FieldSetting.objects.update_or_create(domain=domain, name=name, defaults={"edited_by": by})


def sign_in_as(sender: Sender, *, user: User | None = None) -> Client:
    """Return a browser in which somebody is signed in as this sender."""
    user = user or make_user(sender.email)
    SenderAccount.objects.create(sender=sender, user=user)
    client = Client()
    client.force_login(user)
    return client


def get_me(sender: Sender, name: str = "me", *args: object) -> str:
    """Return the address of a page of this sender's own."""
    return reverse(f"signatures:{name}", args=[sender.domain.name, *args])
