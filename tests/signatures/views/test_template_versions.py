"""Template versions: two are compared as source and as pictures, of this template alone."""

from __future__ import annotations

import re

from django.test import Client

from signatures.models import Template, TemplateVersion
from tests.support.release_pages import edit_template, text_of


def compare(client: Client, template: Template, query: str = "") -> str:
    response = client.get(f"/domains/acme.example/templates/{template.pk}/compare/{query}")
    assert response.status_code == 200
    return response.content.decode()


def get_frames(html: str) -> list[str]:
    return [src.replace("&amp;", "&") for src in re.findall(r'<iframe[^>]* src="[^"]*\?([^"]+)"', html)]


def test_two_versions_are_shown_as_pictures_and_as_source(published, auditor: Client):
    template = edit_template(published.domain, "<p>{{ sender.name }}</p>\n<p>Since 1849</p>")
    edit_template(published.domain, "<p>{{ sender.name }}</p>\n<p>Since 1949</p>")
    first, second, third = TemplateVersion.objects.filter(template=template).order_by("number")

    html = compare(auditor, template)
    chosen = compare(auditor, template, "?old=1&new=3&view=dark&width=phone&sender=ana@acme.example")

    assert "Since <del>1849</del>" in html and "Since <ins>1949</ins>" in html
    assert get_frames(html) == [f"version={second.pk}&view=&sender=", f"version={third.pk}&view=&sender="]
    asked = "view=dark&sender=ana%40acme.example"
    assert get_frames(chosen) == [f"version={first.pk}&{asked}", f"version={third.pk}&{asked}"]
    assert chosen.count('class="preview phone"') == 2
    assert (
        "Compare versions" in auditor.get(f"/domains/acme.example/templates/{template.pk}/").content.decode()
    )


def test_a_query_that_names_no_version_is_answered_with_words(published, auditor: Client):
    template = edit_template(published.domain)

    for query in ("?old=1&new=9", "?old=x&new=y", "?new=", "?old=99999999999999999999&new=1", "?old=1&new=²"):
        assert "Choose two versions" in text_of(compare(auditor, template, query))


def test_the_template_of_another_domain_is_not_found(published, bystander, auditor: Client):
    theirs = Template.objects.filter(domain=bystander.domain).first()

    response = auditor.get(f"/domains/acme.example/templates/{theirs.pk}/compare/")

    assert response.status_code == 404
