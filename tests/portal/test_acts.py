"""Every address that changes something leaves a privileged act in the ledger, with who did it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from django.utils import timezone

from integrations.models import LedgerEntry
from portal.heartbeat import record_beat
from portal.models import Membership, Role
from signatures.authoring import save_template
from signatures.models import Assignment, Campaign, DeliveryRunState, Group, Template
from tests.signatures.campaigns.conftest import make_picture

from .conftest import BANNER, CAMPAIGN, LABEL, House, make_list, make_user

APPS = ("portal", "integrations", "signatures")
OWNER = "owner@people.example"
IDS = {
    "portal:invitation_resend": {"pk": "invitation"},
    "portal:invitation_withdraw": {"pk": "invitation"},
    "portal:member": {"pk": "membership"},
    "signatures:group_move": {"pk": "group"},
    "signatures:group_template": {"pk": "group"},
    "signatures:sender_check": {"pk": "sender"},
    "signatures:sender_template": {"pk": "sender"},
    "signatures:sender_values": {"pk": "sender"},
    "signatures:template_restore": {"pk": "template"},
    "signatures:template_save": {"pk": "template"},
    **{f"signatures:delivery_{name}": {"pk": "delivery_run"} for name in ("resume", "start", "stop")},
    **{
        f"signatures:campaign_{name}": {"pk": "campaign"}
        for name in (
            "archive",
            "audience",
            "bring_back",
            "change",
            "copy",
            "pause",
            "preview",
            "start",
        )
    },
    "signatures:banner": {"campaign": "campaign", "pk": "banner"},
    "signatures:banner_archive": {"campaign": "campaign", "pk": "banner"},
    "signatures:banner_destination": {"pk": "campaign"},
    "signatures:banner_new": {"pk": "campaign"},
    "signatures:label": {"pk": "label"},
    "signatures:label_delete": {"pk": "label"},
    "signatures:recipient_list": {"pk": "recipient_list"},
    "signatures:recipient_list_delete": {"pk": "recipient_list"},
}
"""Which object an address names, by the field of the furnished house."""

# What each address writes when its form is sent, or why it writes nothing.
ACTS = {
    "integrations:ledger_export": "ledger exported",
    "integrations:outreach_disconnect": "disconnect requested",
    "integrations:outreach_mode": "mode set to dry run: nothing is written",
    "integrations:outreach_pause": "paused",
    "integrations:outreach_resume": "resumed",
    "integrations:sync_now": "sync requested",
    "portal:member": "role changed",
    "portal:members": "member invited",
    "portal:invitation_resend": "invitation sent again",
    "portal:invitation_withdraw": "invitation withdrawn",
    "portal:settings": "settings changed",
    "portal:sign_in": "settings changed",
    "signatures:banner": "banner changed",
    "signatures:banner_archive": "banner archived",
    "signatures:banner_new": "banner added",
    "signatures:banner_place": "banner place changed",
    "signatures:brand": "company values changed",
    "signatures:campaign_archive": "campaign archived",
    "signatures:campaign_audience": "audience changed",
    "signatures:campaign_bring_back": "campaign brought back",
    "signatures:campaign_change": "campaign changed",
    "signatures:campaign_copy": "campaign made",
    "signatures:campaign_new": "campaign made",
    "signatures:campaign_pause": "campaign paused",
    "signatures:campaign_start": "campaign started",
    "signatures:delivery_resume": "delivery resumed",
    "signatures:delivery_start": "delivery started",
    "signatures:delivery_stop": "delivery stopped",
    "signatures:group_move": "groups reordered",
    "signatures:group_template": "template unassigned",
    "signatures:label": "label given",
    "signatures:label_delete": "label removed",
    "signatures:labels": "label given",
    "signatures:recipient_list": "recipient list replaced",
    "signatures:recipient_list_delete": "recipient list deleted",
    "signatures:recipient_lists": "recipient list made",
    "signatures:sender_template": "template assigned",
    "signatures:sender_values": "sender values changed",
    "signatures:template_new": "template saved",
    "signatures:template_restore": "template saved",
    "signatures:template_save": "template saved",
    "signatures:template_starters": "template saved",
}
WITHOUT = {
    "portal:invitation": "taking an invitation writes 'member added'; whoever holds none is told so",
    "integrations:outreach_check": "asks Outreach; its calls are entries themselves",
    "integrations:outreach_connect": "leads to Outreach; coming back writes 'connected', or nothing was granted",
    "signatures:banner_destination": "shows where a typed link leads, and stores nothing",
    "signatures:campaign_preview": "may ask Outreach; its call is an entry itself",
    "signatures:why": "may ask Outreach; its call is an entry itself",
    "signatures:delivery_plan": "says what would change; starting it is the act",
    "signatures:sender_check": "asks Outreach; its call is an entry itself",
    "signatures:template_trial": "draws what was typed, and stores nothing",
}
DOWNLOADS = {"signatures:originals": "originals downloaded"}


def get_ids(name: str, house: House) -> dict[str, int]:
    return {argument: getattr(house, field).pk for argument, field in IDS.get(name, {}).items()}


def get_body(name: str, house: House) -> dict[str, Any]:
    bodies: dict[str, dict[str, Any]] = {
        "integrations:ledger_export": {"format": "csv"},
        "integrations:outreach_disconnect": {"restores": "0"},
        "integrations:outreach_mode": {"mode": "dry_run"},
        "integrations:sync_now": {"kind": "full"},
        "portal:member": {"act": "role", "role": "auditor"},
        "portal:members": {"email": "new@acme.example", "role": "auditor"},
        "portal:settings": {"time_zone": "Europe/London"},
        "portal:sign_in": {"act": "second step", "require_mfa": "on"},
        "signatures:banner": BANNER,
        "signatures:banner_new": BANNER | {"picture": make_picture()},
        "signatures:banner_place": {"is_on": "on", "width": 480, "height": 120},
        "signatures:campaign_audience": {"c0-attribute": "title", "c0-operator": "is_filled", "save": "1"},
        "signatures:campaign_change": CAMPAIGN,
        "signatures:campaign_new": CAMPAIGN,
        "signatures:label": LABEL,
        "signatures:labels": LABEL,
        "signatures:recipient_list": {"name": "Friends", "file": make_list()},
        "signatures:recipient_lists": {"name": "Friends", "file": make_list()},
        "signatures:brand": {"name": "Acme", "accent": "#2b4acb"},
        "signatures:group_move": {"to": "up"},
        "signatures:group_template": {"template": ""},
        "signatures:sender_template": {"template": house.template.pk},
        "signatures:sender_values": {"sender.title": "Head of Sales"},
        "signatures:template_new": {"name": "Another", "source": "<p>{{ sender.name }}</p>"},
        "signatures:template_restore": {"number": 1, "version": house.version.pk},
        "signatures:template_save": {"name": "Renamed", "source": "<p>{{ sender.name }} here</p>"},
    }
    return bodies.get(name, {})


def list_addresses(
    resolver: URLResolver, namespace: str = "", named: tuple[str, ...] = ()
) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield each address's name and what it names."""
    for pattern in resolver.url_patterns:
        arguments = (*named, *pattern.pattern.converters)
        if isinstance(pattern, URLPattern):
            yield f"{namespace}:{pattern.name}", arguments
        else:
            yield from list_addresses(pattern, pattern.namespace or namespace, arguments)


def change_something_first(name: str, house: House) -> None:
    """What the address changes is there to be changed."""
    if name in ("signatures:delivery_resume", "signatures:delivery_stop"):
        house.delivery_run.state = DeliveryRunState.HALTED
        house.delivery_run.queued_at = timezone.now()
        house.delivery_run.save()
    if name == "signatures:campaign_start":
        Campaign.objects.filter(pk=house.campaign.pk).update(paused_at=timezone.now())
    if name == "signatures:campaign_bring_back":
        Campaign.objects.filter(pk=house.campaign.pk).update(archived_at=timezone.now())
    if name == "signatures:group_move":
        Group.objects.filter(pk=house.group.pk).update(is_default=False)
        Group.objects.create(domain=house.domain, name="Everybody else", is_default=True)
    if name == "signatures:template_restore":
        save_template(
            house.domain,
            template=house.template,
            name="Second",
            source="<p>{{ sender.email }}</p>",
            by_label="test",
        )
    if name == "signatures:template_starters":
        Assignment.objects.all().delete()
        Template.objects.filter(domain=house.domain).update(current=None)
        Template.objects.filter(domain=house.domain).delete()


@pytest.fixture
def owner(house: House) -> Client:
    """Somebody to whom every page of the domain is open, and those of all domains too."""
    client = Client()
    user = make_user(OWNER, is_staff=True)
    Membership.objects.create(domain=house.domain, user=user, role=Role.OWNER)
    client.force_login(user)
    record_beat()
    return client


def test_i12_an_address_that_takes_a_form_is_in_the_list(house, owner):
    """Asked with an empty form: only those that never take one answer 405."""
    found = set()
    for name, arguments in list_addresses(get_resolver()):
        if name.partition(":")[0] not in APPS:
            continue
        named: dict[str, Any] = dict.fromkeys(arguments, 1)
        if "domain" in named:
            named["domain"] = house.domain.name
        named |= get_ids(name, house)
        with transaction.atomic():
            status = owner.post(reverse(name, kwargs=named)).status_code
            transaction.set_rollback(True)
        if status != 405:
            found.add(name)

    assert found - set(DOWNLOADS) == set(ACTS) | set(WITHOUT)


@pytest.mark.parametrize("name", sorted({**ACTS, **DOWNLOADS}))
def test_i12_what_is_changed_is_an_act_in_the_ledger_of_this_domain_alone(name, house, other_house, owner):
    change_something_first(name, house)
    before = LedgerEntry.objects.order_by("id").last()
    address = reverse(name, kwargs={"domain": house.domain.name, **get_ids(name, house)})

    response = owner.get(address) if name in DOWNLOADS else owner.post(address, get_body(name, house))

    assert response.status_code in (200, 302), response.content
    acts = LedgerEntry.objects.filter(pk__gt=before.pk if before else 0).exclude(action="call")
    assert {act.action for act in acts} >= {{**ACTS, **DOWNLOADS}[name]}
    assert {(act.actor_label, act.domain_id) for act in acts} == {(OWNER, house.domain.pk)}
