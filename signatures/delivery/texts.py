"""Texts: keeps each signature that was written or found, once per digest, and finds it again."""

from __future__ import annotations

from collections.abc import Iterable

from signatures.models import SignatureHtml

from .digest import digest

EMPTY_SHA256 = digest("")  # of a mailbox without a signature, which needs no row


def keep_texts(domain_id: int, texts: Iterable[str]) -> None:
    """Keep each signature's text, once per digest, for whoever asks later what a mailbox held."""
    by_digest = {digest(text): text for text in texts if text}
    SignatureHtml.objects.bulk_create(
        [SignatureHtml(domain_id=domain_id, sha256=sha, html=text) for sha, text in by_digest.items()],
        batch_size=100,
        ignore_conflicts=True,
    )


def find_texts(domain_id: int, digests: Iterable[str]) -> dict[str, str]:
    """Return digest -> text, for those that are kept."""
    wanted = set(digests) - {""}
    rows = SignatureHtml.objects.filter(domain=domain_id, sha256__in=wanted - {EMPTY_SHA256})
    found = dict(rows.values_list("sha256", "html"))
    return found | {EMPTY_SHA256: ""} if EMPTY_SHA256 in wanted else found


def find_kept(domain_id: int, digests: Iterable[str]) -> set[str]:
    """Return those of the digests whose text is kept and can be looked at."""
    rows = SignatureHtml.objects.filter(domain=domain_id, sha256__in=set(digests) - {""})
    return set(rows.values_list("sha256", flat=True))


def find_text(domain_id: int, sha256: str) -> str | None:
    """Return the text with this digest, '' for no signature, None where it is not kept."""
    return find_texts(domain_id, [sha256]).get(sha256)
