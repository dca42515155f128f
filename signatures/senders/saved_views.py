"""Saved views: keeps filters of the list of senders under a name, for one person or for the domain."""

from __future__ import annotations

from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet

from integrations.ledger.record import record_act
from portal.models import Domain, User
from signatures.models import SavedView

MOST_VIEWS = 50  # own ones of one person, and shared ones of one domain


class ViewRefused(Exception):
    """A view cannot be saved; the message says why, to a person."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


def list_views(domain: Domain, user: User) -> QuerySet[SavedView]:
    """Return the person's own views and the domain's, by name."""
    return SavedView.objects.filter(Q(owner=user) | Q(owner=None), domain=domain)


def save_view(domain: Domain, *, name: str, query: str, by: User, is_shared: bool) -> SavedView:
    """Keep the filters of `query` under a name; only by whoever may edit. Raises: ViewRefused."""
    owner = None if is_shared else by
    alike = SavedView.objects.filter(domain=domain, owner=owner)
    if alike.count() >= MOST_VIEWS:
        raise ViewRefused(f"There are {MOST_VIEWS} views already. Delete one first.")
    try:
        with transaction.atomic():
            view = SavedView.objects.create(
                domain=domain, owner=owner, name=name, query=query, created_by_label=by.email
            )
            _record("view of senders saved", view, by)
    except IntegrityError as taken:
        raise ViewRefused(f"There is a view “{name}” already. Choose another name.") from taken
    return view


@transaction.atomic
def delete_view(view: SavedView, *, by: User) -> None:
    """Delete a view; the filters of everybody who looks at the list stay as they are."""
    _record("view of senders deleted", view, by)
    view.delete()


def _record(action: str, view: SavedView, by: User) -> None:
    whose = "shared" if view.owner_id is None else "own"
    record_act(action, domain=view.domain, actor_label=by.email, detail=f"{view.name} ({whose})")
