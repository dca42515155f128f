"""Media forms: uploads, filters, name and alt text, crops, and the choice of an image for a value."""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from portal.models import Domain
from signatures.media.addresses import has_usable_urls
from signatures.media.encoding import MAX_UPLOAD_BYTES
from signatures.media.library import list_images
from signatures.media.pictures import LEAST_SIDE, Crop
from signatures.models import MediaImage, MediaKind

MOST_FILES = 5
ACCEPTED = "image/png,image/jpeg,image/gif,image/webp"
_FILE_HELP = (
    f"PNG, JPEG or WebP, at most {MAX_UPLOAD_BYTES // 1_000_000} MB each. "
    "Location and camera data are removed."
)


class _FilesInput(forms.FileInput):
    allow_multiple_selected = True


class FilesField(forms.FileField):
    """Up to MOST_FILES files."""

    widget = _FilesInput(attrs={"accept": ACCEPTED, "multiple": True})

    def clean(self, data: Any, initial: Any = None) -> Any:
        files = [super(FilesField, self).clean(one, initial) for one in data or [None]]
        if len(files) > MOST_FILES:
            raise ValidationError(f"Select at most {MOST_FILES} files at once.")
        return files


class UploadForm(forms.Form):
    """Files of one kind; each is named after its file."""

    kind = forms.ChoiceField(label="Kind", choices=MediaKind.choices, initial=MediaKind.IMAGE)
    images = FilesField(label="Files", help_text=_FILE_HELP)


class MediaFilters(forms.Form):
    """Filters of the list of media; invalid ones are ignored."""

    q = forms.CharField(label="Name", required=False, max_length=120, widget=forms.SearchInput)
    kind = forms.ChoiceField(label="Kind", required=False, choices=[("", "Any kind"), *MediaKind.choices])
    state = forms.ChoiceField(
        label="State", required=False, choices=[("", "Available"), ("removed", "Removed")]
    )

    def get_choices(self) -> dict[str, Any]:
        """Return the arguments for `library.list_images`."""
        self.is_valid()
        chosen = self.cleaned_data
        return {
            "words": chosen.get("q") or "",
            "kind": chosen.get("kind") or "",
            "is_removed": chosen.get("state") == "removed",
        }


class MediumForm(forms.ModelForm):
    """An image's name and alt text."""

    class Meta:
        model = MediaImage
        fields = ["name", "alt"]
        help_texts = {
            "alt": "What recipients without images see, for whoever puts the image into a template."
        }


class CropForm(forms.Form):
    """A part of an image, in pixels of its source."""

    x = forms.IntegerField(label="Left", min_value=0)
    y = forms.IntegerField(label="Top", min_value=0)
    width = forms.IntegerField(label="Width", min_value=LEAST_SIDE)
    height = forms.IntegerField(label="Height", min_value=LEAST_SIDE)

    def __init__(self, *args: Any, image: MediaImage, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, most in (
            ("x", image.source_width - LEAST_SIDE),
            ("y", image.source_height - LEAST_SIDE),
            ("width", image.source_width),
            ("height", image.source_height),
        ):
            self.fields[name].widget.attrs["max"] = most

    def get_crop(self) -> Crop:
        return Crop(**{name: self.cleaned_data[name] for name in ("x", "y", "width", "height")})


class MediaChoiceForm(forms.Form):
    """An image of one kind, or a new one, in place of the address typed in another field."""

    medium = forms.ModelChoiceField(
        MediaImage.objects.none(),
        label="Choose from Media",
        required=False,
        empty_label="Keep the address above",
    )
    upload = forms.FileField(
        label="Or upload",
        required=False,
        widget=forms.FileInput(attrs={"accept": ACCEPTED}),
        help_text=_FILE_HELP,
    )

    def __init__(self, data: Any = None, files: Any = None, *, domain: Domain, kind: str) -> None:
        super().__init__(data, files, prefix="media")
        self.fields["medium"].queryset = list_images(domain, kind=kind)  # type: ignore[attr-defined]
        self.kind = MediaKind(kind).label.lower()

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if (cleaned.get("medium") or cleaned.get("upload")) and not has_usable_urls():
            raise ValidationError(
                "Mail programs load images by https alone, and this portal has no https address. "
                "An operator sets PUBLIC_URL."
            )
        return cleaned


def name_after(file_name: str) -> str:
    """Return the name of an image for the name of its file."""
    stem = PurePath(file_name.replace("\\", "/")).name.rpartition(".")[0] or file_name
    words = re.sub(r"[\W_]+", " ", stem).strip()[:120]
    return words or "Image"
