"""Checks: what the code editor is told of a source while somebody types, and what the page lists without script."""

from __future__ import annotations

import pytest
from django.test import Client

from signatures.authoring.templates import save_template
from signatures.models import Template, TemplateVersion

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
