"""The pages of releases, as their tests read and fill them, and drafts to publish."""

from __future__ import annotations

import re

from portal.models import Domain
from signatures.authoring.templates import save_template
from signatures.models import (
    Brand,
    Template,
)
from signatures.releases.draft import note_edit

ADDRESS = "/domains/acme.example/releases/"


def edit_brand(domain: Domain, **values: str) -> None:
    Brand.objects.update_or_create(domain=domain, defaults=values)
    note_edit(domain, "brand", actor="noor@acme.example")


def edit_template(domain: Domain, source: str = "<p>{{ sender.name }}, office</p>") -> Template:
    template = Template.objects.get(domain=domain, name="Plain line")
    save_template(domain, name=template.name, source=source, actor="noor@acme.example", template=template)
    note_edit(domain, f"template:{template.pk}", actor="noor@acme.example")
    template.refresh_from_db()
    return template


def text_of(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html)).strip()


def read_form(html: str, *, leave: tuple[str, ...] = ()) -> dict[str, object]:
    """Return what a browser would send from the page of drafts, without the ticks of `leave`."""
    keys = re.findall(r'name="key" value="([^"]+)"', html)
    return {
        "key": [key for key in keys if key not in leave],
        "seen": re.findall(r'name="seen" value="([^"]+)"', html),
        "when": "now",
        **dict(re.findall(r'name="(stage_\d)" value="(\d+)"', html)),
    }


def read_causes(html: str) -> dict[str, tuple[str, str, str]]:
    """Return cause -> mailboxes, groups and mailboxes that nothing else changes, as the page says them."""
    part = html[html.index('id="causes"') :]
    rows = re.findall(r'<th scope="row".*?</tr>', part[: part.index("</section>")], re.S)
    cells = [[text_of(cell) for cell in re.findall(r"<t[hd].*?</t[hd]>", row, re.S)] for row in rows]
    return {cause: (mailboxes, groups, only) for cause, mailboxes, groups, only in cells}
