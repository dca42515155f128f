"""Makes a company whose signatures carry banners, in the database that the environment names; prints its keys."""

from __future__ import annotations

import json
import sys
from datetime import timedelta
from io import BytesIO
from uuid import uuid4

import django

django.setup()

from django.core.management import call_command  # noqa: E402 - Django is set up first
from django.utils import timezone  # noqa: E402
from PIL import Image  # noqa: E402

from integrations.connection.lifecycle import Authorisation, accept_authorisation  # noqa: E402
from integrations.models import Connection, Person  # noqa: E402
from integrations.outreach.oauth import TokenReply  # noqa: E402
from integrations.outreach.scopes import REQUESTED  # noqa: E402
from portal.accounts.domains import found_domain  # noqa: E402
from signatures.campaigns.images import take_in  # noqa: E402
from signatures.models import Banner, BannerPlace, Campaign, Group, RecipientPrivacy, Sender  # noqa: E402

ASKED = 1_000  # keys that are asked for, in the small company and in the large one


def draw() -> BytesIO:
    """A picture such as marketers upload: a few colours, a gradient, some kilobytes."""
    picture = Image.linear_gradient("L").resize((960, 240)).convert("RGB").quantize(32)
    file = BytesIO()
    picture.save(file, "PNG")
    return BytesIO(file.getvalue())


def connect(founded) -> Connection:  # type: ignore[no-untyped-def]
    """Connected with tokens that nobody issued: whoever is asked with them does not answer."""
    reply = TokenReply("access", "refresh", 7200, " ".join(REQUESTED), int(timezone.now().timestamp()))
    return accept_authorisation(
        uuid4(),
        Authorisation(founded.domain, founded.owner, reply, REQUESTED, REQUESTED, True, "acme", "Acme"),
    )


def make(people: int, campaigns: int) -> dict[str, object]:
    call_command("migrate", verbosity=0)
    founded = found_domain(
        "acme.example", owner_email="owner@acme.example", get_password=lambda: "a long one for tests"
    )
    domain, now = founded.domain, timezone.now()
    connection = connect(founded)
    image = take_in(draw(), domain=domain, width=480, height=120)
    BannerPlace.objects.update_or_create(domain=domain, defaults={"is_on": True, "default_image": image})
    RecipientPrivacy.objects.update_or_create(domain=domain, defaults={"recipient_variable": "{{email}}"})
    groups = Group.objects.bulk_create(Group(domain=domain, name=f"Group {number}") for number in range(20))
    rows = Person.objects.bulk_create(
        (
            Person(
                connection=connection,
                remote_id=str(n),
                email=f"p{n}@acme.example",
                digest="x",
                changed_at=now,
            )
            for n in range(people)
        ),
        batch_size=2_000,
    )
    senders = Sender.objects.bulk_create(
        (
            Sender(domain=domain, person=row, email=row.email, group=groups[n % 20], changed_at=now)
            for n, row in enumerate(rows)
        ),
        batch_size=2_000,
    )
    # One that shows, below all others: they start later, are over soon, or wait for an audience.
    shown = Campaign.objects.create(domain=domain, name="Shown", priority=-1, starts_at=now)
    Banner.objects.create(campaign=shown, name="A", image=image, alt="A", link="https://acme.example/a")
    others = Campaign.objects.bulk_create(
        Campaign(
            domain=domain,
            name=f"Campaign {n}",
            starts_at=now + timedelta(days=n % 300 + 1) if n % 2 else now - timedelta(days=1),
            audience=[] if n % 2 else [{"attribute": "title", "operator": "is", "values": ["Nobody"]}],
        )
        for n in range(campaigns - 1)
    )
    Banner.objects.bulk_create(
        Banner(campaign=one, name="A", image=image, alt="A", link="https://acme.example/a") for one in others
    )
    step = max(1, len(senders) // ASKED)
    keys = [sender.banner_key for sender in senders[::step]][:ASKED]
    return {"keys": keys, "picture": bytes(image.bytes_2x).hex()}


if __name__ == "__main__":
    print(json.dumps(make(int(sys.argv[1]), int(sys.argv[2]))))
