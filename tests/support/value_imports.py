"""Files of values, as tests upload, name and apply them."""

from __future__ import annotations

import io
from typing import Any

from django.core.files.base import ContentFile
from django.test import Client

from portal.models import Domain
from signatures.models import Sender, SenderImport
from signatures.value_files.reading import read_rows, store_file

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


def add_import(domain: Domain, sender: Sender) -> SenderImport:
    """Return a file with the pronouns of one sender, read and not applied."""
    file = io.BytesIO(f"E-mail,Pronouns\n{sender.email},she/her\n".encode())
    stored = store_file(domain, file, name="people.csv", actor=f"spare@{domain.name}", waits=False)
    read_rows(stored.pk)
    stored.refresh_from_db()
    return stored


def at(sender_import: SenderImport, part: str = "") -> str:
    return f"{UPLOAD}{sender_import.pk}/{part}"


def apply(client: Client, sender_import: SenderImport, **form: Any) -> list[str]:
    """Press the button, and return what the next page says."""
    response = client.post(at(sender_import, "apply/"), {"digest": sender_import.digest, **form}, follow=True)
    sender_import.refresh_from_db()
    return [str(message) for message in response.context["messages"]]
