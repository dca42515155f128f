"""Banner views: banners of a campaign, their images, and the banner slot."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from portal.access import Permission, get_actor, require
from portal.models import Domain
from signatures.campaigns.banners import (
    archive_banner,
    change_place,
    count_signatures_with_place,
    save_banner,
)
from signatures.campaigns.checks import CampaignRefused
from signatures.campaigns.links import LinkRefused, check_link
from signatures.forms.campaigns import BannerForm, PlaceForm
from signatures.media.encoding import ImageRefused
from signatures.models import Banner, BannerImage, BannerPlace, Campaign

from .campaigns import get_destination, get_editable


def _get_banner(domain: Domain, campaign: int, pk: int) -> Banner:
    rows = Banner.objects.select_related("campaign__domain", "image").filter(
        campaign__domain=domain, campaign__archived_at=None, archived_at=None
    )
    found: Banner = get_object_or_404(rows, campaign_id=campaign, pk=pk)
    return found


@require(Permission.MANAGE_CAMPAIGNS)
@require_http_methods(["GET", "HEAD", "POST"])
def banner_new(request: HttpRequest, domain: Domain, pk: int) -> HttpResponse:
    return _edit(request, domain, get_editable(domain, pk), None)


@require(Permission.MANAGE_CAMPAIGNS)
@require_http_methods(["GET", "HEAD", "POST"])
def banner(request: HttpRequest, domain: Domain, campaign: int, pk: int) -> HttpResponse:
    found = _get_banner(domain, campaign, pk)
    return _edit(request, domain, found.campaign, found)


def _edit(request: HttpRequest, domain: Domain, campaign: Campaign, present: Banner | None) -> HttpResponse:
    place = BannerPlace.objects.for_domain(domain)
    is_post = request.method == "POST"
    form = BannerForm(
        request.POST if is_post else None,
        request.FILES if is_post else None,
        instance=present or Banner(campaign=campaign),
        place=place,
    )
    if is_post and form.is_valid():
        try:
            saved = save_banner(
                campaign,
                form.get_details(),
                upload=form.cleaned_data["picture"],
                banner=present,
                actor=get_actor(request).email,
            )
        except ImageRefused as error:
            form.add_error("picture", error.message)
        except CampaignRefused as error:
            form.add_error(None, error.message)
        else:
            note = f" {saved.image.note}" if form.cleaned_data["picture"] and saved.image.note else ""
            messages.success(request, f"“{saved.name}” saved.{note}")
            return redirect("signatures:campaign", domain.name, campaign.pk)
    context = {
        "form": form,
        "campaign": campaign,
        "banner": Banner.objects.select_related("image").get(pk=present.pk) if present else None,
        "place": place,
        "destination": _preview_destination(campaign, form),
    }
    return render(
        request, "signatures/campaigns/banner_form.html", context, status=422 if form.errors else 200
    )


@require(Permission.MANAGE_CAMPAIGNS)
@require_POST
def banner_destination(request: HttpRequest, domain: Domain, pk: int) -> HttpResponse:
    """Show the final URL of a link while it is typed."""
    campaign = get_editable(domain, pk)
    form = BannerForm(
        request.POST, instance=Banner(campaign=campaign), place=BannerPlace.objects.for_domain(domain)
    )
    context = {"destination": _preview_destination(campaign, form), "typed": form["link"].value()}
    return render(request, "signatures/campaigns/_destination.html", context)


def _preview_destination(campaign: Campaign, form: BannerForm) -> str:
    """Return the typed link with its UTM parameters, or '' while it is not a valid URL."""
    try:
        link = check_link(str(form["link"].value() or ""))
    except LinkRefused:
        return ""
    return get_destination(campaign, Banner(link=link, utm_content=str(form["utm_content"].value() or "")))


@require(Permission.MANAGE_CAMPAIGNS)
@require_POST
def banner_archive(request: HttpRequest, domain: Domain, campaign: int, pk: int) -> HttpResponse:
    found = _get_banner(domain, campaign, pk)
    archive_banner(found, actor=get_actor(request).email)
    messages.success(request, f"“{found.name}” archived. Its results are kept.")
    return redirect("signatures:campaign", domain.name, campaign)


@require(Permission.VIEW)
@require_safe
def banner_picture(request: HttpRequest, domain: Domain, pk: int) -> HttpResponse:
    """Serve a stored image for the portal's pages, without counting impressions."""
    image: BannerImage = get_object_or_404(BannerImage, domain=domain, pk=pk)
    response = HttpResponse(bytes(image.bytes_2x), content_type=image.media_type)
    response["Cache-Control"] = "private, max-age=86400, immutable"
    response["X-Content-Type-Options"] = "nosniff"
    return response


@require(Permission.MANAGE_CAMPAIGNS)
@require_http_methods(["GET", "HEAD", "POST"])
def banner_place(request: HttpRequest, domain: Domain) -> HttpResponse:
    before = BannerPlace.objects.for_domain(domain)
    is_post = request.method == "POST"
    form = PlaceForm(
        request.POST if is_post else None,
        request.FILES if is_post else None,
        instance=BannerPlace.objects.for_domain(domain),
    )
    carriers = count_signatures_with_place(domain)
    if is_post and form.is_valid():
        try:
            changed = change_place(
                domain,
                form.get_details(),
                upload=form.cleaned_data["picture"],
                drop_picture=form.cleaned_data["drop_picture"],
                actor=get_actor(request).email,
            )
        except ImageRefused as error:
            form.add_error("picture", error.message)
        except CampaignRefused as error:
            form.add_error("width", error.message)
        else:
            _say_what_changes(request, changed, carriers=carriers)
            return redirect("signatures:banner_place", domain.name)
    context = {"form": form, "place": before, "carriers": carriers}
    return render(
        request, "signatures/campaigns/banner_slot.html", context, status=422 if form.errors else 200
    )


def _say_what_changes(request: HttpRequest, changed: list[str], *, carriers: int) -> None:
    """Show a message on what was saved, and whether signatures change."""
    if not changed:
        messages.info(request, "No changes to save.")
    elif {"is_on", "width", "height", "alt"} & set(changed) and carriers:
        signatures = "1 signature changes" if carriers == 1 else f"{carriers:,} signatures change"
        messages.success(
            request, f"Banner settings saved. {signatures} once this is published and delivered."
        )
    else:
        messages.success(request, "Banner settings saved. They apply to impressions from now on.")
