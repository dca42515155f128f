"""Explain views: which banner shows for a sender, recipient and time, and a preview for three recipients."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from portal.access import Permission, get_actor, may, require
from portal.models import Domain
from signatures.audiences.labels import get_names
from signatures.campaigns.revisions import Past, load_past
from signatures.campaigns.ruleset import load_ruleset
from signatures.decisions.explain import Explanation, explain_banner
from signatures.forms.campaigns import WhyForm
from signatures.forms.walltime import to_wall
from signatures.models import Sender
from signatures.senders.listing import suggest_senders

from .campaigns import get_campaign

PREVIEWED = 3
NOW_IS = timedelta(minutes=1)  # a form knows minutes


@require(Permission.VIEW)
@require_http_methods(["GET", "HEAD", "POST"])
def why(request: HttpRequest, domain: Domain) -> HttpResponse:
    """Explain a banner. GET for a sender only; a recipient's address is posted, so that no log contains it."""
    form = WhyForm(_get_typed(request), domain=domain, recipients=1)
    explanations, past = _explain(request, domain, form)
    context = {
        "form": form,
        "explanation": explanations[0] if explanations else None,
        "past": past,
        "senders": suggest_senders(domain, form["sender"].value() or ""),
        "zone": ZoneInfo(domain.time_zone).key,
    }
    return render(request, "signatures/campaigns/explain.html", context, status=422 if form.errors else 200)


@require(Permission.VIEW)
@require_http_methods(["GET", "HEAD", "POST"])
def campaign_preview(request: HttpRequest, domain: Domain, pk: int) -> HttpResponse:
    """Preview a campaign for three recipients: whether it shows, and otherwise what and why."""
    found = get_campaign(domain, pk)
    typed = _get_typed(request)
    initial = {}
    if typed is None:
        first = Sender.objects.filter(domain=domain, is_active=True)
        groups = list(found.groups.all())
        sender = (first.filter(group__in=groups) if groups else first).first()
        starts_later = found.starts_at > timezone.now()
        initial = {
            "sender": sender.email if sender else "",
            "at": to_wall(found.starts_at, ZoneInfo(domain.time_zone)) if starts_later else None,
        }
    form = WhyForm(typed, domain=domain, recipients=PREVIEWED, initial=initial)
    explanations, past = _explain(request, domain, form)
    context = {
        "form": form,
        "campaign": found,
        "explanations": explanations,
        "past": past,
        "senders": suggest_senders(domain, form["sender"].value() or ""),
        "zone": ZoneInfo(domain.time_zone).key,
    }
    return render(request, "signatures/campaigns/preview.html", context, status=422 if form.errors else 200)


def _get_typed(request: HttpRequest) -> dict[str, str] | None:
    """Return the form's input; a query string names sender and time, never a recipient."""
    if request.method == "POST":
        if not may(request, Permission.MANAGE_CAMPAIGNS):
            raise PermissionDenied("Your role cannot look recipients up.")
        return request.POST.dict()
    if "sender" not in request.GET:
        return None
    return {"sender": request.GET["sender"], "at": request.GET.get("at", "")}


def _explain(request: HttpRequest, domain: Domain, form: WhyForm) -> tuple[list[Explanation], Past | None]:
    """Return the selection for each typed recipient, and the past ruleset it is based on, if any."""
    if not form.is_bound or not form.is_valid():
        return [], None
    at: datetime = form.cleaned_data["at"]
    past = load_past(domain, at) if at < timezone.now() - NOW_IS else None
    ruleset = past.ruleset if past else load_ruleset(domain)
    names = get_names(domain, [one for each in ruleset.audiences.values() for one in each])

    explanations = [
        explain_banner(
            domain,
            ruleset,
            form.cleaned_data["sender"],
            address,
            at=at,
            actor=get_actor(request).email,
            names=names,
            image_ids=past.image_ids if past else None,
        )
        for address in form.get_recipients()
    ]
    return explanations, past
