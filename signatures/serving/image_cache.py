"""Image cache: keeps the files of banner images in memory, up to a number of bytes."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from hashlib import sha256

from signatures.models import BannerImage

MOST_IMAGE_BYTES = 64_000_000


@dataclass(frozen=True, slots=True)
class ImageFile:
    """A file as it is served."""

    content: bytes
    media_type: str
    etag: str


class ImageCache:
    """The files of banner images; the oldest are dropped where it is full."""

    def __init__(self) -> None:
        self._files: dict[int, tuple[ImageFile, ImageFile]] = {}
        self._bytes = 0
        self._keeping = threading.Lock()

    def get(self, image_id: int, *, is_double: bool) -> ImageFile | None:
        """Return the file at 1× or 2×; None where it was removed."""
        pair = self._files.get(image_id)
        if pair is None:
            row = BannerImage.objects.filter(pk=image_id).first()
            if row is None:
                return None
            pair = _make_file(row.bytes_1x, row.media_type), _make_file(row.bytes_2x, row.media_type)
            self._keep(image_id, pair)
        return pair[is_double]

    def _keep(self, image_id: int, pair: tuple[ImageFile, ImageFile]) -> None:
        with self._keeping:
            self._files[image_id] = pair
            self._bytes += sum(len(each.content) for each in pair)
            while self._bytes > MOST_IMAGE_BYTES and len(self._files) > 1:
                dropped = self._files.pop(next(iter(self._files)))
                self._bytes -= sum(len(each.content) for each in dropped)


def _make_file(content: bytes | memoryview, media_type: str) -> ImageFile:
    file = bytes(content)
    return ImageFile(file, media_type, f'"{sha256(file).hexdigest()[:24]}"')
