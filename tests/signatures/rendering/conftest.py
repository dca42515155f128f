"""Senders to render for, and a short way to render a template's source."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from signatures.rendering import compile_template, render_signature
from signatures.rendering.fields import BUILT_IN

Render = Callable[..., str]

SPARSE_FIELDS = (
    "sender.name",
    "sender.first_name",
    "sender.email",
    "sender.title",
    "sender.phone",
    "sender.linkedin_url",
    "company.name",
    "company.website",
)


@pytest.fixture
def senders() -> dict[str, dict[str, str | None]]:
    """Three invented senders: every field, half of them, name and e-mail only."""
    full: dict[str, str | None] = dict(BUILT_IN.sample_values)
    return {
        "full": full,
        "sparse": {name: full[name] for name in SPARSE_FIELDS},
        "minimal": {"sender.name": "Bo Li", "sender.email": "bo.li@acme.example"},
    }


@pytest.fixture
def render() -> Render:
    """Return a function from source and values (dots written as double underscores) to html."""

    def rendered(source: str, **values: str | None) -> str:
        template = compile_template(source)
        return render_signature(
            template, {key.replace("__", "."): value for key, value in values.items()}
        ).html

    return rendered
