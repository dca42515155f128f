"""Furnished domain: one row of everything, and forms that its pages accept."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from django.core.files.base import ContentFile
from django.utils import timezone

from integrations.disconnect.receipts import Afterwards, write_receipt
from integrations.models import Connection, Mailbox, Person, Receipt, RunState, SyncKind, SyncRun
from integrations.outreach.scopes import REQUESTED
from portal.models import Domain, Invitation, Membership, Role, User
from signatures.authoring.templates import save_template
from signatures.decisions.api_keys import make_key
from signatures.delivery.digest import digest
from signatures.delivery.status import refresh_states
from signatures.models import (
    Assignment,
    AttributeLabel,
    Banner,
    BannerImage,
    Campaign,
    ChangeState,
    DatedAssignment,
    DecisionKey,
    Delivery,
    DeliveryRun,
    DeliveryRunState,
    Disclaimer,
    FieldSetting,
    Group,
    LeftAlone,
    LeftAloneWhy,
    MailboxState,
    MailboxStatus,
    MediaImage,
    RecipientList,
    Release,
    ReleaseRequest,
    SavedView,
    Sender,
    SenderChange,
    SenderImport,
    SignatureHtml,
    Template,
    TemplateVersion,
    ValueDraft,
)
from signatures.releases.publish import publish
from signatures.releases.requests import build_requested, digest_candidate
from signatures.senders.team_counts import count_again
from tests.support.media import add_medium
from tests.support.value_imports import add_import


@dataclass(frozen=True, slots=True)
class FurnishedDomain:
    """One domain, furnished. Each field but the domain is an object that some address names by its id."""

    domain: Domain
    membership: Membership
    invitation: Invitation
    connection: Connection
    sync_run: SyncRun
    group: Group
    sender: Sender
    template: Template
    version: TemplateVersion
    delivery_run: DeliveryRun
    delivery: Delivery
    decision_key: DecisionKey
    campaign: Campaign
    banner: Banner
    picture: BannerImage
    medium: MediaImage
    recipient_list: RecipientList
    label: AttributeLabel
    receipt: Receipt
    kept_text: SignatureHtml
    disclaimer: Disclaimer
    dated_assignment: DatedAssignment
    release: Release
    release_request: ReleaseRequest
    edited: MailboxState
    left_alone: LeftAlone
    sender_import: SenderImport
    custom_field: FieldSetting
    saved_view: SavedView
    sender_change: SenderChange


DRAFTED = "Chief of staff"

# Forms that the pages of campaigns accept.
CAMPAIGN = {"name": "Summer", "starts_at": "2027-06-01T09:00", "priority": 0}


LABEL = {"kind": "stage", "key": "7", "label": "Lead"}


BANNER = {"name": "Red", "alt": "Red", "link": "https://www.acme.example/red", "weight": 1}


def make_list() -> ContentFile:
    return ContentFile(b"friends.example", "friends.csv")


def make_values() -> ContentFile:
    return ContentFile(b"E-mail,Pronouns\npriya@acme.example,she/her\n", "people.csv")


def make_user(email: str, **fields) -> User:
    user = User.objects.create_user(email, "correct horse battery", **fields)
    user.emailaddress_set.create(email=user.email, verified=True, primary=True)
    return user


def furnish(name: str) -> FurnishedDomain:
    """Make a domain with an open connection, one finished sync, one sender and one planned delivery."""
    now = timezone.now()
    domain = Domain.objects.create(name=name)
    spare = Membership.objects.create(domain=domain, user=make_user(f"spare@{name}"), role=Role.EDITOR)
    invitation = Invitation.objects.create(
        domain=domain,
        email=f"invited@{name}",
        role=Role.EDITOR,
        token_sha256=f"digest of {name}",
        invited_by=spare.user,
        expires_at=now + timedelta(days=7),
    )
    connection = Connection.objects.create(
        domain=domain,
        account_label=f"Organisation of {name}",
        authorised_by_label=f"owner@{name}",
        scopes_requested=list(REQUESTED),
        scopes_granted=list(REQUESTED),
        refreshed_at=now,
    )
    sync_run = SyncRun.objects.create(
        connection=connection,
        kind=SyncKind.FULL,
        state=RunState.COMPLETE,
        started_by_label="command",
        started_at=now,
        finished_at=now,
    )
    person = Person.objects.create(
        connection=connection,
        remote_id="1",
        digest="d",
        changed_at=now,
        email=f"priya@{name}",
        name=f"Priya of {name}",
    )
    mailbox = Mailbox.objects.create(
        connection=connection,
        remote_id="11",
        digest="d",
        changed_at=now,
        email=person.email,
        person_remote_id="1",
        read_at=now,
    )
    group = Group.objects.create(domain=domain, name=f"Sales of {name}", is_default=True)
    version = save_template(
        domain, name=f"Plain of {name}", source="<p>{{ sender.name }}</p>", actor="command"
    )
    template = version.template
    Assignment.objects.create(domain=domain, template=template, group=group)
    sender = Sender.objects.create(
        domain=domain, person=person, email=person.email, name=person.name, group=group, changed_at=now
    )
    release = publish(domain, actor=f"owner@{name}")
    Release.objects.filter(pk=release.pk).update(
        number=100 + release.pk
    )  # no two domains have one of the same number
    release.refresh_from_db()
    ValueDraft.objects.create(
        sender=sender, field="sender.title", value=DRAFTED, edited_by_label=f"ed@{name}"
    )
    asked = ReleaseRequest(
        domain=domain, keys=[f"values:{sender.pk}"], asked_by=spare.user, asked_by_label=spare.user.email
    )
    asked.digest = digest_candidate(build_requested(asked))
    asked.save()
    refresh_states(connection)
    delivery_run = DeliveryRun.objects.create(
        domain=domain,
        connection=connection,
        state=DeliveryRunState.PLANNED,
        started_by_label=f"owner@{name}",
        planned=1,
    )
    delivery = Delivery.objects.create(
        run=delivery_run, mailbox_remote_id="11", mailbox_email=person.email, sender=sender
    )
    receipt = write_receipt(
        connection,
        ended_at=now,
        revocation="confirmed by Outreach",
        afterwards=Afterwards(now, 401, "refused by Outreach"),
    )
    decision_key = make_key(domain, "Gateway", actor="command").row
    campaign = Campaign.objects.create(domain=domain, name=f"Spring of {name}")
    picture = BannerImage.objects.create(
        domain=domain, sha256="d", media_type="image/png", width=480, height=120, bytes_1x=b"1", bytes_2x=b"2"
    )
    banner = Banner.objects.create(
        campaign=campaign, name=f"Blue of {name}", image=picture, alt="Blue", link=f"https://www.{name}/"
    )
    recipient_list = RecipientList.objects.create(domain=domain, name=f"Partners of {name}")
    label = AttributeLabel.objects.create(domain=domain, kind="stage", key="3", label=f"Customer of {name}")
    furnished = FurnishedDomain(
        domain=domain,
        membership=spare,
        invitation=invitation,
        connection=connection,
        sync_run=sync_run,
        group=group,
        sender=sender,
        template=template,
        version=version,
        delivery_run=delivery_run,
        delivery=delivery,
        decision_key=decision_key,
        campaign=campaign,
        banner=banner,
        picture=picture,
        medium=add_medium(domain, f"Logo of {name}"),
        recipient_list=recipient_list,
        label=label,
        receipt=receipt,
        disclaimer=Disclaimer.objects.create(domain=domain, text="Only in June", starts_on=now.date()),
        dated_assignment=DatedAssignment.objects.create(
            domain=domain, template=template, group=group, ends_on=now.date()
        ),
        kept_text=SignatureHtml.objects.create(
            domain=domain, sha256=digest(f"<p>{name}</p>"), html=f"<p>{name}</p>"
        ),
        release=release,
        release_request=asked,
        custom_field=FieldSetting.objects.create(
            domain=domain, name=f"sender.x_text_{name.partition('.')[0]}", label="Motto"
        ),
        edited=MailboxState.objects.update_or_create(
            mailbox=mailbox,
            defaults={
                "domain": domain,
                "sender": sender,
                "status": MailboxStatus.EDITED,
                "held_sha256": "e" * 64,
            },
        )[0],
        sender_import=add_import(domain, sender),
        saved_view=SavedView.objects.create(domain=domain, name="No mailbox", query="state=no_mailbox"),
        sender_change=SenderChange.objects.create(
            sender=sender,
            field="sender.linkedin_url",
            value=f"https://www.linkedin.com/in/{name}",
            state=ChangeState.WAITING,
            made_by_label=sender.email,
        ),
        left_alone=LeftAlone.objects.create(
            domain=domain,
            mailbox_remote_id="12",
            mailbox_email=f"kept@{name}",
            why=LeftAloneWhy.KEPT,
            decided_by_label=f"owner@{name}",
        ),
    )
    count_again(connection)  # a status was set above that no comparison found
    return furnished
