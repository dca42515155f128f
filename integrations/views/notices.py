"""Views of notices: where those of a domain are posted to, a test, and what was sent lately."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from integrations.notices.channel_settings import (
    TooManyTests,
    remove_address,
    renew_secret,
    send_test,
    set_address,
)
from integrations.notices.channels import list_channels
from integrations.notices.sending import REMIND_AFTER
from portal.access import Permission, get_actor, require
from portal.models import Domain
from portal.reauth import recently_authenticated

from ..forms import NoticeChannelsForm
from ..models import Audience, Notice

SHOWN = 30


@require(Permission.MANAGE_DOMAIN)
@recently_authenticated()
@require_http_methods(["GET", "HEAD", "POST"])
def notices(request: HttpRequest, domain: Domain) -> HttpResponse:
    """Show what is set and what was sent, or set addresses; a new secret is shown once, in the answer itself."""
    form = NoticeChannelsForm(request.POST if request.method == "POST" else None)
    if not form.is_valid():
        return _show(request, domain, form)
    actor, made, is_changed = get_actor(request).email, "", False
    for audience, name in ((Audience.WEBHOOK, "webhook_secret_url"), (Audience.SLACK, "slack_secret_url")):
        if form.cleaned_data[name]:
            made = set_address(domain, audience, form.cleaned_data[name], actor=actor) or made
            is_changed = True
    if made:
        return _show(request, domain, NoticeChannelsForm(), made=made)
    if is_changed:
        messages.success(request, "Addresses saved. Send a test to see whether messages arrive.")
    else:
        messages.info(request, "Nothing changed: no address was entered.")
    return redirect("integrations:notices", domain.name)


@require(Permission.MANAGE_DOMAIN)
@recently_authenticated(returns_to="integrations:notices")
@require_POST
def remove(request: HttpRequest, domain: Domain) -> HttpResponse:
    """Remove one address."""
    audience = request.POST.get("audience")
    present = {channel.audience for channel in list_channels(domain)}
    if audience in present:
        remove_address(domain, Audience(audience), actor=get_actor(request).email)
        messages.success(request, f"{Audience(audience).label} removed. Notices go there no more.")
    else:
        messages.info(request, "This address is not set.")
    return redirect("integrations:notices", domain.name)


@require(Permission.MANAGE_DOMAIN)
@recently_authenticated(returns_to="integrations:notices")
@require_POST
def secret(request: HttpRequest, domain: Domain) -> HttpResponse:
    """Make a new secret of the webhook and show it once."""
    if Audience.WEBHOOK not in {channel.audience for channel in list_channels(domain)}:
        messages.info(request, "No webhook is set.")
        return redirect("integrations:notices", domain.name)
    made = renew_secret(domain, actor=get_actor(request).email)
    return _show(request, domain, NoticeChannelsForm(), made=made)


@require(Permission.MANAGE_DOMAIN)
@require_POST
def test(request: HttpRequest, domain: Domain) -> HttpResponse:
    """Send a test message to everything that is set, and by e-mail to whoever asks for it."""
    try:
        for tried in send_test(domain, to=get_actor(request)):
            tell = messages.success if tried.is_taken else messages.error
            tell(request, f"{tried.label}: {tried.answer}")
    except TooManyTests as refusal:
        messages.error(request, str(refusal))
    return redirect("integrations:notices", domain.name)


def _show(request: HttpRequest, domain: Domain, form: NoticeChannelsForm, *, made: str = "") -> HttpResponse:
    context = {
        "form": form,
        "channels": list_channels(domain),
        "has_webhook": any(channel.secret for channel in list_channels(domain)),
        "made": made,
        "notices": Notice.objects.filter(domain=domain)[:SHOWN],
        "remind_days": REMIND_AFTER.days,
    }
    status = 422 if form.is_bound and not form.is_valid() else 200
    response = render(request, "integrations/notices/notices.html", context, status=status)
    if made:
        response["Cache-Control"] = "no-store"
    return response
