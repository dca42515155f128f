"""Image cache: keeps the files of banner images and media in memory, up to a number of bytes."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, NamedTuple

from django.db import Error as DatabaseFailure
from django.db.models import QuerySet

from signatures.media.addresses import FileRef, write_stem
from signatures.models import BannerImage, MediaFile

MOST_IMAGE_BYTES = 64_000_000
KNOWN_SECONDS = 3600.0  # after this, a medium is looked for again: it may have been removed


@dataclass(frozen=True, slots=True)
class ImageFile:
    """A file as it is served."""

    content: bytes
    media_type: str
    etag: str


class _Pair(NamedTuple):
    """The files at 1× and 2×. read_at: when their row was read, in seconds."""

    single: ImageFile
    double: ImageFile
    read_at: float


class ImageCache:
    """The files of banner images by id, and of media by address; the oldest are dropped where it is full."""

    def __init__(self) -> None:
        self._files: dict[int | str, _Pair] = {}
        self._bytes = 0
        self._keeping = threading.Lock()

    def get(self, image_id: int, *, is_double: bool) -> ImageFile | None:
        """Return the file of a banner image at 1× or 2×; None where it was removed."""
        pair = self._files.get(image_id) or self._read(image_id, BannerImage.objects.filter(pk=image_id))
        return _choose(pair, is_double=is_double)

    def get_medium(self, ref: FileRef) -> ImageFile | None:
        """Return the file that an address asks for; None for none. Its row is looked for again every hour.

        Raises: DatabaseFailure where it is not in memory and cannot be read.
        """
        stem = write_stem(ref.key, ref.digest)
        pair = self._files.get(stem)
        if pair is None or time.time() - pair.read_at > KNOWN_SECONDS:
            rows = MediaFile.objects.filter(digest=ref.digest, image__domain__media__key=ref.key)
            try:
                pair = self._read(stem, rows)
            except DatabaseFailure:
                if pair is None:
                    raise
        return _choose(pair, is_double=ref.is_double)

    def _read(self, key: int | str, rows: QuerySet[Any]) -> _Pair | None:
        row = rows.values_list("media_type", "bytes_1x", "bytes_2x").first()
        pair = None
        if row is not None:
            media_type, single, double = row
            pair = _Pair(_make_file(single, media_type), _make_file(double, media_type), time.time())
        self._keep(key, pair)
        return pair

    def _keep(self, key: int | str, pair: _Pair | None) -> None:
        """Keep the files under the key in place of those there; None keeps none."""
        with self._keeping:
            self._drop(key)
            if pair is None:
                return
            self._files[key] = pair
            self._bytes += _count_bytes(pair)
            while self._bytes > MOST_IMAGE_BYTES and len(self._files) > 1:
                self._drop(next(iter(self._files)))

    def _drop(self, key: int | str) -> None:
        dropped = self._files.pop(key, None)
        self._bytes -= _count_bytes(dropped) if dropped is not None else 0


def _choose(pair: _Pair | None, *, is_double: bool) -> ImageFile | None:
    if pair is None:
        return None
    return pair.double if is_double else pair.single


def _count_bytes(pair: _Pair) -> int:
    return len(pair.single.content) + len(pair.double.content)


def _make_file(content: bytes | memoryview, media_type: str) -> ImageFile:
    file = bytes(content)
    return ImageFile(file, media_type, f'"{sha256(file).hexdigest()[:24]}"')
