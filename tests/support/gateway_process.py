"""An installation with Maria, whose signatures carry a banner, and the gateway as its own process."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from .installation import Installation, wait_until
from .mail_corpus import KEY, PUBLIC_URL

PREPARE = f"""
from django.utils import timezone
from integrations.models import Connection, Person
from portal.models import Domain
from signatures.models import BannerImage, BannerPlace, Sender
connection = Connection.objects.get()
domain, now = connection.domain, timezone.now()
person = Person.objects.create(connection=connection, remote_id="1", email="maria@acme.example", changed_at=now)
Sender.objects.create(domain=domain, person=person, email="maria@acme.example", banner_key="{KEY}", changed_at=now)
image = BannerImage.objects.create(domain=domain, sha256="0" * 64, media_type="image/png", width=480, height=120,
    bytes_1x=b"1", bytes_2x=b"2")
BannerPlace.objects.update_or_create(domain=domain, defaults=dict(is_on=True, default_image=image,
    default_alt="Acme", default_link="https://acme.example/"))
"""

REPLY = {"access_token": "a", "refresh_token": "r", "expires_in": 7200, "scope": ""}


def prepare(folder: Path, template: Path) -> Installation:
    installation = Installation(folder, template, PUBLIC_URL=PUBLIC_URL)
    installation.connect("acme.example", REPLY)
    installation.run(PREPARE)
    return installation


def start_gateway(
    installation: Installation, output: Path, *, next_hop: int, listen: int = 0, **environ: str
) -> tuple[subprocess.Popen[str], int]:
    """The command runs; its process, and the port it says it listens on."""
    output.write_text("")
    process = installation.start(
        "mailgateway", "--listen", f"127.0.0.1:{listen}", "--next-hop", f"127.0.0.1:{next_hop}",
        output=output, **environ,
    )  # fmt: skip
    wait_until(lambda: "listening on" in output.read_text() or process.poll() is not None, what="the gateway")
    found = re.search(r"listening on [^:]+:(\d+)", output.read_text())
    assert found, output.read_text()
    return process, int(found[1])
