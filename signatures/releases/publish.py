"""Publishing: makes a release of chosen changes and makes it live, now or at a set time."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from integrations.ledger.record import record_act
from portal.models import Domain, User
from signatures.models import (
    DeliverySettings,
    Release,
    ReleaseRequest,
    ReleaseState,
    RequestState,
    Template,
    ValueDraft,
)
from signatures.senders.values import apply_value_drafts

from .content import ReleaseContent, digest_outcome, digest_part, list_changed_keys, merge
from .draft import build_draft, read_draft
from .live import get_content, get_live
from .template_errors import list_template_errors


class PublishRefused(Exception):
    """Nothing was published; the message says why to a person."""


def list_drafts(domain: Domain) -> list[str]:
    """Return the keys of everything that is edited and not published: see `content`, and `values:ID` of a sender."""
    draft = read_draft(domain)
    return [*draft.changed_keys, *draft.value_keys]


def publish(
    domain: Domain,
    *,
    keys: Collection[str] | None = None,
    note: str = "",
    by: User | None = None,
    actor: str,
    publish_at: datetime | None = None,
    seen: Mapping[str, str] | None = None,
    rollout: Mapping[str, Any] | None = None,
    request: ReleaseRequest | None = None,
    is_alone: bool = False,
) -> Release:
    """Make a release of the drafts with these keys and make it live; the other drafts stay drafts.

    keys: None for every draft. publish_at: when it goes live, in the future; None for now. seen: key -> digest of
    what the person chose, refused where it was edited since. rollout: the stages of a scheduled release's delivery.
    request: what was approved. is_alone: nobody approves it though the domain requires that, for the command line.
    No mailbox is written.
    Raises: PublishRefused, and nothing was published.
    """
    with transaction.atomic():
        Domain.objects.select_for_update().get(pk=domain.pk)  # one release at a time
        _refuse_alone(domain, request, is_alone=is_alone)
        live = get_live(domain)
        chosen = _choose_drafts(domain, keys, live)
        draft, values = build_draft(domain), read_values(domain, chosen)
        refuse_unseen(draft, values, seen or {})
        content = merge(get_content(live), draft, chosen)
        refuse_unusable(content)
        refuse_errors(domain, get_content(live), content)
        base = live.number if live else None
        if request is not None and request.digest != digest_outcome(base, content, values):
            raise PublishRefused(
                "What was asked for was edited this moment. Nothing was published; review it again."
            )
        release = _create(
            domain,
            content,
            note=note,
            published_by=by,
            published_by_label=actor,
            publish_at=publish_at,
            rollout={**(rollout or {}), "values": values, "base": base},
            request=request,
        )
        return release if publish_at is not None else go_live(release)


def _choose_drafts(domain: Domain, keys: Collection[str] | None, live: Release | None) -> set[str]:
    drafts = list_drafts(domain)
    chosen = set(drafts if keys is None else keys)
    if chosen - set(drafts):
        raise PublishRefused(
            "What you chose was published or undone meanwhile. Nothing was published; review the changes again."
        )
    if not chosen and live is not None:
        raise PublishRefused("Nothing was chosen, so nothing was published.")
    return chosen


def republish(
    release: Release,
    *,
    note: str = "",
    by: User | None = None,
    actor: str,
    request: ReleaseRequest | None = None,
    is_alone: bool = False,
) -> Release:
    """Make an earlier release's content live again, as a new release. Drafts stay drafts, values stay.

    request, is_alone: as for `publish`. Raises: PublishRefused.
    """
    domain = release.domain
    with transaction.atomic():
        Domain.objects.select_for_update().get(pk=domain.pk)
        _refuse_alone(domain, request, is_alone=is_alone)
        live, content = get_live(domain), get_content(release)
        if live is not None and live.digest == release.digest:
            raise PublishRefused(f"{live} has exactly the same content. Nothing was published.")
        refuse_unusable(content)
        again = _create(
            domain,
            content,
            request=request,
            note=note,
            made_from=release,
            published_by=by,
            published_by_label=actor,
        )
        return go_live(again)


def requires_approval(domain: Domain) -> bool:
    """Return whether a second person approves each release of this domain."""
    return DeliverySettings.objects.for_domain(domain).requires_approval


def _refuse_alone(domain: Domain, request: ReleaseRequest | None, *, is_alone: bool) -> None:
    if request is None and not is_alone and requires_approval(domain):
        raise PublishRefused(
            "A second person approves each release of this domain. Nothing was published; ask for approval."
        )


def _create(
    domain: Domain, content: ReleaseContent, *, request: ReleaseRequest | None, **values: Any
) -> Release:
    last = Release.objects.filter(domain=domain).aggregate(last=Max("number"))["last"] or 0
    release = Release.objects.create(
        domain=domain,
        number=last + 1,
        content=content.to_json(),
        digest=content.digest,
        state=ReleaseState.SCHEDULED,
        **values,
    )
    if request is not None:
        ReleaseRequest.objects.filter(pk=request.pk).update(release=release)
    if release.publish_at is not None:
        record_act(
            "release scheduled",
            domain=domain,
            actor_label=release.published_by_label,
            object_ref=str(release),
            detail=f"For {release.publish_at.isoformat(timespec='minutes')}",
        )
    return release


@transaction.atomic
def go_live(release: Release, *, actor: str = "") -> Release:
    """Make a scheduled release the live one, with the values that were published with it.

    actor: who made it live before its time; '' for whoever published it.

    Raises: PublishRefused, where it was cancelled or is live already, or would undo what went live since it was made.
    """
    Domain.objects.select_for_update().get(pk=release.domain_id)  # one release at a time
    hindrance = find_hindrance(release, actor=actor)
    if hindrance:
        raise PublishRefused(hindrance)
    waiting = Release.objects.filter(pk=release.pk, state=ReleaseState.SCHEDULED)
    Release.objects.filter(domain=release.domain, state=ReleaseState.LIVE).update(state=ReleaseState.EARLIER)
    if waiting.update(state=ReleaseState.LIVE, published_at=timezone.now()) != 1:
        raise PublishRefused(f"{release} is no longer scheduled. Nothing was published.")
    release.refresh_from_db()
    apply_value_drafts(release.domain, release.rollout.get("values", []), actor=release.published_by_label)
    record_act(
        "release published",
        domain=release.domain,
        actor_label=actor or release.published_by_label,
        object_ref=str(release),
        detail=_describe(release),
    )
    _outdate_requests(release, actor=actor or release.published_by_label)
    return release


def _describe(release: Release) -> str:
    note = release.note or (f"The same as {release.made_from}" if release.made_from else "")
    if not requires_approval(release.domain) or ReleaseRequest.objects.filter(release=release).exists():
        return note
    return f"{note}. No second person approved it".lstrip(". ")


def _outdate_requests(release: Release, *, actor: str) -> None:
    """Close what was asked for before this release went live: it would be another release now."""
    asked = ReleaseRequest.objects.filter(domain=release.domain, state=RequestState.ASKED)
    for request in asked.order_by("pk"):
        ReleaseRequest.objects.filter(pk=request.pk).update(
            state=RequestState.OUTDATED, decided_at=timezone.now()
        )
        record_act(
            "release request out of date",
            domain=release.domain,
            actor_label=actor,
            object_ref=str(request),
            detail=f"{release} went live",
        )


def find_hindrance(release: Release, *, actor: str = "") -> str:
    """Return why a scheduled release does not go live; '' where it does. actor: who would make it live early."""
    overtaken = find_overtaking(release)
    if overtaken is not None:
        return (
            f"{overtaken} went live after {release} was scheduled, and its changes are not in {release}. "
            "Cancel it, and schedule its changes again."
        )
    if release.publish_at is None or not requires_approval(release.domain):
        return ""
    request = ReleaseRequest.objects.filter(release=release).first()
    if request is None:
        return f"No second person approved {release}. Cancel it, and ask for approval of its changes."
    if actor.casefold() == request.asked_by_label.casefold():
        return f"You asked for {release}, so somebody else makes it live before its time."
    return ""


def find_overtaking(release: Release) -> Release | None:
    """Return the live release if the scheduled one would undo changes of it that nobody chose to undo; else None."""
    live = get_live(release.domain)
    made_from = release.rollout.get("base")
    if live is None or release.publish_at is None or live.number == made_from:
        return None
    base = get_content(Release.objects.filter(domain=release.domain, number=made_from).first())
    now, then = get_content(live), get_content(release)
    ended = set(list_changed_keys(base, now)) & set(list_changed_keys(now, then))
    if release.created_at > live.created_at:  # whoever chose these changes saw that release
        ended -= set(list_changed_keys(base, then))
    return live if ended else None


@transaction.atomic
def cancel_release(release: Release, *, actor: str) -> None:
    """Cancel a scheduled release, so that it never goes live. Raises: PublishRefused, where it is live."""
    waiting = Release.objects.filter(pk=release.pk, state=ReleaseState.SCHEDULED)
    if waiting.update(state=ReleaseState.CANCELLED) != 1:
        raise PublishRefused(f"{release} is no longer scheduled.")
    record_act("release cancelled", domain=release.domain, actor_label=actor, object_ref=str(release))


def list_due_releases() -> list[int]:
    """Return ids of scheduled releases whose time has come, oldest first."""
    due = Release.objects.filter(state=ReleaseState.SCHEDULED, publish_at__lte=timezone.now())
    return list(due.order_by("publish_at", "pk").values_list("pk", flat=True))


def list_unstarted_rollouts() -> list[int]:
    """Return ids of scheduled releases that went live and whose rollout was neither started nor left to a person."""
    live = Release.objects.filter(state=ReleaseState.LIVE, publish_at__isnull=False, rollout_at=None)
    return list(live.order_by("published_at", "pk").values_list("pk", flat=True))


def settle_rollout(release: Release, *, cause: str = "") -> bool:
    """Claim a scheduled release's rollout; return whether this call got it, as only the first one does.

    cause: why it is left to a person; '' where it is started.
    """
    unsettled = Release.objects.filter(pk=release.pk, rollout_at=None)
    return unsettled.update(rollout_at=timezone.now(), rollout_cause=cause) == 1


def refuse_unseen(draft: ReleaseContent, values: list[dict[str, Any]], seen: Mapping[str, str]) -> None:
    """Raise PublishRefused where a draft was edited since somebody saw it. seen: key -> digest of what they saw."""
    for key, digest in seen.items():
        sender = key.removeprefix("values:")
        typed = [(one["field"], one["value"]) for one in values if str(one["sender"]) == sender]
        if digest_part(draft, key, typed) != digest:
            raise PublishRefused(
                "What you chose was edited since you saw it. Nothing was published; review the changes again."
            )


def refuse_unusable(content: ReleaseContent) -> None:
    """Raise PublishRefused where a content assigns a template that it does not hold."""
    missing = content.list_unpublished_templates()
    if not missing:
        return
    names = Template.objects.filter(pk__in=missing).order_by("name").values_list("name", flat=True)
    listed = ", ".join(f"“{name}”" for name in names)
    raise PublishRefused(
        f"Template {listed} is assigned by what you chose and was left out itself. "
        "Include it, or leave the assignment out as well. Nothing was published."
    )


def refuse_errors(domain: Domain, before: ReleaseContent, content: ReleaseContent) -> None:
    """Raise PublishRefused where a template that is not live yet has an error."""
    found = list_template_errors(domain, before, content)
    if found:
        named = ", ".join(f"“{one.version.template}”" for one in found)
        raise PublishRefused(
            f"Template {named} has errors, which the page of releases lists. Correct them, or leave the template out. "
            "Nothing was published."
        )


def read_values(domain: Domain, keys: Collection[str]) -> list[dict[str, Any]]:
    """Return the drafts of values that the keys name, as `Release.rollout` keeps them."""
    ids = [int(key.removeprefix("values:")) for key in keys if key.startswith("values:")]
    drafts = ValueDraft.objects.filter(sender__domain=domain, sender__in=ids)
    return [_write_value(draft) for draft in drafts]


def _write_value(draft: ValueDraft) -> dict[str, Any]:
    return {
        "sender": draft.sender_id,
        "field": draft.field,
        "value": draft.value,
        "by": draft.edited_by_label,
        "origin": draft.origin,
    }
