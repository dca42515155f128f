"""Designs: those that the product ships, for a gallery to start from."""

from __future__ import annotations

from dataclasses import dataclass

from .blocks import (
    Banner,
    Button,
    Columns,
    Contact,
    Design,
    Disclaimer,
    Divider,
    Name,
    Picture,
    Social,
    Title,
    Words,
)
from .theme import Theme

_LIGHT_BOX = "#f4f3f0"
_PAGES = ("company.website", "sender.linkedin_url")


@dataclass(frozen=True)
class ShippedDesign:
    """A design of the gallery. slug: its name in addresses. description: one sentence."""

    slug: str
    name: str
    description: str
    design: Design


def _photo(width: int, shape: str = "round") -> Picture:
    return Picture(gap="tight", image="photo", width=width, shape=shape, alt="{{ sender.name }}")


LETTERHEAD = Design(
    Theme(font="helvetica"),
    (
        Columns(
            gap="tight",
            space=40,
            rule="accent",
            lead="company.logo_url",
            lists=(
                (Picture(gap="tight", width=96, link="company.website", ground=_LIGHT_BOX),),
                (
                    Name(size=16),
                    Title(),
                    Contact(),
                    Contact(gap="tight", lines=(*_PAGES, "sender.calendar_url"), layout="row"),
                    Words(text="{{ company.address }}", size=12, colour="quiet"),
                ),
            ),
        ),
        Banner(),
        Disclaimer(),
    ),
)
MINIMAL = Design(
    Theme(font="helvetica", links="underlined"),
    (
        Name(size=13),
        Title(company="comma"),
        Contact(
            gap="tight",
            lines=("sender.email", "sender.phone", "sender.linkedin_url"),
            labels="none",
            layout="row",
        ),
        Banner(),
        Disclaimer(gap="normal"),
    ),
)
CARD = Design(
    Theme(),
    (
        Divider(gap="tight", colour="accent", height=3),
        Columns(
            gap="wide",
            lists=(
                (_photo(72),),
                (
                    Name(),
                    Title(),
                    Contact(lines=("sender.phone", "sender.email"), labels="none"),
                    Contact(gap="tight", lines=_PAGES, layout="row"),
                    Button(gap="wide"),
                ),
            ),
        ),
        Banner(),
        Disclaimer(),
    ),
)
PHOTO_RIGHT = Design(
    Theme(),
    (
        Columns(
            gap="tight",
            space=32,
            lists=(
                (
                    Name(size=18),
                    Title(),
                    Contact(labels="letters"),
                    Contact(gap="tight", lines=_PAGES, layout="row"),
                ),
                (_photo(96, "rounded"),),
            ),
        ),
        Banner(),
        Disclaimer(),
    ),
)
TWO_COLUMNS = Design(
    Theme(font="arial", width=520),
    (
        Name(size=18),
        Title(company="none"),
        Divider(),
        Columns(
            space=40,
            lists=(
                (Contact(gap="tight", labels="none"),),
                (
                    Words(gap="tight", text="{{ company.name }}", bold=True),
                    Words(gap="tight", text="{{ company.address }}", colour="quiet"),
                    Contact(gap="tight", lines=_PAGES, layout="row"),
                ),
            ),
        ),
        Banner(),
        Disclaimer(),
    ),
)
LOGO_BELOW = Design(
    Theme(),
    (
        Name(),
        Title(),
        Contact(lines=("sender.phone", "sender.email"), labels="none", layout="row"),
        Contact(gap="tight", lines=(*_PAGES, "sender.calendar_url"), layout="row"),
        Picture(gap="wide", width=88, link="company.website", ground=_LIGHT_BOX),
        Words(text="{{ company.tagline }}", size=12, colour="quiet"),
        Banner(),
        Disclaimer(),
    ),
)
COMPACT_REPLY = Design(
    Theme(gap=4),
    (
        Words(gap="tight", text="**{{ sender.name }}** · {{ sender.title }}"),
        Contact(gap="tight", lines=("sender.phone", "sender.email"), labels="none", layout="row"),
    ),
)
FORMAL = Design(
    Theme(font="georgia", width=540, gap=10),
    (
        Name(size=19, bold=False),
        Title(company="below"),
        Divider(width=48, colour="accent", height=2),
        Contact(lines=("sender.phone", "sender.email", "company.website"), layout="lines"),
        Words(text="{{ company.address }}", size=12, colour="quiet"),
        Banner(),
        Divider(gap="wide", when="company.legal"),
        Disclaimer(gap="normal", when="company.legal", text="**{{ company.name }}**\n{{ company.legal }}"),
    ),
)
SOCIAL_ROW = Design(
    Theme(font="verdana", size=12),
    (
        Columns(
            gap="tight",
            space=18,
            align="middle",
            lists=((_photo(56),), (Name(size=16), Title())),
        ),
        Contact(gap="wide", labels="letters", layout="row"),
        Divider(when="company.website"),
        Social(),
        Banner(),
        Disclaimer(),
    ),
)
EVENT = Design(
    Theme(),
    (
        Name(),
        Title(),
        Contact(lines=("sender.phone", "sender.email"), labels="none", layout="row"),
        Divider(gap="wide", colour="accent", height=2, when="sender.calendar_url"),
        Words(gap="wide", text="Meet us at our next event", size=16, bold=True, when="sender.calendar_url"),
        Words(
            gap="tight",
            text="Keep 20 minutes free for {{ company.name }}: select a time, and we come to you.",
            colour="quiet",
            when="sender.calendar_url",
        ),
        Button(gap="wide", words="Select a time", radius=4),
        Banner(),
        Disclaimer(),
    ),
)
RIGHT_TO_LEFT = Design(
    Theme(font="tahoma", direction="rtl"),
    (
        Columns(
            gap="tight",
            rule="accent",
            lead="sender.photo_url",
            space=32,
            lists=(
                (_photo(72),),
                (
                    Name(),
                    Title(),
                    Contact(labels="none"),
                    Social(gap="normal", links=(("linkedin", "sender.linkedin_url"),)),
                ),
            ),
        ),
        Banner(),
        Disclaimer(),
    ),
)
CENTRED = Design(
    Theme(align="center", font="helvetica"),
    (
        Picture(gap="tight", width=88, link="company.website", ground=_LIGHT_BOX),
        Name(gap="wide", size=18),
        Title(),
        Divider(gap="wide", width=32, colour="accent", height=2),
        Contact(gap="wide", lines=("sender.phone", "sender.email"), labels="none", layout="row"),
        Contact(gap="tight", lines=(*_PAGES, "sender.calendar_url"), layout="row"),
        Banner(),
        Disclaimer(),
    ),
)
ACCENT = Design(
    Theme(font="trebuchet"),
    (
        Columns(
            gap="tight",
            rule="accent",
            space=28,
            lists=(
                (Name(size=20, colour="accent"), Title(company="below")),
                (Contact(gap="tight", labels="letters"), Contact(gap="tight", lines=_PAGES, layout="row")),
            ),
        ),
        Banner(),
        Disclaimer(),
    ),
)

DESIGNS: tuple[ShippedDesign, ...] = (
    ShippedDesign(
        "letterhead", "Letterhead", "Logo on the left, a rule, and the details beside it.", LETTERHEAD
    ),
    ShippedDesign(
        "plain-line", "Plain line", "Two or three lines of text, for people who write a lot of mail.", MINIMAL
    ),
    ShippedDesign(
        "card", "Card", "A portrait, a bar in the brand colour, and a link to book a meeting.", CARD
    ),
    ShippedDesign("photo-right", "Photo right", "The details, and a portrait beside them.", PHOTO_RIGHT),
    ShippedDesign(
        "two-columns", "Two columns", "The sender on the left, the company on the right.", TWO_COLUMNS
    ),
    ShippedDesign("logo-below", "Logo below", "The details first, logo and tagline under them.", LOGO_BELOW),
    ShippedDesign(
        "compact-reply", "Compact reply", "Two lines, without banner and disclaimer.", COMPACT_REPLY
    ),
    ShippedDesign(
        "formal", "Formal", "Serif type, address and a disclaimer under a line of its own.", FORMAL
    ),
    ShippedDesign("social-row", "Social row", "A small portrait, and social links in one row.", SOCIAL_ROW),
    ShippedDesign("event", "Event", "An invitation with a button to select a time.", EVENT),
    ShippedDesign("right-to-left", "Right to left", "For Arabic, Hebrew, Persian and Urdu.", RIGHT_TO_LEFT),
    ShippedDesign("centred", "Centred", "Logo, name and details in the middle.", CENTRED),
    ShippedDesign("accent", "Accent", "The name in the brand colour, the details behind a rule.", ACCENT),
)
