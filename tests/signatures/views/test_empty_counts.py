"""Empty fields of a company too large to be counted for a page: counted once in the background, until a change."""

from __future__ import annotations

import re

import pytest
from django.db import connection as database
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django_q.models import OrmQ

from signatures import tasks
from signatures.authoring.templates import assign_template, save_template
from signatures.models import Group, Sender, Template
from signatures.senders import company_size
from signatures.senders.values import set_own_values
from tests.support.release_pages import text_of

BY = "lena@acme.example"
SOURCE = "<p>{{ sender.name }}</p>\n<p>{{ sender.title }}</p>"
BEING_COUNTED = "Being counted, as there are many senders. Open this page again in a minute."


@pytest.fixture
def card(company, bystander, monkeypatch: pytest.MonkeyPatch) -> Template:
    """The template of a team's group, of whom Bo and Cy have no title; Una is in no group, and has none either."""
    for name, title in (("Anna Ash", "Buyer"), ("Bo Birch", ""), ("Cy Cedar", "")):
        company.add(name, title=title, teams=("West",))
    company.add("Una North", title="")
    bystander.add("Bob Bystander", title="")
    card = Template.objects.get(domain=company.domain, name="Card")
    save_template(company.domain, name="Card", source=SOURCE, actor=BY, template=card)
    west = Group.objects.get(domain=company.domain, name="West")
    assign_template(company.domain, template=card, group=west, actor=BY)
    monkeypatch.setattr(company_size, "AT_ONCE", 1)
    return card


def read(client: Client, template: Template) -> str:
    return text_of(client.get(f"/domains/acme.example/templates/{template.pk}/").content.decode())


def find_empty(client: Client, template: Template) -> list[str]:
    """Return what the editor is told about fields of the saved source while somebody types."""
    answer = client.post(f"/domains/acme.example/templates/{template.pk}/checks/", {"source": SOURCE})
    return [one["message"] for one in answer.json()["findings"] if one["code"].startswith("field")]


def list_queued() -> list[tuple[str, dict[str, int]]]:
    return [(row.task["func"], row.task["kwargs"]) for row in OrmQ.objects.all()]


@pytest.mark.django_db(transaction=True)
def test_the_page_says_that_it_is_counted_until_a_worker_did(company, bystander, card, editor: Client):
    for _ in range(2):
        assert BEING_COUNTED in read(editor, card)
    assert find_empty(editor, card) == ["How many people have no value for a field is being counted."]
    assert list_queued() == [("signatures.tasks.count_empty_fields", {"domain_id": company.domain.pk})]

    tasks.count_empty_fields(domain_id=company.domain.pk)

    page = read(editor, card)
    assert "Of 3 senders with this template." in page
    assert re.search(r"Job title 2 ", page)
    assert "counted again" not in page
    assert BEING_COUNTED not in page
    assert find_empty(editor, card) == ["Job title (sender.title) is empty for 2 of 3."]


@pytest.mark.django_db(transaction=True)
def test_one_count_is_for_every_template_and_source_and_is_not_made_again(
    company, bystander, card, editor: Client
):
    tasks.count_empty_fields(domain_id=company.domain.pk)
    plain = Template.objects.get(domain=company.domain, name="Plain line")
    save_template(company.domain, name="Plain line", source=SOURCE, actor=BY, template=plain)
    default = Template.objects.get(assignments__group__is_default=True, domain=company.domain)

    with CaptureQueriesContext(database) as queries:
        tasks.count_empty_fields(domain_id=company.domain.pk)
        unused, used = read(editor, plain), find_empty(editor, default)

    assert "Of 4 senders in the company, as the template is not in use." in unused
    assert re.search(r"Job title 3 ", unused)
    assert used == ["Job title (sender.title) is empty for 1 of 1."]
    assert not [one for one in queries if "FILTER (WHERE" in one["sql"]]
    assert list_queued() == []


@pytest.mark.django_db(transaction=True)
def test_what_was_counted_before_a_change_is_shown_as_that_and_counted_again(
    company, bystander, card, editor: Client
):
    tasks.count_empty_fields(domain_id=company.domain.pk)
    set_own_values(Sender.objects.get(name="Bob Bystander"), {"sender.title": "Chief"}, actor=BY)
    assert "being counted again" not in read(editor, card)

    set_own_values(Sender.objects.get(name="Bo Birch"), {"sender.title": "Chief"}, actor=BY)

    assert re.search(r"Counted .*, and being counted again: something changed since\.", read(editor, card))
    assert find_empty(editor, card) == ["Job title (sender.title) is empty for 2 of 3 as last counted."]
    assert list_queued() == [("signatures.tasks.count_empty_fields", {"domain_id": company.domain.pk})]

    tasks.count_empty_fields(domain_id=company.domain.pk)

    assert "being counted again" not in read(editor, card)
    assert find_empty(editor, card) == ["Job title (sender.title) is empty for 1 of 3."]
