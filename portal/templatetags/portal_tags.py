"""Template tags of every page: times with their zone, the colour of a state, and what a form may leave out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django import forms, template
from django.forms import BoundField
from django.template import Context
from django.urls import reverse
from django.utils import timezone
from django.utils.choices import flatten_choices
from django.utils.html import format_html
from django.utils.safestring import SafeString

register = template.Library()

# Whose turn it is decides the colour: nobody's is good, a person's is warn, broken is bad, under way is pen.
_TONES = {
    "good": ("active", "complete", "delivered", "answered", "done", "on", "alive", "connected"),
    "pen": ("queued", "running", "claimed", "disconnecting", "dry_run"),
    "warn": (
        "waiting",
        "halted",
        "refused",
        "interrupted",
        "limited",
        "switched_off",
        "paused",
        "unknown",
        "unasked",
    ),
    "bad": ("failed", "incomplete", "lost", "misconfigured"),
}
_TONE_BY_STATE = {state: tone for tone, states in _TONES.items() for state in states}


@register.filter
def tone(state: str) -> str:
    """Return the colour of a state's badge; '' for an idle one."""
    return _TONE_BY_STATE.get(str(state), "")


# Who acted where nobody did, as older and newer entries have it.
_ACTORS = {"": "System", "schedule": "System (scheduled)", "command": "System (command line)"}


@register.filter
def actor(label: str) -> str:
    """Return the display name of an actor; stored labels are not changed."""
    return _ACTORS.get(label, label)


@register.filter
def may_stay_empty(field: BoundField) -> bool:
    """Return whether a field can be left without any answer; not where each choice is one, and one is made."""
    if field.field.required:
        return False
    if isinstance(field.field, forms.MultipleChoiceField | forms.ModelMultipleChoiceField):
        return True
    if isinstance(field.field, forms.ModelChoiceField):
        return not _is_said(field.field.empty_label)
    if isinstance(field.field, forms.ChoiceField):
        listed: Iterator[tuple[Any, Any]] = flatten_choices(field.field.widget.choices)
        labels = {str(value): label for value, label in listed}
        return not _is_said(labels.get(str(field.value() or "")))
    return True


def _is_said(label: object) -> bool:
    """Return whether a choice has words, and not only a line that stands for none."""
    return label is not None and bool(str(label).strip("- "))


@register.simple_tag(takes_context=True)
def when(
    context: Context, at: datetime | None, shape: str = "", otherwise: str = "never"
) -> str | SafeString:
    """Return a <time> that the script converts to the browser's zone; without script, in the domain's zone.

    shape: '' (date and time), 'date', 'clock' or 'ago'; the title has the exact time.
    """
    if at is None:
        return otherwise
    domain = context.get("domain")
    local = timezone.localtime(at, ZoneInfo(domain.time_zone) if domain else None)
    exact = f"{local:%-d %b %Y, %H:%M:%S} {local.tzname()}"
    words = f"{local:%-d %b %Y}" if shape == "date" else f"{local:%-d %b %Y, %H:%M} {local.tzname()}"
    return format_html(
        '<time datetime="{}" data-time="{}" title="{}">{}</time>', at.isoformat(), shape, exact, words
    )


# Where the page of a job is, by the word before its number, as the ledger has it.
_JOB = re.compile(r"(?P<kind>sync|delivery|restore) (?P<pk>\d{1,18})")
_JOB_PAGES = {
    "sync": "integrations:run",
    "delivery": "signatures:delivery_run",
    "restore": "signatures:delivery_run",
}


@register.simple_tag(takes_context=True)
def job_page(context: Context, job: str) -> str:
    """Return the URL of a job's page in the current domain, such as that of 'sync 12'; '' for other labels."""
    found = _JOB.fullmatch(job)
    domain = context.get("domain")
    if found is None or domain is None:
        return ""
    return reverse(_JOB_PAGES[found["kind"]], args=[domain.name, found["pk"]])
