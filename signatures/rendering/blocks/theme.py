"""Theme: the font, colours, spacing and width that all blocks of a design share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from signatures.rendering.colours import readable_ink

from .settings import COLOUR_PATTERN, Choices, Kind, clean_settings, setting

DEFAULT_ACCENT = "#3f63d8"
BRAND_ACCENT = f"company.accent | default: '{DEFAULT_ACCENT}'"
# Font -> its label, and the names a mail client tries in turn: those on every computer, no web fonts.
FONTS: dict[str, tuple[str, str]] = {
    "system": ("System", "'Segoe UI', 'Helvetica Neue', Helvetica, Arial, sans-serif"),
    "arial": ("Arial", "Arial, Helvetica, sans-serif"),
    "helvetica": ("Helvetica", "'Helvetica Neue', Helvetica, Arial, sans-serif"),
    "verdana": ("Verdana", "Verdana, Geneva, sans-serif"),
    "tahoma": ("Tahoma", "Tahoma, Verdana, sans-serif"),
    "trebuchet": ("Trebuchet", "'Trebuchet MS', Tahoma, sans-serif"),
    "calibri": ("Calibri", "Calibri, Carlito, 'Segoe UI', Arial, sans-serif"),
    "georgia": ("Georgia", "Georgia, 'Times New Roman', serif"),
    "times": ("Times", "'Times New Roman', Times, serif"),
    "courier": ("Courier", "'Courier New', Courier, monospace"),
}
ACCENTS: Choices = (("brand", "The brand’s accent colour"),)
# What a block's own colour may be instead of #rrggbb.
INKS: Choices = (("text", "As the mail’s text"), ("quiet", "Secondary colour"), ("accent", "Accent colour"))


@dataclass(frozen=True, kw_only=True)
class Theme:
    """What all blocks of a design share. names: what the domain calls its custom fields; no setting of the design."""

    font: str = setting(
        Kind.CHOICE,
        "Font",
        "system",
        choices=tuple((name, label) for name, (label, _) in FONTS.items()),
        help="Fonts that every computer has; mail clients drop others.",
    )
    size: int = setting(Kind.NUMBER, "Text size", 13, low=11, high=16, unit="px")
    accent: str = setting(
        Kind.COLOUR,
        "Accent colour",
        "brand",
        choices=ACCENTS,
        pattern=COLOUR_PATTERN,
        help="For rules, buttons and whatever is set to the accent colour.",
    )
    quiet: str = setting(
        Kind.COLOUR,
        "Secondary colour",
        "#6f747e",
        pattern=COLOUR_PATTERN,
        help="For titles, labels and disclaimers. Must be readable on white and in dark mode.",
    )
    gap: int = setting(
        Kind.NUMBER,
        "Space between blocks",
        8,
        low=0,
        high=24,
        unit="px",
        help="Each block can have this, none or twice as much above it.",
    )
    width: int = setting(Kind.NUMBER, "Widest", 480, low=320, high=640, unit="px")
    links: str = setting(
        Kind.CHOICE,
        "Links",
        "plain",
        choices=(("plain", "Plain"), ("underlined", "Underlined")),
        help="Links in words are always underlined.",
    )
    direction: str = setting(
        Kind.CHOICE,
        "Direction",
        "ltr",
        choices=(("ltr", "Left to right"), ("rtl", "Right to left")),
    )
    align: str = setting(
        Kind.CHOICE,
        "Alignment",
        "start",
        choices=(("start", "At the start of the line"), ("center", "Centred")),
    )
    names: Mapping[str, str] = field(default_factory=dict, compare=False, repr=False)

    def __post_init__(self) -> None:
        clean_settings(self, "Design")

    @property
    def is_rtl(self) -> bool:
        return self.direction == "rtl"

    @property
    def start(self) -> str:
        """The side on which a line starts."""
        return "right" if self.is_rtl else "left"

    @property
    def end(self) -> str:
        """The side on which a line ends."""
        return "left" if self.is_rtl else "right"

    @property
    def font_stack(self) -> str:
        return FONTS[self.font][1]

    def space(self, gap: str) -> int:
        """Return the pixels above a block with the gap tight, normal or wide."""
        return {"tight": 0, "normal": self.gap, "wide": 2 * self.gap}[gap]

    def colour(self, name: str) -> str:
        """Return how a style writes the colour `name`: text, quiet, accent or #rrggbb."""
        if name == "accent":
            return f"{{{{ {BRAND_ACCENT} }}}}" if self.accent == "brand" else self.accent
        return {"text": "inherit", "quiet": self.quiet}.get(name, name)

    def ink_on(self, name: str) -> str:
        """Return how a style writes the colour of words on a ground of the colour `name`: accent or #rrggbb."""
        if name == "accent" and self.accent == "brand":
            return f"{{{{ {BRAND_ACCENT} | contrast }}}}"
        return readable_ink(self.colour(name))


def line_height(size: int) -> int:
    """Return the height of a line of words of `size` pixels."""
    return round(size * 1.5) if size <= 14 else round(size * 1.3)
