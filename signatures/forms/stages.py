"""Stages field: how many mailboxes each stage of a rollout has, as numbers that somebody types."""

from __future__ import annotations

import re
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

MOST_STAGES = 8
MOST_DIGITS = 7  # of a stage's mailboxes
LONGEST_PAUSE = 10_080  # minutes: a week
MOST_REFUSALS = 100_000


class StagesField(forms.CharField):
    """The sizes of stages, such as “5, 50”; the cleaned value ends with None, for everybody else; () if empty."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(label="Stages", required=False, max_length=80, **kwargs)

    def clean(self, value: Any) -> tuple[int | None, ...]:
        words = [word for word in re.split(r"[,;\s]+", super().clean(value)) if word]
        if not words:
            return ()
        are_sizes = all(word.isdecimal() and len(word) <= MOST_DIGITS and int(word) > 0 for word in words)
        if not are_sizes or len(words) >= MOST_STAGES:
            raise ValidationError(f"Enter up to {MOST_STAGES - 1} numbers above 0, such as 5, 50.")
        return (*map(int, words), None)

    def has_changed(self, initial: Any, data: Any) -> bool:
        try:
            return self.clean(initial) != self.clean(data)
        except ValidationError:
            return True


def write_stages(sizes: tuple[int | None, ...] | list[int | None]) -> str:
    """Return the sizes as a person types them into the field."""
    return ", ".join(str(size) for size in sizes if size is not None)
