"""Details: copies editable values of campaigns, banners and the banner slot from forms to rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any, TypeVar

from django.db.models import Model

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    Kind = TypeVar("Kind", bound=DataclassInstance)


def read_details(kind: type[Kind], values: Mapping[str, Any]) -> Kind:
    """Return a dataclass of this kind with the values of its own fields."""
    return kind(**{field.name: values[field.name] for field in fields(kind)})


def change_row(row: Model, details: DataclassInstance) -> dict[str, tuple[Any, Any]]:
    """Set the row's columns to `details` without saving; return column -> (old, new) of what changed."""
    changes = {}
    for field in fields(details):
        old, new = getattr(row, field.name), getattr(details, field.name)
        if old != new:
            setattr(row, field.name, new)
            changes[field.name] = (old, new)
    return changes
