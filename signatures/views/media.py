"""Media views: the images of a domain, and one image with its crop, names and uses."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe

from portal.access import Permission, get_actor, require
from portal.models import Domain
from signatures.forms.media import CropForm, MediaFilters, MediumForm, UploadForm, name_after
from signatures.media.encoding import ImageRefused
from signatures.media.library import (
    crop_image,
    get_offer,
    list_images,
    list_offers,
    name_image,
    remove_image,
    restore_image,
    upload_image,
)
from signatures.media.usage import find_usage
from signatures.models import MediaImage

from .common import get_page


def get_medium(domain: Domain, pk: int) -> MediaImage:
    """Return an image of this domain without its bytes; raises Http404."""
    rows = MediaImage.objects.filter(domain=domain).select_related("domain", "current")
    found: MediaImage = get_object_or_404(
        rows.defer("source", "current__bytes_1x", "current__bytes_2x"), pk=pk
    )
    return found


@require(Permission.VIEW)
@require_safe
def media(request: HttpRequest, domain: Domain) -> HttpResponse:
    return _show_list(request, domain, UploadForm())


def _show_list(request: HttpRequest, domain: Domain, form: UploadForm) -> HttpResponse:
    filters = MediaFilters(request.GET)
    page = get_page(request, list_images(domain, **filters.get_choices()))
    context = {
        "upload": form,
        "filters": filters,
        "is_filtered": any(request.GET.get(name) for name in filters.fields),
        "page_obj": page,
        "offers": list_offers(page.object_list, domain),
    }
    return render(request, "signatures/media/list.html", context, status=422 if form.errors else 200)


@require(Permission.EDIT_SIGNATURES)
@require_POST
def media_upload(request: HttpRequest, domain: Domain) -> HttpResponse:
    form = UploadForm(request.POST, request.FILES)
    stored: list[MediaImage] = []
    for file in form.cleaned_data["images"] if form.is_valid() else ():
        try:
            stored.append(
                upload_image(
                    domain,
                    file,
                    kind=form.cleaned_data["kind"],
                    name=name_after(file.name),
                    actor=get_actor(request).email,
                )
            )
        except ImageRefused as refused:
            form.add_error("images", f"{file.name}: {refused.message}")
    for image in stored:
        messages.success(request, f"“{image}” uploaded.")
    if form.errors:
        return _show_list(request, domain, form)
    if len(stored) == 1:
        return redirect("signatures:medium", domain.name, stored[0].pk)
    return redirect("signatures:media", domain.name)


@require(Permission.VIEW)
@require_safe
def medium(request: HttpRequest, domain: Domain, pk: int) -> HttpResponse:
    return _show(request, get_medium(domain, pk))


def _show(
    request: HttpRequest, image: MediaImage, *, form: MediumForm | None = None, crop: CropForm | None = None
) -> HttpResponse:
    initial: dict[str, Any] = image.current.crop if image.current else {}
    form = form or MediumForm(instance=image)
    crop = crop or CropForm(initial=initial, image=image)
    context = {
        "image": image,
        "offer": get_offer(image),
        "form": form,
        "crop": crop,
        "usage": find_usage(image),
    }
    has_errors = form.errors or crop.errors
    return render(request, "signatures/media/detail.html", context, status=422 if has_errors else 200)


@require(Permission.EDIT_SIGNATURES)
@require_POST
def medium_change(request: HttpRequest, domain: Domain, pk: int) -> HttpResponse:
    image = get_medium(domain, pk)
    form = MediumForm(request.POST, instance=get_medium(domain, pk))
    if not form.is_valid():
        return _show(request, image, form=form)
    if name_image(image, **form.cleaned_data, actor=get_actor(request).email):
        messages.success(request, f"“{image}” saved.")
    else:
        messages.info(request, "No changes to save.")
    return redirect("signatures:medium", domain.name, image.pk)


@require(Permission.EDIT_SIGNATURES)
@require_POST
def medium_crop(request: HttpRequest, domain: Domain, pk: int) -> HttpResponse:
    image = get_medium(domain, pk)
    form = CropForm(request.POST, image=image)
    if not form.is_valid():
        return _show(request, image, crop=form)
    try:
        changed = crop_image(image, form.get_crop(), actor=get_actor(request).email)
    except ImageRefused as refused:
        form.add_error(None, refused.message)
        return _show(request, image, crop=form)
    if changed:
        messages.success(
            request,
            f"“{image}” cropped. It has a new address; what uses the former one keeps showing the former crop "
            "until you choose the image again.",
        )
    else:
        messages.info(request, "The crop is the same as before.")
    return redirect("signatures:medium", domain.name, image.pk)


@require(Permission.EDIT_SIGNATURES)
@require_POST
def medium_remove(request: HttpRequest, domain: Domain, pk: int) -> HttpResponse:
    image = get_medium(domain, pk)
    remove_image(image, actor=get_actor(request).email)
    messages.success(request, f"“{image}” removed. Mailboxes that hold it keep showing it.")
    return redirect("signatures:media", domain.name)


@require(Permission.EDIT_SIGNATURES)
@require_POST
def medium_restore(request: HttpRequest, domain: Domain, pk: int) -> HttpResponse:
    image = get_medium(domain, pk)
    restore_image(image, actor=get_actor(request).email)
    messages.success(request, f"“{image}” restored.")
    return redirect("signatures:medium", domain.name, image.pk)


@require(Permission.VIEW)
@require_safe
def medium_source(request: HttpRequest, domain: Domain, pk: int) -> HttpResponse:
    """Serve the uncropped image to the portal's own page."""
    image = get_object_or_404(MediaImage, domain=domain, pk=pk)
    response = HttpResponse(bytes(image.source), content_type=image.source_type)
    response["Cache-Control"] = "private, max-age=86400, immutable"
    return response
