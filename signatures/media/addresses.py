"""Addresses: the public address of an image's file, made from the digest of its bytes, and how one is read."""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings

from portal.models import Domain
from portal.public_url import get_sandbox_origin
from signatures.models import MediaFile, MediaLibrary
from signatures.rendering.own_images import IMAGE_PATH

from .encoding import JPEG

PREFIX = "/m/"


@dataclass(frozen=True, slots=True)
class FileRef:
    """What an address asks for. key: of the domain's library."""

    key: str
    digest: str
    is_double: bool
    is_jpeg: bool


def read_path(path: str) -> FileRef | None:
    """Return what the path of an address asks for; None where it is none of ours."""
    found = IMAGE_PATH.fullmatch(path)
    if found is None:
        return None
    return FileRef(found["key"], found["digest"], bool(found["double"]), found["end"] == "jpg")


def write_stem(key: str, digest: str) -> str:
    """Return what the addresses of a file at 1× and 2× have in common, and no other has."""
    return f"{PREFIX}{key}/{digest}"


def write_path(key: str, file: MediaFile) -> str:
    """Return the path of the address to use, at 2×: signatures give the width, and screens need the pixels."""
    end = "jpg" if file.media_type == JPEG else "png"
    return f"{write_stem(key, file.digest)}@2x.{end}"


def get_key(domain: Domain) -> str:
    """Return the domain's part of its addresses, which is made with the first image."""
    return MediaLibrary.objects.get(domain=domain).key


def get_own_path(url: str) -> str:
    """Return the path of an address of ours, which the portal's own pages may show; '' of any other."""
    path = url.removeprefix(settings.PUBLIC_URL)
    return path if read_path(path) else ""


def has_public_urls() -> bool:
    """Return whether mail programs could load our addresses: values and templates take https alone."""
    return settings.PUBLIC_URL.startswith("https://")


def has_usable_urls() -> bool:
    """Return whether values may be our addresses: where mail programs could load them, and beside a sandbox."""
    return has_public_urls() or bool(get_sandbox_origin())
