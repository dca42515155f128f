"""Blocks of a template over HTTP: every act is a button that shows the editor again, and nothing but saving saves."""

from __future__ import annotations

import html
import re
from typing import Any

import pytest
from django.core import mail as django_mail
from django.core.cache import cache
from django.http import QueryDict
from django.test import Client
from django.urls import reverse

from portal.models import Role
from signatures.authoring import sample_mail
from signatures.authoring.field_settings import add_custom_field
from signatures.authoring.starters import STARTERS
from signatures.authoring.templates import save_template
from signatures.forms.blocks import BlockEditor, Row
from signatures.models import BannerPlace, FieldSetting, TemplateVersion
from signatures.rendering.blocks import (
    Banner,
    Button,
    Contact,
    Design,
    Name,
    Theme,
    Title,
    Words,
    read_design,
    summarize_theme,
    walk,
    write_design,
)
from signatures.rendering.fields import BUILT_IN
from tests.support.page_text import words_of

DESIGN = Design(Theme(), (Name(), Title(), Words(text="With regards")))


@pytest.fixture
def editor(company, make_member) -> Client:
    client = Client()
    client.force_login(make_member(company.domain, Role.EDITOR))
    return client


@pytest.fixture
def template(company):
    return save_template(company.domain, name="Ours", source=write_design(DESIGN), actor="test").template


def act(client: Client, template: Any, source: str, **fields: Any) -> Any:
    """Press one button of the editor, with script; returns the answer."""
    url = reverse("signatures:template_blocks", args=[template.domain.name, template.pk])
    return client.post(
        url, {"name": template.name, "source": source, **fields}, headers={"HX-Request": "true"}
    )


def read(answer: Any) -> Design:
    found = read_design(answer.context["editor"].source)
    assert isinstance(found, Design)
    return found


@pytest.mark.parametrize(
    ("button", "names"),
    [
        ("up:2", ["name", "words", "title"]),
        ("down:0", ["title", "name", "words"]),
        ("copy:1", ["name", "title", "title", "words"]),
        ("remove:1", ["name", "words"]),
        ("code:1", ["name", "code", "words"]),
        ("open:1", ["name", "title", "words"]),
        ("up:9", ["name", "title", "words"]),
        ("nonsense", ["name", "title", "words"]),
    ],
)
def test_each_button_does_its_act_and_saves_nothing(editor, template, button, names):
    answer = act(editor, template, write_design(DESIGN), act=button)

    assert [block.name for block in read(answer).blocks] == names
    assert TemplateVersion.objects.filter(template=template).count() == 1
    assert TemplateVersion.objects.get(template=template).source == write_design(DESIGN)


def test_block_is_added_moved_into_columns_and_the_columns_become_three(editor, template):
    source = write_design(DESIGN)
    with_columns = read(act(editor, template, source, act="add", new="columns"))
    source = write_design(with_columns)
    moved = read(act(editor, template, source, chosen="0", act="move:0", place="3-0|0"))
    assert [block.name for block in moved.blocks] == ["title", "words", "columns"]
    assert [block.name for block in moved.blocks[2].lists[0]] == ["name"]
    three = read(act(editor, template, write_design(moved), chosen="2", act="columns:3"))
    assert len(three.blocks[2].lists) == 3
    answer = act(editor, template, write_design(three), act="add", where="2-1", new="columns")
    assert read(answer) == three
    assert "Columns cannot stand in columns" in words_of(answer)


def list_options(page: str, name: str) -> list[tuple[str, str]]:
    """Return value and words of each choice of a select."""
    part = re.search(rf'<select[^>]* name="{name}">(.*?)</select>', page, re.S)
    assert part
    found = re.findall(r'<option value="([^"]*)"[^>]*>(.*?)</option>', part[1], re.S)
    return [(value, " ".join(words.split())) for value, words in found]


def test_the_page_offers_every_place_for_a_block_and_every_number_of_columns(editor, template):
    source = write_design(read(act(editor, template, write_design(DESIGN), act="add", new="columns")))

    page = act(editor, template, source, act="open:3").content.decode()
    three = act(editor, template, source, act="columns:3", chosen="3").content.decode()

    assert list_options(page, "where") == [
        ("", "At the end"),
        ("3-0", "Block 4, column 1"),
        ("3-1", "Block 4, column 2"),
    ]
    assert "Three columns" in page and "Two columns" not in page
    assert "Two columns" in three and "Three columns" not in three
    assert len(list_options(three, "where")) == 4


def test_the_design_is_a_line_with_what_is_chosen_for_all_blocks(editor, template):
    opened = act(editor, template, write_design(DESIGN), act="open:theme")
    other = act(editor, template, write_design(DESIGN), act="open:0")

    line = summarize_theme(DESIGN.theme)
    assert line
    for answer, is_current in ((opened, True), (other, False)):
        button = re.search(r"<button[^>]*open:theme[^>]*>.*?</button>", answer.content.decode(), re.S)
        assert button
        assert line in html.unescape(button[0])
        assert ("aria-current" in button[0]) is is_current


def test_settings_are_taken_over_by_the_next_act_and_by_saving(editor, template):
    typed = {"chosen": "0", "of": "name", "b-size": "20", "b-bold": "on", "b-colour": "own",
             "b-colour-own": "#aa0000", "b-gap": "tight", "b-when": ""}  # fmt: skip
    answer = act(editor, template, write_design(DESIGN), act="open:1", **typed)
    changed = read(answer)
    assert (changed.blocks[0].size, changed.blocks[0].colour) == (20, "#aa0000")
    assert changed.blocks[1:] == DESIGN.blocks[1:]

    url = reverse("signatures:template_save", args=[template.domain.name, template.pk])
    saved = editor.post(url, {"name": "Ours", "base": "1", "source": write_design(DESIGN), **typed})
    assert saved.status_code == 302
    template.refresh_from_db()
    assert read_design(template.current.source) == changed


def test_settings_that_do_not_fit_are_explained_and_neither_taken_nor_saved(editor, template):
    typed = {"chosen": "0", "of": "name", "b-size": "999", "b-colour": "text", "b-gap": "tight", "b-when": ""}
    answer = act(editor, template, write_design(DESIGN), act="open:1", **typed)
    assert read(answer) == DESIGN
    assert "whole number from 11 to 28" in words_of(answer)
    assert 'value="999"' in answer.content.decode()

    url = reverse("signatures:template_save", args=[template.domain.name, template.pk])
    refused = editor.post(url, {"name": "Ours", "base": "1", "source": write_design(DESIGN), **typed})
    assert refused.status_code == 422
    assert "whole number from 11 to 28" in words_of(refused)
    assert TemplateVersion.objects.filter(template=template).count() == 1


def test_settings_of_a_block_that_was_meanwhile_edited_by_hand_are_left_alone(editor, template):
    as_code = act(editor, template, write_design(DESIGN), act="code:0").context["editor"].source
    by_hand = as_code.replace("<tr>", '<tr title="mine">', 1) if "<tr>" in as_code else as_code
    answer = act(editor, template, by_hand, chosen="0", of="name", act="open:0", **{"b-size": "20"})
    assert read(answer).blocks[0].name == "code"
    back = read(act(editor, template, as_code, act="settings:0"))
    assert back == DESIGN


def test_source_that_is_read_again_counts_more_than_the_settings_beside_it(editor, template):
    typed = {"chosen": "0", "of": "name", "b-size": "20", "b-colour": "text", "b-gap": "tight", "b-when": ""}
    assert read(act(editor, template, write_design(DESIGN), act="read", **typed)) == DESIGN


def test_block_whose_settings_do_not_fit_can_be_removed(editor, template):
    typed = {"chosen": "0", "of": "name", "b-size": "999", "b-colour": "text", "b-gap": "tight", "b-when": ""}
    answer = act(editor, template, write_design(DESIGN), act="remove:0", **typed)
    assert read(answer) == Design(Theme(), DESIGN.blocks[1:])


def test_lists_and_links_are_read_row_by_row(editor, template):
    source = write_design(Design(Theme(), (Button(),)))
    source = write_design(read(act(editor, template, source, act="add", new="contact")))
    rows = {"b-lines": ["sender.email", "", "sender.phone"], "b-labels": "none", "b-layout": "row"}
    answer = act(editor, template, source, chosen="1", of="contact", act="add", new="social",
                 **{**rows, "b-gap": "wide", "b-when": "sender.email"})  # fmt: skip
    design = read(answer)
    assert design.blocks[1].lines == ("sender.email", "sender.phone")
    assert (design.blocks[1].gap, design.blocks[1].when) == ("wide", "sender.email")
    links = {"b-links": ["github", ""], "b-links-link": ["https://example.com/us", "ignored"], "b-icons": "",
             "b-size": "20", "b-gap": "normal", "b-when": ""}  # fmt: skip
    design = read(act(editor, template, write_design(design), chosen="2", of="social", act="update", **links))
    assert design.blocks[2].links == (("github", "https://example.com/us"),)


def test_without_script_the_same_button_shows_the_whole_page_with_what_was_typed(editor, template):
    url = reverse("signatures:template_blocks", args=[template.domain.name, template.pk])
    answer = editor.post(
        url, {"name": "Renamed", "source": write_design(DESIGN), "base": "1", "act": "remove:2"}
    )
    assert answer.status_code == 200
    assert answer.context["form"]["name"].value() == "Renamed"
    assert read_design(answer.context["form"]["source"].value()) == Design(Theme(), DESIGN.blocks[:2])
    template.refresh_from_db()
    assert template.name == "Ours"
    new = reverse("signatures:template_new_blocks", args=[template.domain.name])
    assert editor.post(new, {"source": STARTERS[0].source, "act": "open:theme"}).status_code == 200


def test_what_somebody_saved_meanwhile_is_not_replaced_after_an_act_without_script(editor, template):
    source = write_design(DESIGN)
    save_template(template.domain, name="Ours", template=template, source="<p>Theirs</p>", actor="kim")
    url = reverse("signatures:template_blocks", args=[template.domain.name, template.pk])
    page = editor.post(
        url, {"name": "Ours", "source": source, "base": "1", "act": "remove:2"}
    ).content.decode()
    [base] = re.findall(r'name="base" value="([^"]*)"', page)

    save = reverse("signatures:template_save", args=[template.domain.name, template.pk])
    refused = editor.post(save, {"name": "Ours", "source": source, "base": base})

    assert refused.status_code == 422
    assert "kim saved version 2 while you were editing" in words_of(refused)
    template.refresh_from_db()
    assert template.current.source == "<p>Theirs</p>"


def test_source_without_blocks_says_which_line_prevents_them(editor, template):
    answer = act(editor, template, "<p>{{ sender.name }}</p>", act="read")
    assert "edited as code" in words_of(answer)
    assert answer.context["editor"].source == "<p>{{ sender.name }}</p>"


@pytest.mark.parametrize("starter", STARTERS, ids=lambda one: one.slug)
def test_every_block_of_every_shipped_design_keeps_its_settings_when_its_form_is_posted(starter):
    design = read_design(starter.source)
    for path in ["theme", *(path for path, _ in walk(design))]:
        drawn = BlockEditor.from_post(post(source=starter.source, act=f"open:{path}"), BUILT_IN)
        fields: dict[str, Any] = {"chosen": path, "of": drawn.owner_name, "act": "update"}
        for row in drawn.rows:
            fields |= type_in(row)
        assert (
            BlockEditor.from_post(post(source=starter.source, **fields), BUILT_IN).source == starter.source
        ), path


def post(**fields: Any) -> QueryDict:
    data = QueryDict(mutable=True)
    for name, value in fields.items():
        data.setlist(name, value if isinstance(value, list) else [value])
    return data


def type_in(row: Row) -> dict[str, Any]:
    """Return what a browser posts for a setting as it was drawn."""
    if row.kind == "switch":
        return {row.id: "on"} if row.value else {}
    if row.kind == "links":
        return {row.id: [one for one, _ in row.value], f"{row.id}-link": [link for _, link in row.value]}
    if row.kind in ("colour", "image") and row.is_own:
        return {row.id: "own", f"{row.id}-own": row.value}
    return {row.id: list(row.value) if row.kind == "list" else str(row.value)}


def test_nobody_without_the_right_edits_blocks_and_no_other_domains_template_is_reached(
    editor, template, other_domain, make_member
):
    reader = Client()
    reader.force_login(make_member(template.domain, Role.AUDITOR))
    assert act(reader, template, write_design(DESIGN), act="remove:0").status_code == 403
    theirs = save_template(other_domain, name="Theirs", source="<p>x</p>", actor="test").template
    url = reverse("signatures:template_blocks", args=[template.domain.name, theirs.pk])
    assert editor.post(url, {"source": "", "act": "read"}).status_code == 404


def test_test_mail_goes_to_whoever_edits_alone_and_its_banner_views_count_for_nobody(
    editor, template, company, settings
):
    ana = company.add("Ana Silva")
    BannerPlace.objects.update_or_create(domain=template.domain, defaults={"is_on": True})
    source = write_design(Design(Theme(), (Name(), Banner())))
    answer = act(editor, template, source, act="mail", sender=ana.email, name="Ours\r\nBcc: all@acme.example")

    assert "Test mail sent to editor@acme.example, as Ana Silva." in words_of(answer)
    [mail] = django_mail.outbox
    assert (mail.to, mail.cc, mail.bcc) == (["editor@acme.example"], [], [])
    assert mail.subject == "Test mail: Ours Bcc: all@acme.example"
    [(html, kind)] = mail.alternatives
    assert kind == "text/html" and "Ana Silva" in html and "Ana Silva" in mail.body
    assert (
        html.count(f"/b/{ana.banner_key}") == html.count("?preview") - html.count(f"/c/{ana.banner_key}") > 0
    )
    assert TemplateVersion.objects.filter(template=template).count() == 1


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"sender": "nobody@acme.example"}, "No sender"),
        ({"source": "<p>{{ sender.titel }}</p>"}, "There is no field sender.titel"),
    ],
)
def test_no_test_mail_of_what_cannot_be_rendered(editor, template, fields, words):
    fields = {"source": write_design(DESIGN), **fields}
    answer = act(editor, template, fields.pop("source"), act="mail", **fields)
    assert words in words_of(answer)
    assert django_mail.outbox == []


def test_test_mails_have_a_limit_for_each_person_and_a_mail_server_that_is_away_is_said(
    editor, template, monkeypatch
):
    monkeypatch.setattr(sample_mail, "MOST_PER_HOUR", 2)
    answers = [words_of(act(editor, template, write_design(DESIGN), act="mail")) for _ in range(3)]
    assert ["at most 2 test mails an hour" in words for words in answers] == [False, False, True]
    assert len(django_mail.outbox) == 2

    cache.clear()
    monkeypatch.setattr(django_mail.EmailMessage, "send", refuse)
    answer = act(editor, template, write_design(DESIGN), act="mail")
    assert "No mail was sent" in words_of(answer)


def refuse(mail: Any, fail_silently: bool = False) -> int:
    raise ConnectionRefusedError


def test_what_saving_does_is_said_once_beside_its_button_and_on_no_other(editor, template):
    own = reverse("signatures:template", args=[template.domain.name, template.pk])
    new = reverse("signatures:template_new", args=[template.domain.name])

    pages = [editor.get(address).content.decode() for address in (own, f"{new}?starter=letterhead")]

    assert [page.count("Saving writes nothing into a mailbox.") for page in pages] == [1, 1]


def test_a_custom_line_of_contact_is_written_with_its_fields_label(company, editor, template):
    setting = add_custom_field(company.domain, kind="phone", label="Desk number", help="", actor="test")
    FieldSetting.objects.filter(pk=setting.pk).update(label="Direct line")
    source = write_design(Design(Theme(), (Contact(lines=("sender.phone",)),)))

    answer = act(
        editor,
        template,
        source,
        act="open:0",
        chosen="0",
        of="contact",
        **{
            "b-lines": ["sender.phone", setting.name],
            "b-labels": "words",
            "b-layout": "lines",
            "b-gap": "tight",
        },
    )

    written = answer.context["editor"].source
    assert setting.name == "sender.x_phone_desk_number"
    assert ">Direct line</span>" in written and "Desk number" not in written
