"""Social icons: draws the portal's own set, one colour and plain shapes, and writes it into the static files.

    python assets/draw_social_icons.py

Nobody's artwork is copied: each icon is a disc with a letter or sign made of strokes, below. The folder's name holds
the digest of its files, so that an address never shows anything else; signatures keep the folder they were made
with, so an old one is never deleted.
"""

from __future__ import annotations

from hashlib import sha256
from io import BytesIO
from pathlib import Path

from PIL import Image, ImageDraw

FOLDER = Path(__file__).resolve().parent.parent / "signatures" / "static" / "signatures"
SIDE = 80  # twice the largest size in a signature
SCALE = 8  # drawn larger and shrunk, for smooth edges
DISC, INK = "#626b7a", "#ffffff"
STROKE = 7.0

# Each in a square of 100: ("line", points), ("arc", box, from, to), ("disc", box), ("ring", box), ("area", points).
SIGNS: dict[str, list[tuple]] = {
    "linkedin": [
        ("line", [(35, 45), (35, 68)]), ("disc", (31, 29, 39, 37)), ("line", [(50, 68), (50, 45)]),
        ("arc", (50, 45, 68, 63), 180, 360), ("line", [(68, 54), (68, 68)]),
    ],
    "x": [("line", [(33, 33), (67, 67)]), ("line", [(67, 33), (33, 67)])],
    "facebook": [("arc", (45, 26, 69, 50), 180, 275), ("line", [(45, 38), (45, 74)]), ("line", [(34, 50), (62, 50)])],
    "instagram": [("ring", (39, 39, 61, 61)), ("line", [(29, 29), (71, 29), (71, 71), (29, 71), (29, 29)]),
                  ("disc", (61, 34, 66, 39))],
    "youtube": [("area", [(40, 30), (72, 50), (40, 70)])],
    "tiktok": [("disc", (33, 56, 51, 74)), ("line", [(50, 64), (50, 28)]), ("arc", (50, 8, 78, 42), 80, 180)],
    "threads": [("ring", (39, 39, 60, 60)), ("arc", (27, 27, 73, 73), 30, 360), ("arc", (60, 44, 73, 62), 0, 180),
                ("line", [(60, 40), (60, 54)])],
    "bluesky": [("arc", (26, 42, 50, 66), 90, 275), ("arc", (36, 30, 64, 58), 180, 350), ("line", [(38, 66), (65, 66)]),
                ("arc", (54, 44, 76, 66), 270, 90)],
    "mastodon": [("line", [(29, 68), (29, 46)]), ("arc", (29, 35, 50, 56), 180, 360), ("line", [(50, 46), (50, 64)]),
                 ("arc", (50, 35, 71, 56), 180, 360), ("line", [(71, 46), (71, 68)])],
    "github": [("disc", (31, 25, 43, 37)), ("disc", (31, 63, 43, 75)), ("disc", (59, 33, 71, 45)),
               ("line", [(37, 31), (37, 69)]), ("line", [(65, 40), (63, 50), (54, 56), (37, 60)])],
    "xing": [("line", [(29, 36), (49, 68)]), ("line", [(49, 36), (29, 68)]), ("line", [(63, 46), (63, 68)]),
             ("disc", (59, 30, 67, 38))],
    "website": [("ring", (26, 26, 74, 74)), ("ring", (40, 26, 60, 74)), ("line", [(27, 50), (73, 50)])],
}  # fmt: skip


def draw_icon(signs: list[tuple]) -> bytes:
    """Return one icon as PNG."""
    size = SIDE * SCALE
    picture = Image.new("RGBA", (size, size), (0, 0, 0, 0))
    pen = ImageDraw.Draw(picture)
    pen.ellipse((0, 0, size - 1, size - 1), fill=DISC)
    unit, width = size / 100, round(STROKE * size / 100)
    for kind, where, *angles in signs:
        points = (
            [tuple(value * unit for value in point) for point in where] if kind in ("line", "area") else []
        )
        if kind == "line":
            pen.line(points, fill=INK, width=width, joint="curve")
            for x, y in points:  # round ends
                pen.ellipse((x - width / 2, y - width / 2, x + width / 2, y + width / 2), fill=INK)
        elif kind == "area":
            pen.polygon(points, fill=INK)
        else:
            grown = width / 2 if kind in ("arc", "ring") else 0
            left, top, right, bottom = (value * unit for value in where)
            box = (left - grown, top - grown, right + grown, bottom + grown)
            if kind == "arc":
                pen.arc(box, *angles, fill=INK, width=width)
            elif kind == "ring":
                pen.ellipse(box, outline=INK, width=width)
            else:
                pen.ellipse(box, fill=INK)
    file = BytesIO()
    picture.resize((SIDE, SIDE), Image.Resampling.LANCZOS).quantize(64, Image.Quantize.FASTOCTREE).save(
        file, "PNG", optimize=True
    )
    return file.getvalue()


def digest_set(files: dict[str, bytes]) -> str:
    """Return what the name of the set's folder ends in."""
    return sha256(b"".join(name.encode() + files[name] for name in sorted(files))).hexdigest()[:12]


def main() -> None:
    """Write the set into a folder of its own."""
    files = {f"{name}.png": draw_icon(signs) for name, signs in SIGNS.items()}
    folder = FOLDER / f"social-{digest_set(files)}"
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    print(folder.name)  # noqa: T201 - a script for the command line


if __name__ == "__main__":
    main()
