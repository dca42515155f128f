"""Campaign forms: campaigns, banners, the banner slot, and the input of “Explain banner”."""

from __future__ import annotations

from copy import copy
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Q
from django.utils import timezone

from portal.models import Domain
from signatures.campaigns.banners import BannerDetails, PlaceDetails
from signatures.campaigns.checks import check_campaign, check_place
from signatures.campaigns.details import read_details
from signatures.campaigns.editing import Details
from signatures.campaigns.images import cut_picture
from signatures.campaigns.links import LinkRefused, check_link
from signatures.media.encoding import ImageRefused
from signatures.models import Banner, BannerImage, BannerPlace, Campaign, Group, Sender
from signatures.senders.listing import SenderNotChosen, choose_sender

from .choices import RowsField
from .walltime import WallTimeField, describe_repetition, to_moment, to_wall
from .widgets import LongCheckboxes


class CampaignForm(forms.ModelForm):
    """A campaign's name, time, senders, order, cap and UTM parameters."""

    starts_at = WallTimeField(label="Starts")
    ends_at = WallTimeField(label="Ends", required=False, help_text="Empty: no end date.")
    groups = RowsField(
        Group.objects.none(),
        label="Sender groups",
        required=False,
        widget=LongCheckboxes,
        help_text="None selected: all senders.",
    )

    class Meta:
        model = Campaign
        fields = [
            "name", "starts_at", "ends_at", "groups", "priority", "cap_times", "cap_days",
            "utm_source", "utm_medium", "utm_campaign",
        ]  # fmt: skip
        labels = {
            "cap_times": "Max. impressions per recipient",
            "cap_days": "Period (days)",
            "utm_source": "utm_source",
            "utm_medium": "utm_medium",
            "utm_campaign": "utm_campaign",
        }
        help_texts = {
            "priority": "The higher number wins; at the same priority, the older campaign. Empty: automatic, "
            "campaigns with sender groups or an audience above those for everyone.",
            "cap_times": "For known recipients. Empty: no frequency cap.",
            "cap_days": "Such as 7.",
            "utm_campaign": "Such as spring-webinar.",
        }

    def __init__(self, *args: Any, domain: Domain | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.notes: list[str] = []  # what was understood in one of two ways
        self._domain = domain or (self.instance.domain if self.instance.domain_id else None)
        zone = ZoneInfo(self._domain.time_zone if self._domain else "UTC")
        groups: forms.ModelMultipleChoiceField[Group] = self.fields["groups"]  # type: ignore[assignment]
        if self._domain is not None:
            # A group that was archived meanwhile stays ticked until somebody unticks it.
            mine = Q(domain=self._domain) & (Q(archived_at=None) | Q(campaigns=self.instance.pk or 0))
            groups.queryset = Group.objects.filter(mine).distinct()
            self.fields["starts_at"].help_text = f"Time zone: {zone.key}."
        if "priority" in self.fields:  # not in Django admin of an archived campaign
            self.fields["priority"].required = False
        if self.instance.pk is None or self.instance.has_automatic_priority:
            self.initial["priority"] = None
        self.initial["starts_at"] = to_wall(self.instance.starts_at or timezone.now(), zone)
        self.initial["ends_at"] = to_wall(self.instance.ends_at, zone) if self.instance.ends_at else None

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        domain = self._domain or cleaned.get("domain")
        if domain is None:
            return cleaned
        zone = ZoneInfo(domain.time_zone)
        for name in ("starts_at", "ends_at"):
            if name in cleaned:
                if cleaned[name] and (note := describe_repetition(cleaned[name], zone)):
                    self.notes.append(note)
                moment = to_moment(self, name, zone)
                if name in self.cleaned_data:
                    self.cleaned_data[name] = moment
        for name, words in check_campaign(self.cleaned_data).items():
            self.add_error(name, words)
        if any(group.domain_id != domain.pk for group in cleaned.get("groups") or ()):
            self.add_error("groups", "Choose groups of this domain.")
        return self.cleaned_data

    def get_details(self) -> Details:
        return read_details(Details, self.cleaned_data)


def clean_link_of(form: forms.BaseForm, name: str) -> str:
    """Return the typed link as it is stored, '' for none. Raises ValidationError."""
    link = str(form.cleaned_data.get(name) or "")
    try:
        return check_link(link) if link else ""
    except LinkRefused as error:
        raise ValidationError(error.message) from error


def cut_for(place: BannerPlace, upload: Any) -> BannerImage:
    """Return an uploaded image cropped to the slot; nothing is stored. Raises ValidationError."""
    try:
        return cut_picture(upload, domain=place.domain, width=place.width, height=place.height)
    except ImageRefused as error:
        raise ValidationError(error.message) from error


class BannerForm(forms.ModelForm):
    """A banner's image, alt text, link and traffic share."""

    picture = forms.FileField(label="Image", widget=forms.FileInput(attrs={"accept": "image/*"}))
    link = forms.CharField(
        label="Link",
        max_length=2000,
        widget=forms.TextInput(attrs={"type": "url", "placeholder": "https://"}),
        help_text="https only. The campaign’s UTM parameters are added unless the link has its own.",
    )

    class Meta:
        model = Banner
        fields = ["name", "picture", "alt", "link", "weight", "utm_content"]
        labels = {"alt": "Alt text", "utm_content": "utm_content", "weight": "Traffic share (weight)"}
        help_texts = {
            "name": "Shown here and in results.",
            "weight": "Relative to the campaign’s other banners: 2 gets twice the share of 1.",
            "utm_content": "Identifies the banner in your web analytics.",
        }

    def __init__(self, *args: Any, place: BannerPlace, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._place = place
        size = f"{2 * place.width} × {2 * place.height}"
        self.fields["picture"].required = self.instance.pk is None
        self.fields["picture"].help_text = (
            f"PNG, JPEG, GIF or WebP, ideally {size} pixels: shown at {place.width} × {place.height} "
            "and cropped to that from its centre."
        )

    def clean_link(self) -> str:
        return clean_link_of(self, "link")

    def clean_picture(self) -> BannerImage | None:
        """Return the image cropped to the slot, not stored yet; None keeps the present one."""
        upload = self.cleaned_data["picture"]
        return cut_for(self._place, upload) if upload else None

    def get_details(self) -> BannerDetails:
        return read_details(BannerDetails, self.cleaned_data)


class PlaceForm(forms.ModelForm):
    """The banner slot and its default banner."""

    picture = forms.FileField(
        label="Default image", required=False, widget=forms.FileInput(attrs={"accept": "image/*"})
    )
    drop_picture = forms.BooleanField(label="Remove default image", required=False)
    default_link = forms.CharField(
        label="Default link",
        required=False,
        max_length=2000,
        widget=forms.TextInput(attrs={"type": "url", "placeholder": "https://"}),
        help_text="Link of the default banner. Empty: the company’s website.",
    )

    class Meta:
        model = BannerPlace
        fields = [
            "is_on", "width", "height", "alt", "picture", "drop_picture", "default_alt", "default_link",
        ]  # fmt: skip
        labels = {
            "is_on": "Banner slot on",
            "alt": "Alt text of the slot",
            "default_alt": "Alt text of the default image",
        }
        help_texts = {
            "is_on": "In every template that has a banner slot.",
            "width": "In pixels, 120 to 600.",
            "height": "In pixels, 40 to 300.",
            "alt": "Part of the signature, so it is the same for every banner. Empty: none.",
        }

    def clean_default_link(self) -> str:
        return clean_link_of(self, "default_link")

    def _post_clean(self) -> None:
        """Check image and size after the model's limits of width and height."""
        before = copy(self.instance)
        super()._post_clean()  # type: ignore[misc]  # Django's stubs leave it out
        has_size = not {"width", "height"} & self.errors.keys()
        upload = self.cleaned_data.get("picture")
        image = None if self.cleaned_data["drop_picture"] else before.default_image
        if upload:
            try:
                image = self.cleaned_data["picture"] = cut_for(self.instance if has_size else before, upload)
            except ValidationError as error:
                self.add_error("picture", error)
                return
        if has_size:
            size = {name: self.cleaned_data[name] for name in ("width", "height")}
            for name, words in check_place(before, **size, default_image=image).items():
                self.add_error(name, words)

    def get_details(self) -> PlaceDetails:
        return read_details(PlaceDetails, self.cleaned_data)


class WhyForm(forms.Form):
    """Sender, recipients and time of a selection."""

    sender = forms.CharField(
        label="Sender",
        max_length=255,
        widget=forms.TextInput(attrs={"list": "senders", "autocomplete": "off"}),
        help_text="Name or e-mail address, or part of it.",
    )
    at = WallTimeField(label="Date and time", required=False)

    def __init__(self, *args: Any, domain: Domain, recipients: int = 1, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._domain = domain
        zone = ZoneInfo(domain.time_zone)
        self.fields["at"].help_text = f"Past or future, time zone {zone.key}. Empty: now."
        for number in range(1, recipients + 1):
            self.fields[f"recipient{number}"] = forms.EmailField(
                label="Recipient" if recipients == 1 else f"Recipient {number}",
                required=False,
                max_length=320,
                widget=forms.EmailInput(attrs={"autocomplete": "off"}),
                help_text="Empty: unknown recipient.",
            )

    def clean_sender(self) -> Sender:
        try:
            return choose_sender(self._domain, str(self.cleaned_data["sender"]))
        except SenderNotChosen as error:
            raise ValidationError(str(error)) from error

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if "at" in cleaned:
            moment = to_moment(self, "at", ZoneInfo(self._domain.time_zone))
            if "at" in self.cleaned_data:
                self.cleaned_data["at"] = moment or timezone.now()
        return self.cleaned_data

    def get_recipients(self) -> list[str]:
        """Return each typed address, '' for unknown, in order."""
        return [value or "" for name, value in self.cleaned_data.items() if name.startswith("recipient")]
