"""Large domain: senders, groups, templates and what hangs on them as rows, and the pages that list them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import timedelta

from django.db import connection as database
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from integrations.models import Mailbox, Person
from signatures.models import (
    Assignment,
    Banner,
    Campaign,
    DatedAssignment,
    Delivery,
    DeliveryRun,
    DeliveryRunState,
    Group,
    MailboxState,
    MailboxStatus,
    Sender,
    Template,
    TemplateVersion,
    ValueDraft,
)
from signatures.releases.draft import note_edit
from signatures.senders.team_counts import count_again
from tests.support.addresses import get_path
from tests.support.furnished_domain import FurnishedDomain

AT_MOST = 20
# Every page that lists something, as it is first opened; `?` begins what is searched or filtered for.
PAGES = [
    "/domains/<str:domain>/",
    "/domains/<str:domain>/senders/",
    "/domains/<str:domain>/senders/?q=Person+1",
    "/domains/<str:domain>/senders/?state=pending",
    "/domains/<str:domain>/senders/<int:pk>/",
    "/domains/<str:domain>/senders/import/",
    "/domains/<str:domain>/senders/import/<int:pk>/",
    "/domains/<str:domain>/groups/",
    "/domains/<str:domain>/groups/<int:pk>/",
    "/domains/<str:domain>/templates/",
    "/domains/<str:domain>/templates/<int:pk>/",
    "/domains/<str:domain>/brand/",
    "/domains/<str:domain>/media/",
    "/domains/<str:domain>/media/<int:pk>/",
    "/domains/<str:domain>/fields/",
    "/domains/<str:domain>/fields/overrides/",
    "/domains/<str:domain>/releases/",
    "/domains/<str:domain>/releases/history/",
    "/domains/<str:domain>/releases/people/",
    "/domains/<str:domain>/releases/requests/",
    "/domains/<str:domain>/releases/requests/<int:pk>/",
    "/domains/<str:domain>/releases/<int:number>/",
    "/domains/<str:domain>/deliveries/",
    "/domains/<str:domain>/deliveries/<int:pk>/",
    "/domains/<str:domain>/edited/",
    "/domains/<str:domain>/edited/left-alone/",
    "/domains/<str:domain>/campaigns/",
    "/domains/<str:domain>/campaigns/<int:pk>/",
    "/domains/<str:domain>/campaigns/lists/",
    "/domains/<str:domain>/campaigns/labels/",
    "/domains/<str:domain>/campaigns/recipient/",
    "/domains/<str:domain>/results/",
    "/domains/<str:domain>/results/<int:pk>/",
    "/domains/<str:domain>/syncs/",
    "/domains/<str:domain>/syncs/<int:pk>/",
    "/domains/<str:domain>/ledger/",
    "/manage/domains/<str:domain>/",
    "/manage/domains/<str:domain>/members/",
    "/manage/domains/<str:domain>/integrations/",
    "/manage/domains/<str:domain>/integrations/outreach/",
]
# What a process keeps, and a row that a page makes, are there from the second time on.
MADE_WHEN_OPENED = ["/domains/<str:domain>/", "/domains/<str:domain>/campaigns/recipient/"]
# Where every sender of a small company is rendered within the request.
MORE = {
    "/domains/<str:domain>/releases/": 25,
    "/domains/<str:domain>/releases/requests/<int:pk>/": 23,
}


def add(furnished: FurnishedDomain, *, senders: int, others: int, layouts: int = 0) -> None:
    """Add this many senders with a mailbox each, and this many of everything else, to a furnished domain.

    layouts: how many templates, where not as many as of everything else.
    """
    now, domain, connection = timezone.now(), furnished.domain, furnished.connection
    first = Sender.objects.order_by("-pk").values_list("pk", flat=True)[0]
    groups = Group.objects.bulk_create(
        Group(domain=domain, name=f"Team {n}", position=n, follows_team_id=f"{first}{n}")
        for n in range(others)
    )
    templates = Template.objects.bulk_create(
        Template(domain=domain, name=f"Layout {first} {n}") for n in range(layouts or others)
    )
    versions = TemplateVersion.objects.bulk_create(
        TemplateVersion(
            template=template,
            number=1,
            source="<p>{{ sender.name }} {{ sender.title }}</p>",
            compiled_html="<p>{{ sender.name }} {{ sender.title }}</p>",
            fields=["sender.name", "sender.title"],
        )
        for template in templates
    )
    for template, version in zip(templates, versions, strict=True):
        template.current = version
    Template.objects.bulk_update(templates, ["current"])
    people = Person.objects.bulk_create(
        Person(
            connection=connection,
            remote_id=f"{first}{n}",
            digest="d",
            changed_at=now,
            email=f"person{first}-{n}@{domain.name}",
            name=f"Person {n}",
            team_ids=[groups[n % others].follows_team_id],
        )
        for n in range(senders)
    )
    rows = Sender.objects.bulk_create(
        Sender(
            domain=domain,
            person=person,
            email=person.email,
            name=person.name,
            group=groups[n % others],
            live_group=furnished.group,
            own_values={"sender.title": "Chief"} if n % 3 else {},
            changed_at=now,
        )
        for n, person in enumerate(people)
    )
    Assignment.objects.bulk_create(
        [
            Assignment(domain=domain, template=templates[n % len(templates)], group=group)
            for n, group in enumerate(groups)
        ]
        + [Assignment(domain=domain, template=templates[0], sender=sender) for sender in rows[:others]]
    )
    DatedAssignment.objects.bulk_create(
        [
            DatedAssignment(domain=domain, template=templates[0], group=group, starts_on=now)
            for group in groups
        ]
        + [
            DatedAssignment(domain=domain, template=templates[0], sender=sender, ends_on=now)
            for sender in rows[:others]
        ]
    )
    ValueDraft.objects.bulk_create(
        ValueDraft(sender=sender, field="sender.title", value="Lead", edited_by_label="ed@acme.example")
        for sender in rows[:others]
    )
    note_edit(domain, f"group:{groups[0].pk}", actor="ed@acme.example")
    mailboxes = Mailbox.objects.bulk_create(
        Mailbox(
            connection=connection,
            remote_id=f"1{person.remote_id}",
            digest="d",
            changed_at=now,
            email=person.email,
            person_remote_id=person.remote_id,
            read_at=now,
        )
        for person in people
    )
    found = (MailboxStatus.PENDING, MailboxStatus.EDITED, MailboxStatus.ACTION_NEEDED, MailboxStatus.NEVER)
    MailboxState.objects.bulk_create(
        MailboxState(
            mailbox=mailbox,
            domain=domain,
            sender=sender,
            status=found[n % 4],
            reason="No template." if n % 4 == 2 else "",
            held_sha256=furnished.kept_text.sha256,
            version_id=furnished.version.pk,
        )
        for n, (mailbox, sender) in enumerate(zip(mailboxes, rows, strict=True))
    )
    for n in range(others):
        run = DeliveryRun.objects.create(
            domain=domain,
            connection=connection,
            release=furnished.release,
            state=DeliveryRunState.COMPLETE,
            started_by_label=f"owner@{domain.name}",
            finished_at=now - timedelta(hours=n),
            planned=1,
        )
        Delivery.objects.create(
            run=run, mailbox_remote_id=f"1{first}{n}", mailbox_email=rows[n].email, sender=rows[n]
        )
    Delivery.objects.bulk_create(
        Delivery(
            run=furnished.delivery_run,
            mailbox_remote_id=box.remote_id,
            mailbox_email=box.email,
            sender=sender,
        )
        for box, sender in zip(mailboxes, rows, strict=True)
    )
    campaigns = Campaign.objects.bulk_create(
        Campaign(domain=domain, name=f"Fair {n}", starts_at=now - timedelta(days=2)) for n in range(others)
    )
    for campaign in campaigns:
        campaign.groups.set(groups[:2])
    Banner.objects.bulk_create(
        Banner(
            campaign=campaign, name="Blue", image=furnished.picture, alt="B", link="https://www.acme.example/"
        )
        for campaign in campaigns
    )
    count_again(connection)


def open_pages(
    client: Client, furnished: FurnishedDomain, pages: Sequence[str] = PAGES
) -> dict[str, list[str]]:
    """Return what each page asked of the database when it was opened."""
    asked = {}
    for page in pages:
        address, mark, query = page.partition("?")
        session = client.session
        session["seen_at"] = time.time()  # noted once a minute, which is a write
        session.save()
        with CaptureQueriesContext(database) as queries:
            response = client.get(f"{get_path(address, furnished)}{mark}{query}")
        assert response.status_code == 200, (page, response.status_code)
        asked[page] = [query["sql"] for query in queries.captured_queries]
    return asked
