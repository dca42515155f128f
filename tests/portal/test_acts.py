"""Every address that changes something leaves a privileged act in the ledger, with who did it.

The addresses are those of the access table (`access_table.txt`), which a test of its own keeps complete.
"""

from __future__ import annotations

from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from django.utils import timezone

from integrations.models import Audience, Connection, ConnectionState, DisconnectStep, LedgerEntry
from integrations.notices.channel_settings import set_address
from portal.models import IdentityProvider, Membership, Role
from portal.worker.heartbeat import record_beat
from signatures.authoring.templates import save_template
from signatures.models import (
    Assignment,
    DatedAssignment,
    DeliveryRun,
    DeliveryRunState,
    DeliveryState,
    Group,
    Release,
    ReleaseRequest,
    ReleaseState,
    SelfService,
    Sender,
    Template,
)
from signatures.releases.live import get_live
from signatures.releases.publish import publish
from signatures.senders.overrides import list_overrides
from tests.support.access_table import read_table
from tests.support.addresses import get_body, get_path
from tests.support.furnished_domain import FurnishedDomain, make_user
from tests.support.saml_provider import Signer

OWNER = "owner@people.example"
HOME, MANAGE = "/domains/<str:domain>/", "/manage/domains/<str:domain>/"
OUTREACH, CAMPAIGNS = f"{MANAGE}integrations/outreach/", f"{HOME}campaigns/"
RECIPIENT = f"{CAMPAIGNS}recipient/"

# What each address writes when its form is sent.
ACTS = {
    MANAGE: "settings changed",
    f"{MANAGE}sign-in/": "settings changed",
    f"{MANAGE}sign-in/oidc/": "settings changed",
    f"{MANAGE}sign-in/saml/": "settings changed",
    f"{MANAGE}sign-in/remove/": "settings changed",
    f"{MANAGE}members/": "member invited",
    f"{MANAGE}members/<int:pk>/": "role changed",
    f"{MANAGE}invitations/<int:pk>/resend/": "invitation sent again",
    f"{MANAGE}invitations/<int:pk>/withdraw/": "invitation withdrawn",
    f"{MANAGE}self-service/": "self-service settings changed",
    f"{MANAGE}self-service/act/": "senders invited",
    f"{MANAGE}notices/": "settings changed",
    f"{MANAGE}notices/remove/": "settings changed",
    f"{MANAGE}notices/secret/": "settings changed",
    f"{OUTREACH}disconnect/": "disconnect requested",
    f"{OUTREACH}disconnect/leave/": "originals left",
    f"{OUTREACH}pause/": "paused",
    f"{OUTREACH}resume/": "resumed",
    f"{OUTREACH}mode/": "mode set to dry run: nothing is written",
    f"{OUTREACH}proof/": "proof of refusals",
    f"{OUTREACH}scopes/<str:scope>/": "scope switched off",
    f"{HOME}syncs/now/": "sync requested",
    f"{HOME}ledger/export/": "ledger exported",
    f"{HOME}senders/bulk/": "template assigned",
    f"{HOME}senders/views/": "view of senders saved",
    f"{HOME}senders/views/<int:pk>/delete/": "view of senders deleted",
    f"{HOME}senders/import/": "sender values uploaded",
    f"{HOME}senders/import/<int:pk>/apply/": "sender values imported",
    f"{HOME}senders/import/<int:pk>/undo/": "sender values import undone",
    f"{HOME}senders/<int:pk>/values/": "sender values changed",
    f"{HOME}senders/<int:pk>/template/": "template assigned",
    f"{HOME}changes/decide/": "sender change approved",
    f"{HOME}groups/new/": "group created",
    f"{HOME}groups/<int:pk>/members/": "group members changed",
    f"{HOME}groups/<int:pk>/archive/": "group archived",
    f"{HOME}groups/<int:pk>/restore/": "group restored",
    f"{HOME}fields/add/": "field added",
    f"{HOME}fields/<str:name>/": "field changed",
    f"{HOME}fields/dates/": "field changed",
    f"{HOME}fields/<str:name>/remove/": "field removed",
    f"{HOME}fields/overrides/decide/": "overrides kept",
    f"{HOME}groups/<int:pk>/move/": "groups reordered",
    f"{HOME}groups/<int:pk>/template/": "template assigned",
    f"{HOME}delivery-settings/": "delivery settings changed",
    f"{HOME}groups/<int:pk>/automatic/": "automatic policy changed",
    f"{HOME}groups/<int:pk>/policy/": "drift policy changed",
    f"{HOME}edited/check/": "sync requested",
    f"{HOME}edited/decide/": "mailbox edit kept",
    f"{HOME}edited/left-alone/end/": "mailbox managed again",
    f"{HOME}templates/new/": "template saved",
    f"{HOME}templates/starters/": "template saved",
    f"{HOME}templates/<int:pk>/save/": "template saved",
    f"{HOME}templates/<int:pk>/restore/": "template saved",
    f"{HOME}brand/": "company values changed",
    f"{HOME}media/upload/": "medium uploaded",
    f"{HOME}media/<int:pk>/change/": "medium renamed",
    f"{HOME}media/<int:pk>/crop/": "medium cropped",
    f"{HOME}media/<int:pk>/remove/": "medium removed",
    f"{HOME}media/<int:pk>/restore/": "medium restored",
    f"{HOME}brand/disclaimers/add/": "dated disclaimer added",
    f"{HOME}brand/disclaimers/<int:pk>/remove/": "dated disclaimer removed",
    f"{HOME}groups/<int:pk>/brand/": "group values changed",
    f"{HOME}groups/<int:pk>/values/": "group field values changed",
    f"{HOME}groups/<int:pk>/brand/disclaimers/add/": "dated disclaimer added",
    f"{HOME}templates/<int:pk>/groups/": "template assigned",
    f"{HOME}groups/<int:pk>/dated/add/": "dated template assigned",
    f"{HOME}senders/<int:pk>/dated/add/": "dated template assigned",
    f"{HOME}dated/<int:pk>/remove/": "dated template unassigned",
    f"{HOME}releases/publish/": "release published",
    f"{HOME}releases/ask/": "release asked for",
    f"{HOME}releases/requests/<int:pk>/approve/": "release approved",
    f"{HOME}releases/requests/<int:pk>/send-back/": "release sent back",
    f"{HOME}releases/requests/<int:pk>/withdraw/": "release request withdrawn",
    f"{HOME}releases/discard/": "drafts discarded",
    f"{HOME}releases/<int:number>/now/": "release published",
    f"{HOME}releases/<int:number>/cancel/": "release cancelled",
    f"{HOME}releases/<int:number>/again/": "release published",
    f"{HOME}deliveries/<int:pk>/choose/": "mailboxes left out of a plan",
    f"{HOME}deliveries/<int:pk>/pause/": "delivery paused",
    f"{HOME}deliveries/<int:pk>/retry/": "delivery retried",
    f"{HOME}deliveries/<int:pk>/start/": "delivery started",
    f"{HOME}deliveries/<int:pk>/resume/": "delivery resumed",
    f"{HOME}deliveries/<int:pk>/stop/": "delivery stopped",
    f"{RECIPIENT}keys/": "decision key made",
    f"{RECIPIENT}keys/<int:pk>/revoke/": "decision key revoked",
    f"{RECIPIENT}person/export/": "recipient exported",
    f"{RECIPIENT}person/erase/": "recipient erased",
    f"{RECIPIENT}variable/test/": "variable test started",
    f"{RECIPIENT}variable/on/": "recipient variable changed",
    f"{RECIPIENT}variable/off/": "recipient variable changed",
    f"{RECIPIENT}retention/change/": "retention changed",
    f"{CAMPAIGNS}new/": "campaign made",
    f"{CAMPAIGNS}place/": "banner place changed",
    f"{CAMPAIGNS}lists/": "recipient list made",
    f"{CAMPAIGNS}lists/<int:pk>/": "recipient list replaced",
    f"{CAMPAIGNS}lists/<int:pk>/delete/": "recipient list deleted",
    f"{CAMPAIGNS}labels/": "label given",
    f"{CAMPAIGNS}labels/<int:pk>/": "label given",
    f"{CAMPAIGNS}labels/<int:pk>/delete/": "label removed",
    f"{CAMPAIGNS}<int:pk>/change/": "campaign changed",
    f"{CAMPAIGNS}<int:pk>/start/": "campaign started",
    f"{CAMPAIGNS}<int:pk>/pause/": "campaign paused",
    f"{CAMPAIGNS}<int:pk>/copy/": "campaign made",
    f"{CAMPAIGNS}<int:pk>/archive/": "campaign archived",
    f"{CAMPAIGNS}<int:pk>/bring-back/": "campaign brought back",
    f"{CAMPAIGNS}<int:pk>/audience/": "audience changed",
    f"{CAMPAIGNS}<int:pk>/banners/new/": "banner added",
    f"{CAMPAIGNS}<int:campaign>/banners/<int:pk>/": "banner changed",
    f"{CAMPAIGNS}<int:campaign>/banners/<int:pk>/archive/": "banner archived",
}
# Why these write none.
WITHOUT = {
    f"{MANAGE}notices/test/": "sends a test message, and changes nothing",
    f"{HOME}templates/<int:pk>/checks/": "says what the checks find in a source, and stores nothing",
    f"{OUTREACH}check/": "asks Outreach; its calls are entries themselves",
    f"{OUTREACH}assumptions/check/": "asks Outreach; its calls are entries, and what they came to is an act",
    f"{OUTREACH}connect/": "leads to Outreach; coming back writes 'connected', or nothing was granted",
    f"{OUTREACH}request/": "leads to Outreach, as connecting does",
    f"{HOME}deliveries/plan/": "says what would change; starting it is the act",
    f"{HOME}deliveries/<int:pk>/replan/": "says what would change by now, as planning does",
    f"{HOME}deliveries/restore/": "says what would go back; starting it is the act",
    f"{HOME}senders/<int:pk>/deliver/": "says what would change for one person; starting it is the act",
    f"{HOME}releases/": "counts what the ticked drafts would change, and publishes nothing",
    f"{HOME}ledger/check/": "asks for a check of the chain, which the worker makes and notes as System",
    f"{HOME}senders/import/<int:pk>/choose/": "reads the file in another way, and changes no value",
    f"{HOME}senders/<int:pk>/check/": "asks Outreach; its call is an entry itself",
    f"{HOME}templates/trial/": "draws what was typed, and stores nothing",
    f"{HOME}templates/checks/": "checks the source that was posted, and stores nothing",
    f"{HOME}templates/blocks/": "edits the source that was posted, and stores nothing",
    f"{HOME}templates/<int:pk>/blocks/": "edits the source that was posted, and stores nothing",
    f"{RECIPIENT}person/": "shows what is kept about somebody",
    f"{CAMPAIGNS}why/": "says which banner somebody would get",
    f"{CAMPAIGNS}<int:pk>/preview/": "draws what somebody would get",
    f"{CAMPAIGNS}<int:pk>/banners/destination/": "says where a link would lead",
}
# Forms that change something, where the access test's own are answered without a change.
BODIES: dict[str, dict[str, Any]] = {
    f"{MANAGE}sign-in/": {"require_mfa": "on"},
    f"{MANAGE}sign-in/oidc/": {
        "issuer": "https://login.acme.example",
        "client_id": "c",
        "client_secret": "s",
    },
    f"{MANAGE}sign-in/saml/": {
        "saml_entity_id": "https://login.acme.example/saml",
        "saml_sso_url": "https://login.acme.example/saml/login",
    },
    f"{HOME}senders/<int:pk>/values/": {"sender.title": "Head of Sales"},
    f"{HOME}groups/<int:pk>/move/": {"to": "up"},
    f"{HOME}groups/new/": {"name": "Vice presidents"},
    f"{HOME}groups/<int:pk>/members/": {"name": "Renamed", "save": "1"},
    f"{RECIPIENT}retention/change/": {"decision_days": "20", "event_days": "80", "confirmed": "20/80"},
    f"{CAMPAIGNS}place/": {"width": 480, "height": 120, "alt": "News"},
}
# What is done at other addresses first, so that there is something to undo.
FIRST = {
    f"{HOME}groups/<int:pk>/restore/": f"{HOME}groups/<int:pk>/archive/",
    f"{HOME}media/<int:pk>/restore/": f"{HOME}media/<int:pk>/remove/",
    f"{HOME}senders/import/<int:pk>/undo/": f"{HOME}senders/import/<int:pk>/apply/",
    f"{RECIPIENT}variable/off/": f"{RECIPIENT}variable/on/",
    f"{CAMPAIGNS}<int:pk>/bring-back/": f"{CAMPAIGNS}<int:pk>/archive/",
    f"{CAMPAIGNS}<int:pk>/start/": f"{CAMPAIGNS}<int:pk>/pause/",
}


def prepare(address: str, furnished: FurnishedDomain) -> dict[str, Any]:
    """What the address changes is there to be changed; return its form."""
    if address in (f"{HOME}deliveries/<int:pk>/resume/", f"{HOME}deliveries/<int:pk>/stop/"):
        furnished.delivery_run.state = DeliveryRunState.HALTED
        furnished.delivery_run.queued_at = timezone.now()
        furnished.delivery_run.save()
    if address.startswith(f"{HOME}groups/<int:pk>/") and address.endswith(("archive/", "members/")):
        Group.objects.filter(pk=furnished.group.pk).update(is_default=False)
    if address == f"{HOME}fields/overrides/decide/":
        Sender.objects.filter(pk=furnished.sender.pk).update(own_values={"sender.title": "Overridden"})
        return {"key": [one.key for one in list_overrides(furnished.domain)]}
    if address == f"{OUTREACH}disconnect/leave/":
        DeliveryRun.objects.filter(pk=furnished.delivery_run.pk).update(
            kind=DeliveryRun.Kind.RESTORE, state=DeliveryRunState.HALTED
        )
        Connection.objects.filter(pk=furnished.connection.pk).update(
            state=ConnectionState.DISCONNECTING, disconnect_step=DisconnectStep.RESTORING
        )
    if address == f"{HOME}groups/<int:pk>/move/":
        Group.objects.filter(pk=furnished.group.pk).update(is_default=False)
        Group.objects.create(domain=furnished.domain, name="Everybody else", is_default=True)
    if address == f"{HOME}templates/<int:pk>/restore/":
        save_template(
            furnished.domain,
            template=furnished.template,
            name="Second",
            source="<p>{{ sender.email }}</p>",
            actor="test",
        )
    if address == f"{HOME}templates/starters/":
        Assignment.objects.all().delete()
        DatedAssignment.objects.all().delete()
        Template.objects.filter(domain=furnished.domain).update(current=None)
        Template.objects.filter(domain=furnished.domain).delete()
    if address == f"{CAMPAIGNS}<int:pk>/audience/":
        furnished.campaign.audience = [{"attribute": "stage", "operator": "is", "values": ["7"]}]
        furnished.campaign.save()
    if address == f"{HOME}deliveries/<int:pk>/pause/":
        DeliveryRun.objects.filter(pk=furnished.delivery_run.pk).update(state=DeliveryRunState.QUEUED)
    if address == f"{HOME}deliveries/<int:pk>/retry/":
        DeliveryRun.objects.filter(pk=furnished.delivery_run.pk).update(
            state=DeliveryRunState.COMPLETE, release=get_live(furnished.domain), settled=1, failed=1
        )
        furnished.delivery_run.deliveries.update(state=DeliveryState.FAILED, finished_at=timezone.now())
    if address in (f"{HOME}releases/<int:number>/now/", f"{HOME}releases/<int:number>/cancel/"):
        Release.objects.filter(pk=furnished.release.pk).update(state=ReleaseState.SCHEDULED)
    if address == f"{HOME}releases/<int:number>/again/":
        Template.objects.filter(pk=furnished.template.pk).update(archived_at=timezone.now())
        publish(furnished.domain, actor="test")
    if address == f"{HOME}releases/requests/<int:pk>/withdraw/":
        ReleaseRequest.objects.filter(pk=furnished.release_request.pk).update(asked_by_label=OWNER)
    if address == f"{HOME}releases/ask/":
        Membership.objects.filter(pk=furnished.membership.pk).update(role=Role.APPROVER)
    if address == f"{HOME}templates/<int:pk>/groups/":
        Assignment.objects.filter(group=furnished.group).delete()
        return {"groups": [furnished.group.pk]}
    if address in (f"{MANAGE}notices/remove/", f"{MANAGE}notices/secret/"):
        set_address(furnished.domain, Audience.WEBHOOK, "https://alerts.acme.example/", actor="test")
        return {"audience": "webhook"}
    if address == f"{MANAGE}self-service/act/":
        SelfService.objects.update_or_create(domain=furnished.domain, defaults={"is_on": True})
    if address == f"{MANAGE}sign-in/saml/":
        return BODIES[address] | {"saml_certificates": Signer().pem}
    if address == f"{MANAGE}sign-in/remove/":
        IdentityProvider.objects.create(domain=furnished.domain, issuer="https://login.acme.example")
    if address == f"{HOME}senders/<int:pk>/template/":
        return {"template": furnished.template.pk}
    return BODIES.get(address) or get_body(address, furnished)


@pytest.fixture
def owner(furnished: FurnishedDomain, monkeypatch: pytest.MonkeyPatch) -> Client:
    monkeypatch.setattr("portal.sso.forms.read_configuration", lambda issuer: None)  # no provider is called
    client = Client()
    user = make_user(OWNER)
    Membership.objects.create(domain=furnished.domain, user=user, role=Role.OWNER)
    client.force_login(user)
    record_beat()
    return client


def send(client: Client, address: str, furnished: FurnishedDomain) -> set[tuple[str, str, int | None]]:
    """Send the address's form and leave the rows as they were; (act, who, domain) of what it wrote."""
    with transaction.atomic():
        if address in FIRST:
            client.post(get_path(FIRST[address], furnished), prepare(FIRST[address], furnished))
        body = prepare(address, furnished)
        last = LedgerEntry.objects.order_by("-id").values_list("id", flat=True).first() or 0
        response = client.post(get_path(address, furnished), body)
        response.close()
        acts = LedgerEntry.objects.filter(pk__gt=last).exclude(action="call")
        found = {(act.action, act.actor_label, act.domain_id) for act in acts}
        transaction.set_rollback(True)
    return found


def test_i12_every_form_of_a_domain_is_in_the_list():
    forms = {row.address for row in read_table() if row.method == "POST"}

    assert sorted(form for form in forms if form.startswith((HOME, MANAGE))) == sorted(ACTS | WITHOUT)


def test_i12_every_change_is_an_act_in_the_ledger_of_this_domain_alone(furnished, other_furnished, owner):
    wrong = {}
    for address, act in ACTS.items():
        found = send(owner, address, furnished)
        if act not in {action for action, _, _ in found} or {who[1:] for who in found} != {
            (OWNER, furnished.domain.pk)
        }:
            wrong[address] = found

    assert wrong == {}


def test_i12_taking_the_originals_away_is_an_act(furnished, owner):
    response = owner.get(get_path(f"{HOME}originals/", furnished))

    response.close()
    act = LedgerEntry.objects.get(domain=furnished.domain, action="originals downloaded")
    assert (response.status_code, act.actor_label) == (200, OWNER)
