"""The overview's figures, over live mailboxes of active people."""

from __future__ import annotations

import re
from datetime import timedelta

from django.db import connection as database
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from integrations.models import Connection, Person, SyncRun
from portal.models import Domain
from signatures.analytics.results import Figures
from signatures.authoring.templates import save_template
from signatures.delivery import automatic
from signatures.delivery.status import refresh_domain
from signatures.models import BannerPlace, Brand, DailyTotal, MailboxState, Snapshot, Template
from signatures.overview import Cause, get_overview
from signatures.senders.refresh import refresh_senders
from signatures.senders.team_counts import count_again
from tests.support.deliveries import publish_drafts
from tests.support.page_text import words_of


def test_the_figures_say_who_signs_as_intended_and_who_needs_somebody(company, bystander):
    ana = company.add("Ana Silva", teams=("Sales",))
    tom = company.add("Tom Okafor", teams=("Sales",))
    company.add("Noor Haddad")
    company.add("Lena Vogel", is_locked=True)
    company.add("Sam Blake", has_mailbox=False)
    company.place(ana)
    done = company.run("complete")
    company.attempt(done, ana, "delivered", finished_at=company.at)
    company.attempt(done, tom, "refused", reason="Outreach does not let us edit this mailbox.")
    halted = company.run("halted")

    overview = get_overview(company.domain, at=company.at)

    assert (overview.mailboxes_total, overview.up_to_date) == (3, 1)
    assert overview.needs_you_total == 1
    assert overview.causes == (
        Cause(
            "Outreach does not let us edit this mailbox.",
            1,
            (tom,),
            "/domains/acme.example/senders/?state=action_needed&reason=Outreach+does+not+let+us+edit+this+mailbox.",
        ),
    )
    assert overview.current_run == halted


def test_a_mailbox_is_up_to_date_until_a_newer_version_is_published(company):
    company.place(company.add("Ana Silva"))
    letterhead = Template.objects.get(domain=company.domain, name="Letterhead")

    save_template(company.domain, name="Letterhead", source="<p>New</p>", actor="x", template=letterhead)
    drafted = get_overview(company.domain)
    publish_drafts(company.domain)
    published = get_overview(company.domain)

    assert (drafted.mailboxes_total, drafted.up_to_date) == (1, 1)
    assert (published.mailboxes_total, published.up_to_date) == (1, 0)


def test_a_later_delivery_ends_what_an_earlier_refusal_asked_for(company):
    ana = company.add("Ana Silva")
    company.attempt(company.run("complete"), ana, "refused", reason="Edited.")
    company.attempt(company.run("complete"), ana, "delivered")
    company.place(ana)

    overview = get_overview(company.domain)

    assert (overview.up_to_date, overview.needs_you_total) == (1, 0)


def test_what_banners_did_this_week_is_there_once_signatures_carry_them(company, bystander, auditor):
    week = {"domain": company.domain, "campaign_id": 1, "banner_id": 1, "day": company.at.date()}
    assert get_overview(company.domain, at=company.at).banners is None
    assert b"Campaigns, 7 days" not in auditor.get("/domains/acme.example/").content
    BannerPlace.objects.create(domain=company.domain, is_on=True)
    assert get_overview(company.domain, at=company.at).banners == Figures()
    DailyTotal.objects.create(**week, impressions=40, clicks=2, bot_impressions=9, bot_clicks=9)
    DailyTotal.objects.create(**week | {"day": company.at.date() - timedelta(days=7)}, impressions=7)
    DailyTotal.objects.create(**week | {"domain": bystander.domain}, impressions=5)

    assert get_overview(company.domain, at=company.at).banners == Figures(40, 2, 9, 9)

    SyncRun.objects.filter(connection=company.connection).update(finished_at=company.at)
    assert "of 40 impressions" in words_of(auditor.get("/domains/acme.example/"))


def test_a_domain_that_was_never_connected_has_nothing_to_count(domain):
    overview = get_overview(domain)

    assert (overview.mailboxes_total, overview.up_to_date, overview.causes, overview.current_run) == (
        0,
        0,
        (),
        None,
    )


def test_the_figures_cost_as_many_queries_for_three_as_for_one(company):
    def refuse(name: str) -> None:
        company.attempt(company.run("complete"), company.add(name), "refused", reason="Edited.")

    refuse("Ana Silva")
    with CaptureQueriesContext(database) as for_one:
        get_overview(company.domain)
    refuse("Tom Okafor")
    refuse("Noor Haddad")

    with CaptureQueriesContext(database) as for_three:
        overview = get_overview(company.domain)

    assert overview.needs_you_total == 3
    assert len(for_three) == len(for_one)


def test_one_cause_is_said_once_with_how_many_mailboxes_it_holds_for(company, bystander, auditor):
    run = company.run("complete")
    for number in range(5):
        company.attempt(run, company.add(f"Ana {number}"), "refused", reason="Not shared.")
    company.attempt(run, company.add("Tom Okafor"), "refused", reason="Edited.")
    SyncRun.objects.filter(connection=company.connection).update(finished_at=company.at)

    page = " ".join(auditor.get("/domains/acme.example/").content.decode().split())
    listed = auditor.get(get_overview(company.domain).causes[0].url).content.decode()

    assert page.count("<b>Not shared.</b>") == 1
    assert re.search(r'<span class="badge bad">5</span> <p> <b>Not shared.</b>', page)
    assert re.search(r'<span class="badge bad">1</span> <p> <b>Edited.</b>', page)
    assert "Ana 4" in listed and "Tom Okafor" not in listed


def test_after_a_disconnect_the_overview_says_how_many_originals_went_back(domain, auditor):
    for number, restored in enumerate((timezone.now(), timezone.now(), None)):
        Snapshot.objects.create(
            domain=domain, mailbox_remote_id=str(number), mailbox_email=f"a{number}@acme.example",
            original_html="", taken_at=timezone.now(), restored_at=restored,
        )  # fmt: skip

    assert get_overview(domain).restored == 2


def test_drafts_edits_and_every_status_are_on_the_page_with_their_links(company, bystander, auditor):
    sender = company.add("Ana Silva")
    company.add("Tom Okafor")
    publish_drafts(company.domain)
    MailboxState.objects.filter(sender=sender).update(status="edited")
    count_again(company.connection)
    company.domain.groups.update(drift_policy="ask")
    Brand.objects.create(domain=company.domain, name="Acme")
    Brand.objects.create(domain=bystander.domain, name="Theirs")
    SyncRun.objects.filter(connection=company.connection).update(finished_at=company.at)

    page = auditor.get("/domains/acme.example/").content.decode()

    words = words_of(auditor.get("/domains/acme.example/"))
    assert "Edited in Outreach. Not changed until you decide." in words
    assert "Review 1 change" in words and "Brand settings" in words and "Theirs" not in words
    assert 'href="/domains/acme.example/senders/?state=edited">Edited in Outreach<b>1</b>' in page
    assert '<rect class="is-edited" x="500.0"' in page
    assert '1<span class="vh"> unpublished changes' in page


def test_the_card_says_how_many_mailboxes_wait_for_automatic_delivery_and_pauses_it(
    company, bystander, login, auditor, monkeypatch
):
    domain, page = company.domain, "/domains/acme.example/"
    Domain.objects.update(automatic_delivery=True)
    SyncRun.objects.filter(connection=company.connection).update(finished_at=company.at)
    ana, tom = company.add("Ana Silva"), company.add("Tom Okafor")
    for sender in (ana, tom):
        company.place(sender)
    company.run("complete")
    Person.objects.filter(pk=ana.person_id).update(title="Chief Lamplighter", digest="new")
    refresh_senders(company.connection, since=None)
    refresh_domain(domain)
    admin = login("admin")

    words = words_of(admin.get(page))

    print(words[words.index("Up to date") :])
    assert "Waiting 1 mailbox with new directory values" in words
    assert "With Release 1, published by" in words
    monkeypatch.setattr(automatic, "MOST_COMPARED", 0)
    assert "Waiting At least 1 mailbox with new directory values" in words_of(admin.get(page))
    monkeypatch.undo()

    letterhead = Template.objects.get(domain=domain, name="Letterhead")
    save_template(domain, name="Letterhead", source="<p>New</p>", actor="x", template=letterhead)
    publish_drafts(domain)
    assert "Waiting 0 mailboxes with new directory values" in words_of(admin.get(page))

    assert "Pause writing" not in words_of(auditor.get(page))
    paused = admin.post(f"/manage{page}integrations/outreach/pause/", {"page": "overview"})
    assert (paused.status_code, paused["Location"]) == (302, page)
    words = words_of(admin.get(page))
    assert "Automatic delivery Paused" in words and "Pause writing" not in words
    assert Connection.objects.get(domain=bystander.domain).paused_at is None
