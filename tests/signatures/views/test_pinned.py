"""Pinned people: an unsaved source is previewed as up to three of them side by side, by one user in one domain."""

from __future__ import annotations

import re

from django.test import Client

from tests.support.company import Company

TRIAL = "/domains/acme.example/templates/trial/"
SOURCE = "<p>{{ sender.name }}, {{ sender.title }}</p>"


def try_as(client: Client, sender: str = "", pin: str = "", **values: str) -> list[str]:
    """Return the name above each signature that the preview shows."""
    response = client.post(TRIAL, {"source": SOURCE, "sender": sender, "pin": pin, **values})
    return re.findall(r"<section><h2>([^<]*)</h2>", response.content.decode())


def test_up_to_three_are_pinned_and_shown_beside_whoever_is_typed(
    published: Company, bystander, editor: Client
):
    for name in ("Bo Li", "Cy Roe"):
        published.add(name)

    assert try_as(editor, "Ana Silva") == []
    for name in ("Ana Silva", "Tom Okafor", "Bo Li"):
        try_as(editor, name, "chosen")
    assert try_as(editor) == ["Ana Silva", "Tom Okafor", "Bo Li"]
    assert try_as(editor, "Cy Roe") == ["Cy Roe", "Ana Silva", "Tom Okafor", "Bo Li"]
    assert try_as(editor, "Cy Roe", "chosen") == ["Tom Okafor", "Bo Li", "Cy Roe"]
    assert try_as(editor, "Bo Li", "chosen", view="text") == [
        "Tom Okafor",
        "Cy Roe",
        "Bo Li",
    ]
    assert try_as(editor, pin="none") == []


def test_the_longest_and_the_emptiest_values_are_offered(published: Company, editor: Client):
    longest = published.add("Maximiliane von Hohenstein-Lichterfelde", title="Principal Solutions Consultant")
    emptiest = published.add("X")
    emptiest.person.title = ""
    emptiest.person.save()
    others = published.domain.senders.exclude(pk__in=[emptiest.pk, longest.pk])
    others.update(own_values={"sender.title": "Manager"})

    assert try_as(editor, pin="longest") == [longest.name]
    assert try_as(editor, pin="emptiest") == [longest.name, emptiest.name]


def test_pins_are_of_one_user_in_one_domain(
    published: Company, bystander: Company, editor: Client, admin: Client
):
    try_as(editor, "Ana Silva", "chosen")

    assert try_as(admin) == []
    assert try_as(editor, "Bea Bystander", "chosen") == []  # words instead: nobody of this name is here
    assert try_as(editor) == ["Ana Silva"]
    published.domain.senders.get(name="Ana Silva").delete()
    assert try_as(editor) == []


def test_the_editor_has_the_buttons(published: Company, editor: Client):
    html = editor.get("/domains/acme.example/templates/new/?starter=none").content.decode()

    assert re.findall(r'name="pin" value="(\w+)"', html) == ["chosen", "longest", "emptiest", "none"]
