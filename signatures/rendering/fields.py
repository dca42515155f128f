"""Merge fields: the vocabulary of those a template may use, each with the trust class of its value."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from functools import cached_property, lru_cache


class Trust(StrEnum):
    """The format of a field's value.

    No value is trusted to be markup: every value is escaped. The class decides which values are valid,
    and where in a template the field may be used.
    """

    TEXT = "text"
    LONG_TEXT = "long text"
    EMAIL = "email"
    URL = "url"
    IMAGE = "image"
    PHONE = "phone"
    DATE = "date"
    COLOUR = "colour"
    NUMBER = "number"
    PLACE = "place"


class Source(StrEnum):
    """Where the value is maintained."""

    OUTREACH = "outreach"
    PORTAL = "portal"
    COMPANY = "company"
    GROUP = "group"
    BANNER = "banner"


@dataclass(frozen=True)
class Field:
    """One merge field, written `{{ name }}` in a template."""

    name: str
    label: str
    trust: Trust
    source: Source
    sample: str
    doc: str
    date_format: str = ""
    is_removed: bool = False

    @property
    def is_custom(self) -> bool:
        """Whether it is of one domain's own, and not built in."""
        return get_custom_trust(self.name) is not None


# The kinds of custom fields, each with what its name begins with. A kind is part of the name, so that a name never
# gets a value of another class than the templates that use it were checked with.
CUSTOM_PREFIX = "sender.x_"
CUSTOM_KINDS: dict[str, tuple[str, Trust]] = {
    "text": ("Text", Trust.TEXT),
    "long": ("Long text", Trust.LONG_TEXT),
    "phone": ("Phone", Trust.PHONE),
    "url": ("URL", Trust.URL),
    "email": ("E-mail", Trust.EMAIL),
    "image": ("Image", Trust.IMAGE),
    "date": ("Date", Trust.DATE),
}
CUSTOM_SAMPLES = {
    Trust.TEXT: "Sample text",
    Trust.LONG_TEXT: "Sample text of several words",
    Trust.PHONE: "+1 (415) 555-0123",
    Trust.URL: "https://www.acme.example/sample",
    Trust.EMAIL: "sample@acme.example",
    Trust.IMAGE: "https://images.acme.example/sample.png",
    Trust.DATE: "2026-03-01",
}
_CUSTOM_NAME = re.compile(rf"{re.escape(CUSTOM_PREFIX)}({'|'.join(CUSTOM_KINDS)})_[a-z0-9_]{{1,40}}")


@lru_cache(maxsize=1024)
def get_custom_trust(name: str) -> Trust | None:
    """Return the trust class that the name of a custom field says, or None for any other name."""
    found = _CUSTOM_NAME.fullmatch(name)
    return CUSTOM_KINDS[found[1]][1] if found else None


def get_trust(name: str) -> Trust | None:
    """Return the trust class of a built-in or custom field, or None for any other name."""
    built_in = BUILT_IN.by_name.get(name)
    return built_in.trust if built_in else get_custom_trust(name)


@dataclass(frozen=True)
class Vocabulary:
    """The merge fields of one domain, or the built-in ones.

    own_origin: of a portal beside a sandbox, whose images' addresses fit without https; '' for every other.
    """

    fields: tuple[Field, ...]
    own_origin: str = ""

    @cached_property
    def by_name(self) -> dict[str, Field]:
        return {field.name: field for field in self.fields}

    @cached_property
    def by_owner(self) -> dict[str, list[tuple[Field, str]]]:
        """First part of a name -> each of its fields with the second part."""
        found: dict[str, list[tuple[Field, str]]] = {}
        for field in self.fields:
            owner, _, name = field.name.partition(".")
            found.setdefault(owner, []).append((field, name))
        return found

    @cached_property
    def sample_values(self) -> dict[str, str]:
        """Every field with its sample value."""
        return {field.name: field.sample for field in self.fields}

    def with_trust(self, *trusts: Trust) -> tuple[Field, ...]:
        return tuple(field for field in self.fields if field.trust in trusts)

    def of_senders(self, *sources: Source) -> tuple[Field, ...]:
        """Return the fields of a person without removed ones; with `sources`, those that are maintained there."""
        return tuple(
            field
            for field in self.fields
            if field.name.startswith("sender.")
            and not field.is_removed
            and (not sources or field.source in sources)
        )

    def nearest(self, name: str) -> str | None:
        """Return the field whose name is closest to `name`, or None when none is close."""
        close = get_close_matches(name, self.by_name, n=1, cutoff=0.6)
        if not close and "." not in name:
            close = [known for known in self.by_name if known.split(".")[1] == name][:1]
        return close[0] if close else None

    def label_of(self, name: str) -> str:
        """Return a field's label, or its name where there is no such field."""
        return self.by_name[name].label if name in self.by_name else name


_O, _P, _C, _G, _B = Source.OUTREACH, Source.PORTAL, Source.COMPANY, Source.GROUP, Source.BANNER

BUILT_IN = Vocabulary((
    Field("sender.first_name", "First name", Trust.TEXT, _O, "Maren", "The sender's given name."),
    Field("sender.last_name", "Last name", Trust.TEXT, _O, "Lindqvist", "The sender's family name."),
    Field("sender.name", "Full name", Trust.TEXT, _O, "Maren Lindqvist", "First and last name together."),
    Field("sender.title", "Job title", Trust.TEXT, _O, "Head of Partnerships", "The title in Outreach."),
    Field("sender.email", "E-mail", Trust.EMAIL, _O, "maren.lindqvist@acme.example",
          "The mailbox's address; write mailto:{{ sender.email }} to link it."),
    Field("sender.phone", "Phone", Trust.PHONE, _O, "+1 (415) 555-0142",
          "The phone number in Outreach; write tel:{{ sender.phone }} to link it."),
    Field("sender.phone_extension", "Phone extension", Trust.TEXT, _O, "204", "The extension in Outreach."),
    Field("sender.custom1", "Custom 1", Trust.TEXT, _O, "Custom one", "Outreach's first custom field."),
    Field("sender.custom2", "Custom 2", Trust.TEXT, _O, "Custom two", "Outreach's second custom field."),
    Field("sender.custom3", "Custom 3", Trust.TEXT, _O, "Custom three", "Outreach's third custom field."),
    Field("sender.custom4", "Custom 4", Trust.TEXT, _O, "Custom four", "Outreach's fourth custom field."),
    Field("sender.custom5", "Custom 5", Trust.TEXT, _O, "Custom five", "Outreach's fifth custom field."),
    Field("sender.mobile", "Mobile", Trust.PHONE, _P, "+1 (415) 555-0187", "A mobile number, entered in Countersign."),
    Field("sender.pronouns", "Pronouns", Trust.TEXT, _P, "she/her", "As entered for the sender."),
    Field("sender.linkedin_url", "LinkedIn", Trust.URL, _P, "https://www.linkedin.com/in/maren-lindqvist",
          "The sender's profile page."),
    Field("sender.photo_url", "Photo", Trust.URL, _P, "https://images.acme.example/people/maren.png",
          "A square portrait, at least 144 pixels wide."),
    Field("sender.calendar_url", "Calendar link", Trust.URL, _P, "https://meet.acme.example/maren",
          "The page for booking a meeting with the sender."),
    Field("sender.department", "Department", Trust.TEXT, _P, "Partnerships", "The department or team in the company."),
    Field("sender.location", "Location", Trust.TEXT, _P, "San Francisco", "The town or region the sender works in."),
    Field("sender.office_address", "Office address", Trust.TEXT, _P, "2 Pier Lane, San Francisco, CA 94105",
          "The address of the sender's own office; line breaks become commas."),
    Field("sender.certifications", "Certifications", Trust.TEXT, _P, "CPA, PMP", "Titles and certificates."),
    Field("company.name", "Company", Trust.TEXT, _C, "Acme", "The company's name."),
    Field("company.website", "Website", Trust.URL, _C, "https://www.acme.example", "The company's website."),
    Field("company.address", "Address", Trust.TEXT, _C, "18 Harbour Row, Suite 4, San Francisco, CA 94105",
          "One postal address; line breaks become commas."),
    Field("company.phone", "Company phone", Trust.PHONE, _C, "+1 (415) 555-0100", "The company's main number."),
    Field("company.logo_url", "Logo", Trust.URL, _C, "https://images.acme.example/logo.png",
          "A logo on a transparent background, shown up to 120 pixels wide."),
    Field("company.tagline", "Tagline", Trust.TEXT, _C, "Quiet tools for busy teams", "A slogan in one short line."),
    Field("company.legal", "Disclaimer", Trust.TEXT, _C,
          "Acme Inc. is registered in Delaware. This message may be confidential.",
          "Registration and confidentiality text."),
    Field("company.accent", "Accent colour", Trust.COLOUR, _C, "#3f63d8",
          "The brand colour, written #rrggbb; used inside style and bgcolor only."),
    Field("company.secondary", "Second colour", Trust.COLOUR, _C, "#1b7f5c",
          "Another brand colour, written #rrggbb; used inside style and bgcolor only."),
    Field("company.linkedin_url", "Company on LinkedIn", Trust.URL, _C, "https://www.linkedin.com/company/acme",
          "The company's page on LinkedIn."),
    Field("company.x_url", "Company on X", Trust.URL, _C, "https://x.com/acme", "The company's page on X."),
    Field("company.youtube_url", "Company on YouTube", Trust.URL, _C, "https://www.youtube.com/@acme",
          "The company's channel."),
    Field("company.instagram_url", "Company on Instagram", Trust.URL, _C, "https://www.instagram.com/acme",
          "The company's page on Instagram."),
    Field("company.facebook_url", "Company on Facebook", Trust.URL, _C, "https://www.facebook.com/acme",
          "The company's page on Facebook."),
    Field("group.name", "Group", Trust.TEXT, _G, "Partnerships", "The sender group; empty in the default group."),
    Field("banner.image_url", "Banner image", Trust.PLACE, _B,
          "https://signatures.acme.example/b/sampleKeyOfNobodyAtAll@2x.png",
          "The address of the sender's banner image; must be the whole src. Empty while the banner slot is off."),
    Field("banner.click_url", "Banner link", Trust.PLACE, _B,
          "https://signatures.acme.example/c/sampleKeyOfNobodyAtAll",
          "The address of the banner's link; must be the whole href. Empty while the banner slot is off."),
    Field("banner.width", "Banner width", Trust.NUMBER, _B, "480", "The width of the banner image in pixels."),
    Field("banner.height", "Banner height", Trust.NUMBER, _B, "120", "The height of the banner image in pixels."),
    Field("banner.alt", "Banner alt text", Trust.TEXT, _B, "News from Acme",
          "Shown to recipients whose mail program shows no images."),
))  # fmt: skip
