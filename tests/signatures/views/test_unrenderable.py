"""One sender's signature that cannot be made is that sender's refusal: the plan goes on, and pages say so."""

from __future__ import annotations

from html import unescape

import pytest
from django.test import Client

from signatures.authoring.templates import assign_template, save_template
from signatures.delivery.status import refresh_domain
from signatures.models import Delivery, DeliveryRun, MailboxState, Template, TemplateVersion
from tests.support.deliveries import publish_drafts
from tests.support.worst_templates import ALL

ADDRESS = "/domains/acme.example/"
SENTENCE = (
    "The template cannot be rendered for this sender; the operator’s log says why. "
    "Save the template again, or assign another one."
)
POISONED = '<p>{{ company.name }}</p>{% if sender.title == "Renewals" %}&#xe000;99&#xe003;{% endif %}'
STORED = [
    '<p>Words</p>{% if sender.title == "Renewals" %}\ue00099\ue003{% endif %}',
    '<p>Words</p>{% if sender.title == "Renewals" %}{{ sender.name | upcase: 1 }}{% endif %}',
    '<p>Words</p>{% if sender.title == "Renewals" %}{{ sender.name | truncate: 0 }}{% endif %}',
    '<p>Words</p>{% if sender.title == "Renewals" %}{{ sender.nobody }}{% endif %}',
    '<p>Words</p>{% if sender.title == "Renewals" %}' + "<b>" * 2_000 + "{{ sender.mobile }}" + "</b>" * 2_000
    + "{% endif %}",
]  # fmt: skip


def spoil(company, version: TemplateVersion, stored: str) -> None:
    """The version is as one before these checks may have stored it, and nothing was rendered from it yet."""
    TemplateVersion.objects.filter(pk=version.pk).update(compiled_html=stored)
    MailboxState.objects.filter(domain=company.domain).update(rendered_from="")
    refresh_domain(company.domain)


@pytest.mark.parametrize("stored", STORED, ids=["mark", "filter", "length", "field", "depth"])
def test_a_plan_goes_on_past_a_sender_whose_signature_cannot_be_made(
    company, bystander, admin: Client, auditor: Client, stored: str, caplog
):
    ana, tom = company.add("Ana Silva"), company.add("Tom Okafor", title="Renewals")
    version = Template.objects.get(domain=company.domain, name="Letterhead").current
    spoil(company, version, stored)

    plan = admin.post(f"{ADDRESS}deliveries/plan/", follow=True)
    preview = auditor.get(f"{ADDRESS}senders/{tom.pk}/preview/")

    assert plan.status_code == 200
    run = DeliveryRun.objects.get(domain=company.domain)
    assert (run.state, run.planned, run.refused) == ("planned", 1, 1)
    rows = {row.sender_id: row for row in Delivery.objects.filter(run=run)}
    assert (rows[ana.pk].state, rows[ana.pk].reason) == ("planned", "")
    assert (rows[tom.pk].state, rows[tom.pk].reason_code) == ("refused", "unrenderable")
    assert rows[tom.pk].reason.startswith("The template cannot be rendered for this sender")
    assert rows[tom.pk].reason in unescape(plan.content.decode())
    assert preview.status_code == 422
    assert "The template cannot be rendered for this sender" in preview.content.decode()
    assert auditor.get(f"{ADDRESS}senders/{ana.pk}/preview/").status_code == 200
    frame = auditor.get(f"{ADDRESS}deliveries/{run.pk}/mailboxes/{rows[tom.pk].pk}/frame/?side=after")
    assert "The template cannot be rendered for this sender" in frame.content.decode()
    assert not DeliveryRun.objects.filter(domain=bystander.domain).exists()


def test_what_is_wrong_is_in_the_log_and_not_the_persons_name(company, admin: Client, caplog):
    company.add("Tom Okafor", title="Renewals")
    version = Template.objects.get(domain=company.domain, name="Letterhead").current
    spoil(company, version, STORED[0])

    admin.post(f"{ADDRESS}deliveries/plan/")

    assert Delivery.objects.get(run__domain=company.domain).reason == SENTENCE
    assert "A template could not be rendered for one sender." in caplog.text
    assert "IndexError" in caplog.text
    assert "Okafor" not in caplog.text


def test_a_poisoned_template_is_refused_when_it_is_saved(company, editor: Client):
    company.add("Tom Okafor", title="Renewals")
    page = f"{ADDRESS}templates/{Template.objects.get(domain=company.domain, name='Card').pk}/save/"
    before = list(TemplateVersion.objects.values_list("pk", "source", "compiled_html"))

    saved = editor.post(page, {"name": "Card", "source": POISONED})
    tried = editor.post(f"{ADDRESS}templates/trial/", {"source": POISONED})

    assert (saved.status_code, tried.status_code) == (422, 422)
    assert "The character written &amp;#xe000; cannot be used in a template." in saved.content.decode()
    assert "The character written &amp;#xe000; cannot be used in a template." in tried.content.decode()
    assert list(TemplateVersion.objects.values_list("pk", "source", "compiled_html")) == before


@pytest.mark.parametrize(
    "name",
    [
        "liquid: openers of outputs",
        "liquid: cases",
        "tags: nested elements",
        "tags: starts of tables",
        "tags: revealed conditional comments",
        "tags: odd declarations",
        "css: digits",
        "css: brackets",
    ],
)
def test_a_hostile_source_is_answered_by_a_page(company, editor: Client, name: str):
    source = ALL[name](30_000)

    tried = editor.post(f"{ADDRESS}templates/trial/", {"source": source})
    saved = editor.post(f"{ADDRESS}templates/new/", {"name": "Hostile", "source": source}, follow=True)

    assert {tried.status_code, saved.status_code} <= {200, 422}


def test_a_signature_of_one_sender_alone_is_replaced_when_its_template_is_saved_again(company, admin: Client):
    tom = company.add("Tom Okafor", title="Renewals")
    version = save_template(company.domain, name="Own", source="<p>{{ sender.name }}</p>", actor="x")
    assign_template(company.domain, template=version.template, sender=tom, actor="x")
    publish_drafts(company.domain)
    spoil(company, version, STORED[0])
    admin.post(f"{ADDRESS}deliveries/plan/")
    assert Delivery.objects.get(run__domain=company.domain).state == "refused"

    save_template(
        company.domain, name="Own", source="<p>{{ sender.name }}</p>", actor="x", template=version.template
    )
    publish_drafts(company.domain)
    admin.post(f"{ADDRESS}deliveries/plan/")

    assert Delivery.objects.get(run__domain=company.domain).state == "planned"
