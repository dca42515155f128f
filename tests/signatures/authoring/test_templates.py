"""Templates are saved as versions, starters installed once, assignments kept inside a domain."""

from __future__ import annotations

import pytest

from integrations.models import LedgerEntry
from signatures.authoring.starters import INSTALLED
from signatures.authoring.templates import assign_template, install_starters, save_template
from signatures.models import Assignment, Group, Template, TemplateVersion
from signatures.rendering.errors import TemplateError

pytestmark = pytest.mark.django_db
SOURCE = "<p>{{ sender.name }}</p>"


@pytest.fixture
def everyone(domain) -> Group:
    return Group.objects.create(domain=domain, name="Default group", is_default=True)


def test_saving_makes_a_template_with_its_first_version(domain):
    version = save_template(domain, name="Mine", source=SOURCE, actor="ana@acme.example")

    assert (version.number, version.source, version.fields) == (1, SOURCE, ["sender.name"])
    assert version.template.current == version
    assert LedgerEntry.objects.get(action="template saved").actor_label == "ana@acme.example"


def test_unchanged_source_makes_no_version_and_changed_one_makes_the_next(domain):
    first = save_template(domain, name="Mine", source=SOURCE, actor="test")

    same = save_template(domain, name="Mine", template=first.template, source=SOURCE, actor="test")
    second = save_template(
        domain, name="Mine", template=first.template, source=f"{SOURCE}<p>.</p>", actor="test"
    )

    assert (same.pk, second.number) == (first.pk, 2)
    assert Template.objects.get().current == second
    assert TemplateVersion.objects.get(pk=first.pk).source == SOURCE


def test_template_that_does_not_compile_is_not_saved(domain):
    first = save_template(domain, name="Mine", source=SOURCE, actor="test")

    with pytest.raises(TemplateError):
        save_template(
            domain, name="Other", template=first.template, source="<p>{{ sender.nmae }}</p>", actor="test"
        )

    template = Template.objects.get()
    assert (template.name, template.current, template.versions.count()) == ("Mine", first, 1)


def test_starters_are_installed_once_and_the_first_is_the_default_groups(domain, everyone):
    installed = install_starters(domain, actor="test")

    assert [template.name for template in installed] == [starter.name for starter in INSTALLED]
    assert Assignment.objects.get().template == installed[0]
    assert install_starters(domain, actor="test") == []
    assert Template.objects.count() == len(INSTALLED) == 3


def test_starters_leave_a_domain_that_has_a_template_alone(domain, everyone):
    save_template(domain, name="Mine", source=SOURCE, actor="test")

    assert install_starters(domain, actor="test") == []
    assert not Assignment.objects.exists()


def test_assigning_replaces_and_none_takes_away(domain, everyone):
    one = save_template(domain, name="One", source=SOURCE, actor="test").template
    two = save_template(domain, name="Two", source=SOURCE, actor="test").template
    assign_template(domain, template=one, group=everyone, actor="test")

    assign_template(domain, template=two, group=everyone, actor="test")
    replaced = Assignment.objects.get().template
    assign_template(domain, template=None, group=everyone, actor="test")

    assert replaced == two
    assert not Assignment.objects.exists()


def test_another_domains_template_cannot_be_assigned(domain, other_domain, everyone):
    theirs = save_template(other_domain, name="Theirs", source=SOURCE, actor="test").template

    with pytest.raises(ValueError, match="same domain"):
        assign_template(domain, template=theirs, group=everyone, actor="test")

    assert not Assignment.objects.exists()
