"""The forms of Django admin's pages about signatures."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import QuerySet

from portal.models import Domain
from signatures.forms.templates import SourceField
from signatures.models import Assignment, Group, Sender, Template
from signatures.rendering.compile import compile_template
from signatures.rendering.context import build_context
from signatures.rendering.errors import TemplateError
from signatures.rendering.fields import FIELDS, Source

OWN_VALUES = {field.name: field for field in FIELDS if field.name.startswith("sender.")}
OVER_OUTREACH = tuple(name for name, field in OWN_VALUES.items() if field.source is Source.OUTREACH)
KEPT_HERE = tuple(name for name, field in OWN_VALUES.items() if field.source is Source.PORTAL)


class _SenderForm(forms.ModelForm):
    """What is kept here for one sender, over what Outreach says; an empty input keeps nothing."""

    class Meta:
        model = Sender
        fields: list[str] = []

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, value in self.instance.own_values.items():
            if name in self.fields:
                self.fields[name].initial = value
        for name in OVER_OUTREACH:
            theirs = getattr(self.instance.person, name.removeprefix("sender."))
            self.fields[name].help_text = f"Outreach says: {theirs}" if theirs else "Empty in Outreach."

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        unfit = build_context(self.get_values()).missing
        for name in OWN_VALUES:
            if cleaned.get(name) and name in unfit:
                self.add_error(name, ValidationError(f"Not valid: {unfit[name]}."))
        return cleaned

    def get_values(self) -> dict[str, str]:
        """Return merge field -> what was typed; '' gives a field back to Outreach."""
        return {name: str(self.cleaned_data.get(name) or "") for name in OWN_VALUES}


# Declared and not added in __init__: the admin lays out only what a form class has.
SenderForm: type[_SenderForm] = type(
    "SenderForm",
    (_SenderForm,),
    {
        name: forms.CharField(
            label=field.label,
            required=False,
            max_length=500,
            help_text=field.doc,
            widget=forms.TextInput(attrs={"class": "vTextField", "autocomplete": "off"}),
        )
        for name, field in OWN_VALUES.items()
    },
)


class TemplateForm(forms.ModelForm):
    """A template and the source of its current version."""

    source = SourceField(
        strip=False,
        max_length=100_000,
        widget=forms.Textarea(
            attrs={
                "class": "vLargeTextField code",
                "rows": 28,
                "spellcheck": "false",
                "autocapitalize": "off",
                "wrap": "off",
            }
        ),
        help_text="HTML with merge fields such as {{ sender.name }}. Saving a changed source makes a new version.",
    )

    base = forms.IntegerField(
        required=False, widget=forms.HiddenInput
    )  # the version this text was begun from

    class Meta:
        model = Template
        fields = ["domain", "name", "description"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        current = self.instance.current
        if current and "source" in self.fields:
            self.fields["source"].initial = current.source
            self.fields["base"].initial = current.number

    def clean_source(self) -> str:
        source = str(self.cleaned_data["source"])
        try:
            compile_template(source)
        except TemplateError as error:
            raise ValidationError(str(error)) from error
        return source

    def clean(self) -> dict[str, Any]:
        """The name is the domain's only one; the constraint alone is not asked where the domain is fixed."""
        cleaned = super().clean() or {}
        domain = cleaned.get("domain") or (self.instance.domain if self.instance.pk else None)
        namesakes = Template.objects.filter(domain=domain, name=cleaned.get("name", ""))
        if self.instance.pk and namesakes.exclude(pk=self.instance.pk).exists():
            self.add_error("name", "A template with this name exists already.")
        current = self.instance.current
        if current and cleaned.get("base") not in (None, current.number):
            words = f"Version {current.number} was saved while you were writing. Compare the two first."
            self.add_error("source", words)
        return cleaned


class AssignmentForm(forms.ModelForm):
    """A template for one group or one sender, all of one domain."""

    class Meta:
        model = Assignment
        fields = ["template", "group", "sender"]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        template = cleaned.get("template")
        group = cleaned.get("group") or (self.instance.group if self.instance.pk else None)
        sender = cleaned.get("sender") or (self.instance.sender if self.instance.pk else None)
        if (group is None) == (sender is None):
            raise ValidationError("Choose either a group or a sender.")
        owner = group or sender
        if template and owner and template.domain_id != owner.domain_id:
            self.add_error("template", f"This template is another domain’s; {owner} is of {owner.domain}.")
        if template and template.archived_at:
            self.add_error("template", "This template is archived. Choose another one.")
        return cleaned


class GroupForm(forms.ModelForm):
    """A group's place in the order, counted from 1; its name where it follows no team."""

    place = forms.IntegerField(
        min_value=1,
        max_value=100_000,
        help_text="1 is the first: for a person in several teams, the earlier group wins.",
    )

    class Meta:
        model = Group
        fields = ["name"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "place" not in self.fields:
            return
        order = list(live_order(self.instance.domain))
        if self.instance.pk in order:
            self.fields["place"].initial = order.index(self.instance.pk) + 1
        else:
            del self.fields["place"]  # the default group is always last, an archived one nowhere


def live_order(domain: Domain) -> QuerySet[Group, int]:
    """Return the ids of the groups that can be ordered, in their order."""
    live = Group.objects.filter(domain=domain, archived_at=None, is_default=False)
    return live.order_by("position", "id").values_list("pk", flat=True)
