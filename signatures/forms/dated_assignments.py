"""Dated assignment form: a template for some days, on none of which another one is assigned."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from portal.models import Domain
from signatures.authoring.dated_assignments import refuse_overlap
from signatures.models import DatedAssignment, Template
from signatures.senders.draft_rows import read_draft_rows

from .templates import usable_templates


class DatedAssignmentForm(forms.ModelForm):
    """A template for some days, of the group or the sender of the instance."""

    class Meta:
        model = DatedAssignment
        fields = ["template", "starts_on", "ends_on"]
        widgets = {
            "starts_on": forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
            "ends_on": forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        }

    def __init__(self, *args: Any, domain: Domain | None = None, **kwargs: Any) -> None:
        """domain: whose templates are offered; None where the widget offers them."""
        super().__init__(*args, **{"auto_id": "dated_%s", **kwargs})
        if domain is not None:
            choice: forms.ModelChoiceField[Template] = self.fields["template"]  # type: ignore[assignment]
            named = sorted(
                (row.text.casefold(), row.id, row.text) for row in read_draft_rows(domain, "template")
            )
            choice.queryset = usable_templates(domain)
            choice.choices = [("", "Choose a template"), *((id, name) for _, id, name in named)]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        ends = cleaned.get("ends_on")
        if ends is not None and self.instance.domain_id and ends < self.instance.domain.get_today():
            self.add_error("ends_on", "This day is over. Enter a later one.")
        return cleaned

    def _post_clean(self) -> None:
        super()._post_clean()  # type: ignore[misc]  # Django's own place for what needs the filled instance
        if self.errors:
            return
        try:
            refuse_overlap(self.instance)
        except ValidationError as overlap:
            self.add_error(None, overlap)
