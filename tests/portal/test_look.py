"""The one stylesheet, the one script and the frame every page stands in."""

from __future__ import annotations

import gzip
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
from django import forms
from django.conf import settings
from django.core.paginator import Paginator
from django.template.loader import get_template, render_to_string
from django.test import RequestFactory

TEMPLATES = settings.BASE_DIR / "templates"
STATIC = settings.BASE_DIR / "portal" / "static" / "portal"
CSS = (STATIC / "portal.css").read_text()
TOKENS = {
    name: (light, dark)
    for name, light, dark in re.findall(r"--([\w-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\)", CSS)
}
GROUNDS = ("paper", "sheet", "sunken")
STATES = ("pen", "good", "warn", "bad", "idle")

TEXT_ON_GROUND = [
    *((ink, ground) for ink in ("ink", "ink-2", "ink-3", "pen", "good", "warn", "bad") for ground in GROUNDS),
    *((ink, f"{state}-wash") for ink in ("ink", "ink-2", "pen") for state in STATES),
    *((state, f"{state}-wash") for state in STATES),
    ("pen-ink", "pen"),
    ("sheet", "bad"),
]


def _luminance(colour: str) -> float:
    """Source: WCAG 2.2, "relative luminance"."""
    parts = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _contrast(one: str, other: str) -> float:
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def _squeezed(html: str) -> str:
    return re.sub(r">\s+<", "><", re.sub(r"\s+", " ", html)).strip()


def test_contrast_is_computed_as_the_standard_says() -> None:
    assert _contrast("#000000", "#ffffff") == pytest.approx(21)
    assert _contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize(("text", "ground"), TEXT_ON_GROUND)
@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_every_text_is_readable_on_every_ground_it_may_stand_on(text: str, ground: str, theme: int) -> None:
    assert _contrast(TOKENS[text][theme], TOKENS[ground][theme]) >= 4.5


@pytest.mark.parametrize("ground", [*GROUNDS, "idle-wash"])
@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_the_edge_of_a_control_stands_out_from_its_ground(ground: str, theme: int) -> None:
    assert _contrast(TOKENS["edge"][theme], TOKENS[ground][theme]) >= 3


def test_every_variable_used_is_defined() -> None:
    assert set(re.findall(r"var\(--([\w-]+)", CSS)) <= set(re.findall(r"--([\w-]+):", CSS))


def test_every_class_a_template_names_has_a_rule() -> None:
    ruled = set(re.findall(r"\.([a-zA-Z][\w-]*)", CSS))

    named = {
        name
        for path in TEMPLATES.rglob("*.html")
        if TEMPLATES / "admin" not in path.parents  # Django's own stylesheets rule there
        for names in re.findall(r'class="([^"]*)"', re.sub(r"\{%.*?%\}|\{\{.*?\}\}", " ", path.read_text()))
        for name in names.split()
        if not name.endswith("-")  # its end is filled in
    }

    assert named - ruled == set()


def test_colours_are_tokens_but_for_the_ground_of_mail_and_of_a_qr_code() -> None:
    after_tokens = CSS[CSS.index(":where(.portal)") :]

    assert set(re.findall(r"#[0-9a-fA-F]{3,8}\b(?=[;,) ])", after_tokens)) == {"#fff", "#1b1b1b"}


@pytest.mark.parametrize("name", ["portal.css", "portal.js"])
def test_a_page_is_dressed_within_the_first_answer_of_the_server(name: str) -> None:
    # A new connection carries ten packets, about 14 kB, before the first acknowledgement.
    assert len(gzip.compress((STATIC / name).read_bytes(), 9)) < 13_800


@pytest.mark.parametrize(
    "path", sorted(TEMPLATES.rglob("*.html")), ids=lambda p: str(p.relative_to(TEMPLATES))
)
def test_no_template_writes_script_style_or_handlers_into_the_page(path: Path) -> None:
    source = path.read_text()
    executed = [
        tag
        for tag in re.findall(r"<script\b[^>]*>", source)
        if " src=" not in tag and "application/json" not in tag
    ]

    assert executed == []
    assert re.findall(r"<style\b|\sstyle\s*=|\son[a-z]+\s*=\s*[\"']|javascript:|\bhx-on\b", source) == []
    assert "|safe" not in source


@pytest.mark.parametrize(
    "path",
    sorted([*TEMPLATES.rglob("_*.html"), *(TEMPLATES / "allauth" / "elements").glob("*.html")]),
    ids=lambda p: str(p.relative_to(TEMPLATES)),
)
def test_every_piece_says_on_top_what_it_expects(path: Path) -> None:
    assert re.match(r"\{% comment %\}\s*\w[^{]{15,}\{% endcomment %\}", path.read_text())


@pytest.mark.parametrize("status", ["400", "403", "403_csrf", "404", "429", "500", "503"])
def test_an_error_says_what_was_not_lost_and_where_to_go_even_without_context(status: str) -> None:
    html = get_template(f"{status}.html").render()

    assert html.count("<h1>") == 1
    assert re.search(r"Nothing was (changed|lost)|Stored data is safe|nothing was changed", html)
    assert '<a class="button main-act" href="/">Back to your domains</a>' in html


def test_a_refusal_shows_its_reason_as_text() -> None:
    html = render_to_string("403.html", {"exception": "Only an <owner> may do this."})

    assert "<p>Only an &lt;owner&gt; may do this.</p>" in html


def test_verbs_say_in_words_what_their_looks_say() -> None:
    verbs = [
        SimpleNamespace(name="read", state="used"),
        SimpleNamespace(name="write", state="granted"),
        SimpleNamespace(name="delete", state="never"),
    ]

    assert _squeezed(render_to_string("integrations/permissions/_verbs.html", {"verbs": verbs})) == (
        '<ul class="verbs" aria-label="Verbs">'
        '<li class="verb used">read<span class="vh">, used</span></li>'
        '<li class="verb ">write<span class="vh">, granted, not used yet</span></li>'
        '<li class="verb never">delete<span class="vh">, allowed by Outreach, never done here</span></li></ul>'
    )


def test_turning_a_page_keeps_the_filters() -> None:
    request = RequestFactory().get("/", {"q": "Priya", "page": "2"})
    page = Paginator(range(120), 50).get_page(2)

    html = render_to_string("_pagination.html", {"page_obj": page, "noun": "senders"}, request)

    assert "51–100 of 120 senders" in html
    assert re.findall(r'href="([^"]+)"', html) == ["?q=Priya&amp;page=1", "?q=Priya&amp;page=3"]


def test_a_list_of_one_page_offers_no_other() -> None:
    html = render_to_string(
        "_pagination.html",
        {"page_obj": Paginator([1], 50).get_page(1), "noun": "senders", "singular": "sender"},
    )

    assert html.count("1 sender\n") == 1
    assert "href" not in html


class _TemplateForm(forms.Form):
    name = forms.CharField(help_text="As people will see it.", error_messages={"required": "Give it a name."})
    note = forms.CharField(required=False)
    mode = forms.ChoiceField(widget=forms.RadioSelect, choices=[("dry", "Dry run")], help_text="Pick one.")
    live = forms.BooleanField(required=False, label="Deliver by itself")


def test_a_field_ties_its_label_help_and_error_to_its_control() -> None:
    html = _squeezed(render_to_string("_field.html", {"field": _TemplateForm({})["name"]}))

    assert '<label for="id_name">Name</label>' in html
    assert 'aria-invalid="true"' in html
    assert 'aria-describedby="id_name_helptext id_name_error"' in html
    assert '<div class="help" id="id_name_helptext">As people will see it.</div>' in html
    assert '<ul class="errorlist" id="id_name_error"><li>Give it a name.</li></ul>' in html


def test_a_field_that_may_stay_empty_says_so() -> None:
    html = _squeezed(render_to_string("_field.html", {"field": _TemplateForm()["note"]}))

    assert '<label for="id_note">Note <span class="optional">(optional)</span></label>' in html


class _Choices(forms.Form):
    when = forms.ChoiceField(
        choices=[("now", "Now"), ("later", "Later")],
        initial="now",
        required=False,
        widget=forms.RadioSelect,
    )
    unasked = forms.ChoiceField(choices=[("a", "A")], required=False, widget=forms.RadioSelect)
    template = forms.ChoiceField(choices=[("", "Inherited"), ("1", "Card")], required=False)
    blank = forms.ChoiceField(choices=[("", "---------"), ("1", "Card")], required=False)
    several = forms.MultipleChoiceField(choices=[("1", "Card")], required=False)


@pytest.mark.parametrize(
    ("name", "is_said"),
    [("when", False), ("unasked", True), ("template", False), ("blank", True), ("several", True)],
)
def test_a_choice_in_which_an_answer_is_made_is_not_called_optional(name: str, is_said: bool) -> None:
    html = render_to_string("_field.html", {"field": _Choices()[name]})

    assert ("(optional)" in html) is is_said


def test_a_choice_is_a_fieldset_with_its_question_as_legend() -> None:
    html = _squeezed(render_to_string("_field.html", {"field": _TemplateForm()["mode"]}))

    assert html.startswith(
        '<fieldset class="field" aria-describedby="id_mode_helptext"><legend>Mode</legend>'
    )


def test_a_checkbox_stands_before_its_label() -> None:
    html = _squeezed(render_to_string("_field.html", {"field": _TemplateForm()["live"]}))

    assert html.index('type="checkbox"') < html.index('<label for="id_live">Deliver by itself</label>')


def test_the_spine_marks_the_page_one_is_on_and_tells_of_a_sleeping_worker() -> None:
    html = render_to_string(
        "_spine.html",
        {
            "domain": SimpleNamespace(name="acme.com"),
            "here": "senders",
            "worker": SimpleNamespace(is_alive=False, beat_at=None),
        },
    )

    assert re.findall(r'aria-current="page">([^<]+)<', html) == ["Senders"]
    assert "Background worker: never seen" in html


def test_leaving_is_a_form_and_not_a_link(rf: RequestFactory) -> None:
    person = SimpleNamespace(
        is_authenticated=True, email="dana@acme.example", get_full_name=lambda: "Dana Whitfield"
    )

    html = _squeezed(render_to_string("_bar.html", {"user": person, "role": "owner"}, rf.get("/")))

    assert (
        '<form method="post" action="/accounts/logout/"><input type="hidden" name="csrfmiddlewaretoken"'
        in html
    )
    assert "Dana Whitfield" in html


@pytest.mark.parametrize(("sandbox", "ribbons"), [(True, 1), (False, 0)])
@pytest.mark.parametrize("template", ["base_plain.html", "_bar.html"])
def test_the_ribbon_is_on_every_frame_in_a_sandbox_and_nowhere_else(
    template: str, sandbox: bool, ribbons: int
) -> None:
    html = render_to_string(template, {"sandbox": sandbox})

    assert len(re.findall(r'<(?:span|a) class="ribbon"[^>]*>Sandbox</', html)) == ribbons
