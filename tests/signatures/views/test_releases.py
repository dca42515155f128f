"""Releases: every draft is shown before it is published, publishing leads to a plan, and nothing else goes along."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from django.db import connection as database
from django.test import Client
from django.test.utils import CaptureQueriesContext

from integrations.models import LedgerEntry
from signatures.authoring.templates import assign_template, save_template
from signatures.delivery.left_alone import leave_alone
from signatures.delivery.status import refresh_domain
from signatures.models import (
    Brand,
    DeliveryRun,
    DraftEdit,
    Group,
    LeftAloneWhy,
    Release,
    ReleaseState,
    Template,
    ValueDraft,
)
from signatures.releases.live import get_live
from signatures.releases.publish import list_drafts
from signatures.senders.values import set_own_values
from tests.support.deliveries import publish_drafts
from tests.support.release_pages import ADDRESS, edit_brand, edit_template, read_causes, read_form, text_of


def test_each_draft_is_shown_with_its_difference_its_author_and_the_people_it_touches(
    published, admin: Client, auditor: Client
):
    edit_brand(published.domain, name="Acme", address="400 Foundry Lane")
    template = edit_template(published.domain)
    west = Group.objects.get(domain=published.domain, name="West")
    assign_template(published.domain, template=template, group=west, actor="lena@acme.example")
    sender = published.domain.senders.get(name="Ana Silva")
    set_own_values(sender, {"sender.title": "Director"}, actor="lena@acme.example", waits=True)

    for reader in (admin, auditor):
        html = reader.get(ADDRESS).content.decode()

        words = text_of(html)
        assert "4 drafts by 2 people since release 1. No mailbox has any of them yet." in words
        assert "<ins>400 Foundry Lane</ins>" in html
        assert re.search(r"Draft version 2, from version 1 · noor@acme\.example", words)
        assert "<ins>Plain line</ins>" in html and "<del>Inherited (default)</del>" in html
        assert "<ins>Director</ins>" in html
        reach = re.findall(r'<p class="reach"><b>([\d,]+)</b> <span>(\w+)</span>', html)
        assert reach == [("1", "person"), ("2", "people"), ("1", "person"), ("1", "person")]
        assert "bystander" not in html
    assert "Publish release 2 to 2 mailboxes…" in text_of(admin.get(ADDRESS).content.decode())
    assert list_drafts(published.domain)


def test_who_may_not_publish_reads_everything_and_is_told_who_may(published, editor: Client, auditor: Client):
    edit_brand(published.domain, name="Acme")
    form = read_form(editor.get(ADDRESS).content.decode())

    for reader in (editor, auditor):
        html = reader.get(ADDRESS).content.decode()
        assert "Owners, admins and approvers of acme.example can publish." in text_of(html)
        assert "release_publish" not in html and "Publish release" not in text_of(html)
        assert reader.post(f"{ADDRESS}publish/", form).status_code == 403
    assert Release.objects.filter(domain=published.domain).count() == 1


@pytest.mark.parametrize("role", ["approver", "admin", "owner"])
def test_publishing_makes_what_was_ticked_live_and_leads_to_a_plan_that_writes_nothing(
    published, bystander, login: Callable[[str], Client], role: str
):
    client = login(role)
    edit_brand(published.domain, name="Acme", tagline="Since 1949")
    template = edit_template(published.domain)
    form = read_form(client.get(ADDRESS).content.decode(), leave=(f"template:{template.pk}",))

    page = client.post(f"{ADDRESS}publish/", form | {"note": "New line"}, follow=True)

    release = Release.objects.get(domain=published.domain, state=ReleaseState.LIVE)
    assert (release.number, release.note, release.published_by_label) == (
        2,
        "New line",
        f"{role}@acme.example",
    )
    assert release.content["company"]["tagline"] == "Since 1949"
    assert list_drafts(published.domain) == [f"template:{template.pk}"]
    run = DeliveryRun.objects.get(domain=published.domain)
    assert (run.state, run.release, run.started_at) == ("planned", release, None)
    assert page.redirect_chain[-1][0] == f"/domains/acme.example/deliveries/{run.pk}/"
    assert "Release 2 is live. No mailbox has it yet" in page.content.decode()
    assert Release.objects.filter(domain=bystander.domain).count() == 1
    assert list_drafts(bystander.domain) == ["brand"]


def test_what_was_edited_since_it_was_shown_is_not_published(published, admin: Client):
    template = edit_template(published.domain)
    form = read_form(admin.get(ADDRESS).content.decode())
    edit_template(published.domain, "<p>{{ sender.name }}, somewhere else</p>")

    response = admin.post(f"{ADDRESS}publish/", form | {"note": "Kept words"})

    assert response.status_code == 422
    assert "was edited since you saw it" in response.content.decode()
    assert 'value="Kept words"' in response.content.decode()
    assert Release.objects.filter(domain=published.domain).count() == 1
    assert list_drafts(published.domain) == [f"template:{template.pk}"]


def test_a_value_typed_since_it_was_shown_is_not_published(published, admin: Client):
    sender = published.domain.senders.get(name="Ana Silva")
    set_own_values(sender, {"sender.title": "Director"}, actor="lena@acme.example", waits=True)
    form = read_form(admin.get(ADDRESS).content.decode())
    set_own_values(sender, {"sender.title": "Chief of everything"}, actor="lena@acme.example", waits=True)

    admin.post(f"{ADDRESS}publish/", form)

    sender.refresh_from_db()
    assert sender.own_values == {}
    assert ValueDraft.objects.get(sender=sender).value == "Chief of everything"


def test_leaving_out_what_another_draft_needs_names_both_and_takes_both_along(published, admin: Client):
    version = save_template(
        published.domain, name="Executive", source="<p>{{ sender.title }}</p>", actor="noor@acme.example"
    )
    west = Group.objects.get(domain=published.domain, name="West")
    assign_template(published.domain, template=version.template, group=west, actor="lena@acme.example")
    form = read_form(admin.get(ADDRESS).content.decode(), leave=(f"template:{version.template_id}",))

    html = admin.post(ADDRESS, form).content.decode()

    assert "“Executive” is left out, and “West” needs it." in text_of(html)
    assert "disabled>Publish" in re.sub(r"\s+(?=disabled|>)", " ", html).replace(" >", ">")
    refused = admin.post(f"{ADDRESS}publish/", form)
    assert refused.status_code == 422 and Release.objects.filter(domain=published.domain).count() == 1
    also = re.search(r'name="also" value="([^"]+)"', html)
    assert also is not None
    both = admin.post(ADDRESS, form | {"also": also[1]}).content.decode()
    assert "2 of 2 included" in both and "Left out, but needed" not in both


def test_unticking_recounts_and_keeps_what_was_typed_and_publishes_nothing(published, admin: Client):
    edit_brand(published.domain, name="Acme")
    template = edit_template(published.domain)
    form = read_form(admin.get(ADDRESS).content.decode(), leave=("brand",))

    html = admin.post(ADDRESS, form | {"note": "Half of it", "stage_0": "7"}).content.decode()

    assert "1 of 2 included" in html
    assert 'value="Half of it"' in html and 'value="7"' in html
    assert set(list_drafts(published.domain)) == {"brand", f"template:{template.pk}"}
    assert "/releases/people/?leave=brand" in html


def test_people_are_found_by_name_and_compared_side_by_side(published, auditor: Client):
    template = edit_template(published.domain)
    west = Group.objects.get(domain=published.domain, name="West")
    assign_template(published.domain, template=template, group=west, actor="lena@acme.example")
    tom = published.domain.senders.get(name="Tom Okafor")
    people, frame = f"{ADDRESS}people/", f"{ADDRESS}people/{tom.pk}/frame/"

    html = auditor.get(people).content.decode()

    assert "Tom Okafor" in html and "Ana Silva" not in html
    assert "<ins>“Plain line”, version 2</ins>" in html
    assert "Ana Silva" in auditor.get(f"{people}?all=1").content.decode()
    assert "Nobody whose signature changes" in auditor.get(f"{people}?q=Ana").content.decode()
    assert "Nobody would change" in auditor.get(f"{people}?leave=group:{west.pk}").content.decode()
    assert "Tom Okafor, office" in auditor.get(f"{frame}?side=draft").content.decode()
    assert "Tom Okafor, office" not in auditor.get(f"{frame}?side=live").content.decode()
    assert "side=draft" in auditor.get(f"{people}{tom.pk}/").content.decode()


def test_an_earlier_release_is_published_again_as_a_new_one_and_drafts_stay(
    published, bystander, admin: Client
):
    edit_brand(published.domain, name="Acme")
    publish_drafts(published.domain)
    edit_brand(published.domain, name="Acme of tomorrow")

    page = admin.post(f"{ADDRESS}1/again/", {"note": "Back"}, follow=True).content.decode()

    live = Release.objects.get(domain=published.domain, state=ReleaseState.LIVE)
    first = Release.objects.get(domain=published.domain, number=1)
    assert (live.number, live.digest, live.made_from, live.note) == (3, first.digest, first, "Back")
    assert "Release 3 is live" in page
    assert list_drafts(published.domain) == ["brand"]
    assert Brand.objects.get(domain=published.domain).name == "Acme of tomorrow"
    assert Release.objects.filter(domain=bystander.domain).count() == 1


def test_the_history_says_who_published_what_and_what_it_changed(published, auditor: Client):
    edit_brand(published.domain, name="Acme")
    publish_drafts(published.domain)
    release = Release.objects.get(domain=published.domain, number=2)

    assert "release 2" in auditor.get(f"{ADDRESS}history/").content.decode().lower()
    html = auditor.get(f"{ADDRESS}2/").content.decode()

    assert "<ins>Acme</ins>" in html and release.digest in html
    assert "Publish again" not in html
    assert auditor.get(f"{ADDRESS}3/").status_code == 404


def test_discarded_drafts_are_as_the_live_release_says_and_others_stay(published, bystander, editor: Client):
    edit_brand(published.domain, name="Acme of tomorrow")
    template = edit_template(published.domain)
    west = Group.objects.get(domain=published.domain, name="West")
    assign_template(published.domain, template=template, group=west, actor="lena@acme.example")
    sender = published.domain.senders.get(name="Ana Silva")
    set_own_values(sender, {"sender.title": "Director"}, actor="lena@acme.example", waits=True)
    before = Release.objects.get(domain=published.domain).content
    asked = editor.get(f"{ADDRESS}discard/").content.decode()
    assert "Discard template Plain line" in asked

    keys = ["brand", f"template:{template.pk}", f"group:{west.pk}"]
    page = editor.post(f"{ADDRESS}discard/", {"key": keys}, follow=True).content.decode()

    assert "3 drafts discarded." in page
    assert list_drafts(published.domain) == [f"values:{sender.pk}"]
    brand = Brand.objects.get(domain=published.domain)
    assert {name: getattr(brand, name) for name in before["company"]} == before["company"]
    assert not DraftEdit.objects.filter(domain=published.domain, key__in=keys).exists()
    assert LedgerEntry.objects.filter(domain=published.domain, action="drafts discarded").count() == 1
    assert list_drafts(bystander.domain) == ["brand"]


def test_a_new_template_that_another_draft_assigns_is_not_discarded_alone(published, editor: Client):
    version = save_template(
        published.domain, name="Executive", source="<p>{{ sender.title }}</p>", actor="noor@acme.example"
    )
    west = Group.objects.get(domain=published.domain, name="West")
    assign_template(published.domain, template=version.template, group=west, actor="lena@acme.example")

    response = editor.post(f"{ADDRESS}discard/", {"key": [f"template:{version.template_id}"]})

    assert response.status_code == 422
    assert "“West” is assigned “Executive” in another draft." in response.content.decode()
    assert Template.objects.get(pk=version.template_id).archived_at is None


def test_the_page_runs_as_many_queries_for_many_drafts_as_for_few(published, admin: Client):
    for number in range(2):
        published.add(f"Person {number}")
    publish_drafts(published.domain)

    def count(names: list[str]) -> int:
        for sender in published.domain.senders.filter(name__in=names):
            set_own_values(sender, {"sender.title": "Director"}, actor="lena@acme.example", waits=True)
        with CaptureQueriesContext(
            database,
        ) as queries:
            admin.get(ADDRESS)
        return len(queries)

    count(["Ana Silva"])
    assert count(["Ana Silva"]) == count(["Person 0", "Person 1", "Tom Okafor"])


def test_causes_say_how_many_mailboxes_change_by_template_group_and_value(published, admin: Client):
    published.add("Eva Lund", has_mailbox=False)
    left = published.add("Ida Berg")
    leave_alone(published.connection, [("m4", left.email, "")], why=LeftAloneWhy.RESTORED, actor="x")
    refresh_domain(published.domain)
    west = Group.objects.get(domain=published.domain, name="West")
    template = edit_template(published.domain)
    assign_template(published.domain, template=template, group=west, actor="lena@acme.example")
    sender = published.domain.senders.get(name="Ana Silva")
    set_own_values(sender, {"sender.title": "Director"}, actor="lena@acme.example", waits=True)

    html = admin.get(ADDRESS).content.decode()
    edit_brand(published.domain, name="Acme")
    with_brand = admin.get(ADDRESS).content.decode()
    without = admin.get(f"{ADDRESS}?leave=brand&leave=values:{sender.pk}").content.decode()

    # Plain line's new version is a cause of its own: without it the group would get the version before.
    ours = {
        "Plain line Template": ("1", "West", "0"),
        "West Group": ("1", "West", "0"),
        "Values of 1 person": ("1", "Default group", "1"),
    }
    assert read_causes(html) == ours
    assert read_causes(with_brand) == ours | {
        "Brand settings Brand": ("2", "All", "0"),
        "Values of 1 person": ("1", "Default group", "0"),
    }
    assert read_causes(without) == {name: ours[name] for name in ("Plain line Template", "West Group")}


def test_deliver_to_me_first_publishes_and_plans_my_own_mailbox_alone(published, bystander, admin: Client):
    me = published.add("Mia Admin", email="Admin@acme.example")
    edit_brand(published.domain, name="Acme")
    form = read_form(admin.get(ADDRESS).content.decode()) | {"only_me": "1"}

    later = admin.post(f"{ADDRESS}publish/", form | {"when": "later", "publish_at": "2099-01-01T10:00"})
    assert later.status_code == 422
    assert "Choose “Now” to deliver to you first." in later.content.decode()
    assert get_live(published.domain).number == 1

    admin.post(f"{ADDRESS}publish/", form)

    assert get_live(published.domain).content["company"]["name"] == "Acme"
    run = DeliveryRun.objects.get(domain=published.domain)
    assert (run.state, run.scope, run.planned) == ("planned", {"senders": [me.pk]}, 1)
    assert [row.mailbox_email for row in run.deliveries.all()] == ["Admin@acme.example"]
    assert not DeliveryRun.objects.filter(domain=bystander.domain).exists()


def test_deliver_to_me_first_publishes_nothing_for_somebody_who_is_no_sender(published, admin: Client):
    edit_brand(published.domain, name="Acme")
    form = read_form(admin.get(ADDRESS).content.decode()) | {"only_me": "1"}

    refused = admin.post(f"{ADDRESS}publish/", form)

    assert refused.status_code == 422
    assert "No sender of this domain has your e-mail address." in refused.content.decode()
    assert list_drafts(published.domain) == ["brand"]
    assert not DeliveryRun.objects.exists()


BROKEN = '<p>{{ sender.name }}</p>\n<p><a href="https://example.com">Site</a></p>'


def test_an_error_stops_publishing_and_is_listed_with_its_line_people_and_remedy(
    published, bystander, admin: Client
):
    template = edit_template(published.domain, BROKEN)
    west = Group.objects.get(domain=published.domain, name="West")
    assign_template(published.domain, template=template, group=west, actor="noor@acme.example")
    form = read_form(admin.get(ADDRESS).content.decode())

    html = admin.get(ADDRESS).content.decode()
    refused = admin.post(f"{ADDRESS}publish/", form)

    assert f'href="/domains/acme.example/templates/{template.pk}/?version=2#line-2"' in html
    assert "“Plain line”, version 2: 1 error 1 person would get it." in text_of(html)
    assert "Enter the address that is meant." in text_of(html)
    assert refused.status_code == 422 and "has errors" in refused.content.decode()
    assert get_live(published.domain).number == 1
    edit_template(published.domain, BROKEN.replace("example.com", "www.acme.example"))
    admin.post(f"{ADDRESS}publish/", read_form(admin.get(ADDRESS).content.decode()))
    assert get_live(published.domain).number == 2
    assert get_live(bystander.domain).number == 1


def test_a_template_with_errors_that_is_left_out_or_live_stops_nothing(published, admin: Client, monkeypatch):
    template = edit_template(published.domain, BROKEN)
    edit_brand(published.domain, name="Acme")
    form = read_form(admin.get(ADDRESS).content.decode(), leave=(f"template:{template.pk}",))
    admin.post(f"{ADDRESS}publish/", form)
    assert get_live(published.domain).number == 2

    with monkeypatch.context() as patch:  # published before there was such a rule
        patch.setattr("signatures.releases.publish.refuse_errors", lambda *args: None)
        publish_drafts(published.domain)
    edit_brand(published.domain, name="Acme & Sons")
    admin.post(f"{ADDRESS}publish/", read_form(admin.get(ADDRESS).content.decode()))

    assert get_live(published.domain).number == 4
