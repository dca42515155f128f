"""Files of values, as tests upload, name and apply them."""

from __future__ import annotations

from typing import Any

from django.core.files.base import ContentFile
from django.test import Client

from signatures.models import SenderImport

UPLOAD = "/domains/acme.example/senders/import/"
PEOPLE = (
    "E-mail;Mobile;Pronouns;Cost centre\n"
    "ana@acme.example;+49 171 5550113;she/her;4711\n"
    "TOM@acme.example;;he/him;4720\n"
    "noor@acme.example;+1 206 555 0119;;\n"
    "nobody@acme.example;+1 206 555 0120;;\n"
    "lena@acme.example;ask Ana;;\n"
)


def upload(client: Client, content: str | bytes = PEOPLE, name: str = "people.csv") -> SenderImport:
    """Upload a file as its form would, and return what it became."""
    content = content.encode() if isinstance(content, str) else content
    response = client.post(UPLOAD, {"file": ContentFile(content, name)})
    assert response.status_code == 302, response.content.decode()
    return SenderImport.objects.latest("pk")


def at(sender_import: SenderImport, part: str = "") -> str:
    return f"{UPLOAD}{sender_import.pk}/{part}"


def apply(client: Client, sender_import: SenderImport, **form: Any) -> list[str]:
    """Press the button, and return what the next page says."""
    response = client.post(at(sender_import, "apply/"), {"digest": sender_import.digest, **form}, follow=True)
    sender_import.refresh_from_db()
    return [str(message) for message in response.context["messages"]]
