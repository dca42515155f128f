"""Checks: what the code editor is told of a source while somebody types, and what the page lists without script."""

from __future__ import annotations

import pytest
from django.test import Client

from signatures.authoring.templates import assign_template, save_template
from signatures.models import Assignment, FieldSetting, Sender, Template, TemplateVersion
from signatures.rendering.blocks import Code, add_block, write_design
from signatures.rendering.blocks.designs import DESIGNS
from tests.support.deliveries import publish_drafts

NOWHERE = {"block": "", "path": "", "people": None, "list": ""}
ADDRESS = "/domains/acme.example/templates/"
LOSSY = '<p>{{ sender.name }}</p>\n<p style="position: fixed">{{ sender.title }}</p>'


@pytest.fixture
def card(company) -> Template:
    return Template.objects.get(domain=company.domain, name="Card")


@pytest.mark.parametrize(
    ("source", "findings"),
    [
        ("<p>{{ sender.name }}</p>", []),
        (" \n", []),
        (
            "<p>a</p>\r\n<b>{{ sender.nam }}</b>",
            [
                {
                    "severity": "error",
                    "code": "source",
                    "line": 2,
                    "column": 4,
                    "message": "There is no field sender.nam. Did you mean sender.name?",
                    "remedy": "",
                    **NOWHERE,
                }
            ],
        ),
        (
            '<p>{{ sender.name }}</p>\n<img src="https://acme.example/a.png" width="9">',
            [
                {
                    "severity": "warning",
                    "code": "alt-missing",
                    "line": 2,
                    "column": 1,
                    "message": "The picture https://acme.example/a.png has no alt text.",
                    "remedy": "Add alt='' if it is decoration.",
                    **NOWHERE,
                }
            ],
        ),
    ],
)
def test_a_source_is_answered_with_its_findings_and_nothing_is_saved(
    company, bystander, editor: Client, source: str, findings: list[dict]
) -> None:
    before = list(TemplateVersion.objects.order_by("pk").values())

    answer = editor.post(f"{ADDRESS}checks/", {"source": source})

    assert (answer.status_code, answer["Cache-Control"]) == (200, "no-store")
    assert answer.json() == {"findings": findings}
    assert list(TemplateVersion.objects.order_by("pk").values()) == before


def test_errors_come_first_and_a_source_of_a_thousand_mistakes_is_answered_with_a_hundred(
    company, editor: Client
) -> None:
    source = "".join(f'<img src="https://acme.example/{number}.png">\n' for number in range(1000))

    found = editor.post(f"{ADDRESS}checks/", {"source": source}).json()["findings"]

    assert len(found) == 100
    assert [one["line"] for one in found] == sorted(one["line"] for one in found)


def test_only_who_may_edit_can_have_a_source_checked(company, bystander, editor: Client, auditor: Client):
    assert auditor.post(f"{ADDRESS}checks/", {"source": LOSSY}).status_code == 403
    assert editor.post("/domains/bystander.example/templates/checks/", {"source": LOSSY}).status_code == 404


def test_the_page_lists_the_findings_of_the_version_it_shows(company, card, editor: Client, auditor: Client):
    save_template(company.domain, name="Card", source=LOSSY, actor="test", template=card)

    for client in (editor, auditor):
        page = client.get(f"{ADDRESS}{card.pk}/")
        earlier = client.get(f"{ADDRESS}{card.pk}/?version=1").content.decode()

        assert [one.sentence for one in page.context["findings"]] == [
            "The style “position: fixed” is not allowed and was removed."
        ]
        assert "position: fixed” is not allowed" in page.content.decode()
        assert "position: fixed” is not allowed" not in earlier


def test_a_source_that_is_refused_is_listed_with_its_error(company, card, editor: Client) -> None:
    page = editor.post(f"{ADDRESS}{card.pk}/save/", {"name": "Card", "source": "<p>{{ x }}</p>", "base": "1"})

    assert page.status_code == 422
    assert [one.severity for one in page.context["findings"]] == ["error"]


def test_completions_are_the_names_that_a_template_may_use(company, card, editor: Client) -> None:
    offered = editor.get(f"{ADDRESS}{card.pk}/").context["completions"]

    assert ["title", "Job title", "The title in Outreach."] in map(list, offered["fields"]["sender"])
    assert "upcase" in offered["filters"] and "for" not in offered["liquid"]
    assert "script" not in offered["elements"] and "href" in offered["elements"]["a"]
    assert "position" not in offered["styles"]


def test_a_finding_says_its_block_and_opens_the_settings_of_it(
    company, card, editor: Client, auditor: Client
):
    design = add_block(
        DESIGNS[0].design, "", 9, Code(markup='<tr><td style="color: #eeeeee">Pale</td></tr>')
    ).design
    save_template(company.domain, name="Card", source=write_design(design), actor="test", template=card)

    page, plain = (client.get(f"{ADDRESS}{card.pk}/") for client in (editor, auditor))

    (found,) = (one for one in page.context["findings"] if one.code == "contrast")
    assert (found.block, found.path) == ("Code, block 10 of 10", "3")
    assert 'value="open:3"' in page.content.decode() and found.block in plain.content.decode()
    assert 'value="open:3"' not in plain.content.decode()
    opened = editor.post(
        f"{ADDRESS}{card.pk}/blocks/", {"source": write_design(design), "act": f"open:{found.path}"}
    )
    assert opened.context["editor"].owner_label == "Code"


def test_a_finding_says_how_many_people_get_the_template(company, card, bystander, editor: Client) -> None:
    company.add("Anna Ash")
    save_template(company.domain, name="Card", source=LOSSY, actor="test", template=card)
    page = editor.get(f"{ADDRESS}{card.pk}/")
    assert (page.context["people"], page.content.decode().count("0 people")) == (0, 2)

    for number, sender in enumerate(Sender.objects.filter(domain=company.domain), 1):
        assign_template(company.domain, template=card, sender=sender, actor="test")  # a draft counts
        assert editor.get(f"{ADDRESS}{card.pk}/").context["people"] == number
    publish_drafts(company.domain)
    Assignment.objects.filter(template=card).delete()

    assert editor.get(f"{ADDRESS}{card.pk}/").context["people"] == number  # and so does what is live


def test_empty_fields_are_notes_with_the_people_who_have_none(
    company, card, bystander, editor: Client
) -> None:
    have, lack = company.add("Anna Ash", title="Buyer"), company.add("Bo Birch", title="")
    company.add("Cy Cedar", title="")  # gets another template
    for sender in (have, lack):
        assign_template(company.domain, template=card, sender=sender, actor="test")
    source = "<p>{{ sender.name }}</p>\n<p>{{ sender.title }}</p>"

    found = editor.post(f"{ADDRESS}{card.pk}/checks/", {"source": source}).json()["findings"]

    (empty,) = found
    assert (empty["severity"], empty["code"], empty["line"]) == ("note", "field-empty", 2)
    assert (empty["message"], empty["people"]) == ("Job title (sender.title) is empty for 1 of 2.", 1)
    assert [row.sender for row in editor.get(empty["list"]).context["rows"]] == [lack]
    assert editor.post(f"{ADDRESS}checks/", {"source": source}).json()["findings"] == []


@pytest.mark.parametrize(
    ("line", "setting", "severities"),
    [
        ("<p>{{ sender.x_url_site }}</p>", {}, ["note"]),
        ("<p>Site <a href='{{ sender.x_url_site }}'>{{ sender.x_url_site }}</a></p>", {}, ["note"]),
        ("<p><a href='{{ sender.x_url_site }}'>{{ sender.x_url_site }}</a></p>", {}, ["warning"]),
        ("<p>{{ sender.x_url_site }}</p>", {"is_required": True}, ["warning"]),
        ("<p>{{ sender.x_url_site }}</p>", {"default": "https://www.acme.test/"}, []),
    ],
)
def test_an_empty_field_warns_where_it_is_required_or_a_line_of_its_own(
    company, card, bystander, editor: Client, line: str, setting: dict, severities: list[str]
) -> None:
    FieldSetting.objects.create(domain=company.domain, name="sender.x_url_site", label="Site", **setting)
    FieldSetting.objects.create(
        domain=bystander.domain, name="sender.x_url_site", label="Site", is_required=True
    )
    assign_template(company.domain, template=card, sender=company.add("Anna Ash"), actor="test")

    found = editor.post(f"{ADDRESS}{card.pk}/checks/", {"source": f"<p>{{{{ sender.name }}}}</p>{line}"})

    assert [one["severity"] for one in found.json()["findings"] if one["code"] == "field-empty"] == severities


def test_another_domains_template_is_not_checked_against(company, bystander, editor: Client) -> None:
    theirs = Template.objects.filter(domain=bystander.domain).first()
    assert theirs is not None

    assert editor.post(f"{ADDRESS}{theirs.pk}/checks/", {"source": LOSSY}).status_code == 404


@pytest.mark.parametrize("shipped", DESIGNS, ids=lambda one: one.slug)
def test_shipped_designs_have_notes_alone(company, card, editor: Client, shipped) -> None:
    found = editor.post(f"{ADDRESS}{card.pk}/checks/", {"source": write_design(shipped.design)}).json()[
        "findings"
    ]

    assert {one["severity"] for one in found} <= {"note"}
