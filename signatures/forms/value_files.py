"""Value file forms: a file or pasted text, how it is read, and the fields of an export."""

from __future__ import annotations

import io
from typing import Any, BinaryIO

from django import forms

from portal.csv_import import ENCODINGS, SEPARATORS, Format
from portal.models import Domain
from signatures.models import SenderImport
from signatures.rendering.fields import Field, Source
from signatures.senders.many_values import list_importable_fields
from signatures.value_files.columns import ADDRESS, SKIP
from signatures.value_files.reading import MAX_FILE_BYTES, Choices

MAX_PASTED = 2_000_000  # characters: what a form may hold


class UploadForm(forms.Form):
    """A file, or rows copied from a spreadsheet."""

    file = forms.FileField(
        label="File",
        required=False,
        widget=forms.FileInput(attrs={"accept": ".csv,.tsv,.txt,text/csv,text/tab-separated-values"}),
        help_text="CSV or TSV, up to 25 MB and 100,000 rows. One column holds the senders’ e-mail addresses.",
    )
    text = forms.CharField(
        label="Or paste rows",
        required=False,
        strip=False,
        max_length=MAX_PASTED,
        widget=forms.Textarea(attrs={"rows": 5, "wrap": "off", "spellcheck": "false"}),
        help_text="Copied from a spreadsheet, with the row of headings.",
    )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        file, text = cleaned.get("file"), (cleaned.get("text") or "").strip()
        if not self.errors and bool(file) == bool(text):
            self.add_error(
                "file", "Choose a file or paste rows, not both." if file else "Choose a file, or paste rows."
            )
        if file and file.size > MAX_FILE_BYTES:
            self.add_error("file", f"The file is larger than {MAX_FILE_BYTES // 1_000_000} MB. Split it.")
        return cleaned

    def open(self) -> tuple[BinaryIO, str]:
        """Return what is to be read, and its name."""
        file = self.cleaned_data["file"]
        if file:
            return file.file, file.name
        return io.BytesIO(self.cleaned_data["text"].encode()), "Pasted rows"


class ReadingForm(forms.Form):
    """How a file is read: encoding, separator, heading, empty cells, and the field of each column."""

    separator = forms.ChoiceField(label="Separator")
    encoding = forms.ChoiceField(label="Encoding")
    removes_empty = forms.ChoiceField(
        label="Empty cells", choices=[("", "Leave the value"), ("1", "Remove the value")], required=False
    )
    has_heading = forms.BooleanField(label="The first row is a heading", required=False)

    def __init__(self, *args: Any, sender_import: SenderImport, **kwargs: Any) -> None:
        self._import = sender_import
        super().__init__(*args, **kwargs)
        self.initial = {
            "separator": sender_import.separator,
            "encoding": sender_import.encoding,
            "has_heading": sender_import.has_heading,
            "removes_empty": "1" if sender_import.removes_empty else "",
        }
        self._offer("separator", SEPARATORS, sender_import.separator)
        self._offer("encoding", ENCODINGS, sender_import.encoding)
        fields = list_importable_fields(sender_import.domain)
        choices = [
            (SKIP, "Skip this column"),
            (ADDRESS, "E-mail"),
            *((one.name, one.label) for one in fields),
        ]
        for at, (heading, column) in enumerate(
            zip(sender_import.headings, sender_import.columns, strict=True)
        ):
            self.fields[f"column_{at}"] = forms.ChoiceField(
                label=f"Field for {heading}", choices=choices, required=False, initial=column
            )

    def _offer(self, name: str, known: dict[str, str], present: str) -> None:
        choices = known if present in known else known | {present: present}
        self.fields[name].choices = list(choices.items())  # type: ignore[attr-defined]  # a ChoiceField

    def list_columns(self) -> list[forms.BoundField]:
        """Return the inputs of the columns, in the file's order."""
        return [self[f"column_{at}"] for at in range(len(self._import.columns))]

    def get_choices(self) -> Choices:
        """Return what was chosen."""
        chosen = self.cleaned_data
        return Choices(
            Format(chosen["encoding"], chosen["separator"]),
            has_heading=chosen["has_heading"],
            columns=tuple(chosen[field.name] for field in self.list_columns()),
            removes_empty=bool(chosen["removes_empty"]),
        )


class ExportForm(forms.Form):
    """The fields of an export; local ones where nothing is said."""

    field = forms.MultipleChoiceField(
        label="Columns",
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="Beside e-mail and name.",
    )

    def __init__(self, *args: Any, domain: Domain, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._fields = list_importable_fields(domain)
        offered = self.fields["field"]
        offered.choices = [(one.name, one.label) for one in self._fields]  # type: ignore[attr-defined]  # as above
        offered.initial = [one.name for one in self._fields if one.source is Source.PORTAL]

    def get_fields(self) -> list[Field]:
        """Return the chosen fields in the table's order."""
        chosen = self.cleaned_data.get("field") or self.fields["field"].initial
        return [one for one in self._fields if one.name in chosen]
