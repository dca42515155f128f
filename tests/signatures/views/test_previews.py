"""Frames: what delivery would write, alone in a document that can do nothing."""

from __future__ import annotations

from html import unescape

import pytest
from django.test import Client

from signatures.authoring.preview import render_version
from signatures.authoring.templates import save_template
from signatures.delivery.planning import plan_delivery
from signatures.models import Delivery, Snapshot, Template
from signatures.views.previews import FRAME_POLICY
from tests.support.deliveries import find_version, publish_drafts

ADDRESS = "/domains/acme.example/"
SCRIPT = "<script>alert(1)</script>"


def addresses(company) -> list[str]:
    """Return every address that answers with a frame."""
    ana = company.add(f"Ana {SCRIPT}", title=f'"><img src=x onerror=alert(1)>{SCRIPT}')
    version = Template.objects.get(domain=company.domain, name="Card").current
    run = plan_delivery(company.domain, actor="x")
    delivery = Delivery.objects.get(run=run)
    return [
        f"{ADDRESS}senders/{ana.pk}/preview/",
        f"{ADDRESS}senders/{ana.pk}/preview/?view=text",
        f"{ADDRESS}templates/preview/?version={version.pk}&sender={ana.email}",
        f"{ADDRESS}templates/preview/?starter=card&view=dark",
        f"{ADDRESS}deliveries/{run.pk}/mailboxes/{delivery.pk}/frame/?side=before",
        f"{ADDRESS}deliveries/{run.pk}/mailboxes/{delivery.pk}/frame/?side=after",
    ]


def test_every_frame_has_a_policy_of_its_own_and_no_script_of_anybodys(company, auditor: Client):
    for address in addresses(company):
        frame = auditor.get(address)

        assert frame.status_code == 200, address
        assert frame["Content-Security-Policy"] == FRAME_POLICY
        assert frame["X-Frame-Options"] == "SAMEORIGIN"
        assert SCRIPT not in frame.content.decode()
        assert "<img src=x" not in frame.content.decode()


def test_the_policy_lets_a_frame_be_measured_and_run_and_reach_nothing():
    directives = dict(part.strip().partition(" ")[::2] for part in FRAME_POLICY.split(";"))

    assert directives == {
        "default-src": "'none'",
        "style-src": "'unsafe-inline'",
        "img-src": "https: data: 'self'",
        "frame-ancestors": "'self'",
        "form-action": "'none'",
        "base-uri": "'none'",
        "sandbox": "allow-same-origin",
    }


def test_the_page_around_a_frame_sandboxes_it_and_keeps_its_own_policy(company, auditor: Client):
    ana = company.add("Ana Silva")

    page = auditor.get(f"{ADDRESS}senders/{ana.pk}/")

    assert 'sandbox="allow-same-origin"' in page.content.decode()
    assert "unsafe-inline" not in page["Content-Security-Policy"]
    assert page["X-Frame-Options"] == "DENY"


def test_a_sender_is_previewed_with_the_bytes_that_delivery_would_send(company, auditor: Client):
    ana = company.add("Ana Silva", title="Account Executive")
    company.add("Tom Okafor")

    frame = auditor.get(f"{ADDRESS}senders/{ana.pk}/preview/").content.decode()

    assert f"<body>{render_version(find_version(ana), ana).html}</body>" in frame
    assert "Tom Okafor" not in frame


def test_plain_text_is_the_text_that_goes_with_the_markup(company, auditor: Client):
    ana = company.add("Ana Silva", title="Account Executive")

    frame = auditor.get(f"{ADDRESS}senders/{ana.pk}/preview/?view=text").content.decode()

    assert (
        unescape(frame.partition("<pre>")[2].partition("</pre>")[0])
        == render_version(find_version(ana), ana).text
    )


def test_a_source_that_nobody_saved_is_tried_on_a_sender_and_saves_nothing(company, editor: Client):
    ana = company.add("Ana Silva")

    frame = editor.post(
        f"{ADDRESS}templates/trial/", {"source": "<p>Hi {{ sender.name }}</p>", "sender": ana.email}
    )

    assert (frame.status_code, frame["Content-Security-Policy"]) == (200, FRAME_POLICY)
    assert "<body><p>Hi Ana Silva</p></body>" in frame.content.decode()
    assert Template.objects.filter(domain=company.domain).count() == 3


@pytest.mark.parametrize("typed", ["zor", "ZORAN", "novak zor", "person2@ACME"])
def test_a_sender_to_preview_as_is_found_by_any_part_of_name_or_address(company, editor: Client, typed):
    company.add("Ana Silva")
    company.add("Zoran Novak")

    frame = editor.post(f"{ADDRESS}templates/trial/", {"source": "<p>{{ sender.name }}</p>", "sender": typed})

    assert frame.status_code == 200
    assert "<body><p>Zoran Novak</p></body>" in frame.content.decode()


@pytest.mark.parametrize(
    ("form", "sentence"),
    [
        ({"source": "<p>\n{{ sender.nam }}</p>"}, "Line 2, column 1"),
        ({"source": "<p>{{ sender.custom5 }}</p>", "sender": "person1@acme.example"}, "empty"),
        ({"source": "<p>x</p>", "sender": f"{SCRIPT}@nowhere"}, "No sender matches"),
    ],
)
def test_a_trial_that_gives_nothing_says_why_in_the_frame(
    company, editor: Client, form: dict[str, str], sentence: str
):
    company.add("Ana Silva")

    frame = editor.post(f"{ADDRESS}templates/trial/", form)

    assert (frame.status_code, frame["Content-Security-Policy"]) == (422, FRAME_POLICY)
    assert sentence in frame.content.decode()
    assert SCRIPT not in frame.content.decode()


def test_a_sender_of_another_domain_cannot_be_looked_at_through_a_template(
    company, bystander, editor: Client
):
    version = Template.objects.get(domain=company.domain, name="Card").current

    saved = editor.get(f"{ADDRESS}templates/preview/?version={version.pk}&sender=bea@bystander.example")
    tried = editor.post(
        f"{ADDRESS}templates/trial/", {"source": "{{ sender.name }}", "sender": "bea@bystander.example"}
    )

    assert (saved.status_code, tried.status_code) == (422, 422)
    assert "Bea" not in saved.content.decode() + tried.content.decode()


def test_a_version_of_another_domain_answers_as_one_that_does_not_exist(company, bystander, editor: Client):
    theirs = Template.objects.get(domain=bystander.domain, name="Card").current

    answers = [
        editor.get(f"{ADDRESS}templates/preview/?version={asked}")
        for asked in (theirs.pk, 987654321, "x", "")
    ]

    assert [answer.status_code for answer in answers] == [404, 404, 404, 404]
    assert len({answer.content for answer in answers}) == 1


def test_only_who_may_edit_can_try_a_source(company, auditor: Client):
    assert auditor.post(f"{ADDRESS}templates/trial/", {"source": "x"}).status_code == 403


def test_before_is_what_the_mailbox_held_and_after_what_a_delivery_would_write(company, auditor: Client):
    ana = company.add("Ana Silva")
    run = plan_delivery(company.domain, actor="x")
    frame = f"{ADDRESS}deliveries/{run.pk}/mailboxes/{Delivery.objects.get(run=run).pk}/frame/"

    assert "<body><p>Before</p></body>" in auditor.get(f"{frame}?side=before").content.decode()
    assert render_version(find_version(ana), ana).html in auditor.get(f"{frame}?side=after").content.decode()


def test_before_a_delivery_that_was_made_is_the_original(company, auditor: Client):
    ana = company.add("Ana Silva")
    run = company.run("complete")
    delivery = company.attempt(run, ana, "delivered", template_version=find_version(ana))
    Snapshot.objects.create(
        domain=company.domain,
        account_key=company.connection.account_key,
        mailbox_remote_id=delivery.mailbox_remote_id,
        mailbox_email=ana.email,
        original_html="<p>The original</p>",
    )

    frame = auditor.get(f"{ADDRESS}deliveries/{run.pk}/mailboxes/{delivery.pk}/frame/?side=before")

    assert "<body><p>The original</p></body>" in frame.content.decode()


def test_a_new_version_is_what_the_preview_shows_once_it_is_published(company, auditor: Client):
    ana = company.add("Ana Silva")
    letterhead = Template.objects.get(domain=company.domain, name="Letterhead")
    save_template(
        company.domain,
        name="Letterhead",
        source="<p>New {{ sender.name }}</p>",
        actor="x",
        template=letterhead,
    )

    drafted = auditor.get(f"{ADDRESS}senders/{ana.pk}/preview/").content.decode()
    publish_drafts(company.domain)
    published = auditor.get(f"{ADDRESS}senders/{ana.pk}/preview/").content.decode()

    assert "New Ana Silva" not in drafted
    assert "<body><p>New Ana Silva</p></body>" in published


@pytest.mark.parametrize(("region", "link"), [("DE", "tel:+49305550142"), ("GB", ""), ("", "")])
def test_a_phone_is_linked_by_the_country_that_outreach_keeps(
    company, editor: Client, region: str, link: str
):
    bo = company.add("Bo Li", phone="030 5550142", phone_region=region)
    form = {"source": '<a href="tel:{{ sender.phone }}">{{ sender.phone }}</a>', "sender": bo.email}

    shown = editor.post(f"{ADDRESS}templates/trial/", form).content.decode()

    assert (f'<a href="{link}">030 5550142</a>' if link else ">030 5550142<") in shown
    assert ("<a " in shown) is bool(link)
