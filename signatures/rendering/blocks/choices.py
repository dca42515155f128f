"""Choices: what blocks may hold and be set to, by the name in a setting and the label in a form."""

from __future__ import annotations

from collections.abc import Mapping

from signatures.rendering.fields import CUSTOM_PREFIX

from .settings import Choices

GAPS: Choices = (("tight", "Tight"), ("normal", "Normal"), ("wide", "Wide"))
ALWAYS = ("", "Always")
# Contact field -> its label, and the letter that may stand for it.
CONTACT_FIELDS: dict[str, tuple[str, str]] = {
    "sender.phone": ("Phone", "P"),
    "sender.mobile": ("Mobile", "M"),
    "sender.email": ("E-mail", "E"),
    "company.website": ("Website", "W"),
    "sender.linkedin_url": ("LinkedIn", "in"),
    "sender.calendar_url": ("Book a time", "C"),
    "company.phone": ("Office", "O"),
    "company.address": ("Address", "A"),
    "sender.location": ("Location", ""),
    "sender.office_address": ("Office address", ""),
    "sender.custom1": ("Custom 1", ""),
    "sender.custom2": ("Custom 2", ""),
    "sender.custom3": ("Custom 3", ""),
    "sender.custom4": ("Custom 4", ""),
    "sender.custom5": ("Custom 5", ""),
}
NETWORKS: Choices = (
    ("linkedin", "LinkedIn"),
    ("x", "X"),
    ("facebook", "Facebook"),
    ("instagram", "Instagram"),
    ("youtube", "YouTube"),
    ("tiktok", "TikTok"),
    ("threads", "Threads"),
    ("bluesky", "Bluesky"),
    ("mastodon", "Mastodon"),
    ("github", "GitHub"),
    ("xing", "Xing"),
    ("website", "Website"),
)
DECORATION = "decoration"
NO_NAMES: Mapping[str, str] = {}
_BRACES = str.maketrans("{}", "()")  # so that no label can write a field or a tag


def name_contact(field: str, names: Mapping[str, str] = NO_NAMES) -> tuple[str, str]:
    """Return a contact field's label and letter. names: labels of custom fields; without one, the words of the name."""
    slug = field.removeprefix(CUSTOM_PREFIX).partition("_")[2]
    own = names.get(field) or slug.replace("_", " ").capitalize()
    return CONTACT_FIELDS.get(field) or (own.translate(_BRACES), "")
