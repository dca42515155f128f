"""Originals view: downloads each mailbox's signature before the first delivery."""

from __future__ import annotations

from io import TextIOWrapper
from tempfile import SpooledTemporaryFile

from django.http import FileResponse, HttpRequest
from django.views.decorators.http import require_safe

from integrations.ledger.record import record_act
from portal.access import Permission, get_actor, require
from portal.models import Domain
from portal.reauth import recently_authenticated
from signatures.delivery.originals import IN_MEMORY_BYTES, write_archive, write_originals

CONTENT_TYPES = {
    "csv": "text/csv; charset=utf-8",
    "jsonl": "application/jsonl; charset=utf-8",
    "zip": "application/zip",
}


@require(Permission.CONNECT)
@recently_authenticated(returns_to="signatures:deliveries", reading=True)
@require_safe
def originals(request: HttpRequest, domain: Domain) -> FileResponse:
    """Download every original as one file; `format` is csv (default), or jsonl or zip, which are exact."""
    chosen = request.GET.get("format", "csv")
    chosen = chosen if chosen in CONTENT_TYPES else "csv"
    file = SpooledTemporaryFile(max_size=IN_MEMORY_BYTES)  # noqa: SIM115 - the response closes it
    if chosen == "zip":
        count = write_archive(domain, file)
    else:
        text = TextIOWrapper(file, encoding="utf-8", newline="")
        count = write_originals(domain, text, chosen)
        text.detach()  # flushes, and leaves the file open
    file.seek(0)
    record_act(
        "originals downloaded",
        domain=domain,
        actor_label=get_actor(request).email,
        detail=f"{count} as {chosen}",
    )
    return FileResponse(
        file,
        as_attachment=True,
        filename=f"originals-{domain.name}.{chosen}",
        content_type=CONTENT_TYPES[chosen],
    )
