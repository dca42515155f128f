"""Fields as tests use them: a template that shows some, live, and what it renders for a sender."""

from __future__ import annotations

from portal.models import Domain
from signatures.authoring.templates import assign_template, save_template
from signatures.models import Group, Sender, Template
from signatures.releases.compose import Composed, Composer, Refusal
from signatures.releases.live import get_live_content
from tests.support.deliveries import publish_drafts

FIELDS = "/domains/acme.example/fields/"
TITLE = f"{FIELDS}sender.title/"
USUAL = {"edited_by": "editors"}


def compose(sender: Sender) -> Composed | Refusal:
    found = Sender.objects.select_related("person", "domain").get(pk=sender.pk)
    return Composer(found.domain, get_live_content(found.domain)).compose(found)


def text(sender: Sender) -> str:
    composed = compose(sender)
    return composed.rendered.text if isinstance(composed, Composed) else composed.reason


def use(domain: Domain, source: str) -> Template:
    """Give everybody of a domain one template, live."""
    template = Template.objects.filter(domain=domain, name="Fields").first()
    version = save_template(domain, name="Fields", source=source, actor="test", template=template)
    default = Group.objects.get(domain=domain, is_default=True)
    assign_template(domain, template=version.template, group=default, actor="test")
    publish_drafts(domain)
    return version.template
