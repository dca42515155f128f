"""Template forms: a template and its source, template assignments, and which versions to compare."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from portal.models import Domain
from signatures.models import Group, Template, TemplateVersion
from signatures.rendering.compile import compile_template, unify_line_ends
from signatures.rendering.errors import TemplateError
from signatures.rendering.fields import BUILT_IN
from signatures.senders.vocabulary import get_vocabulary

from .choices import RowsField
from .widgets import LongCheckboxes


def usable_templates(domain: Domain) -> Any:
    """Return the templates that can be chosen in this domain."""
    return Template.objects.filter(domain=domain, archived_at=None)


class SourceField(forms.CharField):
    """A template's source; its length is counted as stored, with line ends of one character."""

    def to_python(self, value: Any) -> str:
        return unify_line_ends(str(super().to_python(value)))


class TemplateForm(forms.ModelForm):
    """A template's name and source; based on its current version by default."""

    source = SourceField(
        label="Source",
        strip=False,
        max_length=100_000,
        widget=forms.Textarea(
            attrs={"class": "code", "rows": 28, "spellcheck": "false", "autocapitalize": "off", "wrap": "off"}
        ),
        help_text="HTML with merge fields such as {{ sender.name }}. An empty value is omitted with its label; "
        "a line with nothing else is omitted, too.",
    )

    base = forms.IntegerField(required=False, widget=forms.HiddenInput)

    class Meta:
        model = Template
        fields = ["name"]

    def __init__(self, *args: Any, domain: Domain | None = None, **kwargs: Any) -> None:
        """domain: the template's; None where the form itself asks for it."""
        super().__init__(*args, **kwargs)
        self._domain = domain or (self.instance.domain if self.instance.pk else None)
        current = self.instance.current
        if current is not None:
            self.initial = {"source": current.source, "base": current.number, **self.initial}

    def clean_source(self) -> str:
        """Refuse a source that does not compile, with line and column."""
        source = str(self.cleaned_data["source"])
        vocabulary = get_vocabulary(self._domain) if self._domain else BUILT_IN
        try:
            compile_template(source, vocabulary)
        except TemplateError as error:
            raise ValidationError(str(error)) from error
        return source

    def clean(self) -> dict[str, Any]:
        """Refuse a duplicate name, and saving over a newer version than the one edited."""
        cleaned = super().clean() or {}
        domain = self._domain or cleaned.get("domain")
        namesakes = Template.objects.filter(domain=domain, name=cleaned.get("name", ""))
        if namesakes.exclude(pk=self.instance.pk or 0).exists():
            self.add_error("name", "A template with this name exists already.")
        current = self.instance.current
        if current is not None and cleaned.get("base") not in (None, current.number):
            self.add_error(
                "source",
                f"{current.created_by_label or 'Someone'} saved version {current.number} while you were editing. "
                "Your text is kept below: compare the two, then save again to replace it.",
            )
        return cleaned


class TemplateChoiceForm(forms.Form):
    """The template of a group or sender; empty: inherited. The assigned one is first."""

    template = forms.ModelChoiceField(Template.objects.none(), label="Template", required=False)

    def __init__(self, *args: Any, domain: Domain, otherwise: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choice: forms.ModelChoiceField[Template] = self.fields["template"]  # type: ignore[assignment]
        choice.queryset = usable_templates(domain)
        choice.empty_label = otherwise
        if "template" in self.initial:
            used = self.initial["template"] or ""
            choice.choices = sorted(iter(choice.iterator(choice)), key=lambda one: one[0] != used)


class AssignableRowsField(RowsField):
    """Groups, labelled with their present template."""

    def label_from_instance(self, obj: Group) -> str:
        assignment = getattr(obj, "assignment", None)
        if assignment is None:
            return f"{obj} (now {'none' if obj.is_default else 'inherited'})"
        return f"{obj} (now {assignment.template})"


class GroupsChoiceForm(forms.Form):
    """Further groups for a template."""

    groups = AssignableRowsField(
        Group.objects.none(),
        widget=LongCheckboxes,
        error_messages={"required": "Select at least one group."},
    )

    def __init__(self, *args: Any, template: Template, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choice: forms.ModelMultipleChoiceField[Group] = self.fields["groups"]  # type: ignore[assignment]
        groups = Group.objects.filter(domain=template.domain_id, archived_at=None)
        others = groups.exclude(assignment__template=template).select_related("assignment__template")
        choice.queryset = others.defer("team_ids", "rule", "company_values", "field_values")
        # Read once, for whether there are any and for their boxes.
        self.offered = list(choice.queryset)
        choice.choices = [(group.pk, choice.label_from_instance(group)) for group in self.offered]


class CompareForm(forms.Form):
    """Which two versions of a template to compare, and as whom and where they are shown."""

    old = forms.TypedChoiceField(label="From", coerce=int, required=False)
    new = forms.TypedChoiceField(label="To", coerce=int, required=False)
    sender = forms.CharField(
        label="Shown as",
        max_length=254,
        required=False,
        widget=forms.TextInput(
            {"list": "compare-senders", "placeholder": "Sample sender", "autocomplete": "off"}
        ),
    )
    view = forms.ChoiceField(
        label="Background", choices=[("light", "Light"), ("dark", "Dark")], required=False
    )
    width = forms.ChoiceField(label="Width", choices=[("", "Desktop"), ("phone", "Mobile")], required=False)

    def __init__(self, query: Mapping[str, Any], *, template: Template) -> None:
        numbers = list(template.versions.values_list("number", flat=True))
        current = template.current.number if template.current else 0
        new = query.get("new", str(current))
        earlier = [number for number in numbers if not new.isdecimal() or number < int(new)]
        old = query.get("old", str(earlier[0] if earlier else current))
        super().__init__({**{name: query[name] for name in query}, "old": old, "new": new})
        for name in ("old", "new"):
            self.fields[name].choices = [(number, f"Version {number}") for number in numbers]  # type: ignore[attr-defined]
        self._template = template
        self.is_valid()

    def get(self, name: str) -> str:
        """Return what was asked for, '' where it cannot be used."""
        return str(self.cleaned_data.get(name) or "")

    def find_versions(self) -> tuple[TemplateVersion | None, TemplateVersion | None]:
        """Return both versions; None for one that does not exist."""
        found = {each.number: each for each in self._template.versions.filter(number__in=self._numbers)}
        old, new = (found.get(number) for number in self._numbers)
        return old, new

    @property
    def _numbers(self) -> list[int]:
        return [self.cleaned_data.get(name) or 0 for name in ("old", "new")]
