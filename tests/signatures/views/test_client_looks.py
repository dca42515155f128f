"""Looks of mail clients: a preview says what each does not show, and that nobody saw it there."""

from __future__ import annotations

import pytest
from django.test import Client

from signatures.models import Template
from signatures.views.previews import FRAME_POLICY

ADDRESS = "/domains/acme.example/templates/"
SOURCE = (
    '<div style="padding: 4px; color: #000000">{{ sender.name }}</div>'
    '<img src="https://acme.example/a.png" alt="Acme" width="9" height="7">'
)


def look(editor: Client, **choices: str) -> str:
    frame = editor.post(f"{ADDRESS}trial/", {"source": SOURCE, **choices})
    assert (frame.status_code, frame["Content-Security-Policy"]) == (200, FRAME_POLICY)
    return frame.content.decode()


def test_a_client_is_looked_as_with_what_it_does_not_show(company, bystander, editor: Client) -> None:
    outlook = look(editor, client="outlook-windows")
    gmail = look(editor, client="gmail")

    assert '<div style="color: #000000">Maren Lindqvist</div>' in outlook
    assert "<li>“padding: 4px” of &lt;div&gt;: the space is lost.</li>" in outlook
    assert '<div style="padding: 4px; color: #000000">' in gmail
    assert "Gmail shows all of it as written." in gmail
    assert "Derived from published data" in outlook and "not tested in the client" in gmail
    assert Template.objects.filter(domain=company.domain).count() == 3


def test_dark_mode_is_the_clients_own_where_that_is_published(company, editor: Client) -> None:
    web = look(editor, client="outlook-web", view="dark")
    gmail = look(editor, client="gmail", view="dark")

    assert "background: #333333; color: #ffffff" in web
    assert "padding: 4px; color: #ffffff" in web
    assert "padding: 4px; color: #000000" in gmail
    assert "How Gmail changes colours in dark mode is not published" in gmail


def test_images_can_be_off_with_any_client_and_with_none(company, editor: Client) -> None:
    for frame in (look(editor, images="off"), look(editor, images="off", client="gmail")):
        assert "<img" not in frame
        assert ">Acme</span>" in frame
    assert '<img src="https://acme.example/a.png"' in look(editor, images="on")


@pytest.mark.parametrize("client", ["", "mutt", "yahoo", "<script>"])
def test_a_client_that_is_not_offered_is_none(company, editor: Client, client: str) -> None:
    assert look(editor, client=client) == look(editor)
    assert "<footer>" not in look(editor, client=client)


def test_plain_text_is_the_same_in_every_client(company, editor: Client) -> None:
    assert look(editor, view="text", client="outlook-windows") == look(editor, view="text")


def test_a_saved_version_and_a_shipped_design_are_looked_at_alike(company, auditor: Client) -> None:
    version = Template.objects.get(domain=company.domain, name="Card").current

    for asked in (f"version={version.pk}", "starter=card"):
        frame = auditor.get(f"{ADDRESS}preview/?{asked}&client=outlook-windows").content.decode()

        assert "border-radius" not in frame.partition("<footer>")[0]
        assert "corners are square" in frame.partition("<footer>")[2]


def test_the_editor_offers_the_clients_by_name(company, editor: Client) -> None:
    page = editor.get(f"{ADDRESS}new/?starter=card").content.decode()

    offered = ["No mail client", "Gmail", "Outlook for Windows", "Outlook on the web", "Apple Mail"]
    assert [f">{name}</option>" in page for name in offered] == [True] * 5
