"""What goes where one value is missing, and which words may be left over, is told while a template is made."""

from __future__ import annotations

import pytest

from signatures.rendering import Absence, compile_template, describe_absences


@pytest.mark.parametrize(
    ("source", "field", "left"),
    [
        (
            "<table><tr><td>Anschluss</td><td>{{ sender.mobile }}</td></tr></table>",
            "sender.mobile",
            "Anschluss",
        ),
        ("<p>Mobile:</p><p>{{ sender.mobile }}</p>", "sender.mobile", "Mobile:"),
        ("Mobile:<br>{{ sender.mobile }}<br>", "sender.mobile", "Mobile:"),
        ("<p>{{ sender.email }} Anschluss {{ sender.mobile }}</p>", "sender.mobile", "Anschluss"),
        ("<p>Acme | {{ sender.mobile }}</p>", "sender.mobile", "Acme"),
    ],
)
def test_words_that_may_be_a_label_are_named_when_a_template_is_saved(source, field, left):
    assert compile_template(f"{source}<p>{{{{ sender.name }}}}</p>").warnings == (
        f"Where {field} is missing, “{left}” stays. If it is only a label, put both into "
        f"{{% if {field} %}} … {{% endif %}}.",
    )


@pytest.mark.parametrize(
    "source",
    [
        "<p>W: {{ sender.phone }}&nbsp;&nbsp;M: {{ sender.mobile }}</p>",
        "<p>{{ sender.mobile }} | Acme Ltd, registered in England 01234567</p>",
        "<p>{{ sender.title }}, {{ company.name }}</p>",
        "<p>Mobile:</p>{% if sender.mobile %}<p>{{ sender.mobile }}</p>{% else %}<p>none</p>{% endif %}",
        '<p><a href="https://acme.example/about">About us</a> · <a href="{{ sender.linkedin_url }}">LinkedIn</a></p>',
    ],
)
def test_nothing_is_named_where_nothing_is_left_over(source):
    assert compile_template(source).warnings == ()


def test_what_goes_with_each_value_is_told_line_by_line():
    template = compile_template(
        "<p>{{ sender.name }}, {{ sender.title }}</p>"
        "<table><tr><td>T</td><td>{{ sender.phone }}</td><td>M</td><td>{{ sender.mobile }}</td></tr></table>"
        "<p>{{ company.name }} · {{ sender.title }}</p>"
        '<p style="color: {{ company.accent }}">Acme {% if sender.pronouns %}x{% endif %}</p>'
    )

    assert list(describe_absences(template)) == [
        Absence("sender.name", ("Maren Lindqvist",), ()),
        Absence("sender.title", ("Head of Partnerships", "Head of Partnerships"), ()),
        Absence("sender.phone", ("T  +1 (415) 555-0142",), ()),
        Absence("sender.mobile", ("M  +1 (415) 555-0187",), ()),
        Absence("company.name", ("Acme",), ()),
        Absence("company.accent", (), ()),
        Absence("sender.pronouns", ("x",), ()),
    ]


def test_a_value_without_which_nothing_stays_takes_all():
    template = compile_template("<p>Mobile: {{ sender.mobile }}</p>")

    assert list(describe_absences(template)) == [Absence("sender.mobile", ("Mobile: +1 (415) 555-0187",), ())]


def test_a_very_large_template_is_not_looked_at():
    template = compile_template(
        "<p>{{ sender.mobile }}</p>"
        + f"<p>{'x' * 15}</p>" * 2_700
        + "{{ sender.title }}" * 3
        + "{{ sender.name }}"
    )

    assert list(describe_absences(template)) == []
