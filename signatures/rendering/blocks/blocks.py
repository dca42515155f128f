"""Blocks: what a design is made of, each with its settings.

`name` of a class is the block's name in markers, addresses and exports, and never changes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from .choices import ALWAYS, CONTACT_FIELDS, DECORATION, GAPS, NETWORKS
from .settings import (
    ASKABLE_FIELDS,
    COLOUR_PATTERN,
    Kind,
    SettingsRefused,
    clean_settings,
    setting,
)
from .theme import INKS, Theme


@dataclass(frozen=True, kw_only=True)
class Block:
    """What every block has. label, help: for the list of blocks that can be added."""

    name: ClassVar[str] = ""
    label: ClassVar[str] = ""
    help: ClassVar[str] = ""

    gap: str = setting(Kind.CHOICE, "Space above", "normal", choices=GAPS)
    when: str = setting(
        Kind.CHOICE,
        "Show only if",
        "",
        choices=(ALWAYS, *ASKABLE_FIELDS),
        takes_custom=True,
        help="The field has a value. Lines without a value disappear by themselves.",
    )

    def __post_init__(self) -> None:
        clean_settings(self, self.label)


@dataclass(frozen=True, kw_only=True)
class Name(Block):
    name, label, help = "name", "Name", "The sender’s full name."

    gap: str = setting(Kind.CHOICE, "Space above", "tight", choices=GAPS)
    size: int = setting(Kind.NUMBER, "Text size", 17, low=11, high=28, unit="px")
    bold: bool = setting(Kind.SWITCH, "Bold", True)
    colour: str = setting(Kind.COLOUR, "Colour", "text", choices=INKS, pattern=COLOUR_PATTERN)
    pronouns: bool = setting(Kind.SWITCH, "Pronouns behind the name", True)


@dataclass(frozen=True, kw_only=True)
class Title(Block):
    name, label, help = "title", "Title", "The job title, with or without the company."

    gap: str = setting(Kind.CHOICE, "Space above", "tight", choices=GAPS)
    company: str = setting(
        Kind.CHOICE,
        "Company",
        "dot",
        choices=(
            ("none", "Not shown"),
            ("dot", "Behind the title: Title · Company"),
            ("comma", "Behind the title: Title, Company"),
            ("below", "On a line of its own"),
        ),
    )
    colour: str = setting(Kind.COLOUR, "Colour", "quiet", choices=INKS, pattern=COLOUR_PATTERN)


@dataclass(frozen=True, kw_only=True)
class Contact(Block):
    name, label, help = (
        "contact",
        "Contact",
        "Phone numbers, e-mail, website and other ways to reach the sender.",
    )

    lines: tuple[str, ...] = setting(
        Kind.LIST,
        "Lines",
        ("sender.phone", "sender.mobile", "sender.email"),
        choices=tuple((field, label) for field, (label, _) in CONTACT_FIELDS.items()),
        most=12,
        is_required=True,
        takes_custom=True,
    )
    labels: str = setting(
        Kind.CHOICE,
        "Labels",
        "words",
        choices=(("words", "Words"), ("letters", "Letters"), ("none", "None")),
        help="In front of numbers and addresses. Links to pages are their own label.",
    )
    layout: str = setting(
        Kind.CHOICE,
        "Layout",
        "lines",
        choices=(("lines", "One below the other"), ("row", "In one row")),
    )


@dataclass(frozen=True, kw_only=True)
class Picture(Block):
    name, label, help = "picture", "Image", "The company’s logo, the sender’s photo, or an image of your own."

    image: str = setting(
        Kind.IMAGE,
        "Image",
        "logo",
        choices=(("logo", "Company logo"), ("photo", "Sender’s photo")),
        help="Or the URL of an image.",
    )
    width: int = setting(Kind.NUMBER, "Width", 96, low=16, high=480, unit="px")
    shape: str = setting(
        Kind.CHOICE,
        "Shape",
        "plain",
        choices=(("plain", "As it is"), ("rounded", "Rounded"), ("round", "Round")),
        help="Outlook for Windows shows square corners.",
    )
    link: str = setting(Kind.LINK, "Link", "", help="A field, or a URL that starts with https://.")
    alt: str = setting(
        Kind.TEXT,
        "Alt text",
        "{{ company.name }}",
        most=200,
        is_required=True,
        help=f"What recipients without images see. Write {DECORATION} if it says nothing.",
    )
    ground: str = setting(
        Kind.COLOUR,
        "Background",
        "none",
        choices=(("none", "None"),),
        pattern=COLOUR_PATTERN,
        help="A light box behind a dark logo keeps it visible in dark mode.",
    )


@dataclass(frozen=True, kw_only=True)
class Button(Block):
    name, label, help = "button", "Button", "A link that looks like a button."

    words: str = setting(
        Kind.TEXT,
        "Text",
        "Book a time with {{ sender.first_name | default: 'me' }}",
        most=120,
        is_required=True,
    )
    link: str = setting(
        Kind.LINK,
        "Link",
        "sender.calendar_url",
        is_required=True,
        help="A field, or a URL that starts with https://. Without a value the button is left out.",
    )
    fill: str = setting(
        Kind.COLOUR,
        "Fill",
        "accent",
        choices=(("accent", "Accent colour"),),
        pattern=COLOUR_PATTERN,
        help="The text is white or black, whichever reads better.",
    )
    radius: int = setting(Kind.NUMBER, "Rounded corners", 6, low=0, high=24, unit="px")


@dataclass(frozen=True, kw_only=True)
class Social(Block):
    name, label, help = "social", "Social links", "Links to profiles, as words or icons in one row."

    links: tuple[tuple[str, str], ...] = setting(
        Kind.LINKS,
        "Links",
        (("linkedin", "sender.linkedin_url"), ("website", "company.website")),
        choices=NETWORKS,
        most=10,
        is_required=True,
    )
    icons: str = setting(
        Kind.LINK,
        "Icons from",
        "",
        help="A URL that ends in / with an image for each network, such as linkedin.png. Empty: words.",
    )
    size: int = setting(Kind.NUMBER, "Icon size", 20, low=12, high=40, unit="px")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.icons and not (self.icons.startswith("https://") and self.icons.endswith("/")):
            raise SettingsRefused(
                self.label,
                {"icons": "Enter a URL that starts with https:// and ends in /."},
                {"icons": "Icons from"},
            )


@dataclass(frozen=True, kw_only=True)
class Words(Block):
    name, label, help = "words", "Text", "Words of your own, with fields, bold words and links."

    text: str = setting(
        Kind.TEXT,
        "Text",
        "{{ company.tagline }}",
        most=2_000,
        is_required=True,
        is_long=True,
        help="Fields as {{ sender.title }}, **bold**, [link](https://…).",
    )
    size: int = setting(Kind.NUMBER, "Text size", 13, low=9, high=24, unit="px")
    bold: bool = setting(Kind.SWITCH, "Bold", False)
    colour: str = setting(Kind.COLOUR, "Colour", "text", choices=INKS, pattern=COLOUR_PATTERN)


@dataclass(frozen=True, kw_only=True)
class Disclaimer(Block):
    name, label, help = "disclaimer", "Disclaimer", "The legal text of the company, in small print."

    gap: str = setting(Kind.CHOICE, "Space above", "wide", choices=GAPS)
    text: str = setting(
        Kind.TEXT,
        "Text",
        "{{ company.legal }}",
        most=4_000,
        is_required=True,
        is_long=True,
        help="Fields as {{ company.legal }}, **bold**, [link](https://…).",
    )
    size: int = setting(Kind.NUMBER, "Text size", 11, low=9, high=13, unit="px")


@dataclass(frozen=True, kw_only=True)
class Banner(Block):
    name, label, help = "banner", "Banner", "The banner slot: what campaigns show."

    gap: str = setting(Kind.CHOICE, "Space above", "wide", choices=GAPS)


@dataclass(frozen=True, kw_only=True)
class Divider(Block):
    name, label, help = "divider", "Divider", "A line across."

    colour: str = setting(
        Kind.COLOUR,
        "Colour",
        "#a3a7ae",
        choices=INKS[1:],
        pattern=COLOUR_PATTERN,
    )
    height: int = setting(Kind.NUMBER, "Height", 1, low=1, high=8, unit="px")
    width: int = setting(
        Kind.NUMBER, "Width", 0, low=0, high=640, unit="px", help="0: as wide as the design."
    )


@dataclass(frozen=True, kw_only=True)
class Space(Block):
    name, label, help = "space", "Space", "Empty space."

    gap: str = setting(Kind.CHOICE, "Space above", "tight", choices=GAPS)
    height: int = setting(Kind.NUMBER, "Height", 12, low=2, high=64, unit="px")


@dataclass(frozen=True, kw_only=True)
class Columns(Block):
    """Two or three lists of blocks side by side; none of them holds columns."""

    name, label, help = "columns", "Columns", "Two or three lists of blocks side by side."

    lists: tuple[tuple[Block, ...], ...] = ((), ())
    space: int = setting(Kind.NUMBER, "Space between", 20, low=0, high=60, unit="px")
    rule: str = setting(
        Kind.COLOUR,
        "Line between",
        "none",
        choices=(("none", "None"), *INKS[1:]),
        pattern=COLOUR_PATTERN,
    )
    lead: str = setting(
        Kind.CHOICE,
        "First column only if",
        "",
        choices=(ALWAYS, *ASKABLE_FIELDS),
        takes_custom=True,
        help="The field has a value. Otherwise its space and the line beside it go as well.",
    )
    widths: str = setting(
        Kind.CHOICE,
        "Widths",
        "fit",
        choices=(("fit", "As wide as what is in them"), ("equal", "Equal")),
    )
    align: str = setting(
        Kind.CHOICE,
        "Alignment",
        "top",
        choices=(("top", "Top"), ("middle", "Middle"), ("bottom", "Bottom")),
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "lists", tuple(tuple(each) for each in self.lists))
        if not 2 <= len(self.lists) <= 3:
            raise SettingsRefused(self.label, {"lists": "Columns are two or three."}, {})
        if any(isinstance(block, Columns) for each in self.lists for block in each):
            raise SettingsRefused(self.label, {"lists": "Columns cannot stand in columns."}, {})


@dataclass(frozen=True, kw_only=True)
class Code(Block):
    """Rows of the design's table, written by hand. former: the block that it was before, for its settings."""

    name, label, help = "code", "Code", "Table rows as HTML, for those who write it."

    gap: str = "tight"
    markup: str = setting(
        Kind.MARKUP,
        "HTML",
        '<tr><td class="words">Text</td></tr>',
        most=50_000,
        help="Whole table rows. The classes words and quiet give them the design’s font and colours.",
    )
    former: Block | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.former, Code):
            object.__setattr__(self, "former", self.former.former)


_ALL = (
    Name,
    Title,
    Contact,
    Picture,
    Button,
    Social,
    Words,
    Disclaimer,
    Banner,
    Divider,
    Space,
    Columns,
    Code,
)
BLOCKS: dict[str, type[Block]] = {block.name: block for block in _ALL}


@dataclass(frozen=True)
class Design:
    """A template made of blocks."""

    theme: Theme
    blocks: tuple[Block, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "blocks", tuple(self.blocks))


def lists_of(block: Block) -> tuple[tuple[Block, ...], ...]:
    """Return the lists of blocks in a block; columns alone have any."""
    return block.lists if isinstance(block, Columns) else ()
