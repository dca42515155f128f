"""Field forms: what is said about one merge field, and a new custom field."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from phonenumbers import SUPPORTED_REGIONS

from signatures.models import FieldSetting
from signatures.rendering.cleanup import LONGEST_PART, MOST_REPLACEMENTS, CleanUp
from signatures.rendering.context import build_context
from signatures.rendering.dates import list_date_formats
from signatures.rendering.fields import BUILT_IN, CUSTOM_KINDS, Field, Source, Trust, Vocabulary
from signatures.senders.field_words import CASE_WORDS, PHONE_WORDS, say_order
from signatures.senders.value_sources import (
    COMPANY,
    COMPANY_VALUES,
    GROUP,
    IMPORT,
    OF_ONE_PERSON,
    OUTREACH,
    OVERRIDE,
    USUAL_ORDER,
)

_TEXTS = (Trust.TEXT, Trust.LONG_TEXT)
_ORDERS = (
    USUAL_ORDER,
    (OVERRIDE, OUTREACH, IMPORT),
    (IMPORT, OVERRIDE, OUTREACH),
    (OUTREACH, OVERRIDE, IMPORT),
)
_GROUP_PLACES = (
    ("", "After the sources above"),
    (OUTREACH, "Before Outreach"),
    (GROUP, "Before all of them"),
)
_ARROW = "=>"
_CLEAN_UP = [one.name for one in fields(CleanUp)]


class ReplacementsField(forms.CharField):
    """Pairs, one on a line: what is found => what stands there then."""

    widget = forms.Textarea(attrs={"rows": 3, "spellcheck": "false"})

    def prepare_value(self, value: Any) -> Any:
        return (
            value
            if isinstance(value, str)
            else "\n".join(f"{find} {_ARROW} {put}" for find, put in value or ())
        )

    def to_python(self, value: Any) -> Any:
        pairs = []
        for line in filter(None, map(str.strip, str(value or "").splitlines())):
            find, arrow, put = (part.strip() for part in line.partition(_ARROW))
            if not find or not arrow or max(len(find), len(put)) > LONGEST_PART:
                raise ValidationError(
                    f"Write each as “find {_ARROW} replace”, each part at most {LONGEST_PART} characters long."
                )
            pairs.append((find, put))
        if len(pairs) > MOST_REPLACEMENTS:
            raise ValidationError(f"There can be at most {MOST_REPLACEMENTS} replacements.")
        return tuple(pairs)


class FieldForm(forms.ModelForm):
    """Everything that a domain can say about one field; which inputs there are depends on the field."""

    order = forms.ChoiceField(label="Source order", required=False)
    group_stands = forms.ChoiceField(label="A group’s value comes", required=False, choices=_GROUP_PLACES)
    company_stands_in = forms.BooleanField(label="If all are empty, take the company’s value", required=False)
    taken_from = forms.ChoiceField(
        label="Value comes from",
        required=False,
        help_text="Another field of Outreach, such as a custom one in which it is kept.",
    )
    date_format = forms.ChoiceField(required=False)
    trim = forms.BooleanField(
        label="Trim",
        required=False,
        help_text="Takes away blanks and stray commas at the ends, and repeated blanks.",
    )
    replacements = ReplacementsField(
        label="Find and replace",
        required=False,
        help_text=f"One on a line: Sr. {_ARROW} Senior. Capital and small letters are found alike.",
    )
    letter_case = forms.ChoiceField(required=False, choices=[("", "As it is"), *CASE_WORDS.items()])
    phone = forms.ChoiceField(
        label="Phone format", required=False, choices=[("", "As it is"), *PHONE_WORDS.items()]
    )
    region = forms.CharField(
        required=False,
        max_length=2,
        help_text="Two letters, such as US or DE: the country of numbers without a country code. "
        "Empty: that of the sender or the company.",
    )

    class Meta:
        model = FieldSetting
        fields = ["label", "help", "default", "is_required", "edited_by"]
        help_texts = {
            "label": "Empty: as it is built in.",
            "help": "Shown beside the input.",
            "default": "Stands in for an empty value.",
            "is_required": "A mailbox of somebody without a value is not written.",
            "edited_by": "Takes effect at once. Owners and admins change it.",
        }

    def __init__(
        self, *args: Any, field: Field, vocabulary: Vocabulary, is_admin: bool, **kwargs: Any
    ) -> None:
        """field: which one it is about. is_admin: whether the person may say who edits it."""
        super().__init__(*args, **kwargs)
        self._field = field
        is_outreach, trust = field.source is Source.OUTREACH, field.trust
        built_in = BUILT_IN.by_name.get(field.name)
        self.fields["label"].widget.attrs["placeholder"] = built_in.label if built_in else ""
        self.fields["label"].required = built_in is None
        self.fields["edited_by"].disabled = not is_admin
        self._choose_sources(vocabulary, is_outreach)
        kept = {
            "date_format": trust is Trust.DATE,
            "trim": trust in _TEXTS,
            "replacements": trust in _TEXTS,
            "letter_case": trust in _TEXTS,
            "phone": trust is Trust.PHONE,
            "region": trust is Trust.PHONE,
            "group_stands": field.name not in OF_ONE_PERSON,
            "company_stands_in": field.name in COMPANY_VALUES,
            "default": field.name not in ("sender.email", "sender.name"),
        }
        for name, is_kept in kept.items():
            if not is_kept:
                del self.fields[name]
        clean_up = CleanUp.from_json(self.instance.clean_up)
        self.initial.update({name: getattr(clean_up, name) for name in _CLEAN_UP})
        self.initial["date_format"] = self.instance.date_format
        if "date_format" in self.fields:
            formats: Any = self.fields["date_format"]
            formats.choices = [("", "As all fields with a date"), *list_date_formats()]

    def _choose_sources(self, vocabulary: Vocabulary, is_outreach: bool) -> None:
        orders: Any = self.fields["order"]
        orders.choices = [(",".join(order), say_order(order)) for order in _ORDERS]
        stored = tuple(self.instance.order) or USUAL_ORDER
        self.initial["order"] = ",".join(source for source in stored if source not in (GROUP, COMPANY))
        self.initial["group_stands"] = _find_group_place(stored)
        self.initial["company_stands_in"] = COMPANY in stored
        others: Any = self.fields["taken_from"]
        trust = self._field.trust
        fits = [
            one
            for one in vocabulary.of_senders(Source.OUTREACH)
            if one.name != self._field.name and (one.trust is trust or one.trust is Trust.TEXT)
        ]
        own = f"{self._field.label} in Outreach" if is_outreach else "None, local values only"
        others.choices = [("", own), *((one.name, f"{one.label} ({one.name})") for one in fits)]
        self.initial["taken_from"] = self.instance.taken_from

    def clean_default(self) -> str:
        default = str(self.cleaned_data["default"]).strip()
        unfit = (
            build_context({self._field.name: default}, Vocabulary((self._field,))).missing if default else {}
        )
        if unfit:
            raise ValidationError(f"Not valid: {unfit[self._field.name]}.")
        return default

    def clean_region(self) -> str:
        region = str(self.cleaned_data["region"]).strip().upper()
        if region and region not in SUPPORTED_REGIONS:
            raise ValidationError("Enter the two letters of a country, such as US or DE.")
        return region

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        setting = self.instance
        order = tuple(filter(None, str(cleaned.get("order") or "").split(",")))
        if place := cleaned.get("group_stands"):
            order = order or USUAL_ORDER
            at = 0 if place == GROUP else order.index(OUTREACH)
            order = (*order[:at], GROUP, *order[at:])
        if cleaned.get("company_stands_in"):
            order = (*(order or USUAL_ORDER), COMPANY)
        setting.order = [] if order == USUAL_ORDER else list(order)
        setting.taken_from = cleaned.get("taken_from") or ""
        setting.date_format = cleaned.get("date_format") or ""
        parts = {name: cleaned[name] for name in _CLEAN_UP if cleaned.get(name)}
        setting.clean_up = CleanUp(**parts).to_json()
        return cleaned


def _find_group_place(order: tuple[str, ...]) -> str:
    """Return which of `_GROUP_PLACES` a stored order says."""
    if GROUP not in order:
        return ""
    return GROUP if order[0] == GROUP else OUTREACH


class DateFormatForm(forms.Form):
    """How custom fields with a date show it that say nothing else. The first format is kept as ''."""

    date_format = forms.ChoiceField(label="Date format", choices=list_date_formats)

    def get_format(self) -> str:
        """Return the chosen format of a valid form, '' for the first."""
        chosen, (first, _) = str(self.cleaned_data["date_format"]), list_date_formats()[0]
        return "" if chosen == first else chosen


class NewFieldForm(forms.Form):
    """A custom field: its kind never changes, as templates are checked with it."""

    label = forms.CharField(max_length=80)
    kind = forms.ChoiceField(choices=[(kind, label) for kind, (label, _) in CUSTOM_KINDS.items()])
    help = forms.CharField(max_length=255, required=False, help_text="Shown beside the input.")
