"""Common: the domain's connection and sync state, permissions and paging that several pages need."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from django.contrib import messages
from django.core.paginator import Page
from django.db.models import Exists, Model, OuterRef, QuerySet
from django.http import HttpRequest, StreamingHttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.html import format_html

from integrations.connection.lifecycle import list_open
from integrations.connection.permissions import LostFeature, list_lost_features
from integrations.models import READ_TO_END, UNFINISHED, Connection, ConnectionState, SyncRun
from portal.access import Permission, get_actor, may
from portal.models import Domain
from portal.page_reads import once_per_page, remembers_reads
from portal.paging import BoundedPaginator
from signatures.authoring.templates import assign_template
from signatures.forms.templates import TemplateChoiceForm
from signatures.models import DatedAssignment, DateState, Delivery, Group, Sender
from signatures.releases.publish import requires_approval
from signatures.senders.dated_rows import list_dated

PER_PAGE = 50
VIEWS = ("light", "dark", "text")  # what a signature can be looked at on
Row = TypeVar("Row", bound=Model)


@dataclass(frozen=True, slots=True)
class Situation:
    """A domain's setup state, which explains empty pages.

    connection: the open one, or None. syncing: the unfinished run, or None.
    has_synced: whether the directory was read to its end at least once.
    """

    connection: Connection | None
    syncing: SyncRun | None
    has_synced: bool

    @property
    def is_lost(self) -> bool:
        return self.connection is not None and self.connection.state == ConnectionState.LOST

    def list_lost(self, *listings: str) -> list[LostFeature]:
        """Return which of these listings cannot be read, and why."""
        return list_lost_features(self.connection, *listings) if self.connection else []

    @property
    def can_deliver(self) -> bool:
        """Whether a plan may be created; permission to write is checked again when it starts."""
        return self.connection is not None and self.connection.is_usable and self.has_synced


@once_per_page
def get_situation(domain: Domain) -> Situation:
    """Return the domain's setup state."""
    runs = SyncRun.objects.filter(connection=OuterRef("pk"))
    found = list_open(domain).annotate(
        is_syncing=Exists(runs.filter(state__in=UNFINISHED)),
        has_synced=Exists(runs.filter(state__in=READ_TO_END)),
    )
    connection = found.first()
    if connection is None:
        return Situation(None, None, False)
    if remembers_reads(domain):
        connection.domain = domain
    syncing = connection.sync_runs.filter(state__in=UNFINISHED).first() if connection.is_syncing else None
    return Situation(connection, syncing, connection.has_synced)


def find_own_sender(request: HttpRequest, domain: Domain) -> Sender | None:
    """Return the domain's sender whom the reader is by their address, an active one first; None for nobody."""
    own = Sender.objects.filter(domain=domain, email__iexact=get_actor(request).email)
    return own.order_by("-is_active", "pk").first()


def get_delivery(domain: Domain, run: int, pk: int) -> Delivery:
    """Return a delivery of the run with the relations that comparing needs; raises Http404."""
    rows = Delivery.objects.select_related(
        "run__connection",
        "sender__person",
        "sender__group",
        "sender__domain",
        "template_version__template__domain",
    )
    found: Delivery = get_object_or_404(rows, run__domain=domain, run_id=run, pk=pk)
    return found


def get_page(request: HttpRequest, rows: QuerySet[Any]) -> Page[Any]:
    """Return the requested page of rows, or the nearest one."""
    return BoundedPaginator(rows, PER_PAGE).get_page(request.GET.get("page"))


def values_wait(request: HttpRequest, domain: Domain) -> bool:
    """Return whether values that the user enters wait for a release."""
    return not may(request, Permission.PUBLISH) or requires_approval(domain)


TYPED_NUMBER = (
    "A phone number was kept as you typed it, as it is not one number of a country that we know. "
    "Write it with its country code, such as +1 415 555 0100, so that it can be dialled from everywhere."
)


def say_drafted(request: HttpRequest, domain: Domain, sentence: str) -> None:
    """Show a message on a saved draft, with a link to publish it."""
    address = reverse("signatures:releases", args=[domain.name])
    link = format_html('<a href="{}">Unpublished changes</a>', address)
    messages.success(request, format_html("{} It applies once it is published: {}.", sentence, link))


def assign_from_form(
    request: HttpRequest, domain: Domain, *, name: str, inherited: str, **owner: Any
) -> None:
    """Assign the chosen template to the owner and show a message.

    name: the owner's name in the message. inherited: what the owner inherits where none was chosen. owner:
    `group` or
    `sender`, as `assign_template` takes it.
    """
    form = TemplateChoiceForm(request.POST, domain=domain, otherwise="")
    if not form.is_valid():
        messages.error(request, "That template no longer exists. Choose another one.")
        return
    chosen = form.cleaned_data["template"]
    assign_template(domain, template=chosen, actor=get_actor(request).email, **owner)
    if chosen:
        say_drafted(request, domain, f"“{chosen}” assigned to {name} as a draft.")
    else:
        say_drafted(request, domain, f"{name} inherits {inherited}, as a draft.")


def describe_dated(owner: Group | Sender, domain: Domain) -> list[tuple[DatedAssignment, DateState]]:
    """Return each template that a group or a sender has for some days, with its state today."""
    column, today = "group_id" if isinstance(owner, Group) else "sender_id", domain.get_today()
    theirs = (row for row in list_dated(domain) if getattr(row, column) == owner.pk)
    return [(row, row.get_state(today)) for row in theirs]


def find_active(dated: Iterable[tuple[DatedAssignment, DateState]]) -> DatedAssignment | None:
    """Return the one that holds today, or None."""
    return next((row for row, state in dated if state == DateState.ACTIVE), None)


def give_csv(lines: Iterable[str], name: str) -> StreamingHttpResponse:
    """Return the lines as a streamed download."""
    response = StreamingHttpResponse(_encode(lines), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    return response


def _encode(lines: Iterable[str], *, at_once: int = 500) -> Iterator[bytes]:
    """Yield the lines in larger chunks."""
    waiting: list[str] = []
    for line in lines:
        waiting.append(line)
        if len(waiting) >= at_once:
            yield "".join(waiting).encode()
            waiting.clear()
    yield "".join(waiting).encode()
