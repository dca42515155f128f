"""Media serving: answers requests for the files of a domain's images, which never change at their address."""

from __future__ import annotations

from django.db import Error as DatabaseFailure
from django.http import HttpRequest, HttpResponse

from signatures.media.addresses import read_path
from signatures.media.encoding import JPEG

from . import cache
from .responses import (
    check_host,
    is_unchanged,
    refuse_method,
    respond,
    respond_unavailable,
    respond_unknown,
)

_FOR_EVER = "public, max-age=31536000, immutable"


def answer_media(request: HttpRequest) -> HttpResponse:
    """Answer one request under /m/, to anybody who has the address."""
    if request.method not in ("GET", "HEAD"):
        return refuse_method(request)
    check_host(request)
    ref = read_path(request.path_info)
    if ref is None:
        return respond_unknown(request, is_image=True)
    try:
        file = cache.CACHE.images.get_medium(ref)
    except DatabaseFailure:
        return respond_unavailable(request)
    if file is None or ref.is_jpeg is not (file.media_type == JPEG):
        return respond_unknown(request, is_image=True)
    headers = {"ETag": file.etag, "Cache-Control": _FOR_EVER}
    if is_unchanged(request, file.etag):
        return respond(request, 304, b"", headers)
    return respond(request, 200, file.content, headers | {"Content-Type": file.media_type})
