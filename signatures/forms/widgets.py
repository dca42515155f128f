"""Widgets: lists of hundreds of choices, written without a template for each of them; the same HTML as Django's."""

from __future__ import annotations

from typing import Any

from django import forms
from django.forms.utils import flatatt
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString


class LongSelect(forms.Select):
    """A select whose choices have no groups."""

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        widget = self.get_context(name, value, attrs)["widget"]
        options = format_html_join(
            "\n  ",
            '<option value="{}"{}>{}</option>',
            (
                (option["value"], flatatt(option["attrs"]), option["label"])
                for _, group, _ in widget["optgroups"]
                for option in group
            ),
        )
        return format_html('<select name="{}"{}>\n  {}\n</select>', name, flatatt(widget["attrs"]), options)


class LongCheckboxes(forms.CheckboxSelectMultiple):
    """Checkboxes whose choices have no groups."""

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        widget = self.get_context(name, value, attrs)["widget"]
        lines = format_html_join(
            "\n",
            '<div>\n    <label{}><input type="checkbox" name="{}" value="{}"{}>\n {}</label>\n\n</div>',
            (
                (
                    flatatt({"for": option["attrs"]["id"]} if "id" in option["attrs"] else {}),
                    option["name"],
                    option["value"],
                    flatatt(option["attrs"]),
                    option["label"],
                )
                for _, group, _ in widget["optgroups"]
                for option in group
            ),
        )
        own = {key: text for key, text in widget["attrs"].items() if key in ("id", "class")}
        return format_html("<div{}>{}</div>", flatatt(own), lines)
