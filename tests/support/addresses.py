"""Addresses: every address of the portal asked by everybody, with a form and an object it accepts."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

from django.apps import apps
from django.contrib.contenttypes.models import ContentType
from django.core.files.base import ContentFile
from django.db import transaction
from django.http import HttpResponse
from django.test import Client
from django.utils import timezone
from django_q.models import OrmQ, Task
from django_q.signing import SignedPackage

from integrations.ledger.chain import get_chain
from integrations.ledger.record import record_act
from integrations.ledger.verification import check_and_note
from integrations.models import AssumptionReport, LedgerCheckpoint, Notice, Team
from portal.models import Domain, Membership, Role, User
from portal.worker.schedules import set_up_schedules
from signatures.analytics.aggregation import aggregate_events
from signatures.models import (
    BannerEvent,
    BannerPlace,
    Brand,
    CountingState,
    Decision,
    DeliverySettings,
    GroupMember,
    KnownRecipient,
    LeftAlone,
    LookupShare,
    RecipientPrivacy,
    SeenValue,
    SelfService,
    SenderAccount,
    SenderInvitation,
    Snapshot,
)
from signatures.recipients.merge_variable import start_test
from signatures.releases.content import ReleaseContent, digest_part
from signatures.releases.draft import note_edit
from tests.support.campaigns import make_picture
from tests.support.furnished_domain import (
    BANNER,
    CAMPAIGN,
    DRAFTED,
    LABEL,
    FurnishedDomain,
    make_list,
    make_user,
    make_values,
)
from tests.support.media import make_image_file

from .access_table import ROLES, WHO

MISSING = "987654321"


# Which object of a furnished domain an address names: the part before its id, and the field.
OBJECTS = {
    "members/<int:pk>": "membership",
    "invitations/<int:pk>": "invitation",
    "syncs/<int:pk>": "sync_run",
    "senders/<int:pk>": "sender",
    "import/<int:pk>": "sender_import",
    "views/<int:pk>": "saved_view",
    "groups/<int:pk>": "group",
    "templates/<int:pk>": "template",
    "people/<int:pk>": "sender",
    "releases/<int:number>": "release",
    "requests/<int:pk>": "release_request",
    "deliveries/<int:pk>": "delivery_run",
    "deliveries/<int:run>": "delivery_run",
    "mailboxes/<int:pk>": "delivery",
    "recipient/keys/<int:pk>": "decision_key",
    "lists/<int:pk>": "recipient_list",
    "labels/<int:pk>": "label",
    "pictures/<int:pk>": "picture",
    "media/<int:pk>": "medium",
    "photo/<int:pk>": "medium",
    "campaigns/<int:pk>": "campaign",
    "campaigns/<int:campaign>": "campaign",
    "banners/<int:pk>": "banner",
    "receipts/<int:pk>": "receipt",
    "results/<int:pk>": "campaign",
    "signatures/<str:sha256>": "kept_text",
    "edited/<int:pk>": "edited",
    "disclaimers/<int:pk>": "disclaimer",
    "dated/<int:pk>": "dated_assignment",
    "fields/<str:name>": "custom_field",
}


# What stands for a part that names no object of a domain.
WORDS = {
    "scopes/<str:scope>": "scopes/users.all",
    "(?P<key>[-:\\w]+)": "none",
    "(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)": "1-none",
    "(?P<app_label>integrations|django_q|portal|signatures)": "portal",
    "(?P<url>.*)": "nowhere",
    "<str:key>": "none",
    "keys/<int:pk>": "keys/1",
    "invitations/<str:token>": "invitations/none",
}


DISCLAIMER = {"text": "Visit us at the fair.", "starts_on": "2026-06-01"}
CAMPAIGNS = "/domains/<str:domain>/campaigns/"


def get_body(address: str, furnished: FurnishedDomain) -> dict[str, Any]:
    """Return a form that this address accepts."""
    draft = f"values:{furnished.sender.pk}"
    chosen = {
        "key": [draft],
        "seen": [f"{draft} {digest_part(ReleaseContent(), draft, [('sender.title', DRAFTED)])}"],
    }
    dated = {"template": furnished.template.pk, "starts_on": "2099-01-01"}
    bodies: dict[str, dict[str, Any]] = {
        "/domains/<str:domain>/releases/publish/": chosen,
        "/domains/<str:domain>/releases/ask/": chosen,
        "/domains/<str:domain>/releases/requests/<int:pk>/send-back/": {"comment": "Use the new logo."},
        "/domains/<str:domain>/releases/discard/": {"key": [draft]},
        "/manage/domains/<str:domain>/": {"time_zone": "Europe/London"},
        "/manage/domains/<str:domain>/self-service/": {
            "is_on": "on",
            "valid_days": 5,
            "remind_after_days": 2,
        },
        "/manage/domains/<str:domain>/self-service/act/": {"act": "invite", "sender": furnished.sender.pk},
        "/domains/<str:domain>/changes/decide/": {
            "change": furnished.sender_change.pk,
            "decision": "approve",
        },
        "/manage/domains/<str:domain>/notices/": {"slack_secret_url": "https://hooks.slack.example/x"},
        "/manage/domains/<str:domain>/members/": {"email": "new@acme.example", "role": "auditor"},
        "/manage/domains/<str:domain>/members/<int:pk>/": {"act": "role", "role": "auditor"},
        "/manage/domains/<str:domain>/integrations/outreach/disconnect/": {
            "restores": "0",
            "confirmation": furnished.domain.name,
        },
        "/manage/domains/<str:domain>/integrations/outreach/disconnect/leave/": {"number": 1},
        "/manage/domains/<str:domain>/integrations/outreach/mode/": {"mode": "dry_run"},
        "/manage/domains/<str:domain>/integrations/outreach/scopes/<str:scope>/": {
            "reason": "The audit is open"
        },
        "/domains/<str:domain>/senders/bulk/": {
            "act": "assign",
            "sender": furnished.sender.pk,
            "number": 1,
            "assign-template": furnished.template.pk,
        },
        "/domains/<str:domain>/senders/views/": {"name": "Leavers", "state": "inactive"},
        "/domains/<str:domain>/senders/import/": {"file": make_values()},
        "/domains/<str:domain>/senders/import/<int:pk>/choose/": {
            "separator": ",",
            "encoding": "utf-8",
            "has_heading": "on",
            "column_0": "email",
            "column_1": "sender.custom1",
        },
        "/domains/<str:domain>/senders/import/<int:pk>/apply/": {"digest": furnished.sender_import.digest},
        "/domains/<str:domain>/syncs/now/": {"kind": "full"},
        "/domains/<str:domain>/ledger/export/": {"format": "jsonl"},
        "/domains/<str:domain>/groups/new/": {"name": "Executives"},
        "/domains/<str:domain>/groups/<int:pk>/members/": {"name": "Executives", "save": "1"},
        "/domains/<str:domain>/groups/<int:pk>/move/": {"position": 1},
        "/domains/<str:domain>/groups/<int:pk>/template/": {"template": furnished.template.pk},
        "/domains/<str:domain>/delivery-settings/": {
            "stages": "3, 30",
            "refusal_limit": 1,
            "drift_limit": 1,
            "automatic_cap_percent": 20,
        },
        "/domains/<str:domain>/groups/<int:pk>/automatic/": {"automatic": "daily", "automatic_at": "06:30"},
        "/domains/<str:domain>/groups/<int:pk>/policy/": {"drift_policy": "ask", "drift_grace_hours": 2},
        "/domains/<str:domain>/deliveries/<int:pk>/choose/": {"mailbox": furnished.delivery.pk},
        "/domains/<str:domain>/edited/decide/": {
            "decision": "keep",
            "mailbox": f"{furnished.edited.pk}:{furnished.edited.held_sha256}",
        },
        "/domains/<str:domain>/edited/left-alone/end/": {"row": furnished.left_alone.pk},
        "/domains/<str:domain>/templates/new/": {"name": "Another", "source": "<p>{{ sender.name }}</p>"},
        "/domains/<str:domain>/templates/<int:pk>/save/": {
            "name": "Renamed",
            "source": "<p>{{ sender.name }} here</p>",
        },
        "/domains/<str:domain>/templates/<int:pk>/restore/": {"number": 1, "version": furnished.version.pk},
        "/domains/<str:domain>/templates/<int:pk>/groups/": {"groups": [furnished.group.pk]},
        "/domains/<str:domain>/templates/checks/": {"source": "<p>{{ sender.name }}</p>"},
        "/domains/<str:domain>/templates/<int:pk>/checks/": {"source": "<p>{{ sender.name }}</p>"},
        "/domains/<str:domain>/templates/blocks/": {"source": "", "act": "read"},
        "/domains/<str:domain>/templates/<int:pk>/blocks/": {"source": "", "act": "read"},
        "/domains/<str:domain>/templates/trial/": {"source": "<p>{{ sender.name }}</p>"},
        "/domains/<str:domain>/campaigns/recipient/keys/": {"name": "Gateway"},
        "/domains/<str:domain>/campaigns/recipient/person/": {"address": "kim@partner.example"},
        "/domains/<str:domain>/campaigns/recipient/person/export/": {"address": "kim@partner.example"},
        "/domains/<str:domain>/campaigns/recipient/person/erase/": {"address": "kim@partner.example"},
        "/domains/<str:domain>/campaigns/recipient/variable/test/": {"variable": "{{email}}"},
        "/domains/<str:domain>/campaigns/recipient/variable/on/": {
            "variable": "{{email}}",
            "typed": furnished.domain.name,
        },
        "/domains/<str:domain>/campaigns/recipient/retention/change/": {
            "decision_days": "20",
            "event_days": "80",
        },
        f"{CAMPAIGNS}new/": CAMPAIGN,
        f"{CAMPAIGNS}<int:pk>/change/": CAMPAIGN,
        f"{CAMPAIGNS}why/": {"sender": furnished.sender.email},
        f"{CAMPAIGNS}<int:pk>/preview/": {"sender": furnished.sender.email},
        f"{CAMPAIGNS}place/": {"width": 480, "height": 120},
        f"{CAMPAIGNS}lists/": {"name": "Friends", "file": make_list()},
        f"{CAMPAIGNS}lists/<int:pk>/": {"name": "Friends", "file": make_list()},
        f"{CAMPAIGNS}labels/": LABEL,
        f"{CAMPAIGNS}labels/<int:pk>/": LABEL,
        f"{CAMPAIGNS}<int:pk>/audience/": {"save": "1"},
        f"{CAMPAIGNS}<int:pk>/banners/new/": BANNER | {"picture": make_picture()},
        f"{CAMPAIGNS}<int:campaign>/banners/<int:pk>/": BANNER,
        f"{CAMPAIGNS}<int:pk>/banners/destination/": BANNER,
        "/domains/<str:domain>/media/upload/": {"kind": "logo", "images": make_image_file("#aa3355")},
        "/domains/<str:domain>/media/<int:pk>/change/": {"name": "Our logo", "alt": "Acme"},
        "/domains/<str:domain>/media/<int:pk>/crop/": {"x": 0, "y": 0, "width": 40, "height": 40},
        "/domains/<str:domain>/fields/dates/": {"date_format": "yyyy-mm-dd"},
        "/domains/<str:domain>/fields/add/": {"label": "Desk", "kind": "phone"},
        "/domains/<str:domain>/fields/<str:name>/": {"label": "Motto", "edited_by": "editors"},
        "/domains/<str:domain>/brand/": {"name": "Acme", "accent": "#2b4acb"},
        "/domains/<str:domain>/brand/disclaimers/add/": DISCLAIMER,
        "/domains/<str:domain>/groups/<int:pk>/dated/add/": dated,
        "/domains/<str:domain>/senders/<int:pk>/dated/add/": dated,
        "/domains/<str:domain>/groups/<int:pk>/values/": {"sender.mobile": "+1 415 555 0100"},
        "/domains/<str:domain>/groups/<int:pk>/brand/": {"name": "Acme West"},
        "/domains/<str:domain>/groups/<int:pk>/brand/disclaimers/add/": DISCLAIMER,
    }
    return bodies.get(address, {})


def get_query(address: str, furnished: FurnishedDomain) -> str:
    if address.endswith("senders/bulk/"):
        return f"?act=assign&sender={furnished.sender.pk}"
    return f"?version={furnished.version.pk}" if address.endswith("templates/preview/") else ""


def get_path(
    address: str,
    furnished: FurnishedDomain,
    *,
    objects_of: FurnishedDomain | None = None,
    missing: bool = False,
) -> str:
    """Return where the address leads in this domain, naming objects of `objects_of` where given, or none there is."""
    source = objects_of or furnished
    path = address.replace("<str:domain>", furnished.domain.name)
    for part, field in OBJECTS.items():
        found = getattr(source, field)
        by = part.partition(":")[2].removesuffix(">")
        named = getattr(found, by if by in ("number", "sha256", "name") else "pk")
        value = MISSING if missing else str(named)
        path = path.replace(part, part.partition("<")[0] + value)
    if "<path:content_type_id>" in path:  # the one model whose rows have a page of the portal
        path = path.replace("<path:content_type_id>", str(ContentType.objects.get_for_model(Domain).pk))
        path = path.replace("<path:object_id>", str(source.domain.pk))
    for part, words in WORDS.items():
        path = path.replace(part, words)
    if found := re.fullmatch(r"/admin/(\w+)/(\w+)/<(?:path:object_id|id)>/(.*)", path):
        row = apps.get_model(found[1], found[2])._default_manager.order_by("pk").first()
        assert row is not None, f"furnish_admin makes no {found[2]}"
        path = f"/admin/{found[1]}/{found[2]}/{row.pk}/{found[3]}"
    assert "<" not in path, f"Say in OBJECTS which object of a furnished domain {address} names."
    return f"{path}{get_query(address, source)}"


def furnish_admin(furnished: FurnishedDomain) -> None:
    """There is one row of each model that the admin shows and that no domain needs."""
    now = timezone.now()
    Brand.objects.create(domain=furnished.domain, name="Acme")
    note_edit(furnished.domain, "brand", actor="owner@acme.example")
    DeliverySettings.objects.for_domain(furnished.domain, create=True)
    LeftAlone.objects.create(
        domain=furnished.domain, mailbox_remote_id="99", mailbox_email="z@acme.example", why="kept"
    )
    Snapshot.objects.create(
        domain=furnished.domain,
        mailbox_remote_id="11",
        mailbox_email="a@acme.example",
        original_html="<p>Hi</p>",
    )
    Team.objects.create(
        connection=furnished.connection, remote_id="5", digest="d", changed_at=now, name="Sales"
    )
    Notice.objects.create(connection=furnished.connection, kind="lost", audience="owners")
    AssumptionReport.objects.create(
        connection=furnished.connection, actor_label="command", findings=[], report={"kind": "report"}
    )
    BannerEvent.objects.create(
        domain=furnished.domain, at=now - timedelta(hours=1), sender_id=furnished.sender.pk
    )
    aggregate_events(furnished.domain)
    record_act("domain made", domain=furnished.domain, actor_label="command")
    chain = get_chain(furnished.domain)
    assert chain is not None
    check_and_note(chain)
    LedgerCheckpoint.objects.create(chain=chain, last_sequence=0, older_than=now, actor_label="command")
    Decision.objects.create(domain=furnished.domain, sender=furnished.sender, recipient_key="k", way="api")
    for model in (BannerPlace, CountingState, RecipientPrivacy):
        model.objects.for_domain(furnished.domain, create=True)
    KnownRecipient.objects.create(domain=furnished.domain, recipient_key="k", expires_at=now)
    LookupShare.objects.create(domain=furnished.domain, network="203.0.113.0/24", used=1, ends_at=now)
    SeenValue.objects.create(domain=furnished.domain, attribute="tags", value="emea", seen_on=now.date())
    start_test(furnished.domain, "{{email}}", actor="command")
    GroupMember.objects.get_or_create(sender=furnished.sender, group=furnished.group)
    SelfService.objects.create(domain=furnished.domain, is_on=True)
    user = make_user(furnished.sender.email)
    SenderAccount.objects.create(sender=furnished.sender, user=user)
    SenderInvitation.objects.create(
        domain=furnished.domain,
        sender=furnished.sender,
        email=user.email,
        token_sha256="digest of a sender's",
        invited_by=furnished.membership.user,
        expires_at=now,
        accepted_at=now,
    )
    set_up_schedules()
    for number, succeeded in enumerate([True, False]):
        Task.objects.create(
            id=f"{number}" * 32,
            name="t",
            func="portal.tasks.record_beat",
            started=now,
            stopped=now,
            success=succeeded,
        )
    payload = {"id": "2" * 32, "name": "t", "func": "portal.tasks.record_beat", "args": (), "kwargs": {}}
    OrmQ.objects.create(key="countersign", payload=SignedPackage.dumps(payload), lock=now)


def make_clients(furnished: FurnishedDomain, other_furnished: FurnishedDomain) -> dict[str, Client]:
    """Return one browser for each column of the table, logged in where the column says so."""
    clients = {who: Client() for who in WHO}
    for letter, place in (("A", furnished), ("B", other_furnished)):
        for role in ROLES:
            user = make_user(f"{role}-{letter}@people.example".lower())
            Membership.objects.create(domain=place.domain, user=user, role=role)
            clients[f"{role} of {letter}"].force_login(user)
    left = make_user("left@people.example")
    Membership.objects.create(domain=furnished.domain, user=left, role=Role.OWNER)
    clients["deactivated"].force_login(left)
    User.objects.filter(pk=left.pk).update(is_active=False)
    clients["staff"].force_login(make_user("staff@people.example", is_staff=True))
    clients["superuser"].force_login(
        User.objects.create_superuser("superuser@people.example", "correct horse battery")
    )
    return clients


def ask(
    client: Client, method: str, path: str, body: dict[str, Any] | None = None, **extra: Any
) -> HttpResponse:
    """Return the answer, and leave the rows as they were."""
    cookies = client.cookies.copy()
    for value in (body or {}).values():
        if isinstance(value, ContentFile):
            value.seek(0)  # somebody else sent it before
    with transaction.atomic():
        response = (
            client.post(path, body or {}, **extra)
            if method == "POST"
            else client.generic(method, path, **extra)
        )
        transaction.set_rollback(True)
    client.cookies = cookies  # the session's row is as it was, too
    if not response.streaming:
        assert isinstance(response.content, bytes)
    response.close()
    return response  # type: ignore[return-value]  # a test response is one
