"""Media choice: an image chosen or uploaded beside the field that holds its address."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, QueryDict

from portal.access import get_actor
from portal.deadline import within
from portal.models import Domain
from signatures.forms.blocks import BlockEditor
from signatures.forms.media import MediaChoiceForm, name_after
from signatures.media.addresses import has_public_urls
from signatures.media.encoding import ImageRefused
from signatures.media.library import get_offer, list_images, list_offers, upload_image
from signatures.media.social_icons import get_icons_url
from signatures.media.typed_addresses import check_image, list_new_images
from signatures.models import MediaKind, TemplateVersion

MOST_OFFERED = 200
LONGEST_SECONDS = 6.0  # for all addresses of one template


def take_choice(
    request: HttpRequest, domain: Domain, *, kind: str, field: str, name: str = ""
) -> tuple[MediaChoiceForm, QueryDict | None]:
    """Return the form of the choice, and what was posted with the chosen image's address in `field`; None for a GET.

    name: of an uploaded image; '' takes its file's. The upload is stored even where another field is refused.
    """
    if request.method != "POST":
        return MediaChoiceForm(domain=domain, kind=kind), None
    form, data = MediaChoiceForm(request.POST, request.FILES, domain=domain, kind=kind), request.POST.copy()
    if not form.is_valid():
        return form, data
    image, upload = form.cleaned_data["medium"], form.cleaned_data["upload"]
    if upload:
        try:
            image = upload_image(
                domain,
                upload,
                kind=kind,
                name=name or name_after(upload.name),
                actor=get_actor(request).email,
            )
        except ImageRefused as refused:
            form.add_error("upload", refused.message)
    if image is not None and not form.errors:
        data[field] = get_offer(image).url
    return form, data


def say_unfit(request: HttpRequest, url: str) -> None:
    """Show a message where an address that was typed and saved does not answer with an image."""
    if url and (words := check_image(url)):
        messages.warning(request, f"{words} It was saved all the same: {url}")


def say_unfit_images(request: HttpRequest, saved: TemplateVersion, former: TemplateVersion | None) -> None:
    """Show the same for the image addresses that a version of a template adds."""
    known = former.compiled_html if former else ""
    with within(LONGEST_SECONDS):
        for url in list_new_images(saved.compiled_html, known):
            say_unfit(request, url)


def offer_media(editor: BlockEditor, domain: Domain) -> BlockEditor:
    """Return the block editor with the domain's images and the portal's icons to choose from."""
    if has_public_urls():
        images = list_images(domain).exclude(kind=MediaKind.PHOTO)[:MOST_OFFERED]
        editor.images = tuple((one.url, str(one.image)) for one in list_offers(images, domain))
        editor.icons = ((get_icons_url(), "Icons of this portal"),)
    return editor
