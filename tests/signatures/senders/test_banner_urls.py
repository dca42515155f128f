"""The banner's place in signatures: whose addresses stand there, and what may stand in them."""

from __future__ import annotations

import re

import pytest
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext

from integrations.models import Mailbox
from portal.models import Role
from signatures.authoring.preview import render_source, render_version
from signatures.authoring.starters import STARTERS
from signatures.authoring.templates import save_template
from signatures.delivery.planning import plan_delivery
from signatures.delivery.status import refresh_domain
from signatures.models import Sender
from signatures.releases.compose import Composed, Composer
from signatures.releases.draft import build_draft
from signatures.rendering import (
    CompiledTemplate,
    RenderRefused,
    TemplateError,
    compile_template,
    render_signature,
)
from signatures.rendering.banner_links import is_variable
from signatures.senders.field_sources import get_field_sources
from tests.support.banners import PUBLIC_URL, switch_on
from tests.support.deliveries import find_version, publish_drafts

pytestmark = pytest.mark.usefixtures("fresh_serving")

BANNER = (
    '<a href="{{ banner.click_url }}"><img src="{{ banner.image_url }}" alt="{{ banner.alt }}"'
    ' width="{{ banner.width }}" height="{{ banner.height }}"></a>'
)
KEY = "A-z_0123456789abcdefgh"
PLACE = {
    "banner.image_url": f"{PUBLIC_URL}/b/{KEY}@2x.png",
    "banner.click_url": f"{PUBLIC_URL}/c/{KEY}",
    "banner.width": "480",
    "banner.height": "120",
}


def render(source: str, **values: str) -> str:
    """Return the signature of a template's source; dots of fields written as double underscores."""
    named: dict[str, str | None] = {name.replace("__", "."): value for name, value in values.items()}
    return render_signature(compile_template(source), named).html


def compose(sender: Sender) -> str:
    composer = Composer(sender.domain, build_draft(sender.domain))
    composer.load([sender])
    composed = composer.compose(sender)
    assert isinstance(composed, Composed), composed
    return composed.rendered.html


def test_a_sender_carries_addresses_of_its_own_once_the_place_is_on(company, bystanders):
    ana, tom = company.add("Ana Silva"), company.add("Tom Okafor")
    theirs = bystanders.add("Ida Berg")
    off = {sender.pk: compose(sender) for sender in (ana, tom, theirs)}

    switch_on(company.domain, width=400, height=100, alt="News from Acme")

    assert all("/b/" not in html and "banner" not in html for html in off.values())
    for sender in (ana, tom):
        html = compose(sender)
        assert f'<a href="{PUBLIC_URL}/c/{sender.banner_key}"' in html
        assert (
            f'<img src="{PUBLIC_URL}/b/{sender.banner_key}@2x.png" alt="News from Acme" width="400" height="100"'
        ) in html
        assert compose(sender) == html
    assert ana.banner_key != tom.banner_key
    assert compose(theirs) == off[theirs.pk]


def test_switching_the_place_or_its_size_changes_every_signature_in_the_next_plan(company):
    people = [company.add(name) for name in ("Ana Silva", "Tom Okafor")]
    for step in ({"width": 480}, {"width": 300}, {"alt": "Hello"}, {"is_on": False}):
        before = {sender.pk: compose(sender) for sender in people}
        company.connection.domain.refresh_from_db()

        switch_on(company.domain, **step)

        assert all(compose(sender) != before[sender.pk] for sender in people), step


def test_a_plan_counts_the_mailboxes_that_the_place_changed(company):
    people = [company.add(name) for name in ("Ana Silva", "Tom Okafor")]
    for sender in people:
        Mailbox.objects.filter(email=sender.email).update(signature_html=compose(sender))
    refresh_domain(company.domain)
    assert plan_delivery(company.domain, actor="x").planned == 0

    switch_on(company.domain)

    assert plan_delivery(company.domain, actor="x").planned == 0
    publish_drafts(company.domain)
    assert plan_delivery(company.domain, actor="x").planned == 2


def test_a_sender_without_a_key_cannot_exist(company):
    ana, tom = company.add("Ana Silva"), company.add("Tom Okafor")

    assert all(len(sender.banner_key) == 22 for sender in (ana, tom))
    for key in (None, tom.banner_key):
        with pytest.raises(IntegrityError), transaction.atomic():
            Sender.objects.filter(pk=ana.pk).update(banner_key=key)


def test_composing_costs_no_query_for_one_more_sender(company):
    switch_on(company.domain)
    company.add("Ana Silva")

    def count() -> int:
        senders = list(Sender.objects.select_related("person", "group"))
        composer = Composer(company.domain, build_draft(company.domain))
        with CaptureQueriesContext(
            connection,
        ) as queries:
            composer.load(senders)
            for sender in senders:
                composer.compose(sender)
        return len(queries)

    alone = count()
    for name in ("Tom Okafor", "Ida Berg"):
        company.add(name)

    assert count() == alone


# A reply is short, and shows none.
WITH_BANNER = [starter for starter in STARTERS if starter.slug != "compact-reply"]


@pytest.mark.parametrize("starter", WITH_BANNER, ids=lambda starter: starter.slug)
def test_every_starter_has_a_row_for_the_banner_that_goes_with_it(starter):
    compiled = compile_template(starter.source)
    person = {"sender.name": "Bo Li", "company.legal": "Acme Inc."}

    with_banner = render_signature(compiled, person | PLACE).html
    without = render_signature(compiled, person).html

    assert PLACE["banner.image_url"] in with_banner
    assert "<img" not in without
    assert "<a " not in without
    # Taken out with its row, and nothing else.
    row = re.compile(
        r"<(div|tr)[^>]*>(?:<td[^>]*>)?(?:<table[^>]*><tbody><tr><td[^>]*>)?<a [^>]*><img [^>]*></a>"
        r"(?:</td></tr></tbody></table>)?(?:</td>)?</\1>\s*"
    )
    assert row.sub("", with_banner).replace("\n", "") == without.replace("\n", "")


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("<p>{{ banner.click_url }}</p>", "banner.click_url can only be a whole href or src."),
        ('<a href="{{ banner.click_url }}?x=1">a</a>', "banner.click_url can only be a whole href or src."),
        ('<a href="https://x.example/?u={{ banner.click_url }}">a</a>', "can only be a whole href or src."),
        (
            '<img src="{{ company.logo_url }}" alt="{{ banner.image_url }}">',
            "can only be a whole href or src.",
        ),
        ('<img src="{{ banner.image_url }}" width="{{ banner.width }}px">', "A number is the whole width."),
        (
            '<img src="{{ banner.image_url }}" width="{{ banner.alt }}">',
            "cannot stand in the width attribute",
        ),
        ('<p style="width: {{ banner.width }}">a</p>', "Only a colour field can stand in a style."),
    ],
)
def test_the_fields_of_the_place_stand_where_they_can_be_checked(source, words):
    with pytest.raises(TemplateError) as caught:
        compile_template(source)

    assert words in caught.value.message


def test_numbers_in_markup_are_not_taken_for_placeholders():
    source = BANNER.replace("<img", '<img title="9001"') + '<table width="8001"><tr><td>a</td></tr></table>'

    html = render(source, **{name.replace(".", "__"): value for name, value in PLACE.items()})

    assert 'title="9001"' in html
    assert '<table width="8001">' in html
    assert 'width="480" height="120"' in html


@pytest.mark.parametrize(
    "address",
    [
        f"http://127.0.0.1:8000/b/{KEY}@2x.png",
        f"http://localhost/b/{KEY}@2x.png",
        f"http://[::1]:8000/b/{KEY}@2x.png",
        f"https://signatures.acme.example:8443/b/{KEY}@2x.png",
    ],
)
def test_a_portal_on_this_machine_may_be_plain_http_in_the_addresses_of_the_place(address):
    html = render(BANNER, banner__image_url=address)

    assert html == f'<img src="{address}" alt="">'


@pytest.mark.parametrize(
    "address",
    [
        f"http://signatures.acme.example/b/{KEY}@2x.png",
        f"http://127.0.0.1.evil.example/b/{KEY}@2x.png",
        f"http://127.0.0.1@evil.example/b/{KEY}@2x.png",
        f"http://127.0.0.1:8000/x/{KEY}@2x.png",
        "http://127.0.0.1:8000/b/short@2x.png",
        f"http://127.0.0.1:8000/b/{KEY}@2x.png/../../admin/",
        f"https://evil\\.example/b/{KEY}@2x.png",
        f"https://user@evil.example/b/{KEY}@2x.png",
        f"javascript:alert(1)//b/{KEY}@2x.png",
        f'https://acme.example/b/{KEY}@2x.png" onerror="alert(1)',
        f"https://acme.example/b/{KEY}@2x.png?r=a@b.example",
        f"https://acme.example/b/{KEY}@2x.png?r={{{{a}}}}&s={{{{b}}}}",
        f"https://acme.example/b/{KEY}@2x.png?url={{{{a}}}}",
    ],
)
def test_i1_no_other_address_counts_as_one_of_the_place(address):
    assert render("<p>a</p>" + BANNER, banner__image_url=address) == "<p>a</p>"


def test_i1_plain_http_stands_nowhere_but_in_the_senders_own_place():
    local = f"http://127.0.0.1:8000/c/{KEY}"

    typed = render(f'<p>a</p><a href="{local}">b</a>')
    other_field = render('<p>a</p><a href="{{ company.website }}">b</a>', company__website=local)

    assert local not in typed + other_field


@pytest.mark.parametrize("variable", ["{{email}}", "%email%", "${prospect.email}", "{{prospect.email}}"])
def test_the_merge_variable_stands_verbatim_in_the_two_addresses(company, variable):
    ana = company.add("Ana Silva")

    switch_on(company.domain, recipient_variable=variable, alt=f"Hello {variable}")
    html = compose(ana)

    assert f'src="{PUBLIC_URL}/b/{ana.banner_key}@2x.png?r={variable}"' in html
    assert f'href="{PUBLIC_URL}/c/{ana.banner_key}?r={variable}"' in html
    assert "{{" not in html.replace(f"?r={variable}", "")
    assert "{" not in html.replace(f"?r={variable}", "")


@pytest.mark.parametrize(
    "variable", ["", "{{ email }}", "email", "{{a}}{{b}}", '{{a}}"', "{{a", "%a b%", "{{é}}", "x" * 64]
)
def test_what_is_no_variable_is_left_out_of_the_addresses(company, variable):
    ana = company.add("Ana Silva")

    switch_on(company.domain, recipient_variable=variable)
    html = compose(ana)

    assert not is_variable(variable)
    assert f'src="{PUBLIC_URL}/b/{ana.banner_key}@2x.png"' in html


def test_braces_anywhere_but_in_those_two_addresses_are_never_sent():
    variable = "{{email}}"
    values = PLACE | {"banner.image_url": PLACE["banner.image_url"] + f"?r={variable}"}
    carrying = compile_template(BANNER)
    spoilt = [
        # As somebody could have written into the stored text, past every check.
        f"<p>{PLACE['banner.image_url']}?r={{% raw %}}{variable}{{% endraw %}}</p>",
        "<p>{&#123;email}}</p>",
    ]

    assert render_signature(carrying, values).html.count(variable) == 1
    for name in ("banner.alt", "sender.name", "company.name"):
        html = render_signature(
            compile_template(f"<p>x {{{{ {name} }}}}</p>"), values | {name: variable}
        ).html
        assert "{{" not in html
    for source in spoilt:
        with pytest.raises((RenderRefused, TemplateError)):
            render_signature(compile_template(source), values)


def test_an_address_with_a_variable_that_is_not_whole_is_refused_when_it_is_sent():
    address = PLACE["banner.click_url"] + "?r={{email}}"
    stored = [
        '<a href="{{ banner.click_url }}&amp;x=1">a</a>',
        "<p>{{ banner.click_url }}</p>",
        '<p title="{{ banner.click_url }}">a</p>',
    ]

    for html in stored:
        with pytest.raises(RenderRefused) as caught:
            render_signature(
                CompiledTemplate.from_stored(html, ["banner.click_url"]), {"banner.click_url": address}
            )
        assert caught.value.code == "braces"


def test_previews_show_the_place_as_it_is_and_a_sample_persons_stand_in(company, make_member):
    ana = company.add("Ana Silva")
    auditor = Client()
    auditor.force_login(
        make_member(company.domain, Role.AUDITOR), "django.contrib.auth.backends.ModelBackend"
    )
    starter = f"/domains/{company.domain.name}/templates/preview/?starter=card"

    off = auditor.get(starter).content.decode()
    switch_on(company.domain, width=400, height=100)
    sample = auditor.get(starter).content.decode()
    publish_drafts(company.domain)
    own = auditor.get(f"/domains/{company.domain.name}/senders/{ana.pk}/preview/").content.decode()

    assert 'width="400" height="100"' not in off
    assert re.search(
        r'<img src="data:image/svg\+xml;base64,[^"]+" alt="[^"]*" width="400" height="100"', sample
    )
    # Looked at from in here, it is no impression.
    assert f'src="{PUBLIC_URL}/b/{ana.banner_key}@2x.png?preview"' in own
    assert "?preview" not in render_version(find_version(ana), ana).html


def test_a_senders_page_says_where_its_banner_is_and_the_command_shows_it(company, capsys):
    ana = company.add("Ana Silva")
    switch_on(company.domain)

    sources = {found.field.name: (found.value, found.source) for found in get_field_sources(ana)}
    call_command("previewsignature", sender=ana.email, domain=company.domain.name)

    assert sources["banner.image_url"] == (f"{PUBLIC_URL}/b/{ana.banner_key}@2x.png", "banner")
    assert sources["banner.alt"] == ("", "missing")
    assert f"/b/{ana.banner_key}@2x.png" in capsys.readouterr().out


def test_an_older_template_without_the_row_stays_as_it_is(company):
    ana = company.add("Ana Silva")
    save_template(company.domain, name="Old", source="<p>{{ sender.name }}</p>", actor="x")
    before = render_source(company.domain, "<p>{{ sender.name }}</p>", ana).html

    switch_on(company.domain)

    assert render_source(company.domain, "<p>{{ sender.name }}</p>", ana).html == before == "<p>Ana Silva</p>"
