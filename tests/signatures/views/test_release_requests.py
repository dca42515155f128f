"""Release requests: a second person approves what somebody asked for, or sends it back; nobody approves their own."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.core import mail
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from integrations.models import LedgerEntry
from signatures.models import DeliveryRun, DeliverySettings, Release, ReleaseRequest, ReleaseState, ValueDraft
from signatures.releases.live import get_live
from signatures.releases.publish import list_drafts, publish
from signatures.tasks import publish_due_releases, send_request_mails
from tests.support.release_pages import ADDRESS, edit_brand, edit_template, read_form, text_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def approver(login: Callable[[str], Client]) -> Client:
    return login("approver")


@pytest.fixture(autouse=True)
def untouched_bystander(published, bystander):
    """The rule is on here; at the bystander nobody asks, and nothing of theirs changes."""
    DeliverySettings.objects.create(domain=published.domain, requires_approval=True)
    before = list(Release.objects.filter(domain=bystander.domain).values())
    yield
    assert list(Release.objects.filter(domain=bystander.domain).values()) == before
    assert list_drafts(bystander.domain) == ["brand"]
    assert not ReleaseRequest.objects.filter(domain=bystander.domain).exists()


def ask_for(client: Client, **values: str) -> ReleaseRequest:
    form = read_form(client.get(ADDRESS).content.decode()) | values
    response = client.post(f"{ADDRESS}ask/", form)
    assert response.status_code == 302, text_of(response.content.decode())
    return ReleaseRequest.objects.latest("pk")


def page(request: ReleaseRequest, act: str = "") -> str:
    return f"{ADDRESS}requests/{request.pk}/{act and act + '/'}"


def get_number(domain) -> int:
    live = get_live(domain)
    return live.number if live else 0


def test_an_editor_asks_and_an_approver_publishes_exactly_that(published, editor: Client, approver: Client):
    domain = published.domain
    edit_brand(domain, name="Acme", tagline="Since 1949")
    asked = ask_for(editor, note="New line")

    assert get_number(domain) == 1
    assert (asked.keys, asked.note, asked.asked_by_label) == (["brand"], "New line", "editor@acme.example")
    html = approver.get(page(asked)).content.decode()
    assert "<ins>Since 1949</ins>" in html and "Approve and publish to 2 mailboxes…" in text_of(html)
    assert "4; 0 of 10,000 are used this hour" in text_of(html)
    done = approver.post(page(asked, "approve"), follow=True)

    release = Release.objects.get(domain=domain, state=ReleaseState.LIVE)
    assert (release.number, release.note, release.published_by_label) == (
        2,
        "New line",
        "approver@acme.example",
    )
    asked.refresh_from_db()
    assert (asked.state, asked.release, asked.decided_by_label) == (
        "approved",
        release,
        "approver@acme.example",
    )
    assert done.redirect_chain[-1][0] == f"/domains/acme.example/deliveries/{DeliveryRun.objects.get().pk}/"
    acts = LedgerEntry.objects.filter(domain=domain, action__startswith="release ").order_by("pk")
    assert list(acts.values_list("action", "actor_label", "object_ref"))[-3:] == [
        ("release asked for", "editor@acme.example", f"Request {asked.pk}"),
        ("release approved", "approver@acme.example", f"Request {asked.pk}"),
        ("release published", "approver@acme.example", "Release 2"),
    ]
    assert "editor@acme.example" in approver.get(f"{ADDRESS}2/").content.decode()


def test_nobody_publishes_alone_on_any_way(published, approver: Client, admin: Client):
    domain = published.domain
    edit_brand(domain, name="Acme", tagline="Since 1949")
    asked = ask_for(approver)

    html = approver.get(page(asked)).content.decode()
    assert "release_approve" not in html and "Approve and publish" not in html
    approver.post(page(asked, "approve"))
    approver.post(page(asked, "send-back"), {"comment": "No"})
    form = read_form(approver.get(ADDRESS).content.decode())
    refused = [
        approver.post(f"{ADDRESS}publish/", form),
        admin.post(f"{ADDRESS}publish/", form | {"only_me": "1"}),
    ]
    refused.append(
        approver.post(f"{ADDRESS}publish/", form | {"when": "later", "publish_at": "2027-05-01T09:00"})
    )
    with pytest.raises(CommandError, match="second person approves"):
        call_command("publishrelease", domain=domain.name)

    assert [response.status_code for response in refused] == [422, 422, 422]
    assert get_number(domain) == 1 and Release.objects.filter(domain=domain).count() == 1
    asked.refresh_from_db()
    assert asked.state == "asked"


def test_an_account_made_anew_with_the_address_of_whoever_asked_does_not_approve(
    published, approver: Client, admin: Client
):
    edit_brand(published.domain, name="Acme")
    asked = ask_for(approver)
    ReleaseRequest.objects.filter(pk=asked.pk).update(asked_by=None, asked_by_label="Approver@acme.example")

    approver.post(page(asked, "approve"))

    assert get_number(published.domain) == 1


def test_sending_back_needs_a_comment_and_what_is_asked_again_can_be_approved(
    published, editor: Client, approver: Client
):
    edit_brand(published.domain, name="Acme", tagline="Since 1849")
    asked = ask_for(editor)

    assert approver.post(page(asked, "send-back"), {"comment": "  "}).status_code == 422
    approver.post(page(asked, "send-back"), {"comment": "The year is 1949."})

    asked.refresh_from_db()
    assert (asked.state, asked.comment) == ("sent_back", "The year is 1949.")
    assert "The year is 1949." in editor.get(page(asked)).content.decode()
    assert list_drafts(published.domain) == ["brand"]
    approver.post(page(asked, "approve"))
    assert get_number(published.domain) == 1
    edit_brand(published.domain, name="Acme", tagline="Since 1949")
    approver.post(page(ask_for(editor), "approve"))
    assert get_live(published.domain).content["company"]["tagline"] == "Since 1949"


@pytest.mark.parametrize("change", ["edited", "discarded", "published", "value"])
def test_what_changed_since_it_was_asked_for_is_out_of_date(
    published, editor: Client, approver: Client, change: str
):
    domain = published.domain
    template = edit_template(domain)
    sender = domain.senders.get(name="Ana Silva")
    ValueDraft.objects.create(sender=sender, field="sender.title", value="Director", edited_by_label="noor")
    asked = ask_for(editor)
    if change == "edited":
        edit_template(domain, "<p>{{ sender.name }}, elsewhere</p>")
    elif change == "discarded":
        editor.post(f"{ADDRESS}discard/", {"key": [f"template:{template.pk}"]})
    elif change == "published":
        publish(domain, keys=[f"template:{template.pk}"], actor="command", is_alone=True)
    else:
        ValueDraft.objects.update(value="Chief of everything")
    live = get_live(domain)

    html = approver.get(page(asked)).content.decode()
    approver.post(page(asked, "approve"))

    asked.refresh_from_db()
    assert asked.state == "outdated" and "Out of date" in text_of(html)
    assert get_live(domain) == live
    send_request_mails()
    assert mail.outbox[-1].to == ["editor@acme.example"] and "out of date" in mail.outbox[-1].body
    approver.post(page(ask_for(editor), "approve"))
    assert get_number(domain) == live.number + 1


def test_a_release_at_a_set_time_is_scheduled_and_the_one_who_asked_does_not_bring_it_forward(
    published, approver: Client, admin: Client
):
    edit_brand(published.domain, name="Acme")
    at = timezone.now() + timedelta(days=2)
    asked = ask_for(approver, when="later", publish_at=f"{at:%Y-%m-%dT%H:%M}")
    admin.post(page(asked, "approve"))
    release = Release.objects.get(domain=published.domain, number=2)
    assert (release.state, release.rollout["stages"]) == ("scheduled", [5, 50, None])

    approver.post(f"{ADDRESS}2/now/")
    assert get_number(published.domain) == 1
    Release.objects.filter(pk=release.pk).update(publish_at=timezone.now() - timedelta(minutes=1))
    publish_due_releases()

    assert get_number(published.domain) == 2


def test_a_release_scheduled_before_the_rule_waits_for_approval(published, admin: Client):
    edit_brand(published.domain, name="Acme")
    DeliverySettings.objects.update(requires_approval=False)
    publish(published.domain, actor="ruth@acme.example", publish_at=timezone.now() + timedelta(hours=1))
    DeliverySettings.objects.update(requires_approval=True)
    Release.objects.filter(number=2, domain=published.domain).update(publish_at=timezone.now())

    publish_due_releases()
    admin.post(f"{ADDRESS}2/now/")

    assert get_number(published.domain) == 1
    assert "No second person approved Release 2" in admin.get(ADDRESS).content.decode()


def test_a_time_that_is_over_is_out_of_date(published, editor: Client, approver: Client):
    edit_brand(published.domain, name="Acme")
    at = timezone.now() + timedelta(days=2)
    asked = ask_for(editor, when="later", publish_at=f"{at:%Y-%m-%dT%H:%M}")
    ReleaseRequest.objects.update(publish_at=timezone.now() - timedelta(minutes=1))

    approver.post(page(asked, "approve"))

    asked.refresh_from_db()
    assert asked.state == "outdated" and Release.objects.filter(domain=published.domain).count() == 1


def test_going_back_is_asked_for_as_well_and_the_command_line_says_that_nobody_approved(
    published, approver: Client, admin: Client
):
    domain = published.domain
    edit_brand(domain, name="Acme", tagline="Since 1949")
    call_command("publishrelease", domain=domain.name, note="Emergency", without_approval=True)
    entry = LedgerEntry.objects.filter(domain=domain, action="release published").latest("pk")
    assert entry.detail == "Emergency. No second person approved it"

    approver.post(f"{ADDRESS}1/again/", {"note": "Back"})
    asked = ReleaseRequest.objects.get(domain=domain)
    assert get_number(domain) == 2 and asked.again.number == 1
    assert "<del>Since 1949</del>" in admin.get(page(asked)).content.decode()
    approver.post(page(asked, "approve"))
    assert get_number(domain) == 2
    admin.post(page(asked, "approve"))

    assert (get_number(domain), get_live(domain).made_from.number) == (3, 1)


def test_only_the_one_who_asked_withdraws(published, editor: Client, approver: Client):
    edit_brand(published.domain, name="Acme")
    asked = ask_for(editor)

    approver.post(page(asked, "withdraw"))
    assert ReleaseRequest.objects.get().state == "asked"
    editor.post(page(asked, "withdraw"))
    approver.post(page(asked, "approve"))

    assert ReleaseRequest.objects.get().state == "withdrawn" and get_number(published.domain) == 1


def test_those_who_may_approve_and_the_one_who_asked_get_one_mail_each(
    published, bystander, editor: Client, approver: Client, admin: Client, auditor: Client, make_member
):
    make_member(bystander.domain, "owner")
    edit_brand(published.domain, name="Acme")
    asked = ask_for(approver, note="New line")
    for _ in range(2):
        send_request_mails()
    admin.post(page(asked, "send-back"), {"comment": "Not yet."})
    publish_due_releases()
    send_request_mails()

    first, second = mail.outbox
    assert (first.to, second.to) == (["admin@acme.example"], ["approver@acme.example"])
    assert first.subject == "acme.example: release waiting for approval"
    assert "approver@acme.example asks you to approve" in first.body and "Note: New line" in first.body
    assert re.search(rf"https?://\S+{re.escape(page(asked))}\n", first.body)
    assert "admin@acme.example sent the release" in second.body and "Not yet." in second.body


def test_a_mail_that_no_server_takes_is_tried_again(published, editor: Client, approver: Client, settings):
    edit_brand(published.domain, name="Acme")
    asked = ask_for(editor)
    backend, settings.EMAIL_BACKEND = settings.EMAIL_BACKEND, "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 9
    assert send_request_mails() is None
    settings.EMAIL_BACKEND = backend
    ReleaseRequest.objects.filter(pk=asked.pk).update(mail_not_before=timezone.now())

    send_request_mails()

    assert [one.to for one in mail.outbox] == [["approver@acme.example"]]


def test_nobody_is_asked_where_nobody_could_approve(published, approver: Client):
    edit_brand(published.domain, name="Acme")
    form = read_form(approver.get(ADDRESS).content.decode())

    response = approver.post(f"{ADDRESS}ask/", form)

    assert (
        response.status_code == 422 and "Nobody else in this domain may publish" in response.content.decode()
    )
    assert not ReleaseRequest.objects.exists()


def test_values_typed_by_an_admin_wait_for_a_release_too(published, admin: Client):
    sender = published.domain.senders.get(name="Ana Silva")

    admin.post(f"/domains/acme.example/senders/{sender.pk}/values/", {"sender.title": "Director"})

    sender.refresh_from_db()
    assert sender.own_values == {} and list_drafts(published.domain) == [f"values:{sender.pk}"]


def test_the_rule_is_switched_by_who_manages_the_domain_and_that_is_on_record(
    published, admin: Client, approver: Client
):
    address = "/domains/acme.example/delivery-settings/"
    assert approver.post(address, {}).status_code == 403
    form = {"stages": "5, 50", "refusal_limit": 3, "drift_limit": 3, "automatic_cap_percent": 10}

    admin.post(address, form)

    assert not DeliverySettings.objects.get(domain=published.domain).requires_approval
    entry = LedgerEntry.objects.filter(domain=published.domain, action="delivery settings changed").latest(
        "pk"
    )
    assert "requires_approval: False" in entry.detail and entry.actor_label == "admin@acme.example"
