"""Own signature views: what a sender sees and changes by self-service, and nothing else of the portal.

Every view takes the sender from the account of whoever is signed in, never from the address or the form.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import copy
from functools import wraps
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from portal.access import get_actor
from signatures.delivery.sender_outlook import get_outlook
from signatures.delivery.status import refresh_sender
from signatures.forms.media import CropForm
from signatures.forms.self_service import OwnDetailsForm, PhotoForm
from signatures.media.addresses import has_usable_urls
from signatures.media.encoding import ImageRefused
from signatures.media.library import get_offer
from signatures.models import (
    IN_PLACE,
    ChangeState,
    MediaImage,
    SelfService,
    Sender,
    SenderAccount,
    SenderChange,
    TemplateVersion,
)
from signatures.releases.compose import Composer
from signatures.releases.live import get_live_content
from signatures.rendering.fields import Trust
from signatures.self_service.accounts import find_account, list_accounts, note_seen
from signatures.self_service.changes import (
    PHOTO,
    ChangeRefused,
    get_waiting,
    list_open_fields,
    save_changes,
)
from signatures.self_service.photos import remove_unused, upload_photo, use_photo
from signatures.senders.field_sources import get_field_sources
from signatures.senders.numbers import list_typed_numbers, show_numbers
from signatures.senders.values import OwnValueError, read_own, store_own

from .common import TYPED_NUMBER, VIEWS
from .previews import show_held, show_next

MOST_CHANGES = 12  # in the history


def require_sender(
    view: Callable[..., HttpResponseBase],
) -> Callable[..., HttpResponseBase]:
    """Restrict a view to whoever signs in as a sender of the domain; everybody else gets a 404."""

    @wraps(view)
    def guarded(request: HttpRequest, domain: str, *args: Any, **kwargs: Any) -> HttpResponseBase:
        account = find_account(request.user, domain)
        if account is None:
            raise Http404("No such page.")
        return view(request, account.sender, *args, **kwargs)

    return guarded


@require_safe
def my_signatures(request: HttpRequest) -> HttpResponse:
    """Lead to the person's signature; with several, let them choose."""
    accounts = list(list_accounts(request.user))
    if not accounts:
        raise Http404("No such page.")
    if len(accounts) == 1:
        return redirect("signatures:me", accounts[0].sender.domain.name)
    return render(request, "signatures/me/choice.html", {"accounts": accounts})


@require_sender
@require_http_methods(["GET", "HEAD", "POST"])
def me(request: HttpRequest, sender: Sender) -> HttpResponse:
    """Show the person's signature, and save the details they may edit."""
    if request.method != "POST":
        note_seen(SenderAccount.objects.get(sender=sender))
        return _show(request, sender, make_form(sender, None))
    form = make_form(sender, request.POST)
    values = form.get_values()
    if form.is_valid():
        try:
            _say_saved(request, sender, save_changes(sender, values, actor=get_actor(request).email))
            return redirect("signatures:me", sender.domain.name)
        except (ChangeRefused, OwnValueError) as refused:
            form.add_error(None, str(refused))
    return _show(request, sender, form, status=422)


def make_form(sender: Sender, data: Any) -> OwnDetailsForm:
    return OwnDetailsForm(
        data, sender=sender, open_fields=list_open_fields(sender.domain), present=_get_present(sender)
    )


def _get_present(sender: Sender) -> dict[str, str]:
    """Return the sender's own values, those that wait in the place of the present ones."""
    waiting = {name: change.value for name, change in get_waiting(sender).items()}
    return read_own(sender) | show_numbers(waiting)


def _say_saved(request: HttpRequest, sender: Sender, changed: list[SenderChange]) -> None:
    if any(one.state == ChangeState.SAVED for one in changed):
        refresh_sender(sender)
    if list_typed_numbers({one.field: one.value for one in changed}):
        messages.warning(request, TYPED_NUMBER)
    waiting = sum(one.state == ChangeState.WAITING for one in changed)
    if not changed:
        messages.info(request, "No changes to save.")
    elif waiting == len(changed):
        messages.success(request, "Saved. It is approved first; until then your signature stays as it is.")
    elif waiting:
        messages.success(
            request, "Saved. What needs approval waits for it; the rest goes in with the next delivery."
        )
    elif get_outlook(sender).status in IN_PLACE:
        messages.success(request, "Saved. Your mailbox holds your signature already, as it is shown here.")
    else:
        messages.success(request, "Saved. It goes in with the next delivery.")


def _show(
    request: HttpRequest,
    sender: Sender,
    form: OwnDetailsForm,
    *,
    photo: PhotoForm | None = None,
    status: int = 200,
) -> HttpResponse:
    rules, design = SelfService.objects.for_domain(sender.domain), _find_design(sender)
    open_fields = list_open_fields(sender.domain)
    names = {one.field.name for one in open_fields}
    view = request.GET.get("view", "light")
    sources = [
        one
        for one in get_field_sources(sender)
        if one.value and one.field.name.startswith("sender.") and one.field.name not in names
    ]
    context = {
        "own_domain": sender.domain,
        "sender": sender,
        "outlook": get_outlook(sender),
        "form": form,
        "photo": photo or PhotoForm(),
        "photo_url": _get_present(sender).get(PHOTO, ""),
        "has_photo": PHOTO in names,
        "takes_photos": has_usable_urls(),
        "approved": [one.field.label for one in open_fields if one.is_approved],
        "is_open": bool(open_fields),
        "view": view if view in VIEWS else "light",
        "side": "mailbox" if request.GET.get("side") == "mailbox" else "next",
        "sources": [one for one in sources if one.field.trust is not Trust.IMAGE],
        "design": design.template.name if design else "",
        "hides_photo": design is not None and PHOTO not in design.fields,
        "changes": _list_changes(sender),
        "contact": rules.contact_email,
    }
    return render(request, "signatures/me/detail.html", context, status=status)


def _find_design(sender: Sender) -> TemplateVersion | None:
    """Return the template version that the live release gives the sender, or None."""
    version_id = Composer(sender.domain, get_live_content(sender.domain)).get_version_id(sender)
    return TemplateVersion.objects.filter(pk=version_id or 0).select_related("template").first()


def _list_changes(sender: Sender) -> list[tuple[SenderChange, str]]:
    """Return the last changes with their fields' labels, the newest first."""
    labels = {source.field.name: source.field.label for source in get_field_sources(sender)}
    changes = sender.changes.exclude(state=ChangeState.REPLACED)[:MOST_CHANGES]
    return [(change, labels.get(change.field, change.field)) for change in changes]


@require_sender
@require_safe
def me_frame(request: HttpRequest, sender: Sender) -> HttpResponse:
    """Show the signature with what was saved; with `side`, what the mailbox holds."""
    view = request.GET.get("view", "light")
    if request.GET.get("side") == "mailbox":
        return show_held(sender, "mailbox", "", view)
    return show_next(_with_values(sender, _get_present(sender)), view)


@require_sender
@require_POST
def me_trial(request: HttpRequest, sender: Sender) -> HttpResponse:
    """Show the signature with what was typed; nothing is stored."""
    typed = store_own(sender, make_form(sender, request.POST).get_values())
    return show_next(
        _with_values(sender, _get_present(sender) | show_numbers(typed)), request.POST.get("view", "light")
    )


def _with_values(sender: Sender, values: Mapping[str, str]) -> Sender:
    """Return a copy that is never stored."""
    shown = copy(sender)
    shown.own_values = {name: text for name, text in values.items() if text}
    return shown


@require_sender
@require_POST
def me_photo(request: HttpRequest, sender: Sender) -> HttpResponse:
    """Upload a photo, which is cropped next."""
    _require_photo(sender)
    form = PhotoForm(request.POST, request.FILES)
    if form.is_valid():
        try:
            image = upload_photo(sender, form.cleaned_data["photo"], actor=get_actor(request).email)
            return redirect("signatures:me_photo_crop", sender.domain.name, image.pk)
        except (ImageRefused, ChangeRefused) as refused:
            form.add_error("photo", str(refused))
    return _show(request, sender, make_form(sender, None), photo=form, status=422)


@require_sender
@require_POST
def me_photo_remove(request: HttpRequest, sender: Sender) -> HttpResponse:
    """Go without a photo of one's own."""
    _require_photo(sender)
    actor = get_actor(request).email
    try:
        _say_saved(request, sender, save_changes(sender, {PHOTO: ""}, actor=actor))
        remove_unused(sender, actor=actor)
    except ChangeRefused as refused:
        messages.error(request, str(refused))
    return redirect("signatures:me", sender.domain.name)


@require_sender
@require_http_methods(["GET", "HEAD", "POST"])
def me_photo_crop(request: HttpRequest, sender: Sender, pk: int) -> HttpResponse:
    """Crop an uploaded photo and use it."""
    _require_photo(sender)
    image = _get_photo(sender, pk)
    crop = image.current.crop if image.current else {}
    form = CropForm(request.POST if request.method == "POST" else None, initial=crop, image=image)
    if form.is_valid():
        try:
            changed = use_photo(sender, image, form.get_crop(), actor=get_actor(request).email)
            _say_saved(request, sender, changed)
            return redirect("signatures:me", sender.domain.name)
        except (ImageRefused, ChangeRefused, OwnValueError) as refused:
            form.add_error(None, str(refused))
    context = {"own_domain": sender.domain, "image": image, "crop": form, "offer": get_offer(image)}
    return render(request, "signatures/me/photo.html", context, status=422 if form.errors else 200)


@require_sender
@require_safe
def me_photo_source(request: HttpRequest, sender: Sender, pk: int) -> HttpResponse:
    """Serve the uncropped photo to the page that crops it."""
    image = _get_photo(sender, pk)
    response = HttpResponse(bytes(image.source), content_type=image.source_type)
    response["Cache-Control"] = "private, no-store"
    return response


def _require_photo(sender: Sender) -> None:
    if PHOTO not in {one.field.name for one in list_open_fields(sender.domain)}:
        raise Http404("No such page.")


def _get_photo(sender: Sender, pk: int) -> MediaImage:
    """Return a photo that this sender uploaded, and nobody else."""
    photos = MediaImage.objects.filter(sender=sender, removed_at=None).select_related(
        "domain", "current", "sender"
    )
    found: MediaImage = get_object_or_404(photos, pk=pk)
    return found
