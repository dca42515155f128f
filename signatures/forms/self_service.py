"""Self-service forms: a sender's own details and photo, what admins switch on, and their decisions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from portal.models import Domain
from signatures.models import Group, SelfService, Sender
from signatures.rendering.context import build_context
from signatures.self_service.accounts import NOT_INVITED, STATES
from signatures.self_service.changes import PHOTO, OpenField
from signatures.senders.vocabulary import get_vocabulary

from .media import ACCEPTED
from .senders import own_value_input


class OwnDetailsForm(forms.Form):
    """One input for each field that the sender may edit, but for the photo; other names are ignored."""

    def __init__(
        self, data: Any = None, *, sender: Sender, open_fields: list[OpenField], present: Mapping[str, str]
    ) -> None:
        """present: field -> the value that the sender has or that waits."""
        super().__init__(data, initial=dict(present))
        self._sender = sender
        for one in open_fields:
            if one.field.name != PHOTO:
                self.fields[one.field.name] = own_value_input(one.field, sender)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        unfit = build_context(cleaned, get_vocabulary(self._sender.domain)).missing
        for name, value in tuple(cleaned.items()):  # an error takes its value out
            if value and name in unfit:
                self.add_error(name, ValidationError(f"Not valid: {unfit[name]}."))
        return cleaned

    def get_values(self) -> dict[str, str]:
        """Return the typed value of each changed field that has no error; '' removes the sender's own."""
        self.is_valid()
        return {name: self.cleaned_data[name] for name in self.changed_data if name in self.cleaned_data}


class PhotoForm(forms.Form):
    """A photo to upload."""

    photo = forms.FileField(
        label="Choose a photo",
        widget=forms.FileInput(attrs={"accept": ACCEPTED}),
        help_text="JPEG, PNG or WebP, at most 5 MB. Location and camera data are removed.",
    )


class SelfServiceForm(forms.ModelForm):
    """What a domain lets its senders do."""

    class Meta:
        model = SelfService
        fields = ["is_on", "allows_sso", "valid_days", "remind_after_days", "contact_email"]


class SelfServiceFilters(forms.Form):
    """Filters of the list of senders; invalid ones are ignored."""

    state = forms.ChoiceField(
        label="Self-service",
        required=False,
        choices=[("", "Any state"), ("none", NOT_INVITED), *STATES.items()],
    )
    group = forms.ModelChoiceField(
        Group.objects.none(), label="Group", required=False, empty_label="Any group"
    )

    def __init__(self, *args: Any, domain: Domain, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["group"].queryset = Group.objects.filter(domain=domain, archived_at=None)  # type: ignore[attr-defined]

    def get_choices(self) -> dict[str, Any]:
        """Return the chosen state, '' for any, and group, or None."""
        self.is_valid()
        return {"state": self.cleaned_data.get("state") or "", "group": self.cleaned_data.get("group")}


class IdsField(forms.Field):
    """Ids of ticked rows."""

    widget = forms.MultipleHiddenInput

    def to_python(self, value: Any) -> list[int]:
        return [int(one) for one in value or () if one.isascii() and one.isdigit() and len(one) < 16]


class DecisionForm(forms.Form):
    """Which waiting changes are decided, and how. comment: for the senders of declined ones."""

    change = IdsField(error_messages={"required": "Tick at least one change."})
    decision = forms.ChoiceField(choices=[("approve", "Approve"), ("decline", "Decline")])
    comment = forms.CharField(
        label="Comment for the sender",
        required=False,
        max_length=500,
        help_text="Needed to decline. The sender gets it by e-mail and sees it on their page.",
    )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("decision") == "decline" and not cleaned.get("comment"):
            self.add_error("comment", ValidationError("Write why. The sender reads it."))
        return cleaned
