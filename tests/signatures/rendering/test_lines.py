"""Missing values make their line disappear, whatever the line is made of."""

from __future__ import annotations

import pytest

NAME = {"sender__name": "Bo Li"}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("<p>{{ sender.name }}</p><p>Phone: {{ sender.phone }}</p>", "<p>Bo Li</p>"),
        ("<div>{{ sender.name }}</div><div>{{ sender.title }}</div>", "<div>Bo Li</div>"),
        ("{{ sender.name }}<br>T {{ sender.phone }}<br>M {{ sender.mobile }}", "Bo Li"),
        ("T {{ sender.phone }}<br>{{ sender.name }}<br>M {{ sender.mobile }}", "Bo Li"),
        ("{{ sender.name }}<br>T {{ sender.phone }}<br>Acme", "Bo Li<br>Acme"),
        ("<span>{{ sender.title }}<br>{{ sender.name }}</span>", "<span>Bo Li</span>"),
        (
            "<table><tr><td>Name</td><td>{{ sender.name }}</td></tr>"
            "<tr><td>Phone</td><td>{{ sender.phone }}</td></tr></table>",
            "<table><tbody><tr><td>Name</td><td>Bo Li</td></tr></tbody></table>",
        ),
        ("<ul><li>{{ sender.phone }}</li></ul><p>{{ sender.name }}</p>", "<p>Bo Li</p>"),
        (
            "<p>{{ sender.name }}</p><table><tr><td>T</td><td>{{ sender.phone }}</td></tr></table>",
            "<p>Bo Li</p>",
        ),
    ],
)
def test_a_line_without_any_value_goes_with_its_label(render, source, expected):
    assert render(source, **NAME) == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("<p>{{ sender.title }} · {{ sender.name }}</p>", "<p>Bo Li</p>"),
        ("<p>{{ sender.name }} | T {{ sender.phone }} · M {{ sender.mobile }}</p>", "<p>Bo Li</p>"),
        ("<p>T {{ sender.phone }} | {{ sender.name }} | M {{ sender.mobile }}</p>", "<p>Bo Li</p>"),
        ("<p>{{ sender.name }}, {{ sender.title }}, Acme</p>", "<p>Bo Li, Acme</p>"),
        ("<p>{{ sender.name }} ({{ sender.pronouns }})</p>", "<p>Bo Li</p>"),
        ("<p>{{ sender.first_name }} {{ sender.name }} {{ sender.last_name }}</p>", "<p>Bo Li</p>"),
        ("<p><b>{{ sender.title }}</b> · <span>{{ sender.name }}</span></p>", "<p><span>Bo Li</span></p>"),
        ("<p>Sales – {{ sender.name }}</p>", "<p>Sales – Bo Li</p>"),
    ],
)
def test_no_separator_or_bracket_is_left_dangling(render, source, expected):
    assert render(source, **NAME) == expected


def test_a_separator_inside_a_value_is_part_of_the_value(render):
    html = render("<p>{{ sender.name }}, {{ sender.title }}</p>", sender__name="Li, Bo · PhD | x")

    assert html == "<p>Li, Bo · PhD | x</p>"


def test_a_link_without_address_goes_and_its_neighbours_stay(render):
    source = '<p>{{ sender.name }} · <a href="{{ sender.linkedin_url }}">LinkedIn</a> · Acme</p>'

    assert render(source, **NAME) == "<p>Bo Li · Acme</p>"


def test_a_link_without_address_around_a_present_field_becomes_plain_text(render):
    source = '<p><a href="{{ company.website }}">{{ sender.name }}</a></p>'

    assert render(source, **NAME) == "<p>Bo Li</p>"


def test_a_link_of_which_part_of_the_address_is_missing_is_no_link(render):
    source = '<p>{{ sender.name }} · <a href="https://acme.example/?ref={{ sender.custom1 }}">Offer</a></p>'

    assert render(source, **NAME) == "<p>Bo Li</p>"


def test_a_picture_without_address_goes_with_its_cell_in_a_table_of_one_row(render):
    source = (
        '<table><tr><td><img src="{{ company.logo_url }}" alt=""></td><td>{{ sender.name }}</td></tr></table>'
    )

    assert render(source, **NAME) == "<table><tbody><tr><td>Bo Li</td></tr></tbody></table>"


def test_a_cell_keeps_its_place_where_other_rows_need_the_column(render):
    source = (
        '<table><tr><td><img src="{{ company.logo_url }}" alt=""></td><td>{{ sender.name }}</td></tr>'
        "<tr><td>a</td><td>b</td></tr></table>"
    )

    assert render(source, **NAME) == (
        "<table><tbody><tr><td></td><td>Bo Li</td></tr><tr><td>a</td><td>b</td></tr></tbody></table>"
    )


def test_fixed_words_beside_a_missing_line_stay(render):
    source = (
        "<p>{{ sender.name }}</p><table><tr><td><p>{{ sender.phone }}</p><p>Since 1987</p></td></tr></table>"
    )

    assert (
        render(source, **NAME)
        == "<p>Bo Li</p><table><tbody><tr><td><p>Since 1987</p></td></tr></tbody></table>"
    )


def test_a_spacer_that_was_empty_in_the_template_stays(render):
    source = '<table><tr><td>{{ sender.name }}</td></tr><tr><td style="height: 8px"></td></tr></table>'

    assert render(source, **NAME) == (
        '<table><tbody><tr><td>Bo Li</td></tr><tr><td style="height: 8px"></td></tr></tbody></table>'
    )


def test_a_style_loses_only_the_declaration_whose_colour_is_missing(render):
    source = '<p style="color: {{ company.accent }}; font-size: 12px">{{ sender.name }}</p>'

    assert render(source, **NAME) == '<p style="font-size: 12px">Bo Li</p>'
    assert render(source, company__accent="#3F63D8", **NAME) == (
        '<p style="color: #3f63d8; font-size: 12px">Bo Li</p>'
    )


def test_alt_text_whose_fields_are_missing_becomes_empty_not_a_stump(render):
    source = (
        '<p>{{ sender.name }} <img src="https://acme.example/a.png" alt="Logo of {{ company.name }}"></p>'
    )

    assert render(source, **NAME) == '<p>Bo Li <img src="https://acme.example/a.png" alt=""></p>'


def test_a_default_fills_in_for_a_missing_value(render):
    assert render("<p>{{ sender.title | default: 'Sales' | upcase }}</p>") == "<p>SALES</p>"


def test_conditions_see_a_missing_value_as_false(render):
    source = "<p>{{ sender.name }}{% if sender.phone %} T{% else %} no phone{% endif %}</p>"

    assert render(source, **NAME) == "<p>Bo Li no phone</p>"
    assert render(source, sender__phone="+1 415 555 0142", **NAME) == "<p>Bo Li T</p>"


@pytest.mark.parametrize("nothing", ['""', "''", '" "', "blank", "empty", "nil"])
@pytest.mark.parametrize(
    ("condition", "is_shown"),
    [
        ("{{% if sender.mobile != {} %}}M{{% endif %}}", False),
        ("{{% if sender.mobile == {} %}}M{{% endif %}}", True),
        ("{{% if {} != sender.mobile %}}M{{% endif %}}", False),
        ("{{% unless sender.mobile == {} %}}M{{% endunless %}}", False),
        ("{{% if sender.phone == {0} or sender.mobile != {0} %}}M{{% endif %}}", False),
        ("{{% if sender.phone %}}{{% if sender.mobile != {} %}}M{{% endif %}}{{% endif %}}", False),
        ("{{% if sender.name == {0} %}}N{{% elsif sender.mobile != {0} %}}M{{% endif %}}", False),
        ("{{% case sender.mobile %}}{{% when {} %}}M{{% endcase %}}", True),
        ("{{% case sender.mobile %}}{{% when {} %}}{{% else %}}M{{% endcase %}}", False),
    ],
)
def test_a_missing_value_equals_empty_text_in_conditions(render, nothing, condition, is_shown):
    source = f"<p>{{{{ sender.name }}}} {condition.format(nothing)}</p>"

    without = render(source, sender__phone="+1 415 555 0142", **NAME)
    beside = render(source, sender__phone="+1 415 555 0142", sender__mobile="+1 415 555 0187", **NAME)

    assert ("M" in without) is is_shown
    assert ("M" in beside) is not is_shown


def test_a_comparison_with_words_stays_what_it_was(render):
    source = (
        "<p>{{ sender.name }}{% if sender.title == 'Sales' %} S{% endif %}"
        "{% if sender.title != 'x' %} !{% endif %}</p>"
    )

    assert render(source, sender__title="Sales", **NAME) == "<p>Bo Li S !</p>"
    assert render(source, **NAME) == "<p>Bo Li !</p>"


PHONE = {"sender__phone": "+1 206-555-0118"} | NAME
LINKEDIN = '<a href="{{ sender.linkedin_url }}"><img src="https://acme.example/li.png" alt="LinkedIn" width="20"></a>'
FIXED = '<a href="https://x.example/acme"><img src="https://acme.example/x.png" alt="X" width="20"></a>'
LOGO = '<img src="https://acme.example/logo.png" alt="Acme" width="120">'
SMALL = '<img src="https://acme.example/phone.png" alt="" width="16">'


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (
            "<p>{{ sender.mobile }} | Acme Ltd, registered in England 01234567</p>",
            "<p>Acme Ltd, registered in England 01234567</p>",
        ),
        ("<p>Acme Ltd · {{ sender.mobile }}</p>", "<p>Acme Ltd</p>"),
        ("<p>M {{ sender.mobile }} – T {{ sender.custom1 }} – Acme Ltd</p>", "<p>Acme Ltd</p>"),
        ("<p>{{ sender.mobile }} Acme Ltd</p>", "<p>Acme Ltd</p>"),
        ("<p>Acme Ltd. VAT: {{ sender.custom1 }}</p>", "<p>Acme Ltd.</p>"),
        (
            "<p>{{ company.name }} is registered in England and Wales, 01234567</p>",
            "<p>is registered in England and Wales, 01234567</p>",
        ),
        (
            "<p>This message is meant for its recipient alone. Questions: {{ sender.mobile }}</p>",
            "<p>This message is meant for its recipient alone.</p>",
        ),
        ("{{ sender.mobile }}<br>Acme Ltd", "Acme Ltd"),
        ("<ul><li>{{ sender.mobile }} | Acme Ltd</li></ul>", "<ul><li>Acme Ltd</li></ul>"),
        (
            '<p><a href="https://acme.example/">Acme</a> {{ sender.mobile }}</p>',
            '<p><a href="https://acme.example/">Acme</a></p>',
        ),
        (f"<p>{LINKEDIN} {FIXED}</p>", f"<p>{FIXED}</p>"),
        (f"<p>{FIXED} {LINKEDIN}</p>", f"<p>{FIXED}</p>"),
        (f"<p>Follow us: {LINKEDIN} {FIXED}</p>", f"<p>Follow us: {FIXED}</p>"),
        (f"<p>{LOGO} {{{{ sender.mobile }}}}</p>", f"<p>{LOGO}</p>"),
        (f"<p>M: {{{{ sender.mobile }}}} {FIXED}</p>", f"<p>{FIXED}</p>"),
    ],
)
def test_a_fixed_part_beside_a_missing_value_stays(render, source, expected):
    assert render(f"<p>{{{{ sender.name }}}}</p>{source}", **NAME) == f"<p>Bo Li</p>{expected}"


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ([LINKEDIN, FIXED], [FIXED]),
        ([FIXED, LINKEDIN], [FIXED]),
        ([LINKEDIN, "|", FIXED], [FIXED]),
        ([FIXED, "|", LINKEDIN], [FIXED]),
        ([FIXED, "|", LINKEDIN, "|", FIXED], [FIXED, "|", FIXED]),
        (["Follow us:", LINKEDIN, FIXED], ["Follow us:", FIXED]),
        ([LOGO, "{{ sender.mobile }}"], [LOGO]),
        (["Acme Ltd", "{{ sender.mobile }}"], ["Acme Ltd"]),
        (
            [LOGO, "Acme Ltd, registered in England", "M", "{{ sender.mobile }}"],
            [LOGO, "Acme Ltd, registered in England"],
        ),
        (["T", "{{ sender.phone }}", "M", "{{ sender.mobile }}"], ["T", "+1 206-555-0118"]),
        (["M", "{{ sender.mobile }}", "T", "{{ sender.phone }}"], ["T", "+1 206-555-0118"]),
        (
            ["Mobile:", "&nbsp;", "{{ sender.mobile }}", "Phone:", "{{ sender.phone }}"],
            ["&nbsp;", "Phone:", "+1 206-555-0118"],
        ),
        (["<p>Mobil</p>", "<p>{{ sender.mobile }}</p>", "{{ sender.name }}"], ["<p>Mobil</p>", "Bo Li"]),
        ([SMALL, "{{ sender.mobile }}", SMALL, "{{ sender.phone }}"], [SMALL, "+1 206-555-0118"]),
        (["Phone", "{{ sender.mobile }}", "{{ sender.phone }}"], ["Phone", "+1 206-555-0118"]),
        (["Phone", "{{ sender.mobile }}"], []),
        ([SMALL, "{{ sender.mobile }}"], []),
    ],
)
def test_a_cell_goes_with_its_label_and_no_other_cell_does(render, cells, expected):
    def table(texts: list[str]) -> str:
        row = "".join(f"<td>{text}</td>" for text in texts)
        return f"<table><tbody><tr>{row}</tr></tbody></table>" if texts else ""

    assert render(f"<p>{{{{ sender.name }}}}</p>{table(cells)}", **PHONE) == f"<p>Bo Li</p>{table(expected)}"


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("W: {{ sender.phone }}&nbsp;&nbsp;M: {{ sender.mobile }}", "W: +1 206-555-0118"),
        ("W: {{ sender.mobile }}&nbsp;&nbsp;M: {{ sender.phone }}", "M: +1 206-555-0118"),
        ("W: {{ sender.phone }} &nbsp; M: {{ sender.mobile }}", "W: +1 206-555-0118"),
        ("W: {{ sender.phone }}&nbsp; M: {{ sender.mobile }}", "W: +1 206-555-0118"),
        ("W: {{ sender.phone }}&emsp;M: {{ sender.mobile }}", "W: +1 206-555-0118"),
        ("W: {{ sender.phone }}&nbsp;M: {{ sender.mobile }}", "W: +1 206-555-0118"),
        ("W: {{ sender.phone }} M: {{ sender.mobile }}", "W: +1 206-555-0118"),
        ("W: {{ sender.mobile }} M: {{ sender.phone }}", "M: +1 206-555-0118"),
        ("<b>W</b> {{ sender.phone }} <b>M</b> {{ sender.mobile }}", "<b>W</b> +1 206-555-0118"),
        ("<b>W</b> {{ sender.mobile }} <b>M</b> {{ sender.phone }}", "<b>M</b> +1 206-555-0118"),
        ("\u260e {{ sender.phone }} \u2706 {{ sender.mobile }}", "\u260e +1 206-555-0118"),
        ("Büro {{ sender.phone }} Handy {{ sender.mobile }}", "Büro +1 206-555-0118"),
        ("{{ sender.phone }} ext. {{ sender.phone_extension }}", "+1 206-555-0118"),
        ("Phone | {{ sender.mobile }} | Fax | {{ sender.phone }}", "Fax | +1 206-555-0118"),
        ("Phone | {{ sender.mobile }} | {{ sender.phone }}", "Phone | +1 206-555-0118"),
        ("{{ sender.name }} at {{ company.name }}", "Bo Li"),
        ("Name: {{ sender.first_name }} {{ sender.name }}", "Name: Bo Li"),
        ("Dr. {{ sender.first_name }} {{ sender.name }}", "Dr. Bo Li"),
        (
            "{{ sender.name }} is registered in England. VAT: {{ sender.custom1 }}",
            "Bo Li is registered in England.",
        ),
        (f"{SMALL} {{{{ sender.phone }}}} {SMALL} {{{{ sender.mobile }}}}", f"{SMALL} +1 206-555-0118"),
        ("{{ sender.mobile }} // {{ sender.phone }}", "+1 206-555-0118"),
        ("{{ sender.name }} | IBM | {{ sender.mobile }}", "Bo Li | IBM"),
    ],
)
def test_no_label_is_left_over(render, source, expected):
    assert render(f"<p>{source}</p>", **PHONE) == f"<p>{expected}</p>"
