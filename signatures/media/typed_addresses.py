"""Typed addresses: whether an address that somebody typed answers with an image, asked once as it is saved.

The question names nobody: no cookie, no referrer, the same headers each time. It is a remark and stops nothing.
"""

from __future__ import annotations

import re
import threading
from html import unescape

from django.conf import settings

from portal.outgoing import NotReached, read_beginning
from signatures.models import MediaFile

from .addresses import read_path

SECONDS = 4.0
MOST_AT_ONCE = 2  # of one web process, which has four threads
MOST_OF_TEMPLATE = 3  # of those that a new version adds
_BEGINNING_BYTES = 1_024
_HEADERS = {"User-Agent": "Countersign", "Accept": "image/*", "Accept-Encoding": "identity"}
_SHOWN = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a")
_IMAGE = re.compile(r'<img [^>]*?src="(https://[^"{}]+)"')
_slots = threading.BoundedSemaphore(MOST_AT_ONCE)


def check_image(url: str) -> str:
    """Return what is wrong with the address of an image, as a sentence; '' for nothing, and where nobody asked."""
    if url.startswith(f"{settings.PUBLIC_URL}/"):
        ref = read_path(url.removeprefix(settings.PUBLIC_URL))
        if (
            ref is None
            or MediaFile.objects.filter(digest=ref.digest, image__domain__media__key=ref.key).exists()
        ):
            return ""
        return "Media has no image at this address."
    if not settings.CHECK_IMAGE_ADDRESSES or not _slots.acquire(blocking=False):
        return ""
    try:
        begins = read_beginning(url, headers=_HEADERS, most_bytes=_BEGINNING_BYTES, seconds=SECONDS)
    except NotReached as error:
        return f"The address could not be checked: {error}."
    finally:
        _slots.release()
    if begins.status != 200:
        return f"The address does not answer with an image, but with status {begins.status}."
    return _check_content(begins.content)


def _check_content(content: bytes) -> str:
    if content.startswith(_SHOWN) or (content[:4] == b"RIFF" and content[8:12] == b"WEBP"):
        return ""
    if b"<svg" in content.lower():
        return "The address answers with SVG, which mail programs do not show."
    return "The address does not answer with an image."


def list_new_images(html: str, former_html: str) -> list[str]:
    """Return the first fixed image addresses of a template that its former version does not have.

    Both are as compiled: what a serializer wrote, with no `>` inside an attribute.
    """
    former = set(_IMAGE.findall(former_html))
    added = dict.fromkeys(each for each in _IMAGE.findall(html) if each not in former)
    return [unescape(each) for each in list(added)[:MOST_OF_TEMPLATE]]
