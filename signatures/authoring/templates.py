"""Templates: saves them, installs the built-in ones, and assigns them to groups and senders."""

from __future__ import annotations

from django.db import transaction
from django.db.models import Max

from integrations.ledger.record import record_act
from portal.models import Domain, User
from signatures.models import Assignment, Group, Sender, Template, TemplateVersion
from signatures.releases.draft import note_edit
from signatures.rendering.compile import compile_template, unify_line_ends
from signatures.senders.vocabulary import get_vocabulary

from .starters import INSTALLED


@transaction.atomic
def save_template(
    domain: Domain,
    *,
    name: str,
    source: str,
    actor: str,
    template: Template | None = None,
    by: User | None = None,
) -> TemplateVersion:
    """Save `source` as the template's current version, compiled; an unchanged source creates no version.

    Line ends and trailing blank lines do not count as changes, as browsers alter them. template: None creates
    one. Raises: TemplateError, with line and column, saving nothing.
    """
    source = unify_line_ends(source)
    compiled = compile_template(source, get_vocabulary(domain))
    if template is None:
        template = Template.objects.create(domain=domain, name=name)
    else:  # of two who save at once, the second makes the later version
        template = Template.objects.select_for_update().get(pk=template.pk, domain=domain)
    if template.name != name:
        template.name = name
        template.save(update_fields=["name"])
    current = template.current
    # What an unchanged source compiles to may change with our rules; then it is a new version too.
    if current is not None and _is_same(current, source, compiled.html):
        return current
    last = template.versions.aggregate(last=Max("number"))["last"] or 0
    version = TemplateVersion.objects.create(
        template=template,
        number=last + 1,
        source=source,
        compiled_html=compiled.html,
        fields=list(compiled.fields),
        warnings=list(compiled.warnings),
        created_by=by,
        created_by_label=actor,
    )
    template.current = version
    template.save(update_fields=["current"])
    note_edit(domain, f"template:{template.pk}", actor=actor)
    record_act(
        "template saved",
        domain=domain,
        actor_label=actor,
        object_ref=f"template {template.pk}",
        detail=str(version),
    )
    return version


def _is_same(version: TemplateVersion, source: str, html: str) -> bool:
    """Return whether the version has this source and its compiled form; line ends may differ."""
    before, compiled = unify_line_ends(version.source), unify_line_ends(version.compiled_html)
    return (before.rstrip("\n"), compiled) == (source.rstrip("\n"), html)


@transaction.atomic
def install_starters(domain: Domain, *, actor: str) -> list[Template]:
    """Install the first built-in designs in a domain without templates, one assigned to its default group.

    Returns those installed: none where the domain already has a template.
    """
    if Template.objects.filter(domain=domain).exists():
        return []
    installed = []
    for starter in INSTALLED:
        version = save_template(domain, name=starter.name, source=starter.source, actor=actor)
        version.template.description = starter.description[:255]
        version.template.save(update_fields=["description"])
        installed.append(version.template)
    default = Group.objects.filter(domain=domain, is_default=True).first()
    if installed and default and not Assignment.objects.filter(group=default).exists():
        assign_template(domain, template=installed[0], group=default, actor=actor)
    return installed


@transaction.atomic
def assign_template(
    domain: Domain,
    *,
    template: Template | None,
    group: Group | None = None,
    sender: Sender | None = None,
    actor: str,
) -> Assignment | None:
    """Assign the template to the group, or to the one sender; None removes its own assignment.

    Everything must belong to the domain. It is a draft until it is published.
    """
    if (group is None) == (sender is None):
        raise ValueError("Name either a group or a sender.")
    if any(row is not None and row.domain_id != domain.pk for row in (template, group, sender)):
        raise ValueError("Template, group and sender must be of the same domain.")
    owner = f"group {group}" if group else f"sender {sender and sender.email}"
    key = f"group:{group.pk}" if group else f"person:{sender and sender.pk}"
    note_edit(domain, key, actor=actor)
    if template is None:
        removed, _ = Assignment.objects.filter(domain=domain, group=group, sender=sender).delete()
        if removed:
            record_act("template unassigned", domain=domain, actor_label=actor, detail=f"From {owner}")
        return None
    assignment, _ = Assignment.objects.update_or_create(
        domain=domain, group=group, sender=sender, defaults={"template": template}
    )
    record_act("template assigned", domain=domain, actor_label=actor, detail=f"{template} to {owner}")
    return assignment
