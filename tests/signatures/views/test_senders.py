"""Senders: the list finds and sorts on the server, and the page of one keeps what is written there."""

from __future__ import annotations

import re
from html import unescape

import pytest
from django.db import connection as database
from django.test import Client
from django.test.utils import CaptureQueriesContext

from integrations.models import LedgerEntry, RunState, SyncKind, SyncRun
from portal.models import Domain
from signatures.models import Assignment, Sender, Template, ValueDraft
from signatures.releases.publish import list_drafts, publish
from signatures.senders.values import set_own_values

ADDRESS = "/domains/acme.example/senders/"
SCRIPT = "<script>alert(1)</script>"


def names(response) -> list[str]:
    return [row.sender.name for row in response.context["rows"]]


def test_the_list_shows_who_carries_what_and_whether_it_is_in_place(company, bystander, auditor: Client):
    ana = company.add("Ana Silva", teams=("Sales",), title="Account Executive")
    tom = company.add("Tom Okafor")
    company.add("Noor Haddad", has_mailbox=False)
    company.place(ana)
    company.attempt(
        company.run("complete"), tom, "refused", reason="Outreach does not let us edit this mailbox."
    )

    rows = auditor.get(ADDRESS).context["rows"]

    assert [(r.sender.name, str(r.sender.group), r.template_name, r.status, r.reason) for r in rows] == [
        ("Ana Silva", "Sales", "Letterhead", "up_to_date", ""),
        ("Noor Haddad", "Default group", "Letterhead", "no_mailbox", ""),
        (
            "Tom Okafor",
            "Default group",
            "Letterhead",
            "action_needed",
            "Outreach does not let us edit this mailbox.",
        ),
    ]


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("q=okafor", ["Tom Okafor"]),
        ("q=account+silva", ["Ana Silva"]),
        ("state=up_to_date", ["Ana Silva"]),
        ("state=never", ["Tom Okafor"]),
        ("state=inactive", ["Lena Vogel"]),
        ("sort=-name", ["Tom Okafor", "Ana Silva"]),
        ("sort=title", ["Tom Okafor", "Ana Silva"]),
        ("sort=nonsense", ["Ana Silva", "Tom Okafor"]),
        ("state=nonsense", ["Ana Silva", "Tom Okafor"]),
        ("group=999999", ["Ana Silva", "Tom Okafor"]),
        ("page=999", ["Ana Silva", "Tom Okafor"]),
    ],
)
def test_the_list_is_narrowed_and_sorted_by_its_address(
    company, auditor: Client, asked: str, found: list[str]
):
    company.place(company.add("Ana Silva", title="Account Executive"))
    company.add("Tom Okafor")
    company.add("Lena Vogel", is_locked=True)

    assert names(auditor.get(f"{ADDRESS}?{asked}")) == found


def test_the_search_follows_names_and_titles_that_were_typed(company, bystander, auditor: Client):
    ana = company.add("Ana Silva", title="Account Executive")
    company.add("Tom Okafor", title="Account Manager")

    set_own_values(ana, {"sender.name": "Ána ÖZIL", "sender.title": "Zoologist"}, actor="dana@acme.example")

    assert names(auditor.get(f"{ADDRESS}?q=özil+zoolog")) == ["Ána ÖZIL"]
    assert names(auditor.get(f"{ADDRESS}?q=silva")) == names(auditor.get(f"{ADDRESS}?q=executive")) == []
    set_own_values(ana, {"sender.name": "", "sender.title": ""}, actor="dana@acme.example")
    assert names(auditor.get(f"{ADDRESS}?q=silva+executive")) == ["Ana Silva"]


def test_who_was_stored_by_an_earlier_version_is_found_as_well(company, bystander, auditor: Client):
    company.add("Ana Silva", title="Account Executive")
    company.add("Tom Okafor")
    Sender.objects.update(search="")

    assert names(auditor.get(f"{ADDRESS}?q=SILVA+account")) == ["Ana Silva"]


def test_the_list_is_narrowed_by_group_and_by_the_template_that_is_carried(company, auditor: Client):
    ana = company.add("Ana Silva", teams=("Sales",))
    company.add("Tom Okafor")
    card = Template.objects.get(domain=company.domain, name="Card")
    letterhead = Template.objects.get(domain=company.domain, name="Letterhead")
    Assignment.objects.create(domain=company.domain, template=card, sender=ana)

    assert names(auditor.get(f"{ADDRESS}?group={ana.group_id}")) == ["Ana Silva"]
    assert names(auditor.get(f"{ADDRESS}?template={card.pk}")) == ["Ana Silva"]
    assert names(auditor.get(f"{ADDRESS}?template={letterhead.pk}")) == ["Tom Okafor"]


def test_the_list_runs_as_many_queries_for_three_as_for_one(company, auditor: Client):
    company.place(company.add("Ana Silva", teams=("Sales",)))
    auditor.get(ADDRESS)
    with CaptureQueriesContext(database) as for_one:
        auditor.get(ADDRESS)
    company.add("Tom Okafor", teams=("Sales",))
    company.add("Noor Haddad")

    with CaptureQueriesContext(database) as for_three:
        response = auditor.get(ADDRESS)

    assert len(response.context["rows"]) == 3
    assert len(for_three) == len(for_one)


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [("", "No senders"), ("?q=zzz", "No sender matches these filters.")],
)
def test_an_empty_list_says_why(company, auditor: Client, asked: str, sentence: str):
    assert sentence in auditor.get(ADDRESS + asked).content.decode()


def test_a_domain_that_was_never_connected_is_told_the_next_step(
    domain: Domain, admin: Client, auditor: Client
):
    assert "Open connection" in admin.get(ADDRESS).content.decode()
    assert "An owner or admin of this domain can connect it." in auditor.get(ADDRESS).content.decode()


def test_the_first_sync_is_shown_while_it_runs(company, auditor: Client):
    SyncRun.objects.all().delete()
    SyncRun.objects.create(
        connection=company.connection, kind=SyncKind.FULL, state=RunState.RUNNING, started_by_label="dana"
    )

    assert "The first sync is running" in auditor.get(ADDRESS).content.decode()


def test_markup_in_names_and_titles_is_shown_as_words(company, editor: Client):
    mallory = company.add(
        f"{SCRIPT} Mallory", teams=(f"Team {SCRIPT}",), title=f'"><img src=x onerror=alert(2)>{SCRIPT}'
    )

    for address in (ADDRESS, f"{ADDRESS}{mallory.pk}/", "/domains/acme.example/groups/"):
        page = editor.get(address).content.decode()
        assert SCRIPT not in page
        assert "<img src=x" not in page
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


def test_the_page_of_a_sender_says_where_each_value_comes_from(company, auditor: Client):
    ana = company.add("Ana Silva", teams=("Sales",), title="Account Executive")
    ana.own_values = {"sender.title": "Head of Everything", "sender.pronouns": "she/her"}
    ana.save()

    sources = auditor.get(f"{ADDRESS}{ana.pk}/").context["sources"]

    assert [
        (one.field.name, one.value, one.source) for one, _ in sources if one.field.name.startswith("sender.")
    ] == [
        ("sender.first_name", "Ana", "outreach"),
        ("sender.last_name", "Silva", "outreach"),
        ("sender.name", "Ana Silva", "outreach"),
        ("sender.title", "Head of Everything", "own"),
        ("sender.email", "person1@acme.example", "outreach"),
        ("sender.pronouns", "she/her", "portal"),
    ]


@pytest.mark.parametrize(
    ("own", "full"),
    [
        ({"sender.first_name": "Mara"}, ("Mara Silva", "own")),
        ({"sender.last_name": "Costa"}, ("Ana Costa", "own")),
        ({"sender.first_name": "Mara", "sender.last_name": "Costa"}, ("Mara Costa", "own")),
        ({"sender.first_name": "Mara", "sender.name": "M. Silva"}, ("M. Silva", "own")),
        ({"sender.title": "Clerk"}, ("Ana Silva", "outreach")),
    ],
)
def test_the_full_name_is_made_of_overridden_parts_unless_it_is_overridden_itself(company, admin, own, full):
    ana, tom = company.add("Ana Silva"), company.add("Tom Okafor")

    admin.post(f"{ADDRESS}{ana.pk}/values/", own)

    sources = admin.get(f"{ADDRESS}{ana.pk}/").context["sources"]
    assert [(one.value, one.source) for one, _ in sources if one.field.name == "sender.name"] == [full]
    theirs = admin.get(f"{ADDRESS}{tom.pk}/").context["sources"]
    assert [one.value for one, _ in theirs if one.field.name == "sender.name"] == ["Tom Okafor"]


def test_list_and_page_head_show_the_title_that_the_signature_shows(company, admin: Client):
    ana = company.add("Ana Silva", title="Account Executive")
    company.add("Tom Okafor", title="Buyer")

    admin.post(f"{ADDRESS}{ana.pk}/values/", {"sender.title": "Wharf lead"})

    listed = admin.get(f"{ADDRESS}?sort=-title").content.decode()
    assert "Account Executive" not in listed
    assert listed.index("Wharf lead") < listed.index("Buyer")
    found = admin.get(f"{ADDRESS}?q=wharf").context["page_obj"]
    assert [row.name for row in found] == ["Ana Silva"]
    page = admin.get(f"{ADDRESS}{ana.pk}/").content.decode()
    assert '<p class="quiet">Wharf lead · ' in page


def test_values_written_here_are_kept_and_entered_in_the_ledger(company, admin: Client):
    ana, tom = company.add("Ana Silva"), company.add("Tom Okafor")

    response = admin.post(
        f"{ADDRESS}{ana.pk}/values/", {"sender.mobile": "+1 415 555 0187", "sender.title": ""}
    )

    assert (response.status_code, response["Location"]) == (302, f"{ADDRESS}{ana.pk}/")
    assert Sender.objects.get(pk=ana.pk).own_values == {"sender.mobile": "+14155550187"}
    assert Sender.objects.get(pk=tom.pk).own_values == {}
    entry = LedgerEntry.objects.get(action="sender values changed")
    assert (entry.actor_label, entry.object_ref, entry.detail) == (
        "admin@acme.example",
        ana.email,
        "sender.mobile",
    )


def test_values_written_by_an_editor_wait_for_somebody_who_publishes_them(company, bystander, editor: Client):
    ana, tom = company.add("Ana Silva"), company.add("Tom Okafor")

    page = editor.post(f"{ADDRESS}{ana.pk}/values/", {"sender.mobile": "+1 415 555 0187"}, follow=True)
    drafted = list_drafts(company.domain)
    kept = dict(Sender.objects.values_list("pk", "own_values"))
    publish(company.domain, actor="approver@acme.example")

    assert "saved as drafts" in page.content.decode()
    assert drafted == [f"values:{ana.pk}"]
    assert not any(kept.values())
    assert Sender.objects.get(pk=ana.pk).own_values == {"sender.mobile": "+14155550187"}
    assert Sender.objects.get(pk=tom.pk).own_values == {}
    assert (list_drafts(company.domain), list_drafts(bystander.domain)) == ([], [])


def test_a_value_that_does_not_fit_is_told_at_its_field_and_nothing_is_kept(company, editor: Client):
    ana = company.add("Ana Silva")

    response = editor.post(
        f"{ADDRESS}{ana.pk}/values/",
        {"sender.linkedin_url": "javascript:alert(1)", "sender.pronouns": "she/her"},
    )

    assert response.status_code == 422
    assert list(response.context["form"].errors) == ["sender.linkedin_url"]
    assert 'value="javascript:alert(1)"' in response.content.decode()
    assert Sender.objects.get(pk=ana.pk).own_values == {}


def test_a_template_can_be_assigned_to_one_sender_and_taken_away_again(company, admin: Client):
    ana, tom = company.add("Ana Silva"), company.add("Tom Okafor")
    card = Template.objects.get(domain=company.domain, name="Card")

    admin.post(f"{ADDRESS}{ana.pk}/template/", {"template": card.pk})
    assert list(Assignment.objects.filter(sender__isnull=False).values_list("sender", "template")) == [
        (ana.pk, card.pk)
    ]

    admin.post(f"{ADDRESS}{ana.pk}/template/", {"template": ""})
    assert not Assignment.objects.filter(sender__in=[ana, tom]).exists()


def test_a_template_of_another_domain_cannot_be_assigned(company, bystander, admin: Client):
    ana = company.add("Ana Silva")
    theirs = Template.objects.filter(domain=bystander.domain).first()

    admin.post(f"{ADDRESS}{ana.pk}/template/", {"template": theirs.pk})

    assert not Assignment.objects.filter(sender=ana).exists()


@pytest.mark.parametrize("action", ["", "values/", "template/", "preview/"])
def test_a_sender_of_another_domain_answers_as_one_that_does_not_exist(
    company, bystander, admin: Client, action: str
):
    theirs = Sender.objects.get(domain=bystander.domain)
    send = admin.post if action in ("values/", "template/") else admin.get

    stranger, nobody = send(f"{ADDRESS}{theirs.pk}/{action}"), send(f"{ADDRESS}987654321/{action}")

    assert (stranger.status_code, nobody.status_code) == (404, 404)
    assert stranger.content == nobody.content


def test_only_who_may_edit_can_write_values_or_assign(company, editor, auditor):
    ana = company.add("Ana Silva")

    assert auditor.post(f"{ADDRESS}{ana.pk}/values/", {"sender.mobile": "+1 415 555 0187"}).status_code == 403
    assert auditor.post(f"{ADDRESS}{ana.pk}/template/", {"template": ""}).status_code == 403
    assert editor.get(f"{ADDRESS}{ana.pk}/values/")["Location"] == f"{ADDRESS}{ana.pk}/"
    assert "Save the values" not in auditor.get(f"{ADDRESS}{ana.pk}/").content.decode()


def read_values(html: str) -> dict[str, str]:
    """Return what a browser would send from the form of a sender's own values."""
    part = html[html.index('id="values"') :]
    return {
        name: unescape(value)
        for name, value in re.findall(r'name="(sender\.\w+)"(?: value="([^"]*)")?', part)
    }


def test_a_value_that_waits_for_approval_stands_in_its_row_and_outlasts_other_edits(
    company, editor: Client, admin: Client, auditor: Client
):
    ana, tom = company.add("Ana Silva"), company.add("Tom Okafor")
    page, values = f"{ADDRESS}{ana.pk}/", f"{ADDRESS}{ana.pk}/values/"
    editor.post(values, {"sender.title": "Director"})

    rows = re.findall(r"<tr>.*?</tr>", auditor.get(page).content.decode(), re.S)
    [title] = [row for row in rows if '<th scope="row">Job title</th>' in row]
    other = auditor.get(f"{ADDRESS}{tom.pk}/").content.decode()
    editor.post(values, read_values(editor.get(page).content.decode()) | {"sender.pronouns": "she/her"})
    admin.post(values, read_values(admin.get(page).content.decode()) | {"sender.mobile": "+1 415 555 0187"})

    assert (
        "<ins>Director</ins>" in title and "Waiting for approval" in title and "editor@acme.example" in title
    )
    assert "Waiting for approval" not in other
    drafts = ValueDraft.objects.filter(sender=ana).values_list("field", "value")
    assert dict(drafts) == {"sender.title": "Director", "sender.pronouns": "she/her"}
    assert Sender.objects.get(pk=ana.pk).own_values == {"sender.mobile": "+14155550187"}

    editor.post(values, read_values(editor.get(page).content.decode()) | {"sender.title": ""})

    assert list(ValueDraft.objects.values_list("field", flat=True)) == ["sender.pronouns"]
