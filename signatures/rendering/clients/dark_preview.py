"""Dark preview: what mail clients make of a signature's colours there, as far as their makers publish it.

Source: `color-utils` of Microsoft's roosterjs (MIT licence), the editor that Outlook on the web writes with: it
turns the lightness of each colour round, above that of its dark ground. That reading does the same is an inference.
"""

from __future__ import annotations

import re
from functools import lru_cache

_HEX = re.compile(r"#([0-9a-f]{6}|[0-9a-f]{3})\b")
_NAMED = {
    "black": "#000000", "white": "#ffffff", "gray": "#808080", "grey": "#808080", "silver": "#c0c0c0",
    "red": "#ff0000", "maroon": "#800000", "navy": "#000080", "blue": "#0000ff", "teal": "#008080",
    "green": "#008000", "olive": "#808000", "purple": "#800080",
}  # fmt: skip
_WORD = re.compile(rf"\b(?:{'|'.join(_NAMED)})\b")
DARK_GROUND_LIGHTNESS = 21.247  # of #333333
_WHITE_POINT = (95.047, 100.0, 108.883)
# sRGB to XYZ and back, for the white point D65.
_TO_XYZ = (
    (0.4124564, 0.3575761, 0.1804375),
    (0.2126729, 0.7151522, 0.0721750),
    (0.0193339, 0.1191920, 0.9503041),
)
_FROM_XYZ = (
    (3.2404542, -1.5371385, -0.4985314),
    (-0.9692660, 1.8760108, 0.0415560),
    (0.0556434, -0.2040259, 1.0572252),
)


def turn_colours(value: str) -> str:
    """Return a CSS value with each colour in it as Outlook on the web shows it in dark mode."""
    value = _WORD.sub(lambda found: _NAMED[found[0]], value)
    return _HEX.sub(lambda found: turn_colour(found[0]), value)


@lru_cache(maxsize=1024)
def turn_colour(colour: str) -> str:
    """Return #rgb or #rrggbb with its lightness turned round, above the dark ground's."""
    digits = colour[1:]
    if len(digits) == 3:
        digits = "".join(2 * digit for digit in digits)
    lightness, a, b = _to_lab(tuple(int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)))
    turned = (100 - lightness) * (100 - DARK_GROUND_LIGHTNESS) / 100 + DARK_GROUND_LIGHTNESS
    return "#" + "".join(f"{round(255 * channel):02x}" for channel in _from_lab(turned, a, b))


def _to_lab(channels: tuple[float, ...]) -> tuple[float, float, float]:
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    xyz = [100 * sum(k * c for k, c in zip(row, linear, strict=True)) for row in _TO_XYZ]
    x, y, z = (
        part ** (1 / 3) if part > 0.008856 else 7.787 * part + 16 / 116
        for part in (value / white for value, white in zip(xyz, _WHITE_POINT, strict=True))
    )
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def _from_lab(lightness: float, a: float, b: float) -> list[float]:
    y = (lightness + 16) / 116
    parts = (y + a / 500, y, y - b / 200)
    xyz = [
        white / 100 * (part**3 if part**3 > 0.008856 else (part - 16 / 116) / 7.787)
        for part, white in zip(parts, _WHITE_POINT, strict=True)
    ]
    linear = [min(max(sum(k * part for k, part in zip(row, xyz, strict=True)), 0), 1) for row in _FROM_XYZ]
    return [12.92 * c if c <= 0.0031308 else 1.055 * c ** (1 / 2.4) - 0.055 for c in linear]
