"""Image checks: warns of images served by this portal that are heavy, or vanish on a dark background."""

from __future__ import annotations

from collections.abc import Iterator

from portal.models import Domain
from signatures.media.library import ServedFile, find_files
from signatures.rendering import CompiledTemplate, Vocabulary
from signatures.rendering.findings import Finding, TagPlaces, warn
from signatures.rendering.images import list_images
from signatures.rendering.lint import vanishes_in_dark
from signatures.rendering.render import render_signature
from signatures.rendering.tree import read_tree
from signatures.senders.values import get_brand

LOGO = "company.logo_url"
# A recipient loads the images with each mail, often on a phone: 100 KB take a second on a slow connection of 1 Mbit/s.
MOST_BYTES = 100_000
MOST_BYTES_TOGETHER = 250_000
LEAST_TRANSPARENT_PERCENT = 5  # rounded corners are less, and leave the rest readable


def check_images(
    domain: Domain, compiled: CompiledTemplate, source: str, vocabulary: Vocabulary
) -> Iterator[Finding]:
    """Yield the findings about the domain's own images in a template, with its logo; three queries at most."""
    values = dict(vocabulary.sample_values)
    if LOGO in compiled.fields:
        values[LOGO] = get_brand(domain).logo_url or values[LOGO]
    root = read_tree(render_signature(compiled, values, vocabulary).html)
    shown = list(list_images(root))
    files = find_files(domain, [image.url for image in shown])
    places = TagPlaces(source).find_elements(root) if files else {}
    for image in shown:
        file = files.get(image.url)
        if file is not None:
            found = (_check_weight(file), None if image.has_ground else _check_ink(file))
            yield from (finding.at(places.get(image.element)) for finding in found if finding)
    together = sum(file.bytes for file in files.values())
    if together > MOST_BYTES_TOGETHER:
        yield warn(
            "images-heavy",
            f"The images of Media in this template have {_say(together)} together; "
            f"{_say(MOST_BYTES_TOGETHER)} is the most that loads quickly.",
            "Use fewer or smaller ones.",
        )


def _check_weight(file: ServedFile) -> Finding | None:
    if file.bytes <= MOST_BYTES:
        return None
    return warn(
        "image-heavy",
        f"The image “{file.name}” has {_say(file.bytes)}; {_say(MOST_BYTES)} is the most that loads quickly.",
        "Crop it, or upload one with fewer details.",
    )


def _check_ink(file: ServedFile) -> Finding | None:
    is_see_through = file.transparent_percent >= LEAST_TRANSPARENT_PERCENT
    if not is_see_through or not vanishes_in_dark(file.ink_luma):
        return None
    return warn(
        "image-dark",
        f"The image “{file.name}” is dark and transparent, so it is hard to see in dark mode.",
        "Add a light background, or use a version with a light outline.",
    )


def _say(byte_count: int) -> str:
    return f"{byte_count / 1_000:,.0f} KB"
