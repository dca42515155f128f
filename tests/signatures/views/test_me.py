"""A sender's own page: what they see and change, and that nothing else of the portal answers them."""

from __future__ import annotations

import re

import pytest
from django.test import Client

from integrations.models import LedgerEntry
from portal.models import Domain, User
from signatures.models import (
    ChangeState,
    EditedBy,
    MailboxState,
    SelfService,
    Sender,
    SenderAccount,
    SenderChange,
)
from signatures.self_service import changes
from signatures.senders.values import set_own_values
from tests.support.furnished_domain import make_user
from tests.support.page_text import words_of
from tests.support.self_service import get_me, switch_on
from tests.support.senders import get_own


# ── what they see ────────────────────────────────────────────────────────────────────────────────
def test_a_sender_sees_their_signature_their_fields_and_what_the_company_sets(me, priya, dan):
    page = me.get(get_me(priya))
    frame = me.get(get_me(priya, "me_frame"))

    words = words_of(page)
    assert "Account Executive" in words
    assert "Pronouns" in words
    assert re.findall(r'name="(sender\.\w+)"', page.content.decode()) == [
        "sender.pronouns",
        "sender.linkedin_url",
    ]
    assert "Priya Raman" in frame.content.decode()
    assert "Dan Cole" not in frame.content.decode() + page.content.decode()
    assert "sandbox allow-same-origin" in frame["Content-Security-Policy"]


def test_the_page_says_what_the_mailbox_holds(me, priya, company):
    assert "Before" in me.get(get_me(priya, "me_frame"), {"side": "mailbox"}).content.decode()

    company.place(priya)

    words = words_of(me.get(get_me(priya)))
    assert "Outreach adds it to mail from person1@acme.example." in words
    assert "Last written to your mailbox" in words or "Up to date" in words


def test_who_comes_home_is_led_to_their_signature(me, priya):
    assert me.get("/")["Location"] == "/me/"
    assert me.get("/me/")["Location"] == get_me(priya)


def test_somebody_who_is_a_sender_of_two_domains_chooses(me, priya, stranger):
    SenderAccount.objects.create(sender=stranger, user=User.objects.get(email=priya.email))

    words = words_of(me.get("/me/"))

    assert "acme.example" in words
    assert "bystander.example" in words
    assert me.get(get_me(stranger)).status_code == 200


# ── saving ───────────────────────────────────────────────────────────────────────────────────────
def test_what_the_sender_may_edit_is_their_value_at_once_and_nobody_elses(me, priya, dan, stranger):
    answer = me.post(get_me(priya), {"sender.pronouns": "she/her", "sender.linkedin_url": ""}, follow=True)

    assert "It goes in with the next delivery." in words_of(answer)
    assert get_own() == {priya.email: {"sender.pronouns": "she/her"}, dan.email: {}, stranger.email: {}}
    assert list(SenderChange.objects.values_list("field", "value", "state", "made_by_label")) == [
        ("sender.pronouns", "she/her", "saved", priya.email)
    ]
    entry = LedgerEntry.objects.get(action="sender values changed")
    assert (entry.actor_label, entry.object_ref, entry.domain_id) == (
        priya.email,
        priya.email,
        priya.domain_id,
    )
    assert MailboxState.objects.get(sender=priya).status in ("never", "pending")


def test_what_needs_approval_waits_and_changes_nothing_yet(me, priya, dan):
    url = "https://www.linkedin.com/in/priya"
    answer = me.post(get_me(priya), {"sender.linkedin_url": url, "sender.pronouns": ""}, follow=True)

    assert "It is approved first" in words_of(answer)
    assert url in answer.content.decode()
    assert get_own() == {priya.email: {}, dan.email: {}}
    assert list(SenderChange.objects.values_list("field", "value", "state")) == [
        ("sender.linkedin_url", url, "waiting")
    ]
    assert url not in me.get(get_me(priya, "me_frame"), {"side": "mailbox"}).content.decode()


def test_a_later_change_takes_the_place_of_the_one_that_waits(me, priya):
    for name in ("a", "b"):
        me.post(get_me(priya), {"sender.linkedin_url": f"https://www.linkedin.com/in/{name}"})

    assert list(SenderChange.objects.order_by("pk").values_list("value", "state")) == [
        ("https://www.linkedin.com/in/a", "replaced"),
        ("https://www.linkedin.com/in/b", "waiting"),
    ]


def test_all_errors_are_shown_at_once_and_nothing_is_saved(me, priya):
    typed = {"sender.pronouns": "x" * 501, "sender.linkedin_url": "http://linkedin.com/in/priya"}
    answer = me.post(get_me(priya), typed)

    assert answer.status_code == 422
    assert "Not saved. 2 fields need attention." in words_of(answer)
    assert "http://linkedin.com/in/priya" in answer.content.decode()
    assert not SenderChange.objects.exists()
    assert get_own() == {priya.email: {}}


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "data:text/html,x", "http://x.example", "//x.example"]
)
def test_an_address_that_is_not_https_is_refused(me, priya, url):
    assert me.post(get_me(priya), {"sender.linkedin_url": url}).status_code == 422
    assert not SenderChange.objects.exists()


def test_markup_is_text(me, priya):
    me.post(get_me(priya), {"sender.pronouns": "<b>she</b>"})

    assert "<b>she" not in me.get(get_me(priya)).content.decode()
    assert "<b>she" not in me.get(get_me(priya, "me_frame")).content.decode()


@pytest.mark.parametrize(
    "typed",
    [
        {"sender.title": "Chief Executive"},
        {"sender.photo_url": "https://evil.example/track.png"},
        {"sender.email": "ceo@acme.example"},
        {"company.name": "Evil"},
        {"own_values": '{"sender.title": "Chief"}'},
    ],
)
def test_a_field_that_is_locked_is_not_changed_by_its_name(me, priya, dan, typed):
    me.post(get_me(priya), typed | {"sender": dan.pk, "pk": dan.pk, "id": dan.pk})

    assert get_own() == {priya.email: {}, dan.email: {}}
    assert not SenderChange.objects.exists()


def test_the_function_behind_the_page_refuses_locked_fields_too(priya):
    with pytest.raises(changes.ChangeRefused):
        changes.save_changes(priya, {"sender.pronouns": "x", "sender.title": "Chief"}, actor=priya.email)

    assert get_own() == {priya.email: {}}


def test_a_field_that_is_locked_meanwhile_is_not_saved(me, priya):
    switch_on(priya.domain, {"sender.pronouns": EditedBy.EDITORS})

    me.post(get_me(priya), {"sender.pronouns": "she/her"})

    assert get_own() == {priya.email: {}}


def test_typing_is_shown_and_not_stored(me, priya):
    answer = me.post(get_me(priya, "me_trial"), {"sender.pronouns": "she/her", "sender.title": "Chief"})

    shown = answer.content.decode()
    assert ("Chief" in shown, answer.status_code) == (False, 200)
    assert get_own() == {priya.email: {}}
    assert not SenderChange.objects.exists()


def test_too_many_changes_within_an_hour_are_refused(me, priya, monkeypatch):
    monkeypatch.setattr(changes, "MOST_IN_AN_HOUR", 2)
    for word in ("a", "b", "c"):
        answer = me.post(get_me(priya), {"sender.pronouns": word})

    assert (answer.status_code, "try again later" in words_of(answer)) == (422, True)
    assert get_own() == {priya.email: {"sender.pronouns": "b"}}


def test_a_form_without_its_token_is_refused(priya):
    user = make_user(priya.email)
    SenderAccount.objects.create(sender=priya, user=user)
    client = Client(enforce_csrf_checks=True)
    client.force_login(user)

    for name in ("me", "me_trial", "me_photo", "me_photo_remove"):
        assert client.post(get_me(priya, name), {"sender.pronouns": "x"}).status_code == 403
    assert get_own() == {priya.email: {}}


def test_what_the_company_typed_is_shown_in_no_words_of_the_portals(me, priya, dan):
    set_own_values(priya, {"sender.mobile": "+1 312-555-0199", "sender.title": "Head of Sales"}, actor="test")

    page = words_of(me.get(get_me(priya)))

    company = page[page.index("Set by your company") :]
    assert "Phone +1 312-555-0164 Outreach Mobile +1 312-555-0199" in company
    assert "Job title Head of Sales" in company
    assert "Local" not in company


# ── who they are ─────────────────────────────────────────────────────────────────────────────────
def lock(sender: Sender) -> None:
    Sender.objects.filter(pk=sender.pk).update(is_active=False)


def switch_off(sender: Sender) -> None:
    SelfService.objects.filter(domain=sender.domain).update(is_on=False)


def deactivate(sender: Sender) -> None:
    User.objects.filter(email=sender.email).update(is_active=False)


def close(sender: Sender) -> None:
    SenderAccount.objects.filter(sender=sender).delete()


@pytest.mark.parametrize("end", [lock, switch_off, close])
def test_access_ends_at_the_next_request(me, priya, end):
    assert me.get(get_me(priya)).status_code == 200

    end(priya)

    assert me.get(get_me(priya)).status_code == 404
    assert me.post(get_me(priya), {"sender.pronouns": "x"}).status_code == 404
    assert me.get("/me/").status_code == 404
    assert get_own() == {priya.email: {}}


def test_access_of_a_deactivated_login_ends_at_the_next_request(me, priya):
    deactivate(priya)

    assert me.get(get_me(priya)).status_code == 302
    assert me.post(get_me(priya), {"sender.pronouns": "x"}).status_code == 302
    assert get_own() == {priya.email: {}}


def test_somebody_whose_address_changes_keeps_their_access(me, priya, dan):
    Sender.objects.filter(pk=priya.pk).update(email="priya.khan@acme.example")
    assert me.get(get_me(priya)).status_code == 200


def test_an_address_that_went_to_somebody_else_opens_nothing(me, priya, dan):
    Sender.objects.filter(pk=priya.pk).update(email="priya.khan@acme.example")
    Sender.objects.filter(pk=dan.pk).update(email=priya.email)

    assert me.get(get_me(priya)).status_code == 404


def test_another_domain_answers_as_one_that_is_not_there(me, stranger):
    there = me.get(get_me(stranger))
    nowhere = me.get("/me/nowhere.example/")

    assert (there.status_code, there.content) == (404, nowhere.content)


def test_what_waits_is_shown_with_how_it_was_decided(me, priya):
    me.post(get_me(priya), {"sender.linkedin_url": "https://www.linkedin.com/in/priya"})
    change = SenderChange.objects.get()
    changes.decline_changes(
        priya.domain, [change.pk], actor="dana@acme.example", comment="Use the company page."
    )

    words = words_of(me.get(get_me(priya)))

    assert "declined by dana@acme.example" in words
    assert "Use the company page." in words
    assert SenderChange.objects.get().state == ChangeState.DECLINED
    assert get_own() == {priya.email: {}}


def test_a_domain_that_opens_no_field_shows_the_signature_alone(me, priya, domain: Domain):
    switch_on(
        domain, dict.fromkeys(("sender.pronouns", "sender.linkedin_url", "sender.photo_url"), EditedBy.ADMINS)
    )

    page = me.get(get_me(priya))

    assert "nothing of it is yours to change" in words_of(page)
    assert 'name="sender.' not in page.content.decode()
