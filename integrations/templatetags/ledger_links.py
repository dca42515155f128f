"""Links into the ledger: the address of its entries under a filter, and the mailbox that an entry wrote to."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlencode

from django import template
from django.template import Context
from django.urls import reverse

register = template.Library()


@register.filter
def lookup(found: Mapping[int, object] | None, key: int) -> object | None:
    """Return what a page looked up for this id, or None; a page that looked nothing up has no mapping."""
    return found.get(key) if found else None


@register.simple_tag(takes_context=True)
def ledger_url(context: Context, **filters: object) -> str:
    """Return the address of the domain's ledger entries under these filters; empty ones are left out."""
    query = urlencode({name: value for name, value in filters.items() if value})
    return f"{reverse('integrations:ledger', args=[context['domain'].name])}?{query}#entries"
