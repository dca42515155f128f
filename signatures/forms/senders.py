"""The forms of the work: filters, a sender's own values, templates, the brand and choices between them."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.html import format_html

from portal.models import Domain
from signatures.models import Brand, DeliveryState, Group, Sender, Template
from signatures.rendering.compile import unify_line_ends
from signatures.rendering.context import build_context
from signatures.rendering.errors import TemplateError
from signatures.rendering.fields import FIELDS, Field, Source, Trust
from signatures.senders.listing import STATES

_INPUT_TYPES = {Trust.EMAIL: "email", Trust.URL: "url", Trust.PHONE: "tel"}


def usable_templates(domain: Domain) -> Any:
    """Return the templates that can be chosen in this domain."""
    return Template.objects.filter(domain=domain, archived_at=None)


class SenderFilters(forms.Form):
    """What a list of senders can be narrowed by. What does not fit narrows nothing."""

    q = forms.CharField(
        label="Name, address or title", required=False, max_length=120, widget=forms.SearchInput
    )
    group = forms.ModelChoiceField(
        Group.objects.none(), label="Group", required=False, empty_label="Any group"
    )
    template = forms.ModelChoiceField(
        Template.objects.none(), label="Template", required=False, empty_label="Any template"
    )
    state = forms.ChoiceField(label="Signature", required=False, choices=[("", "Any state"), *STATES])

    def __init__(self, *args: Any, domain: Domain, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["group"].queryset = Group.objects.filter(domain=domain, archived_at=None)  # type: ignore[attr-defined]
        self.fields["template"].queryset = usable_templates(domain)  # type: ignore[attr-defined]

    def get_choices(self) -> dict[str, Any]:
        """Return the arguments of `roster.find_senders` that were asked for."""
        self.is_valid()
        chosen = self.cleaned_data
        group, template = chosen.get("group"), chosen.get("template")
        return {
            "words": chosen.get("q") or "",
            "group_id": group.pk if group else None,
            "template_id": template.pk if template else None,
            "state": chosen.get("state") or "",
        }


class DeliveryFilters(forms.Form):
    """Which mailboxes of a run to show."""

    q = forms.CharField(label="Name or address", required=False, max_length=120, widget=forms.SearchInput)
    state = forms.ChoiceField(
        label="State", required=False, choices=[("", "Any state"), *DeliveryState.choices]
    )


class OwnValuesForm(forms.Form):
    """What a sender's signature says in place of, or beside, what Outreach says.

    One input for each field of a sender, named as templates name it; an empty one keeps nothing here.
    """

    def __init__(self, *args: Any, sender: Sender, **kwargs: Any) -> None:
        super().__init__(*args, **{"initial": sender.own_values} | kwargs)
        for field in FIELDS:
            if field.name.startswith("sender."):
                self.fields[field.name] = _own_value_input(field, sender)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        unfit = build_context(cleaned).missing
        for name, value in tuple(cleaned.items()):  # an error takes its value out
            if value and name in unfit:
                self.add_error(name, ValidationError(f"This cannot be used: {unfit[name]}."))
        return cleaned

    def get_values(self) -> dict[str, str]:
        """Return what was typed, field by field; '' gives a field back to Outreach."""
        return {name: value or "" for name, value in self.cleaned_data.items()}

    def kept_here(self) -> list[forms.BoundField]:
        """Return the inputs of what Outreach does not hold."""
        return [
            self[field.name]
            for field in FIELDS
            if field.name in self.fields and field.source is Source.PORTAL
        ]

    @property
    def overrides_outreach(self) -> bool:
        """Whether anything of Outreach's is overridden, or was just typed to be."""
        return any(field.value() or field.errors for field in self.from_outreach())

    def from_outreach(self) -> list[forms.BoundField]:
        """Return the inputs that go before what Outreach holds."""
        return [
            self[field.name]
            for field in FIELDS
            if field.name in self.fields and field.source is Source.OUTREACH
        ]


def _own_value_input(field: Field, sender: Sender) -> forms.CharField:
    theirs = (
        getattr(sender.person, field.name.removeprefix("sender."), "")
        if field.source is Source.OUTREACH
        else ""
    )
    widget = forms.TextInput(attrs={"type": _INPUT_TYPES.get(field.trust, "text"), "autocomplete": "off"})
    hint = field.doc if field.source is Source.PORTAL else "Empty in Outreach."
    if theirs:
        hint = format_html("Outreach says: {}", theirs)  # Django shows help texts as markup by default
    return forms.CharField(label=field.label, required=False, max_length=500, widget=widget, help_text=hint)


class SourceField(forms.CharField):
    """A template's source, its length counted as it is kept: with line ends of one character."""

    def to_python(self, value: Any) -> str:
        return unify_line_ends(str(super().to_python(value)))


class TemplateForm(forms.Form):
    """A template's name and source. Whether the source can be used is told by `add_source_error`."""

    name = forms.CharField(label="Name", max_length=120)
    source = SourceField(
        label="Source",
        strip=False,
        max_length=100_000,
        widget=forms.Textarea(
            attrs={"class": "code", "rows": 28, "spellcheck": "false", "autocapitalize": "off", "wrap": "off"}
        ),
        help_text="HTML with merge fields such as {{ sender.name }}. A missing value goes with its label; "
        "a line that holds nothing else goes, too.",
    )

    base = forms.IntegerField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, domain: Domain, present: Template | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._present = present
        self._namesakes = Template.objects.filter(domain=domain).exclude(pk=present.pk if present else 0)

    def clean_name(self) -> str:
        name = str(self.cleaned_data["name"])
        if self._namesakes.filter(name=name).exists():
            raise ValidationError("A template with this name exists already.")
        return name

    def clean(self) -> dict[str, Any]:
        """Refuse to save over a version that came after the one this text was begun from."""
        cleaned = super().clean() or {}
        current = self._present.current if self._present else None
        if current is not None and cleaned.get("base") not in (None, current.number):
            self.add_error(
                "source",
                f"{current.created_by_label or 'Somebody'} saved version {current.number} while you were writing. "
                "Yours is kept below: compare the two, then save again to go on from here.",
            )
        return cleaned

    def add_source_error(self, error: TemplateError) -> None:
        """The source's error stands at the field, with its line and column."""
        self.add_error("source", str(error))


class MoveForm(forms.Form):
    """Where a group goes in the order: up, down, or to a place that counts from 1."""

    to = forms.ChoiceField(choices=[("up", "Up"), ("down", "Down"), ("place", "To this place")])
    place = forms.IntegerField(min_value=1, max_value=100_000, required=False)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("to") == "place" and not cleaned.get("place"):
            self.add_error("place", "Write a number, 1 for the first.")
        return cleaned

    def get_place(self, before: int) -> int:
        """Return the new index of what stood at index `before`."""
        steps = {"up": max(before - 1, 0), "down": before + 1}
        return steps.get(self.cleaned_data["to"], (self.cleaned_data["place"] or 1) - 1)


class TemplateChoiceForm(forms.Form):
    """Which template a group or a sender carries; empty means: what comes next in the order."""

    template = forms.ModelChoiceField(Template.objects.none(), label="Template", required=False)

    def __init__(self, *args: Any, domain: Domain, otherwise: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choice: forms.ModelChoiceField[Template] = self.fields["template"]  # type: ignore[assignment]
        choice.queryset = usable_templates(domain)
        choice.empty_label = otherwise


class BrandForm(forms.ModelForm):
    """What a domain's signatures say about the company."""

    website = forms.URLField(assume_scheme="https", required=False, help_text="It becomes a link.")
    logo_url = forms.URLField(
        label="Logo address",
        assume_scheme="https",
        required=False,
        help_text="An https address that mail clients can load, on a transparent ground.",
    )

    class Meta:
        model = Brand
        fields = ["name", "tagline", "website", "phone", "address", "logo_url", "accent", "legal"]
        widgets = {
            "legal": forms.Textarea(attrs={"rows": 4}),
        }

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        unfit = build_context({f"company.{name}": value for name, value in cleaned.items()}).missing
        for name, value in tuple(cleaned.items()):  # an error takes its value out
            if value and f"company.{name}" in unfit:
                self.add_error(name, ValidationError(f"This cannot be used: {unfit[f'company.{name}']}."))
        return cleaned


class PlanForm(forms.Form):
    """How a delivery is planned."""

    overwrite_edits = forms.BooleanField(
        label="Also overwrite signatures that people edited in Outreach",
        required=False,
        help_text="Without this, an edited signature is kept and listed for you.",
    )
