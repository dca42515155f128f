"""Extremes: the senders with the longest and with the fewest values, to try a template on."""

from __future__ import annotations

from django.db.models import Case, F, IntegerField, Q, TextField, Value, When
from django.db.models.expressions import Expression
from django.db.models.functions import Cast, Length

from portal.models import Domain
from signatures.models import Sender
from signatures.rendering.fields import BUILT_IN, Source

_COLUMNS = [f"person__{one.name.removeprefix('sender.')}" for one in BUILT_IN.of_senders(Source.OUTREACH)]


def find_longest(domain: Domain) -> Sender | None:
    """Return the active sender whose values are longest together, local values included."""
    total = sum((Length(column) for column in _COLUMNS), start=Length(Cast("own_values", TextField())))
    return _find_first(domain, total, is_descending=True)


def find_emptiest(domain: Domain) -> Sender | None:
    """Return the active sender with the fewest values; one without local values, where several have as few."""
    filled = sum(
        (
            Case(When(Q(**{column: ""}), then=Value(0)), default=Value(1), output_field=IntegerField())
            for column in _COLUMNS
        ),
        start=Case(When(own_values={}, then=Value(0)), default=Value(1), output_field=IntegerField()),
    )
    return _find_first(domain, filled, is_descending=False)


def _find_first(domain: Domain, score: Expression, *, is_descending: bool) -> Sender | None:
    senders = Sender.objects.filter(domain=domain, is_active=True).select_related("person", "group")
    order = F("score").desc() if is_descending else F("score").asc()
    return senders.annotate(score=score).order_by(order, "pk").first()
