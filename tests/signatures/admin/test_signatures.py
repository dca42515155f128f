"""Signatures in Django admin: edited by the portal's own functions."""

from __future__ import annotations

import pytest
from django.test import Client

from integrations.models import Connection
from portal.models import Domain, User
from signatures.authoring.templates import save_template
from signatures.models import (
    Assignment,
    Brand,
    DeliverySettings,
    Disclaimer,
    DraftEdit,
    FieldSetting,
    Group,
    SavedView,
    Sender,
    SenderAccount,
    SenderImport,
    Template,
    ValueDraft,
)
from signatures.senders.values import set_own_values
from tests.support.admin_acts import BY, act, get_acts
from tests.support.value_imports import add_import

SOURCE = "<p>{{ sender.name }}</p>"


@pytest.fixture
def template(domain: Domain) -> Template:
    return save_template(domain, name="Plain", source=SOURCE, actor="test").template


@pytest.fixture
def other_template(other_domain: Domain) -> Template:
    return save_template(other_domain, name="Theirs", source=SOURCE, actor="test").template


def versions(count: int = 0) -> dict[str, int]:
    return {"versions-TOTAL_FORMS": count, "versions-INITIAL_FORMS": count}


# ── Templates ────────────────────────────────────────────────────────────────────────────────────
def test_a_template_is_made_with_its_first_version(staff: Client, domain: Domain) -> None:
    answer = staff.post(
        "/admin/signatures/template/add/",
        {"domain": domain.pk, "name": "New", "description": "For all", "source": SOURCE} | versions(),
    )

    made = Template.objects.get()
    assert answer.status_code == 302
    assert (made.name, made.description, made.domain) == ("New", "For all", domain)
    assert made.current is not None
    assert (made.current.number, made.current.source, made.current.created_by_label) == (1, SOURCE, BY)
    assert get_acts(domain, "template saved") == [("template saved", BY, "New, version 1")]


def test_a_changed_source_makes_a_version_and_an_unchanged_one_does_not(
    staff: Client, template: Template, other_template: Template
) -> None:
    page = f"/admin/signatures/template/{template.pk}/change/"
    changed = SOURCE + "\r\n<p>{{ sender.title }}</p>"

    staff.post(page, {"name": "Plain", "description": "", "source": changed, "base": 1} | versions())
    staff.post(page, {"name": "Plainer", "description": "x", "source": changed, "base": 2} | versions())

    template.refresh_from_db()
    assert template.current is not None
    assert (template.name, template.description, template.current.number) == ("Plainer", "x", 2)
    assert template.current.source == changed.replace("\r\n", "\n")
    assert template.versions.count() == 2
    assert other_template.versions.count() == 1


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        ({"source": "<p>{{ sender.nmae }}</p>"}, "Line 1"),
        ({"name": "Taken"}, "A template with this name exists already."),
        ({"base": 0}, "saved version 1 while you were editing."),
    ],
)
def test_what_cannot_be_saved_is_said_at_its_field(
    staff: Client, domain: Domain, template: Template, sent: dict[str, str], told: str
) -> None:
    save_template(domain, name="Taken", source=SOURCE, actor="test")
    whole = {"name": "Plain", "description": "", "source": SOURCE, "base": 1} | sent

    answer = staff.post(f"/admin/signatures/template/{template.pk}/change/", whole | versions())

    assert answer.status_code == 200
    assert told in answer.content.decode()
    template.refresh_from_db()
    assert (template.name, template.versions.count()) == ("Plain", 1)


# ── Assignments ──────────────────────────────────────────────────────────────────────────────────
@pytest.fixture
def group(domain: Domain) -> Group:
    return Group.objects.create(domain=domain, name="Sales", position=1, follows_team_id="1")


def test_a_template_is_assigned_changed_and_taken_away(
    staff: Client, domain: Domain, template: Template, group: Group
) -> None:
    other = save_template(domain, name="Other", source=SOURCE, actor="test").template

    staff.post("/admin/signatures/assignment/add/", {"template": template.pk, "group": group.pk})
    made = Assignment.objects.get()
    staff.post(f"/admin/signatures/assignment/{made.pk}/change/", {"template": other.pk})
    changed = Assignment.objects.get()
    staff.post(f"/admin/signatures/assignment/{made.pk}/delete/", {"post": "yes"})

    assert (made.template, made.group, made.domain) == (template, group, domain)
    assert (changed.pk, changed.template) == (made.pk, other)
    assert not Assignment.objects.exists()
    assert get_acts(domain, "template assigned", "template unassigned") == [
        ("template assigned", BY, "Plain to group Sales"),
        ("template assigned", BY, "Other to group Sales"),
        ("template unassigned", BY, "From group Sales"),
    ]


def test_selected_assignments_are_taken_away_each_with_its_entry(
    staff: Client, domain: Domain, template: Template, group: Group
) -> None:
    staff.post("/admin/signatures/assignment/add/", {"template": template.pk, "group": group.pk})

    staff.post(
        "/admin/signatures/assignment/",
        {"action": "delete_selected", "_selected_action": [Assignment.objects.get().pk], "post": "yes"},
    )

    assert get_acts(domain, "template unassigned") == [("template unassigned", BY, "From group Sales")]
    assert not Assignment.objects.exists()


def test_no_template_of_another_domain_is_assigned(
    staff: Client, group: Group, other_template: Template
) -> None:
    answer = staff.post(
        "/admin/signatures/assignment/add/", {"template": other_template.pk, "group": group.pk}
    )

    assert "This template is another domain’s; Sales is of acme.example." in answer.content.decode()
    assert not Assignment.objects.exists()


@pytest.mark.parametrize("both", [True, False])
def test_an_assignment_is_for_a_group_or_a_sender(staff: Client, ready: Connection, both: bool) -> None:
    template = Template.objects.filter(domain=ready.domain).order_by("-pk")[0]
    group = Group.objects.filter(domain=ready.domain, assignment=None)[0]
    sender = Sender.objects.filter(domain=ready.domain)[0]
    sent = {"template": template.pk} | ({"group": group.pk, "sender": sender.pk} if both else {})
    before = Assignment.objects.count()

    answer = staff.post("/admin/signatures/assignment/add/", sent)

    assert "Choose either a group or a sender." in answer.content.decode()
    assert Assignment.objects.count() == before


# ── Senders and brand ────────────────────────────────────────────────────────────────────────────
def test_a_senders_own_values_are_kept_over_what_outreach_says(staff: Client, ready: Connection) -> None:
    first, second = Sender.objects.filter(domain=ready.domain)[:2]

    staff.post(
        f"/admin/signatures/sender/{first.pk}/change/",
        {"sender.title": "Chief of Ink", "sender.pronouns": "they/them", "email": "mine@acme.example"},
    )

    before = first.email
    first.refresh_from_db()
    second.refresh_from_db()
    assert first.own_values == {"sender.title": "Chief of Ink", "sender.pronouns": "they/them"}
    assert (first.email, second.own_values) == (before, {})
    assert len(get_acts(ready.domain, "sender values changed")) == 1


def test_a_value_that_no_signature_can_show_is_said_at_its_field(staff: Client, ready: Connection) -> None:
    sender = Sender.objects.filter(domain=ready.domain)[0]

    answer = staff.post(
        f"/admin/signatures/sender/{sender.pk}/change/", {"sender.linkedin_url": "javascript:alert(1)"}
    )

    assert list(answer.context["adminform"].form.errors) == ["sender.linkedin_url"]
    sender.refresh_from_db()
    assert sender.own_values == {}


def test_a_brand_is_made_and_changed(staff: Client, domain: Domain) -> None:
    staff.post("/admin/signatures/brand/add/", {"domain": domain.pk, "name": "Acme", "accent": "#2b4acb"})
    staff.post(f"/admin/signatures/brand/{domain.pk}/change/", {"name": "Acme Ltd", "accent": "#2b4acb"})

    again = staff.post(
        "/admin/signatures/brand/add/", {"domain": domain.pk, "name": "Mine", "accent": "#2b4acb"}
    )

    assert again.status_code == 200
    assert list(Brand.objects.values_list("domain", "name")) == [(domain.pk, "Acme Ltd")]
    assert len(get_acts(domain, "company values changed")) == 2
    drafted = DraftEdit.objects.get(domain=domain, key="brand")
    assert drafted.edited_by_label == BY


def test_where_a_second_person_approves_releases_values_typed_here_wait_for_one(
    staff: Client, ready: Connection
) -> None:
    DeliverySettings.objects.create(domain=ready.domain, requires_approval=True)
    first, second = Sender.objects.filter(domain=ready.domain)[:2]

    staff.post(f"/admin/signatures/sender/{first.pk}/change/", {"sender.title": "Chief of Ink"})

    first.refresh_from_db()
    assert first.own_values == {}
    drafts = ValueDraft.objects.values_list("sender", "field", "value", "edited_by_label")
    assert list(drafts) == [(first.pk, "sender.title", "Chief of Ink", BY)]
    assert not second.value_drafts.exists()


def test_a_disclaimer_is_added_and_removed_and_not_changed(
    staff: Client, domain: Domain, other_domain: Domain
) -> None:
    theirs = Disclaimer.objects.create(domain=other_domain, text="Theirs", starts_on="2027-01-01")
    page = "/admin/signatures/disclaimer/"

    staff.post(f"{page}add/", {"domain": domain.pk, "text": "At the fair", "starts_on": "2027-06-01"})
    made = Disclaimer.objects.get(domain=domain)
    changed = staff.post(f"{page}{made.pk}/change/", {"text": "Other", "starts_on": "2027-06-01"})
    staff.post(f"{page}{made.pk}/delete/", {"post": "yes"})

    assert changed.status_code == 403
    assert get_acts(domain, "dated disclaimer added", "dated disclaimer removed") == [
        ("dated disclaimer added", BY, "At the fair"),
        ("dated disclaimer removed", BY, "At the fair"),
    ]
    assert list(Disclaimer.objects.all()) == [theirs]


@pytest.mark.parametrize(
    ("query", "index"),
    [({"local": "any"}, [0, 1]), ({"local": "sender.title"}, [0]), ({"by_hand": "excluded"}, [1])],
)
def test_senders_are_found_by_local_values_and_groups_by_hand(
    staff: Client, ready: Connection, query: dict[str, str], index: list[int]
) -> None:
    senders = list(Sender.objects.filter(domain=ready.domain)[:3])
    set_own_values(senders[0], {"sender.title": "Chief of Ink"}, actor="test")
    set_own_values(senders[1], {"sender.pronouns": "they/them"}, actor="test")
    Group.objects.filter(domain=ready.domain)[0].excluded.add(senders[1])

    found = staff.get("/admin/signatures/sender/", query).context["cl"].queryset

    assert set(found) == {senders[at] for at in index}


# ── Fields, views, accounts and imports ──────────────────────────────────────────────────────────
def test_a_custom_field_is_added_removed_and_restored_as_a_draft(
    staff: Client, domain: Domain, other_domain: Domain
) -> None:
    built_in = FieldSetting.objects.create(domain=domain, name="sender.title", is_required=True)
    theirs = FieldSetting.objects.create(domain=other_domain, name="sender.x_text_motto", label="Motto")
    page = "/admin/signatures/fieldsetting/"

    added = {"domain": domain.pk, "label": "Motto", "kind": "text", "help": ""}
    staff.post(f"{page}add/", added, follow=True)
    made = FieldSetting.objects.get(domain=domain, label="Motto")
    removed = act(staff, page, "remove", made, built_in)

    assert made.name == "sender.x_text_motto"
    assert sorted(removed) == ["Motto: removed as a draft.", "sender.title: Built-in fields stay."]
    made.refresh_from_db()
    assert made.removed_at is not None
    assert act(staff, page, "restore", made) == ["Motto: restored as a draft."]
    assert [each[0] for each in get_acts(domain, "field added", "field removed", "field restored")] == [
        "field added", "field removed", "field restored",
    ]  # fmt: skip
    assert DraftEdit.objects.filter(domain=domain, key=f"field:{made.pk}", edited_by_label=BY).exists()
    assert staff.get(page, {"kind": "custom"}).context["cl"].queryset.count() == 2
    theirs.refresh_from_db()
    assert theirs.removed_at is None


def test_no_more_custom_fields_are_added_than_the_portal_lets_anybody(
    staff: Client, domain: Domain, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("signatures.authoring.field_settings.MOST_CUSTOM", 0)

    answer = staff.post(
        "/admin/signatures/fieldsetting/add/",
        {"domain": domain.pk, "label": "Motto", "kind": "text", "help": ""},
        follow=True,
    )

    assert "Nothing was saved. A domain can have 0 custom fields" in answer.content.decode()
    assert not FieldSetting.objects.exists()


def test_shared_views_are_deleted_and_somebodys_own_stay(staff: Client, domain: Domain) -> None:
    owner = User.objects.create_user("ed@acme.example", "correct horse battery")
    shared, own = (
        SavedView.objects.create(domain=domain, name=name, owner=whose, created_by_label="ed@acme.example")
        for name, whose in (("Pending", None), ("Mine", owner))
    )

    told = act(staff, "/admin/signatures/savedview/", "delete_shared", shared, own)

    assert sorted(told) == [
        "Mine: ed@acme.example deletes it on the list of senders.",
        "Pending: deleted.",
    ]
    assert list(SavedView.objects.all()) == [own]
    assert get_acts(domain, "view of senders deleted") == [
        ("view of senders deleted", BY, "Pending (shared)")
    ]


def test_access_of_a_sender_is_ended_and_their_login_stays(staff: Client, ready: Connection) -> None:
    senders = Sender.objects.filter(domain=ready.domain)[:2]
    ended, kept = (
        SenderAccount.objects.create(sender=sender, user=User.objects.create_user(f"x{sender.email}", "p"))
        for sender in senders
    )

    told = act(staff, "/admin/signatures/senderaccount/", "end", ended)

    assert told == [f"{ended}: access ended; their login stays."]
    assert list(SenderAccount.objects.all()) == [kept]
    assert User.objects.filter(pk=ended.user_id, is_active=True).exists()
    assert [each[0] for each in get_acts(ready.domain, "sender account closed")] == ["sender account closed"]


def test_imports_and_their_rows_are_found_and_never_the_file_itself(staff: Client, ready: Connection) -> None:
    first, second = Sender.objects.filter(domain=ready.domain)[:2]
    stored, other = add_import(ready.domain, first), add_import(ready.domain, second)

    page = staff.get(f"/admin/signatures/senderimport/{stored.pk}/change/")
    rows = staff.get("/admin/signatures/senderimportrow/", {"q": first.email, "state__exact": 4})
    asked = staff.get("/admin/signatures/senderimport/", {"content__startswith": "x"})

    assert "content" not in page.context["adminform"].readonly_fields
    assert [row.sender_import for row in rows.context["cl"].queryset] == [stored]
    assert (rows.status_code, asked.status_code) == (200, 400)
    assert SenderImport.objects.filter(pk=other.pk, state="previewed").exists()
