"""Per-domain rows: one row a domain, read with defaults or created."""

from __future__ import annotations

from typing import TypeVar

from django.db import models

from portal.models import Domain
from portal.page_reads import get_domain_row, remembers_reads

Row = TypeVar("Row", bound=models.Model)


class PerDomainManager(models.Manager[Row]):
    """For models whose `domain` is their primary key and whose other columns all have defaults."""

    def for_domain(self, domain: Domain, *, create: bool = False) -> Row:
        """Return the domain's row; where there is none, a stored one with `create`, else one that is not stored."""
        if create:
            return self.get_or_create(domain=domain)[0]
        is_read = remembers_reads(domain)
        found = get_domain_row(domain, self.model) if is_read else self.filter(domain=domain).first()
        return found or self.model(domain=domain)
