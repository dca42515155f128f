"""Requests: a second person approves a release or sends it back, where a domain requires that.

A request covers exact drafts and what would be live with them. What changed since makes it out of date, so nobody
approves what they did not see. The domain's row is locked by every decision, so of two at once one wins.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from integrations.ledger.record import record_act
from portal.access import PERMISSIONS, Permission
from portal.models import Domain, User
from signatures.models import Release, ReleaseRequest, RequestState

from .candidate import Candidate, build_candidate
from .content import digest_outcome, list_changed_keys
from .live import get_content, get_live
from .publish import (
    PublishRefused,
    publish,
    read_values,
    refuse_errors,
    refuse_unseen,
    refuse_unusable,
    republish,
)

ALONE = "Whoever asks for a release never approves it. Somebody else who may publish does."


class RequestRefused(Exception):
    """Nothing was decided; the message says why to a person."""


def list_approvers(domain: Domain, *, besides: str) -> QuerySet[User]:
    """Return who may decide what `besides`, an address, asks for."""
    roles = [role for role, permissions in PERMISSIONS.items() if Permission.PUBLISH in permissions]
    found = User.objects.filter(is_active=True, memberships__domain=domain, memberships__role__in=roles)
    return found.exclude(email__iexact=besides).order_by("email")


def build_requested(request: ReleaseRequest) -> Candidate:
    """Return what a request would make live, as it is now: its drafts, or the earlier release it names."""
    domain = request.domain
    if request.again is not None:
        live = get_live(domain)
        before, again = get_content(live), get_content(request.again)
        keys = tuple(list_changed_keys(before, again))
        return Candidate(domain, live, before, again, keys, keys, ())
    return build_candidate(domain, only=request.keys)


def find_outdated(request: ReleaseRequest, candidate: Candidate) -> str:
    """Return why a request can no longer be approved; '' where it can. candidate: of `build_requested`."""
    if digest_candidate(candidate) != request.digest:
        return "What it covers was edited, published or undone since it was asked for."
    if request.publish_at is not None and request.publish_at <= timezone.now():
        return "The time at which it was to be published is over."
    return ""


def ask(
    domain: Domain,
    *,
    keys: Collection[str] = (),
    again: Release | None = None,
    note: str = "",
    by: User,
    publish_at: datetime | None = None,
    seen: Mapping[str, str] | None = None,
    rollout: Mapping[str, Any] | None = None,
) -> ReleaseRequest:
    """Ask somebody else to publish these drafts, or an earlier release again; arguments as for `publish`.

    Raises: PublishRefused, where it could not be published; RequestRefused, where nobody else could approve it.
    """
    if not list_approvers(domain, besides=by.email).exists():
        raise RequestRefused(
            "Nobody else in this domain may publish, so nobody could approve it. "
            "An owner or admin invites an approver on the Members page."
        )
    with transaction.atomic():
        Domain.objects.select_for_update().get(pk=domain.pk)
        request = ReleaseRequest(
            domain=domain,
            keys=sorted(keys),
            again=again,
            note=note,
            publish_at=publish_at,
            rollout=dict(rollout or {}),
            asked_by=by,
            asked_by_label=by.email,
        )
        candidate = build_requested(request)
        if again is None and set(candidate.chosen) != set(keys):
            raise PublishRefused(
                "What you chose was published or undone meanwhile. Nothing was asked for; review the changes again."
            )
        if not candidate.chosen:
            raise PublishRefused("Nothing would change, so nothing was asked for.")
        refuse_unseen(candidate.draft, read_values(domain, candidate.chosen), seen or {})
        refuse_unusable(candidate.content)
        if again is None:  # what was live once may be again, also where a rule is newer
            refuse_errors(domain, candidate.before, candidate.content)
        request.digest = digest_candidate(candidate)
        request.save()
        _record("release asked for", request, by.email, note)
    return request


def approve(request: ReleaseRequest, *, by: User) -> Release:
    """Publish what a request asks for, live now or at its time.

    Raises: RequestRefused, where `by` asked for it, or it was decided, or it is out of date, which is then stored;
    PublishRefused, and nothing changed.
    """
    with transaction.atomic():
        request = _lock(request)
        _refuse_asker(request, by)
        outdated = find_outdated(request, build_requested(request))
        if not outdated:
            return _carry_out(request, by)
        _close(request, RequestState.OUTDATED, "")
        _record("release request out of date", request, by.email, outdated)
    raise RequestRefused(f"{outdated} Nothing was published. It can be asked for again.")


def _carry_out(request: ReleaseRequest, by: User) -> Release:
    _close(request, RequestState.APPROVED, by.email)
    _record("release approved", request, by.email, f"Asked for by {request.asked_by_label}")
    if request.again is not None:
        release = republish(request.again, note=request.note, by=by, actor=by.email, request=request)
    else:
        release = publish(
            request.domain,
            keys=request.keys,
            note=request.note,
            by=by,
            actor=by.email,
            publish_at=request.publish_at,
            rollout=request.rollout,
            request=request,
        )
    return release


def send_back(request: ReleaseRequest, *, by: User, comment: str) -> None:
    """Decline a request with a comment; its drafts stay drafts. Raises: RequestRefused."""
    if not comment.strip():
        raise RequestRefused("Write what has to change. Nothing was sent back.")
    with transaction.atomic():
        request = _lock(request)
        _refuse_asker(request, by)
        _close(request, RequestState.SENT_BACK, by.email, comment.strip())
        _record("release sent back", request, by.email, comment.strip()[:1000])


@transaction.atomic
def withdraw(request: ReleaseRequest, *, by: User) -> None:
    """Whoever asked no longer does. Raises: RequestRefused."""
    request = _lock(request)
    if not is_asker(request, by):
        raise RequestRefused(f"{request.asked_by_label} asked for it, so nobody else withdraws it.")
    _close(request, RequestState.WITHDRAWN, by.email)
    _record("release request withdrawn", request, by.email, "")


def is_asker(request: ReleaseRequest, user: User) -> bool:
    """Return whether this person asked; an account made anew with the same address is the same person."""
    return request.asked_by_id == user.pk or request.asked_by_label.casefold() == user.email.casefold()


def _refuse_asker(request: ReleaseRequest, by: User) -> None:
    if is_asker(request, by):
        raise RequestRefused(ALONE)


def _lock(request: ReleaseRequest) -> ReleaseRequest:
    """Return the request as it is now, which nobody else decides before this transaction ends."""
    Domain.objects.select_for_update().get(pk=request.domain_id)
    return ReleaseRequest.objects.select_related("domain", "again").get(pk=request.pk)


def _close(request: ReleaseRequest, state: RequestState, by: str, comment: str = "") -> None:
    waiting = ReleaseRequest.objects.filter(pk=request.pk, state=RequestState.ASKED)
    values = {"decided_at": timezone.now(), "decided_by_label": by, "comment": comment}
    if waiting.update(state=state, **values) != 1:
        fresh = ReleaseRequest.objects.get(pk=request.pk)
        by_whom = f" by {fresh.decided_by_label}" if fresh.decided_by_label else ""
        raise RequestRefused(f"{fresh} is {fresh.get_state_display().lower()}{by_whom}. Nothing changed.")


def _record(action: str, request: ReleaseRequest, actor: str, detail: str) -> None:
    record_act(action, domain=request.domain, actor_label=actor, object_ref=str(request), detail=detail)


def digest_candidate(candidate: Candidate) -> str:
    """Return what tells what a request would make live from anything else."""
    values = read_values(candidate.domain, candidate.chosen)
    return digest_outcome(candidate.live.number if candidate.live else None, candidate.content, values)
