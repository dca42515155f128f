"""Templates: each save is a version, and what is wrong stands at the source with its line."""

from __future__ import annotations

import pytest
from django.db import connection as database
from django.test import Client
from django.test.utils import CaptureQueriesContext

from signatures.authoring.templates import save_template
from signatures.models import Template, TemplateVersion
from signatures.senders.values import set_own_values

ADDRESS = "/domains/acme.example/templates/"


@pytest.fixture
def card(company) -> Template:
    return Template.objects.select_related("current").get(domain=company.domain, name="Card")


def test_the_list_tells_how_many_carry_each(company, bystander, auditor: Client):
    company.add("Ana Silva")
    company.add("Lena Vogel", is_locked=True)

    rows = auditor.get(ADDRESS).context["rows"]

    assert [(template.name, carriers) for template, carriers in rows] == [
        ("Card", 0),
        ("Letterhead", 1),
        ("Plain line", 0),
    ]


def test_the_list_runs_as_many_queries_for_one_template_as_for_three(company, auditor: Client):
    auditor.get(ADDRESS)
    with CaptureQueriesContext(database) as for_three:
        auditor.get(ADDRESS)
    Template.objects.filter(domain=company.domain).exclude(name="Letterhead").delete()

    with CaptureQueriesContext(database) as for_one:
        auditor.get(ADDRESS)

    assert len(for_one) == len(for_three)


def test_an_empty_list_offers_the_shipped_ones_and_adds_them_once(domain, editor: Client, auditor: Client):
    assert "Add built-in templates" in editor.get(ADDRESS).content.decode()
    assert "An owner, admin or editor" in auditor.get(ADDRESS).content.decode()

    editor.post(f"{ADDRESS}starters/")
    editor.post(f"{ADDRESS}starters/")

    assert list(Template.objects.filter(domain=domain).values_list("name", flat=True)) == [
        "Card",
        "Letterhead",
        "Plain line",
    ]


def test_a_new_template_starts_from_a_shipped_one_or_from_nothing(company, editor: Client):
    assert "Start from Letterhead" in editor.get(f"{ADDRESS}new/").content.decode()
    assert (
        "{{ sender.name }}"
        in editor.get(f"{ADDRESS}new/?starter=letterhead").context["form"].initial["source"]
    )
    assert editor.get(f"{ADDRESS}new/?starter=").context["form"].initial["source"] == ""


def test_a_new_template_is_saved_and_shown(company, editor: Client):
    response = editor.post(f"{ADDRESS}new/", {"name": "Short", "source": "<p>{{ sender.name }}</p>"})

    made = Template.objects.get(domain=company.domain, name="Short")
    assert (response.status_code, response["Location"]) == (302, f"{ADDRESS}{made.pk}/")
    assert (made.current.number, made.current.source) == (1, "<p>{{ sender.name }}</p>")
    assert made.current.created_by_label == "editor@acme.example"


def test_saving_makes_the_next_version_and_keeps_the_earlier(company, card, editor: Client):
    before = card.current.source

    editor.post(
        f"{ADDRESS}{card.pk}/save/", {"name": "Card", "source": "<p>{{ sender.name }}</p>", "base": "1"}
    )

    assert list(card.versions.values_list("number", "source")) == [
        (2, "<p>{{ sender.name }}</p>"),
        (1, before),
    ]
    card.refresh_from_db()
    assert card.current.number == 2


def test_an_unchanged_source_makes_no_version(company, card, editor: Client):
    page = editor.post(
        f"{ADDRESS}{card.pk}/save/", {"name": "Card", "source": card.current.source, "base": "1"}, follow=True
    )

    assert card.versions.count() == 1
    assert "no version was created" in page.content.decode()


@pytest.mark.parametrize("name", ["Card", "Letterhead", "Plain line"])
@pytest.mark.parametrize(
    ("line_end", "at_the_end"), [("\r\n", "\r\n"), ("\r", "\r"), ("\n", ""), ("\r\n", "\r\n\r\n")]
)
def test_line_ends_as_a_browser_writes_them_make_no_version(
    company, editor: Client, name: str, line_end: str, at_the_end: str
):
    template = Template.objects.select_related("current").get(domain=company.domain, name=name)
    sent = template.current.source.rstrip("\n").replace("\n", line_end) + at_the_end

    page = editor.post(
        f"{ADDRESS}{template.pk}/save/", {"name": name, "source": sent, "base": "1"}, follow=True
    )

    assert "no version was created" in page.content.decode()
    assert template.versions.count() == 1
    changed = editor.post(f"{ADDRESS}{template.pk}/save/", {"name": name, "source": sent + "<p>x</p>"})
    assert (changed.status_code, template.versions.count()) == (302, 2)


def test_a_source_kept_with_a_browsers_line_ends_is_the_same_source(company, card, editor: Client):
    source = "<p>{{ sender.name\r\n}}</p>\r\n<p>x</p>\r\n"
    version = save_template(company.domain, name="Card", source=source, actor="test", template=card)
    TemplateVersion.objects.filter(pk=version.pk).update(
        source=source, compiled_html="<p>{{ sender.name\r\n}}</p>\n<p>x</p>"
    )

    editor.post(f"{ADDRESS}{card.pk}/save/", {"name": "Card", "source": source, "base": "2"})

    assert card.versions.count() == 2


def test_a_long_source_is_counted_with_line_ends_of_one_character(company, card, editor: Client):
    source = "<p>{{ sender.name }}</p>" + "\r\n" * 60_000

    response = editor.post(f"{ADDRESS}{card.pk}/save/", {"name": "Card", "source": source, "base": "1"})

    assert (response.status_code, card.versions.count()) == (302, 2)
    assert "\r" not in card.versions.get(number=2).source


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("<p>\n{{ sender.nam }}</p>", "Line 2, column 1"),
        ("<p>{% if sender.name %}</p>", "Line 1"),
        ("<p>{{ sender.name | explode }}</p>", "Line 1, column 4"),
    ],
)
def test_what_is_wrong_stands_at_the_source_with_its_place_and_keeps_what_was_typed(
    company, card, editor: Client, source: str, message: str
):
    response = editor.post(f"{ADDRESS}{card.pk}/save/", {"name": "Renamed", "source": source, "base": "1"})

    assert response.status_code == 422
    form = response.context["form"]
    assert form.errors["source"][0].startswith(message)
    assert (form["source"].value(), form["name"].value()) == (source, "Renamed")
    assert list(Template.objects.filter(pk=card.pk).values_list("name", "current__number")) == [("Card", 1)]


def test_a_name_that_is_taken_is_told_at_the_name(company, card, editor: Client):
    response = editor.post(
        f"{ADDRESS}{card.pk}/save/", {"name": "Letterhead", "source": "<p>x</p>", "base": "1"}
    )

    assert response.status_code == 422
    assert response.context["form"].errors["name"] == ["A template with this name exists already."]


def test_what_somebody_saved_meanwhile_is_not_written_over(company, card, editor: Client):
    save_template(
        company.domain, name="Card", source="<p>Theirs</p>", actor="tom@acme.example", template=card
    )

    first = editor.post(f"{ADDRESS}{card.pk}/save/", {"name": "Card", "source": "<p>Mine</p>", "base": "1"})

    assert first.status_code == 422
    assert (
        "tom@acme.example saved version 2 while you were editing."
        in first.context["form"].errors["source"][0]
    )
    assert '<input type="hidden" name="base" value="2">' in first.content.decode()

    editor.post(f"{ADDRESS}{card.pk}/save/", {"name": "Card", "source": "<p>Mine</p>", "base": "2"})
    assert [version.source for version in card.versions.all()][:2] == ["<p>Mine</p>", "<p>Theirs</p>"]


def test_an_earlier_version_comes_back_as_a_new_one(company, card, editor: Client):
    original = card.current.source
    save_template(company.domain, name="Card", source="<p>Two</p>", actor="x", template=card)

    editor.post(f"{ADDRESS}{card.pk}/restore/", {"version": "1"})
    editor.post(f"{ADDRESS}{card.pk}/restore/", {"version": "77"})

    assert list(card.versions.values_list("number", "source")) == [
        (3, original),
        (2, "<p>Two</p>"),
        (1, original),
    ]


def test_an_earlier_version_can_be_looked_at(company, card, auditor: Client):
    original = card.current.source
    save_template(company.domain, name="Card", source="<p>Two</p>", actor="x", template=card)

    page = auditor.get(f"{ADDRESS}{card.pk}/?version=1")

    assert page.context["shown"].source == original
    assert "<strong>Version 1</strong>" in page.content.decode()


def test_a_script_in_a_source_is_shown_as_words(company, card, editor: Client):
    source = "</textarea><script>alert(1)</script>{{ nope.nope }}"

    page = editor.post(
        f"{ADDRESS}{card.pk}/save/", {"name": "<script>n</script>", "source": source, "base": "1"}
    )

    assert "<script>alert(1)" not in page.content.decode()
    assert "<script>n" not in page.content.decode()


@pytest.mark.parametrize("action", ["", "save/", "restore/"])
def test_a_template_of_another_domain_answers_as_one_that_does_not_exist(
    company, bystander, editor, action: str
):
    theirs = Template.objects.filter(domain=bystander.domain).first()
    send = editor.post if action else editor.get

    stranger, nobody = send(f"{ADDRESS}{theirs.pk}/{action}"), send(f"{ADDRESS}987654321/{action}")

    assert (stranger.status_code, nobody.status_code) == (404, 404)
    assert stranger.content == nobody.content
    assert theirs.versions.count() == 1


def test_who_may_only_look_sees_the_source_and_can_save_nothing(company, card, auditor: Client):
    page = auditor.get(f"{ADDRESS}{card.pk}/").content.decode()

    assert "Save as version" not in page
    assert auditor.get(f"{ADDRESS}new/").status_code == 403
    for action in ("save/", "restore/"):
        assert auditor.post(f"{ADDRESS}{card.pk}/{action}", {"version": "1"}).status_code == 403
    assert auditor.post(f"{ADDRESS}starters/").status_code == 403


def test_a_template_tells_how_many_senders_lack_a_value_and_what_goes(
    company, bystander, card, editor: Client
):
    company.add("Ana Silva", title="Sales", phone="+1 415 555 0142")
    bo = company.add("Bo Li", phone="+1 415 555 0143")
    set_own_values(bo, {"sender.mobile": "+1 415 555 0187"}, actor="test")
    set_own_values(company.add("Cy Roth"), {"sender.title": "Legal"}, actor="test")
    company.add("Lena Vogel", is_locked=True)
    source = (
        "<p>{{ sender.name }}</p><p>{{ sender.title }} | Acme</p>"
        "<p>T {{ sender.phone }}, M {{ sender.mobile }}</p>"
    )
    version = save_template(
        company.domain, name="Letterhead", source=source, actor="test", template=_letterhead(company)
    )

    page = editor.get(f"{ADDRESS}{version.template_id}/")

    missing = page.context["missing"]
    assert (missing.senders, missing.is_in_use) == (3, True)
    assert [(one.field.name, one.senders, one.gone) for one in missing.fields] == [
        ("sender.mobile", 2, ("M +1 (415) 555-0187",)),
        ("sender.title", 1, ("Head of Partnerships",)),
        ("sender.phone", 1, ("T +1 (415) 555-0142",)),
    ]
    assert "Of 3 senders with this template." in page.content.decode()


def test_a_template_of_nobody_is_held_against_everybody(company, bystander, card, editor: Client):
    company.add("Ana Silva")
    version = save_template(
        company.domain,
        name="Card",
        source="<p>{{ sender.name }} {{ company.phone }} {{ group.name }}</p>",
        actor="test",
        template=card,
    )

    missing = editor.get(f"{ADDRESS}{version.template_id}/").context["missing"]

    assert (missing.senders, missing.is_in_use) == (1, False)
    assert [(one.field.name, one.senders) for one in missing.fields] == [
        ("group.name", 1),
        ("company.phone", 1),
    ]


def test_missing_values_are_counted_in_as_many_queries_for_three_senders_as_for_one(company, editor: Client):
    letterhead = _letterhead(company)
    company.add("Ana Silva")
    editor.get(f"{ADDRESS}{letterhead.pk}/")
    with CaptureQueriesContext(database) as for_one:
        editor.get(f"{ADDRESS}{letterhead.pk}/")
    company.add("Bo Li")
    company.add("Cy Roth")

    with CaptureQueriesContext(database) as for_three:
        page = editor.get(f"{ADDRESS}{letterhead.pk}/")

    assert len(for_three) == len(for_one)
    assert page.context["missing"].senders == 3


def _letterhead(company) -> Template:
    return Template.objects.get(domain=company.domain, name="Letterhead")
