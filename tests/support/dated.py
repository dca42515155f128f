"""Templates with dates, as their tests assign them."""

from __future__ import annotations

from signatures.models import DatedAssignment, Template

from .company import Company

DECEMBER = {"starts_on": "2026-12-01", "ends_on": "2026-12-24"}


def find(company: Company, name: str) -> Template:
    return Template.objects.get(domain=company.domain, name=name)


def assign(company: Company, name: str, **row: object) -> DatedAssignment:
    return DatedAssignment.objects.create(domain=company.domain, template=find(company, name), **row)
