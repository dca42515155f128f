"""Widgets: lists of hundreds of choices, written without a template for each of them; the same HTML as Django's."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import forms
from django.forms.utils import flatatt
from django.utils.html import conditional_escape, escape, format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

_NUMBER = "\ue000"  # stands for a box's own id, in the attributes that all of them share


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
        shared = self.build_attrs(self.attrs, attrs)
        chosen, id = frozenset(self.format_value(value)), shared.get("id")
        # Every box has the same attributes but for its number.
        before, _, after = flatatt(shared | {"id": _NUMBER} if id else shared).partition(_NUMBER)
        lines: list[str] = []
        choices: Iterable[Any] = self.choices
        for at, (key, label) in enumerate(choices):
            own = escape(f"{id}_{at}") if id else ""
            label_for = f' for="{own}"' if id else ""
            checked = " checked" if str(key) in chosen else ""
            lines.append(
                f'<div>\n    <label{label_for}><input type="checkbox" name="{escape(name)}" value="{escape(key)}"'
                f"{before}{own}{after}{checked}>\n {conditional_escape(label)}</label>\n\n</div>"
            )
        outer = {key: text for key, text in shared.items() if key in ("id", "class")}
        # Each value above is escaped.
        return format_html("<div{}>{}</div>", flatatt(outer), mark_safe("\n".join(lines)))  # noqa: S308
