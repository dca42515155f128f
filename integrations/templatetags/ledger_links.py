"""Links into the ledger: the address of its entries under a filter."""

from __future__ import annotations

from urllib.parse import urlencode

from django import template
from django.template import Context
from django.urls import reverse

register = template.Library()


@register.simple_tag(takes_context=True)
def ledger_url(context: Context, **filters: object) -> str:
    """Return the address of the domain's ledger entries under these filters; empty ones are left out."""
    query = urlencode({name: value for name, value in filters.items() if value})
    return f"{reverse('integrations:ledger', args=[context['domain'].name])}?{query}#entries"
