"""After a release: statuses follow it, scheduled ones go live at their time, and their rollout starts exactly once.

Safe to repeat: a release goes live by one change of its state, and its rollout is started in the transaction that
takes it. A late or restarted process finds what is left to do, or nothing.
"""

from __future__ import annotations

import logging

from django.db import transaction

from integrations.connection.lifecycle import get_connection
from integrations.models import Connection, ConnectionState
from signatures.models import DeliveryRun, Release
from signatures.releases.publish import (
    PublishRefused,
    go_live,
    list_due_releases,
    list_unstarted_rollouts,
    settle_rollout,
)

from .base import DeliveryBlocked
from .planning import plan_delivery
from .runs import start_delivery
from .stages import get_rollout
from .status import follow_release, refresh_states

logger = logging.getLogger(__name__)


def follow(release: Release) -> None:
    """Store the status of each mailbox that a new live release, or the values published with it, may change."""
    connection = get_connection(release.domain)
    if connection is not None:
        follow_release(connection)
        refresh_states(
            connection, sender_ids={value["sender"] for value in release.rollout.get("values", [])}
        )


def follow_dates() -> None:
    """Store the status of each mailbox that a date in its domain's live release touches today."""
    for connection in Connection.objects.filter(state=ConnectionState.ACTIVE).select_related("domain"):
        follow_release(connection)


def publish_due() -> None:
    """Make each scheduled release live whose time has come, oldest first; of two, the later one stays live."""
    for release_id in list_due_releases():
        try:
            go_live(Release.objects.select_related("domain").get(pk=release_id))
        except PublishRefused as refused:
            logger.info("release %s: %s", release_id, refused)


def start_rollouts() -> list[int]:
    """Plan and start the rollout of each release that went live by its schedule; return the runs to carry out."""
    started = []
    for release_id in list_unstarted_rollouts():
        release = Release.objects.select_related("domain", "published_by").get(pk=release_id)
        follow(release)
        try:
            run = _start(release)
        except DeliveryBlocked as blocked:
            settle_rollout(release, cause=str(blocked))
            continue
        if run is not None:
            started.append(run.pk)
    return started


def _start(release: Release) -> DeliveryRun | None:
    """Return the run that rolls a release out; None where nothing changes, or somebody else was first."""
    actor = release.published_by_label
    run = plan_delivery(release.domain, actor=actor, by=release.published_by)
    if not run.planned or run.release_id != release.pk:
        settle_rollout(release)
        return None
    with transaction.atomic():
        if not settle_rollout(release):
            return None
        return start_delivery(
            run, actor=actor, by=release.published_by, rollout=get_rollout(release.domain, release)
        )
