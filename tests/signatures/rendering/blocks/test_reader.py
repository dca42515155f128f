"""When a source can still be edited as blocks, what of it is code, and which line prevents it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from signatures.rendering.blocks import (
    Button,
    Code,
    Columns,
    Contact,
    Design,
    Name,
    NotBlocks,
    Picture,
    Theme,
    Title,
    Words,
    find_block,
    read_design,
    write_design,
)
from signatures.rendering.blocks.markers import make_checksum

LOGO = Picture(gap="tight")
DESIGN = Design(Theme(), (Columns(lists=((LOGO,), (Name(), Title()))), Contact(), Words(text="Regards")))
SOURCE = write_design(DESIGN)
LINES = SOURCE.split("\n")


def line_of(text: str) -> int:
    return 1 + next(number for number, line in enumerate(LINES) if text in line)


def edit(old: str, new: str) -> str:
    assert SOURCE.count(old) == 1, old
    return SOURCE.replace(old, new)


def read(source: str) -> Design:
    design = read_design(source)
    assert isinstance(design, Design), design
    return design


def test_markup_changed_by_hand_is_a_code_block_and_its_neighbours_stay():
    columns, contact, words = DESIGN.blocks

    design = read(edit(">Regards<", ">Regards, <i>Maren</i><"))

    cell = '<tr><td class="words" style="padding-top: 8px; font-size: 13px; line-height: 20px">'
    code = Code(markup=f"{cell}Regards, <i>Maren</i></td></tr>", former=words)
    assert design == Design(DESIGN.theme, (columns, contact, code))


def test_markup_changed_in_a_column_leaves_the_columns_as_they_are():
    design = read(edit("{{ sender.title }} · {{ company.name }}", "{{ sender.title }}"))

    (columns, *others) = design.blocks
    assert isinstance(columns, Columns)
    assert columns == replace(DESIGN.blocks[0], lists=((LOGO,), (Name(), columns.lists[1][1])))
    assert columns.lists[1][1] == Code(
        markup='<tr><td class="words" style="color: #6f747e">{{ sender.title }}</td></tr>', former=Title()
    )
    assert others == list(DESIGN.blocks[1:])


def test_columns_whose_own_markup_was_changed_are_code_that_keeps_all_that_was_in_them():
    design = read(SOURCE.replace("vertical-align: top", "vertical-align: middle"))

    code = design.blocks[0]
    assert isinstance(code, Code)
    assert code.former == DESIGN.blocks[0]
    assert "{{ company.logo_url }}" in code.markup
    assert "<!--" not in code.markup
    assert design.blocks[1:] == DESIGN.blocks[1:]


def test_settings_changed_by_hand_are_kept_as_former_settings_and_change_no_markup():
    design = read(edit('"size": 17', '"size": 21'))

    code = design.blocks[0].lists[1][0]
    assert code.former == Name(size=21)
    assert "font-size: 17px" in code.markup


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"size": 17', '"size": 99'),
        ('"size": 17', '"size": 17, "sparkle": true'),
        ('"size": 17', '"size": 17,'),
        ("<!-- name {", "<!-- chart {"),
    ],
    ids=["out of range", "a setting of a newer release", "no JSON", "a block of a newer release"],
)
def test_settings_that_cannot_be_read_make_code_without_a_way_back(old, new):
    source = edit(old, new)
    if "chart" in new:
        source = source.replace("<!-- /name -->", "<!-- /chart -->")

    (logo,), (name, title) = read(source).blocks[0].lists

    assert (logo, title) == (LOGO, Title())
    assert isinstance(name, Code)
    assert name.former is None
    assert name.markup.startswith("<tr><td")


def test_a_setting_of_a_newer_release_makes_code_although_its_checksum_is_right():
    own = '<tr><td class="words">Hi</td></tr>'
    settings = '{"bold": false, "colour": "text", "gap": "normal", "size": 13, "text": "Hi", "weight": 300, "when": ""}'
    marked = f"<!-- words {settings} {make_checksum(settings, own)} -->{own}<!-- /words -->"

    design = read(
        edit(
            "\n<!-- /blocks -->\n</tbody></table>\n<!-- /design -->",
            f"\n{marked}\n<!-- /blocks -->\n</tbody></table>\n<!-- /design -->",
        )
    )

    assert design.blocks[-1] == Code(markup=own)


def test_what_another_release_wrote_for_the_same_settings_is_still_that_block():
    own = '<tr><td class="words" style="padding-top: 9px">Hi</td></tr>'
    settings = '{"bold": false, "colour": "text", "gap": "normal", "text": "Hi", "when": ""}'
    marked = f"<!-- words {settings} {make_checksum(settings, own)} -->{own}<!-- /words -->"

    design = read(edit("<!-- /columns -->", f"<!-- /columns -->{marked}"))

    assert design.blocks[1] == Words(text="Hi")


def test_rows_and_notes_between_blocks_are_code_blocks():
    row = "<tr><td>{{ sender.mobile }}</td></tr>"

    design = read(edit("<!-- /columns -->", f"<!-- /columns -->\n<!-- mobile -->\n{row}\n"))

    assert design.blocks[1] == Code(markup=f"<!-- mobile -->\n{row}")
    assert (design.blocks[0], *design.blocks[2:]) == DESIGN.blocks


def test_a_row_behind_the_last_block_is_a_code_block():
    row = "<tr><td>{{ sender.mobile }}</td></tr>"

    behind = read(edit("<!-- /words -->", f"<!-- /words -->{row}"))
    in_column = read(edit("<!-- /title -->", f"<!-- /title -->{row}"))

    assert behind.blocks == (*DESIGN.blocks, Code(markup=row))
    assert in_column.blocks[0].lists[1] == (Name(), Title(), Code(markup=row))


def test_a_block_taken_out_or_copied_by_hand_changes_no_other():
    start, end = SOURCE.index("<!-- contact"), SOURCE.index("<!-- /contact -->") + len("<!-- /contact -->")

    without = read(SOURCE[:start] + SOURCE[end:])
    twice = read(SOURCE[:end] + SOURCE[start:end] + SOURCE[end:])

    columns, contact, words = DESIGN.blocks
    assert without.blocks == (columns, words)
    assert twice.blocks == (columns, contact, contact, words)


def test_a_code_block_keeps_condition_and_former_settings_when_its_markup_is_changed():
    code = Code(markup="<tr><td>One</td></tr>", when="sender.mobile", former=Title())
    source = write_design(Design(Theme(), (code,)))

    changed = read(source.replace("One", "Two"))
    without_condition = read(source.replace("{% if sender.mobile %}", "{% unless sender.mobile %}"))

    assert changed.blocks == (replace(code, markup="<tr><td>Two</td></tr>"),)
    markup = "{% unless sender.mobile %}<tr><td>One</td></tr>{% endif %}"
    assert without_condition.blocks == (Code(markup=markup, former=Title()),)


def test_columns_put_into_columns_by_hand_are_code():
    inner = SOURCE[
        SOURCE.index("<!-- columns") : SOURCE.index("<!-- /columns -->") + len("<!-- /columns -->")
    ]

    design = read(edit("<!-- /title -->", f"<!-- /title -->{inner}"))

    assert [type(block) for block in design.blocks[0].lists[1]] == [Name, Title, Code]


@pytest.mark.parametrize(
    ("source", "line", "reason"),
    [
        ("<p>{{ sender.name }}</p>", 1, "This template is not made of blocks."),
        ("", 1, "This template is not made of blocks."),
        (f"\n<p>Hi</p>\n{SOURCE}", 2, "There is markup before the design."),
        (f"{SOURCE}\n<p>Hi</p>\n", len(LINES) + 1, "There is markup behind the design."),
        (
            edit("  .quiet { color: #6f747e; }", "  .quiet { color: #000000; }"),
            line_of(".quiet"),
            "Markup around the blocks was changed by hand.",
        ),
        (
            edit("\n</tbody></table>\n<!-- /design -->", "\n</tbody></table><p>Hi</p>\n<!-- /design -->"),
            line_of("<!-- /design -->") - 1,
            "Markup around the blocks was changed by hand.",
        ),
        (
            edit('"width": 480', '"width": 500'),
            line_of("<table"),
            "Markup around the blocks was changed by hand.",
        ),
        (
            edit('"width": 480', '"width": 4800'),
            1,
            "The settings of the design are not known in this release.",
        ),
        (edit("<!-- design 1 {", "<!-- design 2 {"), 1, "A newer release of Countersign wrote this design."),
        (edit("<!-- design 1 {", "<!-- design {"), 1, "The settings of the design were changed by hand."),
        (
            edit("<!-- /contact -->", ""),
            len(LINES) - 3,
            "The comment <!-- /blocks --> has no beginning.",
        ),
        (edit("<!-- /design -->", ""), 1, "The comment <!-- design … --> has no end."),
        (
            edit("<!-- /contact -->", "<!-- /contact -->{% comment %}"),
            line_of("<!-- /contact -->"),
            "This comment has no {% endcomment %}.",
        ),
        (edit("<!-- /design -->", "<!-- /design --><b "), line_of("<!-- /design"), "<b has no end."),
    ],
)
def test_a_source_that_is_no_design_says_the_line_and_the_reason(source, line, reason):
    assert read_design(source) == NotBlocks(line, reason)


def test_a_comment_that_marks_blocks_inside_a_liquid_comment_is_none():
    start, end = SOURCE.index("<!-- contact"), SOURCE.index("<!-- /contact -->") + len("<!-- /contact -->")
    source = f"{SOURCE[:start]}{{% comment %}}{SOURCE[start:end]}{{% endcomment %}}{SOURCE[end:]}"

    assert read_design(source) == NotBlocks(
        line_of("<!-- /columns -->"), "A comment that marks blocks stands where it cannot."
    )


def test_nests_without_end_are_read_in_time():
    assert isinstance(read_design("<!-- columns {} 00000000 -->" * 3_000), NotBlocks)
    assert isinstance(read_design(f"<!-- name {'[' * 50_000} 00000000 -->"), NotBlocks)
    deep = '{"former": ' * 2_000 + "{}" + "}" * 2_000
    source = edit("<!-- contact {", f"<!-- code {deep} 00000000 --><!-- /code --><!-- contact {{")
    assert read(source).blocks[1] == Code(markup="")


def test_the_innermost_block_on_a_line_is_found():
    assert find_block(SOURCE, line_of("<!-- columns")) == "0"
    assert find_block(SOURCE, line_of("<!-- title")) == "0-1-1"
    assert find_block(SOURCE, line_of("<!-- words")) == "2"
    assert (
        find_block(edit("<!-- /columns -->", "<!-- /columns -->\n<tr></tr>"), line_of("<!-- words") + 1)
        == "3"
    )
    assert [find_block(SOURCE, line) for line in (1, 3, 0, 999)] == [""] * 4
    assert find_block("<p>Hi</p>", 1) == ""


def test_a_button_without_a_link_field_stands_without_a_condition():
    fixed = write_design(Design(Theme(), (Button(link="https://acme.example/", words="Visit"),)))

    assert "{% if" not in fixed
    assert "{% if sender.calendar_url %}" in write_design(Design(Theme(), (Button(),)))


def test_source_longer_than_a_template_may_be_is_not_read_for_blocks():
    source = write_design(Design(Theme(), (Name(),)))
    assert read_design(source) == Design(Theme(), (Name(),))
    assert read_design(source + "\n" * 100_001) == NotBlocks(
        1, "The template is longer than 100,000 characters."
    )
