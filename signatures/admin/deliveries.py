"""Deliveries in Django admin: read-only, with the actions of the portal's pages."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from integrations.admin.base import DomainFilter, ReadOnlyAdmin, act_on_each
from integrations.admin.connections import ConnectionAdmin
from integrations.admin.long_lists import NOTHING, LongReadOnlyAdmin, find_mailbox_ids, read_number
from integrations.models import Connection
from portal.access import get_actor
from portal.background import enqueue
from portal.models import User
from signatures.delivery.base import DeliveryBlocked
from signatures.delivery.planning import open_plan
from signatures.delivery.runs import resume_delivery, start_delivery
from signatures.delivery.stages import AT_ONCE, Rollout, get_rollout
from signatures.models import Delivery, DeliveryRun, DeliveryRunState, Snapshot
from signatures.tasks import plan_soon

TASK = "signatures.tasks.deliver_signatures"


def _get_rollout(run: DeliveryRun) -> Rollout:
    """Return the domain's stages and limits for a delivery; a restore has neither."""
    return get_rollout(run.domain) if run.kind == DeliveryRun.Kind.DELIVER else AT_ONCE


def _start(run: DeliveryRun, by: User) -> str:
    start_delivery(run, actor=by.email, by=by, rollout=_get_rollout(run))
    enqueue(TASK, run_id=run.pk)
    return f"delivery {run.pk} to {run.planned} mailboxes is queued."


admin.site.unregister(Connection)


@admin.register(Connection)
class DeliveringConnectionAdmin(ConnectionAdmin):
    """Connection admin with the actions of deliveries."""

    actions = [*ConnectionAdmin.actions, "plan"]

    @admin.action(description="Plan a delivery (writes nothing)")
    def plan(self, request: HttpRequest, rows: QuerySet[Connection]) -> None:
        by = get_actor(request)

        def act(connection: Connection) -> str:
            run = open_plan(connection.domain, actor=by.email, by=by)
            plan_soon(run)
            run.refresh_from_db()
            if run.state == DeliveryRunState.PLANNING:
                return f"delivery {run.pk} is being planned. See the Deliveries page."
            return (
                f"{run.planned} mailboxes would change, {run.unchanged} unchanged, "
                f"{run.refused} blocked. Start it on the Deliveries page."
            )

        act_on_each(request, rows, act, refusals=(DeliveryBlocked,))


@admin.register(DeliveryRun)
class DeliveryRunAdmin(ReadOnlyAdmin):
    """Deliveries and restores, with their progress."""

    list_display = [
        "__str__",
        "state",
        "started_by_label",
        "created_at",
        "planned",
        "delivered",
        "refused",
        "failed",
    ]
    list_filter = ["state", "kind", DomainFilter]
    list_select_related = ["domain"]
    search_fields = ["=id", "domain__name", "started_by_label", "cause"]
    date_hierarchy = "created_at"
    actions = ["start", "resume"]
    exclude = ["started_by"]  # its label outlives the account
    readonly_fields = ["mailboxes"]

    @admin.display(description="Mailboxes")
    def mailboxes(self, run: DeliveryRun) -> SafeString:
        address = reverse("admin:signatures_delivery_changelist", query={"run__id__exact": run.pk})
        return format_html('<a href="{}">Mailboxes of this run</a>', address)

    @admin.action(description="Start planned deliveries")
    def start(self, request: HttpRequest, rows: QuerySet[DeliveryRun]) -> None:
        by = get_actor(request)
        act_on_each(request, rows, lambda run: _start(run, by), refusals=(DeliveryBlocked,))

    @admin.action(description="Resume stopped deliveries")
    def resume(self, request: HttpRequest, rows: QuerySet[DeliveryRun]) -> None:
        def act(run: DeliveryRun) -> str:
            resume_delivery(run, actor=get_actor(request).email)
            enqueue(TASK, run_id=run.pk)
            return "continues with the remaining mailboxes."

        act_on_each(request, rows, act, refusals=(DeliveryBlocked,))


class DeliveryDomainFilter(DomainFilter):
    path = "run__domain"


@admin.register(Delivery)
class DeliveryAdmin(LongReadOnlyAdmin):
    """One mailbox of one delivery, and its result."""

    list_display = ["mailbox_email", "run", "state", "reason", "finished_at"]
    list_filter = ["state", DeliveryDomainFilter]
    list_select_related = ["run__domain"]
    search_fields = ["mailbox_remote_id", "run__id"]
    search_takes = "A whole address of a mailbox, its id in Outreach, or a delivery’s number."

    def get_queryset(self, request: HttpRequest) -> QuerySet[Delivery]:
        """Return the rows without the senders that their run was planned for: those may be 100,000 ids in each."""
        return super().get_queryset(request).defer("run__scope")

    def find(self, words: str) -> Q:
        found, number = Q(mailbox_remote_id__in=find_mailbox_ids(words)), read_number(words)
        return found if number is None else found | Q(run=number)


@admin.register(Snapshot)
class SnapshotAdmin(LongReadOnlyAdmin):
    """Original signatures of mailboxes."""

    list_display = ["mailbox_email", "domain", "taken_at", "restored_at"]
    list_filter = [("restored_at", admin.EmptyFieldListFilter), DomainFilter]
    list_select_related = ["domain"]
    search_fields = ["mailbox_remote_id"]
    search_takes = "A whole address of a mailbox, or its id in Outreach."

    def find(self, words: str) -> Q:
        ids, found = find_mailbox_ids(words), NOTHING
        kept = Connection.objects.order_by().values_list("domain_id", "account_key").distinct()
        for domain_id, account_key in kept:
            found |= Q(domain=domain_id, account_key=account_key, mailbox_remote_id__in=ids)
        return found
