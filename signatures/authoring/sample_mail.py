"""Sample mail: sends a template's signature to whoever edits it, to look at in a mail client."""

from __future__ import annotations

from django.core.cache import cache
from django.core.mail import EmailMultiAlternatives

from portal.models import User
from signatures.rendering.plaintext import plain_text
from signatures.senders.banner_urls import mark_previewed

MOST_PER_HOUR = 20
_HOUR_SECONDS = 3600
_WORDS = "A test mail of a signature that is being edited. Nobody else received it, and banner views are not counted."


class SampleRefused(Exception):
    """No mail was sent; the message says why to a person."""


def send_sample(html: str, *, template_name: str, to: User) -> None:
    """Send a rendered signature to the person's own address; their views of banners are not counted.

    Raises: SampleRefused.
    """
    key = f"sample-mails:{to.pk}"
    cache.add(key, 0, _HOUR_SECONDS)
    if cache.incr(key) > MOST_PER_HOUR:
        raise SampleRefused(f"No mail was sent: at most {MOST_PER_HOUR} test mails an hour. Try again later.")
    marked = mark_previewed(html)
    mail = EmailMultiAlternatives(
        " ".join(f"Test mail: {template_name}".split())[:150],
        f"{_WORDS}\n\n-- \n{plain_text(marked)}\n",
        to=[to.email],
    )
    mail.attach_alternative(f"<p>{_WORDS}</p>\n{marked}", "text/html")
    try:
        mail.send()
    except OSError as failure:  # what smtplib raises is one, too
        raise SampleRefused(
            "No mail was sent: the mail server did not take it. Ask the operator."
        ) from failure
