"""Bulk forms: what is done to senders that were ticked in their list, or to all that its filters find."""

from __future__ import annotations

from typing import Any

from django import forms

from portal.models import Domain
from signatures.models import Group, Sender

from .choices import RowsField
from .senders import SenderFilters
from .templates import TemplateChoiceForm

ASSIGN, GROUP, DELIVER, RESTORE, EXPORT = "assign", "group", "deliver", "restore", "export"
ACTS = (
    (ASSIGN, "Assign template"),
    (GROUP, "Put into group"),
    (DELIVER, "Deliver"),
    (RESTORE, "Restore originals"),
    (EXPORT, "Export values"),
)


class BulkForm(SenderFilters):
    """An act, and whom it is for: `sender` for each that was ticked, or `all` for whomever the filters find."""

    act = forms.ChoiceField(choices=ACTS, widget=forms.HiddenInput)
    all = forms.BooleanField(required=False, widget=forms.HiddenInput)
    sender = RowsField(Sender.objects.none(), required=False, widget=forms.MultipleHiddenInput)
    number = forms.IntegerField(required=False, min_value=0, widget=forms.HiddenInput)

    def __init__(self, *args: Any, domain: Domain, **kwargs: Any) -> None:
        super().__init__(*args, domain=domain, **kwargs)
        self.fields["sender"].queryset = Sender.objects.filter(domain=domain)  # type: ignore[attr-defined]  # RowsField

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if not self.errors and not cleaned["all"] and not cleaned["sender"]:
            self.add_error(None, "Tick at least one sender.")
        return cleaned

    def get_choice(self) -> dict[str, Any]:
        """Return the arguments for `find_chosen`, of a valid form."""
        if self.cleaned_data["all"]:
            return {"filters": self.get_choices()}
        return {"sender_ids": [sender.pk for sender in self.cleaned_data["sender"]]}


class BulkAssignForm(TemplateChoiceForm):
    """The template that the chosen senders get; none has them inherit their group's. Named apart from the filter."""

    def __init__(self, *args: Any, domain: Domain, **kwargs: Any) -> None:
        super().__init__(*args, domain=domain, otherwise="Inherit from group", prefix="assign", **kwargs)


class BulkGroupForm(forms.Form):
    """The group that takes the chosen senders by hand. Named apart from the filter."""

    group = forms.ModelChoiceField(Group.objects.none(), label="Group", empty_label=None)

    def __init__(self, *args: Any, domain: Domain, **kwargs: Any) -> None:
        super().__init__(*args, **{"prefix": "put", **kwargs})
        choice: forms.ModelChoiceField[Group] = self.fields["group"]  # type: ignore[assignment]
        choice.queryset = Group.objects.filter(domain=domain, archived_at=None, is_default=False)


class SavedViewForm(forms.Form):
    """The name of the list's present filters."""

    name = forms.CharField(label="Name", max_length=60)
    is_shared = forms.BooleanField(label="Share with everybody in this domain", required=False)
