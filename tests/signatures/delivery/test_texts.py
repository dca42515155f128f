"""Kept texts: what was written and found stays to be seen, and Before is the newest that is known."""

from __future__ import annotations

import html as markup

import pytest
from django.test import Client
from django.urls import reverse

from integrations.models import Connection, Mailbox
from integrations.outreach.sandbox import Sandbox
from portal.models import Domain, Role
from signatures.authoring.templates import save_template
from signatures.delivery.digest import digest
from signatures.delivery.planning import plan_delivery
from signatures.models import Delivery, SignatureHtml, Template
from tests.support.deliveries import get_held, publish_drafts

pytestmark = pytest.mark.django_db(transaction=True)

TITLE = "Chief of Everything"


@pytest.fixture
def auditor(domain: Domain, make_member) -> Client:
    client = Client()
    client.force_login(make_member(domain, Role.AUDITOR))
    return client


def get_frame(client: Client, delivery: Delivery, side: str) -> str:
    address = reverse(
        "signatures:delivery_frame", args=[delivery.run.domain.name, delivery.run_id, delivery.pk]
    )
    document = client.get(f"{address}?side={side}").content.decode()
    return document.partition("<body>")[2].partition("</body>")[0]


def change_every_signature(domain: Domain) -> None:
    for template in Template.objects.filter(domain=domain):
        save_template(
            domain,
            name=template.name,
            source="<p>New: {{ sender.name }}</p>",
            actor="test",
            template=template,
        )
    publish_drafts(domain)


def test_a_delivered_row_shows_the_text_that_was_written_whatever_changed_since(
    sandbox: Sandbox, ready: Connection, deliver, auditor
):
    before = get_held(sandbox)
    delivery = deliver().deliveries.filter(state="delivered").first()
    held = get_held(sandbox)[delivery.mailbox_remote_id]

    change_every_signature(ready.domain)

    assert get_frame(auditor, delivery, "after") == held
    assert get_frame(auditor, delivery, "before") == (
        before[delivery.mailbox_remote_id] or "<p>No signature.</p>"
    )


def test_before_of_a_plan_is_what_we_wrote_since_the_last_reading_and_for_others_what_was_read(
    sandbox: Sandbox, ready: Connection, deliver, domain, auditor
):
    writable = plan_delivery(domain, actor="test").deliveries.filter(state="planned")
    first = deliver(sender_ids=[writable.first().sender_id])
    [written] = first.deliveries.filter(state="delivered").values_list("mailbox_remote_id", flat=True)
    bystander = Mailbox.objects.filter(connection=ready).exclude(remote_id=written)
    change_every_signature(domain)

    plan = plan_delivery(domain, actor="test")

    row = plan.deliveries.get(mailbox_remote_id=written)
    other = plan.deliveries.filter(mailbox_remote_id__in=bystander.values("remote_id")).first()
    assert get_frame(auditor, row, "before") == get_held(sandbox)[written] != ""
    assert "New: " in get_frame(auditor, row, "after")
    read = Mailbox.objects.get(connection=ready, remote_id=other.mailbox_remote_id).signature_html
    assert get_frame(auditor, other, "before") == (read or "<p>No signature.</p>")


def test_what_outreach_made_of_our_text_is_kept_and_linked(
    sandbox: Sandbox, ready: Connection, deliver, auditor
):
    sandbox.settings.change(signature_normaliser="wrap")

    delivery = deliver().deliveries.filter(state="delivered").first()

    held = get_held(sandbox)[delivery.mailbox_remote_id]
    assert delivery.returned_sha256 == digest(held) != delivery.rendered_sha256
    assert SignatureHtml.objects.get(domain=ready.domain, sha256=delivery.returned_sha256).html == held
    page = auditor.get(
        reverse("signatures:delivery_preview", args=[ready.domain.name, delivery.run_id, delivery.pk])
    ).content.decode()
    for sha256 in (delivery.returned_sha256, delivery.rendered_sha256):
        assert reverse("signatures:kept_text", args=[ready.domain.name, sha256]) in page


def test_a_kept_text_has_a_page_with_frame_source_and_plain_text(ready: Connection, deliver, auditor):
    delivery = deliver().deliveries.filter(state="delivered").first()
    address = reverse("signatures:kept_text", args=[ready.domain.name, delivery.rendered_sha256])
    kept = SignatureHtml.objects.get(domain=ready.domain, sha256=delivery.rendered_sha256)

    page, frame = auditor.get(address), auditor.get(f"{address}frame/")

    assert markup.escape(kept.html) in page.content.decode()
    assert f"<body>{kept.html}</body>" in frame.content.decode()
    assert "sandbox" in frame["Content-Security-Policy"]
    assert auditor.get(address.replace(delivery.rendered_sha256, "0" * 64)).status_code == 404


def test_a_text_of_another_domain_is_not_there(ready: Connection, other_domain, deliver, make_member):
    delivery = deliver().deliveries.filter(state="delivered").first()
    SignatureHtml.objects.create(domain=other_domain, sha256=digest("<p>Theirs</p>"), html="<p>Theirs</p>")
    stranger = Client()
    stranger.force_login(make_member(other_domain, Role.OWNER, "owner@bystander.example"))
    address = reverse("signatures:kept_text", args=[other_domain.name, delivery.rendered_sha256])

    assert stranger.get(address).status_code == 404
    theirs = address.replace(delivery.rendered_sha256, digest("<p>Theirs</p>"))
    assert stranger.get(theirs).status_code == 200
    assert stranger.get(theirs.replace(other_domain.name, ready.domain.name)).status_code == 404


def test_the_senders_page_links_what_was_written(ready: Connection, deliver, auditor):
    delivery = deliver().deliveries.filter(state="delivered").select_related("sender").first()

    page = auditor.get(reverse("signatures:sender", args=[ready.domain.name, delivery.sender_id]))

    link = reverse("signatures:kept_text", args=[ready.domain.name, delivery.rendered_sha256])
    assert link in page.content.decode()


def test_the_ledger_names_the_mailbox_of_each_write_and_is_filtered_by_it(
    ready: Connection, deliver, auditor, connect, other_domain
):
    delivery, other = deliver().deliveries.filter(state="delivered").select_related("sender")[:2]
    ledger = reverse("integrations:ledger", args=[ready.domain.name])
    link = reverse("signatures:kept_text", args=[ready.domain.name, delivery.rendered_sha256])

    for words in (delivery.mailbox_email.upper(), delivery.sender.name, delivery.mailbox_remote_id):
        page = auditor.get(ledger, {"mailbox": words})
        text = page.content.decode()

        assert link in text
        assert f"{delivery.mailbox_email}, {delivery.sender.name}" in text
        assert other.mailbox_email not in text
        assert {entry.object_ref for entry in page.context["page_obj"]} == {delivery.mailbox_remote_id}
    assert not auditor.get(ledger, {"mailbox": "nobody@nowhere.example"}).context["page_obj"].object_list
