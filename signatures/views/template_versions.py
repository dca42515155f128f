"""Template versions: two of them compared, as source and as one person's signatures side by side."""

from __future__ import annotations

from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from portal.access import Permission, require
from portal.models import Domain
from signatures.forms.templates import CompareForm
from signatures.models import Template
from signatures.releases.line_comparison import compare_lines
from signatures.senders.listing import suggest_senders


@require(Permission.VIEW)
@require_safe
def template_compare(request: HttpRequest, domain: Domain, pk: int) -> HttpResponse:
    """Show what changed from version `old` to version `new`; without them, from the one before to the current."""
    kept = Template.objects.filter(archived_at=None).select_related("current")
    template = get_object_or_404(kept, domain=domain, pk=pk)
    form = CompareForm(request.GET, template=template)
    old, new = form.find_versions()
    context = {
        "template": template,
        "form": form,
        "old": old,
        "new": new,
        "versions": [old, new],
        "rows": compare_lines(old.source, new.source) if old and new else [],
        "width": form.get("width"),
        "asked": urlencode({"view": form.get("view"), "sender": form.get("sender")}),
        "senders": suggest_senders(domain),
    }
    return render(request, "signatures/templates/compare.html", context)
