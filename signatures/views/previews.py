"""Preview views: documents for sandboxed frames, each a signature under its own content security policy.

The document is written here instead of in a template, because it is the only place where users' markup is
shown as markup. It may load images only. It has the portal's origin, so that the page can measure its height;
scripts are never allowed.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import replace
from html import escape

from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_POST, require_safe

from portal.access import Permission, require
from portal.models import Domain
from signatures.authoring.preview import render_source, render_version
from signatures.authoring.starters import STARTERS
from signatures.delivery.placements import get_snapshots
from signatures.delivery.sides import find_sides
from signatures.forms.blocks import BlockEditor
from signatures.models import Sender, TemplateVersion
from signatures.releases.compose import NO_TEMPLATE, NOTHING_PUBLISHED, Composer, Refusal
from signatures.releases.live import get_live_content
from signatures.rendering import RenderRefused, TemplateError
from signatures.rendering.fields import BUILT_IN
from signatures.rendering.plaintext import plain_text
from signatures.senders.banner_urls import mark_previewed
from signatures.senders.listing import SenderNotChosen, choose_sender
from signatures.senders.mailbox_status import get_mailboxes
from signatures.senders.vocabulary import get_vocabulary

from .client_looks import Shown, look_as
from .common import get_delivery
from .pinned import change_pinned, list_pinned

FRAME_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src https: data: 'self'; frame-ancestors 'self'; "
    "form-action 'none'; base-uri 'none'; sandbox allow-same-origin"
)
# Mail clients put a signature on white, or on near-black, in their own type.
_GROUNDS = {"light": ("#ffffff", "#1b1b1b", "light"), "dark": ("#1b1b1b", "#e8e6e1", "dark")}
_DOCUMENT = """\
<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Preview</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="{scheme}">
<style>
body {{ display: flow-root; margin: 20px; background: {ground}; color: {ink} }}
body {{ font: 13px/1.5 Helvetica, Arial, sans-serif }}
pre {{ margin: 0; font: 13px/1.6 ui-monospace, Menlo, Consolas, monospace; white-space: pre-wrap }}
p {{ max-width: 60ch }}
footer {{ margin: 20px 0 0; padding: 12px 0 0; border-top: 1px solid #8a8a8a; font-size: 12px }}
footer ul {{ margin: 6px 0; padding-left: 18px }}
.people {{ display: flex; flex-wrap: wrap; gap: 24px }}
.people > section {{ flex: 1 1 260px; min-width: 0; overflow-x: auto }}
.people > section > h2 {{ margin: 0 0 12px; font-size: 12px; font-weight: 600 }}
</style></head><body>{body}</body></html>
"""

# The pictures of the sample person exist nowhere, so drawn ones stand in for them here.
_SAMPLE_PICTURES = {
    "sender.photo_url": '<rect width="72" height="72" fill="#e3e0d8"/><circle cx="36" cy="28" r="13" fill="#8d8a80"/>'
    '<path d="M10 72a26 26 0 0 1 52 0z" fill="#8d8a80"/>',
    "company.logo_url": '<path d="M8 54 30 16l12 20 8-12 14 30z" fill="#8d8a80"/>',
    "banner.image_url": '<rect width="288" height="72" fill="#e3e0d8"/>'
    '<path d="M18 27h132v8H18zm0 16h84v5H18zM240 20l24 32h-48z" fill="#8d8a80"/>',
}


def _draw_sample(shapes: str) -> str:
    width = 288 if 'width="288"' in shapes else 72
    drawing = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} 72">{shapes}</svg>'
    return f"data:image/svg+xml;base64,{b64encode(drawing.encode()).decode()}"


_STAND_INS = {BUILT_IN.sample_values[name]: _draw_sample(shapes) for name, shapes in _SAMPLE_PICTURES.items()}


def show_frame(
    body: str, view: str, *, status: int = 200, colours: tuple[str, str] | None = None
) -> HttpResponse:
    """Return a document with `body` on the background of `view`.

    body: markup, shown without scripts. Viewing it does not count as an impression.
    colours: another background and text colour.
    """
    ground, ink, scheme = _GROUNDS.get(view, _GROUNDS["light"])
    ground, ink = colours or (ground, ink)
    body = mark_previewed(body)
    response = HttpResponse(_DOCUMENT.format(ground=ground, ink=ink, scheme=scheme, body=body), status=status)
    response["Content-Security-Policy"] = FRAME_POLICY
    response["X-Frame-Options"] = "SAMEORIGIN"
    response["Cache-Control"] = "no-store"
    return response


def show_signature(html: str, view: str, asked: QueryDict | None = None) -> HttpResponse:
    """Return a signature as a mail program shows it, or its plain text. html: possibly unsanitized from Outreach."""
    shown = _draw(html, view, asked)
    return show_frame(shown.html + shown.below, view, colours=shown.colours)


def _draw(html: str, view: str, asked: QueryDict | None) -> Shown:
    if view == "text":
        return Shown(f"<pre>{escape(plain_text(html))}</pre>")
    shown = look_as(html, asked, is_dark=view == "dark") if asked else Shown(html)
    body = shown.html
    for sample, stand_in in _STAND_INS.items():
        body = body.replace(f'src="{sample}"', f'src="{stand_in}"')
    return replace(shown, html=body)


def show_sentence(sentence: str, view: str, *, status: int = 200) -> HttpResponse:
    return show_frame(f"<p>{escape(sentence)}</p>", view, status=status)


def _show_matches(error: SenderNotChosen, view: str) -> HttpResponse:
    """Return a list of matching senders, or that there is none."""
    if not error.matches:
        return show_sentence(str(error), view, status=422)
    rows = "".join(f"<li>{escape(sender.name)} ({escape(sender.email)})</li>" for sender in error.matches)
    return show_frame(
        f"<p>Several senders match. Enter the address of one:</p><ul>{rows}</ul>", view, status=422
    )


@require(Permission.VIEW)
@require_safe
def sender_preview(request: HttpRequest, domain: Domain, pk: int) -> HttpResponse:
    """Show what a delivery would write now; with `side`, the mailbox's content or its original."""
    found = Sender.objects.select_related("person__connection", "group", "domain")
    sender = get_object_or_404(found, domain=domain, pk=pk)
    view, side = request.GET.get("view", "light"), request.GET.get("side", "next")
    if side in ("mailbox", "original"):
        return show_held(sender, side, request.GET.get("mailbox", ""), view)
    return show_next(sender, view)


def show_next(sender: Sender, view: str) -> HttpResponse:
    """Show what the live release gives a sender with the values they have."""
    composed = Composer(sender.domain, get_live_content(sender.domain)).compose(sender)
    if isinstance(composed, Refusal):
        is_unset = composed.code in (NOTHING_PUBLISHED.code, NO_TEMPLATE)
        return show_sentence(composed.reason, view, status=200 if is_unset else 422)
    return show_signature(composed.rendered.html, view)


def show_held(sender: Sender, side: str, mailbox_id: str, view: str) -> HttpResponse:
    """Show what a mailbox of the sender held as it was last read, or its original."""
    connection = sender.person.connection
    mailboxes = get_mailboxes(connection).filter(person_remote_id=sender.person.remote_id).order_by("email")
    mailbox = (mailboxes.filter(remote_id=mailbox_id) if mailbox_id else mailboxes).first()
    if mailbox is None:
        return show_sentence("There is no mailbox.", view)
    if side == "mailbox":
        return show_signature(mailbox.signature_html, view)
    original = get_snapshots(connection, [mailbox.remote_id]).get(mailbox.remote_id)
    if original is None:
        return show_sentence("No original is stored yet. It is stored before the first delivery.", view)
    return show_signature(original.original_html, view)


@require(Permission.VIEW)
@require_safe
def template_preview(request: HttpRequest, domain: Domain) -> HttpResponse:
    """Show a saved version (`version`) as a sender (`sender`, an address) or as a sample person; or a `starter`."""
    view, email = request.GET.get("view", "light"), request.GET.get("sender", "")
    if "starter" in request.GET:
        starter = next((one for one in STARTERS if one.slug == request.GET["starter"]), None)
        if starter is None:
            return show_sentence("The template is empty.", view)
        return show_signature(render_source(domain, starter.source, None).html, view, request.GET)
    asked = request.GET.get("version", "")
    versions = TemplateVersion.objects.filter(template__domain=domain).select_related("template__domain")
    version = get_object_or_404(
        versions, pk=int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 16 else 0
    )
    try:
        return _show_version(version, choose_sender(domain, email) if email else None, request.GET)
    except SenderNotChosen as error:
        return _show_matches(error, view)


def _show_version(version: TemplateVersion, sender: Sender | None, asked: QueryDict) -> HttpResponse:
    view = asked.get("view", "light")
    try:
        return show_signature(render_version(version, sender).html, view, asked)
    except RenderRefused as refused:
        return show_sentence(refused.message, view, status=422)


@require(Permission.EDIT_SIGNATURES)
@require_POST
def template_trial(request: HttpRequest, domain: Domain) -> HttpResponse:
    """Show an unsaved source as the sender who was typed, and as those who are pinned."""
    view, email = request.POST.get("view", "light"), request.POST.get("sender", "")
    try:
        sender = choose_sender(domain, email) if email else None
        change_pinned(request, domain, sender)
        source = BlockEditor.from_post(request.POST, get_vocabulary(domain)).source
        pinned = list_pinned(request, domain)
        if pinned:
            first = [sender] if sender is not None and sender not in pinned else []
            return _show_people(domain, source, [*first, *pinned], request.POST)
        return show_signature(render_source(domain, source, sender).html, view, request.POST)
    except SenderNotChosen as error:
        return _show_matches(error, view)
    except TemplateError as error:
        return show_sentence(str(error), view, status=422)
    except RenderRefused as refused:
        return show_sentence(refused.message, view, status=422)


def _show_people(domain: Domain, source: str, people: Sequence[Sender], asked: QueryDict) -> HttpResponse:
    """Show a source as several senders side by side. Raises: TemplateError."""
    view = asked.get("view", "light")
    drawn: list[str] = []
    colours = None
    for sender in people:
        try:
            shown = _draw(render_source(domain, source, sender).html, view, asked)
        except RenderRefused as refused:
            shown = Shown(f"<p>{escape(refused.message)}</p>", colours=colours)
        colours = shown.colours
        drawn.append(f"<section><h2>{escape(sender.name)}</h2>{shown.html}{shown.below}</section>")
    return show_frame(f'<div class="people">{"".join(drawn)}</div>', view, colours=colours)


@require(Permission.VIEW)
@require_safe
def delivery_frame(request: HttpRequest, domain: Domain, run: int, pk: int) -> HttpResponse:
    """Show one side of a delivery: `side` is before or after."""
    delivery = get_delivery(domain, run, pk)
    view = request.GET.get("view", "light")
    sides = find_sides(delivery)
    side = sides.before if request.GET.get("side") == "before" else sides.after
    if side.html is None:
        return show_sentence(side.caption, view)
    return show_signature(side.html, view) if side.html.strip() else show_sentence("No signature.", view)
