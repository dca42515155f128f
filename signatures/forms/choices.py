"""Choices of rows: a form field for several groups or senders by their ids."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError

MAX_ID_DIGITS = 18


class RowsField(forms.ModelMultipleChoiceField):
    """Rows by their IDs; numbers out of the column's range are no choice."""

    def clean(self, value: Any) -> Any:
        for pk in value or ():
            if len(str(pk)) > MAX_ID_DIGITS:
                raise ValidationError(self.error_messages["invalid_pk_value"], params={"pk": str(pk)[:40]})
        return super().clean(value)
