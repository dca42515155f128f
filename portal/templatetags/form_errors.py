"""Form errors: lists a page's form errors, for its title and summary."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from django import template
from django.forms import BaseForm, BaseFormSet
from django.template import Context

register = template.Library()


@dataclass(frozen=True, slots=True)
class Problem:
    """An error of one field, or of the form as a whole: then without label and id."""

    label: str
    field_id: str
    message: str


@register.simple_tag(takes_context=True)
def form_problems(context: Context) -> list[Problem]:
    """Return the errors of a page's forms, in order."""
    forms = {id(form): form for value in context.flatten().values() for form in _list_forms(value)}
    return [problem for form in forms.values() for problem in _list_problems(form)]


def _list_forms(value: object) -> Iterator[BaseForm]:
    if isinstance(value, BaseForm):
        yield value
    elif isinstance(value, BaseFormSet | list | tuple):
        yield from (form for form in value if isinstance(form, BaseForm))


def _list_problems(form: BaseForm) -> Iterable[Problem]:
    if not form.is_bound:
        return
    for name, messages in form.errors.items():
        message = " ".join(str(words) for words in messages)
        if name in form.fields:
            field = form[name]
            yield Problem(str(field.label), field.auto_id, message)
        else:
            yield Problem("", "", message)
