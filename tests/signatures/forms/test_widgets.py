"""Widgets of long lists write what Django's own write."""

from __future__ import annotations

import re

import pytest
from django import forms
from django.utils.html import format_html

from signatures.forms.widgets import LongCheckboxes, LongSelect

CHOICES = [("", "Any"), (1, 'A & <b>"'), ("two", format_html("<i>{}</i>", "2 & 3")), (3, "Third")]


def read(html: str) -> list[str]:
    """Return the tags, each with its attributes in order, and the texts between them."""
    parts = [part.strip() for part in re.split(r"(<[^>]*>)", html)]
    return [
        " ".join(sorted(part.strip("<>").split(" "))) if part[:1] == "<" else part for part in parts if part
    ]


@pytest.mark.parametrize("attrs", [{"id": "id_x"}, {}, {"id": "id_x", "aria-describedby": "help"}])
@pytest.mark.parametrize("value", [None, "1", "two", ["1", "3"], "<script>"])
@pytest.mark.parametrize(
    ("own", "plain"), [(LongSelect, forms.Select), (LongCheckboxes, forms.CheckboxSelectMultiple)]
)
def test_a_long_list_is_the_same_html(own, plain, value, attrs):
    if own is LongSelect and isinstance(value, list):
        value = value[0]
    made, expected = (
        widget({"class": "columns", "required": True}, CHOICES).render("x", value, attrs)
        for widget in (own, plain)
    )

    assert read(made) == read(expected)
    assert "<b>" not in made
    assert made.count("<i>") == 1
