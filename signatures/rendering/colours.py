"""Colours: reads those of CSS, and computes luminance and contrast by the formulas of WCAG 2."""

from __future__ import annotations

import re
from typing import Any

from tinycss2.color4 import parse_color

DARK_INK = "#14171d"
LIGHT_INK = "#ffffff"
_HEX = re.compile(r"#([0-9a-fA-F]{3}|[0-9a-fA-F]{6})")


def read_colour(value: Any) -> str:
    """Return #rrggbb, or rgba(r, g, b, a) where it is transparent, or "" for what is no colour of sRGB.

    value: text, or a token of tinycss2: a CSS colour name, or rgb(), hsl() or hwb() in any syntax.
    """
    colour = parse_color(value)
    if colour is None or isinstance(colour, str) or colour.space not in ("srgb", "hsl", "hwb"):
        return ""
    red, green, blue = (round(255 * min(max(part or 0, 0), 1)) for part in colour.to("srgb").coordinates)
    if colour.alpha >= 1:
        return f"#{red:02x}{green:02x}{blue:02x}"
    alpha = f"{max(colour.alpha, 0):.2f}".rstrip("0").rstrip(".")
    return f"rgba({red}, {green}, {blue}, {alpha})"


def luminance(colour: str) -> float | None:
    """Return the relative luminance (0 to 1) of #rgb or #rrggbb, or None for anything else."""
    if not _HEX.fullmatch(colour):
        return None
    digits = colour[1:]
    if len(digits) == 3:
        digits = "".join(2 * digit for digit in digits)
    channels = (int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4))
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast_ratio(one: str, other: str) -> float | None:
    """Return the contrast of two hex colours, 1 to 21, or None when either cannot be read."""
    first, second = luminance(one), luminance(other)
    if first is None or second is None:
        return None
    return (max(first, second) + 0.05) / (min(first, second) + 0.05)


def readable_ink(background: str) -> str:
    """Return white or near-black, whichever has more contrast on `background`."""
    on_light = contrast_ratio(background, LIGHT_INK)
    on_dark = contrast_ratio(background, DARK_INK)
    if on_light is None or on_dark is None:
        return DARK_INK
    return LIGHT_INK if on_light >= on_dark else DARK_INK
