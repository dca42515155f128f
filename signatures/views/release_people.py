"""Release people: what the chosen drafts change for each sender, and both signatures side by side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from portal.access import Permission, require
from portal.models import Domain
from signatures.forms.releases import PeopleFilters
from signatures.models import Sender, TemplateVersion
from signatures.releases.candidate import Candidate, build_candidate
from signatures.releases.changes import compare_group_brand, compare_group_fields
from signatures.releases.compose import Composer, Refusal
from signatures.releases.content import BANNER, BRAND, ReleaseContent
from signatures.releases.differences import (
    Difference,
    change_text,
    join_differences,
    mark_words,
    replace_value,
)
from signatures.releases.reach import find_touched, list_audiences
from signatures.rendering.fields import Vocabulary
from signatures.senders.listing import with_words
from signatures.senders.values import get_member
from signatures.senders.vocabulary import get_vocabulary

from .common import get_page
from .previews import show_sentence, show_signature
from .senders import get_sender

SHARED = (("Brand", BRAND, "changes"), ("Banner slot", BANNER, "changes"), ("Fields", "field", "change"))
"""What is the same for everybody: its label, the beginning of its drafts' keys and what is said of it."""


@dataclass(frozen=True, slots=True)
class PersonRow:
    """One sender and what would change for them."""

    sender: Sender
    differences: list[Difference]


@require(Permission.VIEW)
@require_safe
def release_people(request: HttpRequest, domain: Domain) -> HttpResponse:
    """List the people whose signature the chosen drafts change. `all=1`: everybody; `leave`: drafts left out."""
    candidate = build_candidate(domain, leave=request.GET.getlist("leave"))
    filters = PeopleFilters(request.GET)
    filters.is_valid()
    found = Sender.objects.filter(domain=domain, is_active=True).select_related("person")
    is_all = request.GET.get("all") == "1"
    if not is_all:
        audiences = list_audiences(domain, candidate.before, candidate.content)
        found = found.filter(
            find_touched(audiences, candidate.before, candidate.content, candidate.chosen_values)
        )
    words = filters.cleaned_data.get("q") or ""
    page = get_page(request, with_words(found, words).order_by("name", "pk"))
    names = _name_versions(candidate)
    context = {
        "candidate": candidate,
        "filters": filters,
        "words": words,
        "is_all": is_all,
        "page_obj": page,
        "rows": [PersonRow(sender, _list_differences(candidate, sender, names)) for sender in page],
        "leave": _get_query(request),
    }
    return render(request, "signatures/releases/people.html", context)


def _get_query(request: HttpRequest) -> str:
    return urlencode([("leave", key) for key in request.GET.getlist("leave")])


def _list_differences(candidate: Candidate, sender: Sender, names: dict[int, str]) -> list[Difference]:
    """Return what the chosen drafts change for one sender (person loaded)."""
    before, after = candidate.before, candidate.content
    old, new = (_describe(content, sender, names) for content in (before, after))
    found = [replace_value(label, old[label], new[label]) for label in new if old[label] != new[label]]
    vocabulary = get_vocabulary(candidate.domain)
    for name, text in candidate.chosen_values.get(sender.pk, {}).items():
        found.append(change_text(vocabulary.label_of(name), sender.own_values.get(name, ""), text))
    found += _list_group_values(candidate, sender, vocabulary)
    for label, kind, word in SHARED:
        if any(key.partition(":")[0] == kind for key in candidate.chosen):
            found.append(Difference(label, mark_words("", word)))
    return found


def _list_group_values(candidate: Candidate, sender: Sender, vocabulary: Vocabulary) -> list[Difference]:
    """Return how what a sender has from their group differs, with its name: its brand, and its values of fields."""
    member = get_member(sender)
    old, new = (content.find_group(member) for content in (candidate.before, candidate.content))
    group = new or old
    if group is None:
        return []
    kinds = (
        ("Brand", compare_group_brand(old, new)),
        ("Values", compare_group_fields(vocabulary, old, new)),
    )
    return [join_differences(f"{kind} of {group.name}", found) for kind, found in kinds if found]


def _name_versions(candidate: Candidate) -> dict[int, str]:
    ids = {*candidate.before.templates.values(), *candidate.content.templates.values()}
    versions = TemplateVersion.objects.filter(pk__in=ids, template__domain=candidate.domain)
    rows = versions.values_list("pk", "template__name", "number")
    return {pk: f"“{name}”, version {number}" for pk, name, number in rows}


def _describe(content: ReleaseContent, sender: Sender, names: dict[int, str]) -> dict[str, str]:
    group = content.find_group(get_member(sender))
    template_id = content.find_template(sender.pk, group)
    version = None if template_id is None else content.templates[template_id]
    return {
        "Group": group.name if group else "None",
        "Template": names.get(version or 0, "None"),
        "Templates with dates": ", ".join(
            f"{names.get(content.templates.get(each.template_id, 0), 'None')} {each.words}"
            for each in content.list_dated(sender.pk, group)
        ),
    }


@require(Permission.VIEW)
@require_safe
def release_person(request: HttpRequest, domain: Domain, pk: int) -> HttpResponse:
    """Show one sender's live signature beside the one with the chosen drafts."""
    candidate, sender = build_candidate(domain, leave=request.GET.getlist("leave")), get_sender(domain, pk)
    names = _name_versions(candidate)
    context: dict[str, Any] = {
        "sender": sender,
        "candidate": candidate,
        "differences": _list_differences(candidate, sender, names),
        "leave": _get_query(request),
    }
    return render(request, "signatures/releases/person.html", context)


@require(Permission.VIEW)
@require_safe
def release_frame(request: HttpRequest, domain: Domain, pk: int) -> HttpResponse:
    """Show one side: `side` is live or draft."""
    candidate, sender = build_candidate(domain, leave=request.GET.getlist("leave")), get_sender(domain, pk)
    view = request.GET.get("view", "light")
    if request.GET.get("side") == "live":
        composed = Composer(domain, candidate.before).compose(sender)
    else:
        composed = Composer(domain, candidate.content).compose(candidate.give_values(sender))
    if isinstance(composed, Refusal):
        return show_sentence(composed.reason, view)
    return show_signature(composed.rendered.html, view)
