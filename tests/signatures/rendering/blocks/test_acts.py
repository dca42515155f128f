"""Editing acts on a design, by path; the design they start from never changes."""

from __future__ import annotations

import pytest

from signatures.rendering.blocks import (
    ActRefused,
    Banner,
    Button,
    Code,
    Columns,
    Contact,
    Design,
    Disclaimer,
    Edited,
    Name,
    Picture,
    SettingsRefused,
    Space,
    Theme,
    Title,
    add_block,
    change_block,
    change_theme,
    copy_block,
    edit_as_code,
    get_block,
    list_places,
    move_block,
    move_down,
    move_up,
    read_design,
    remove_block,
    restore_settings,
    set_column_count,
    walk,
    write_design,
)

DESIGN = Design(
    Theme(), (Banner(), Columns(lists=((Picture(),), (Name(), Title(), Contact()))), Disclaimer())
)
SHAPE = "banner columns(picture | name title contact) disclaimer"


def shape(edited: Edited | Design) -> str:
    design = edited.design if isinstance(edited, Edited) else edited

    def name(block) -> str:
        if not isinstance(block, Columns):
            return block.name
        return f"columns({' | '.join(' '.join(map(name, one)) for one in block.lists)})"

    return " ".join(map(name, design.blocks))


def test_the_paths_lead_to_every_block():
    paths = dict(walk(DESIGN))

    assert list(paths) == ["0", "1", "1-0-0", "1-1-0", "1-1-1", "1-1-2", "2"]
    assert all(get_block(DESIGN, path) is block for path, block in paths.items())


@pytest.mark.parametrize(
    ("act", "becomes", "path"),
    [
        (lambda: add_block(DESIGN, "", 0, "space"), f"space {SHAPE}", "0"),
        (lambda: add_block(DESIGN, "", 99, Space()), f"{SHAPE} space", "3"),
        (lambda: add_block(DESIGN, "1-0", 1, "button"), SHAPE.replace("picture", "picture button"), "1-0-1"),
        (lambda: remove_block(DESIGN, "1"), "banner disclaimer", "1"),
        (lambda: remove_block(DESIGN, "2"), SHAPE.replace(" disclaimer", ""), "1"),
        (lambda: remove_block(DESIGN, "1-0-0"), SHAPE.replace("picture", ""), ""),
        (lambda: remove_block(DESIGN, "1-1-1"), SHAPE.replace("title ", ""), "1-1-1"),
        (lambda: copy_block(DESIGN, "0"), f"banner {SHAPE}", "1"),
        (lambda: copy_block(DESIGN, "1-1-1"), SHAPE.replace("title", "title title"), "1-1-2"),
        (lambda: move_up(DESIGN, "2"), "banner disclaimer columns(picture | name title contact)", "1"),
        (lambda: move_up(DESIGN, "0"), SHAPE, "0"),
        (lambda: move_down(DESIGN, "2"), SHAPE, "2"),
        (lambda: move_down(DESIGN, "1-1-0"), SHAPE.replace("name title", "title name"), "1-1-1"),
        (lambda: move_block(DESIGN, "0", "1-1", 1),
         "columns(picture | name banner title contact) disclaimer", "0-1-1"),
        (lambda: move_block(DESIGN, "2", "1-0", 0), "banner columns(disclaimer picture | name title contact)",
         "1-0-0"),
        (lambda: move_block(DESIGN, "1-1-0", "", 0), "name banner columns(picture | title contact) disclaimer",
         "0"),
        (lambda: move_block(DESIGN, "1-1-2", "1-0", 0),
         "banner columns(contact picture | name title) disclaimer", "1-0-0"),
        (lambda: move_block(DESIGN, "1-1-0", "1-1", 2),
         "banner columns(picture | title contact name) disclaimer", "1-1-2"),
        (lambda: move_block(DESIGN, "1", "", 0), "columns(picture | name title contact) banner disclaimer", "0"),
        (lambda: set_column_count(DESIGN, "1", 3), SHAPE.replace("contact)", "contact | )"), "1"),
        (lambda: change_block(DESIGN, "1-1-0", {"size": "20"}), SHAPE, "1-1-0"),
        (lambda: change_theme(DESIGN, {"gap": 12}), SHAPE, ""),
    ],
)  # fmt: skip
def test_an_act_makes_the_design_it_says(act, becomes, path):
    edited = act()

    assert shape(edited) == becomes
    assert edited.path == path
    assert shape(DESIGN) == SHAPE
    assert read_design(write_design(edited.design)) == edited.design


def test_the_path_of_an_act_is_of_the_block_that_was_acted_on():
    moved = move_block(DESIGN, "0", "1-1", 1)

    assert get_block(moved.design, moved.path) == Banner()
    assert get_block(change_block(DESIGN, "1-1-0", {"size": 20}).design, "1-1-0") == Name(size=20)
    assert change_theme(DESIGN, {"gap": 12}).design == Design(Theme(gap=12), DESIGN.blocks)


def test_two_columns_of_three_keep_what_was_in_the_third():
    three = set_column_count(DESIGN, "1", 3).design
    three = move_block(three, "0", "1-2", 0).design

    assert shape(set_column_count(three, "0", 2)) == "columns(picture | name title contact banner) disclaimer"


@pytest.mark.parametrize(
    "path", ["3", "1-2-0", "1-0-1", "0-0-0", "", "x", "1-", "-1", "1-0", "1-0-0-0", "٣", "9999"]
)
def test_a_path_that_leads_nowhere_is_refused(path):
    for act in (get_block, remove_block, copy_block, move_up, move_down, edit_as_code, list_places):
        with pytest.raises(ActRefused, match="That block is not there any more"):
            act(DESIGN, path)


@pytest.mark.parametrize("list_path", ["0-0", "1-2", "7-0", "x", "1"])
def test_a_list_that_is_not_there_is_refused(list_path):
    with pytest.raises(ActRefused):
        add_block(DESIGN, list_path, 0, "space")
    with pytest.raises(ActRefused):
        move_block(DESIGN, "2", list_path, 0)


def test_columns_cannot_stand_in_columns():
    with pytest.raises(ActRefused, match="Columns cannot stand in columns"):
        add_block(DESIGN, "1-0", 0, "columns")
    with pytest.raises(ActRefused, match="Columns cannot stand in columns"):
        move_block(DESIGN, "1", "1-0", 0)
    with pytest.raises(ActRefused, match="two or three"):
        set_column_count(DESIGN, "1", 4)
    with pytest.raises(ActRefused, match="two or three"):
        set_column_count(DESIGN, "0", 2)


def test_a_design_has_a_bounded_number_of_blocks():
    full = Design(Theme(), (Space(),) * 100)

    with pytest.raises(ActRefused, match="A design has at most 100 blocks"):
        add_block(full, "", 0, "space")
    assert shape(move_down(full, "0")) == shape(full)


def test_wrong_settings_are_refused_with_each_error():
    with pytest.raises(SettingsRefused) as refused:
        change_block(DESIGN, "1-1-0", {"size": 2, "colour": "red"})

    assert list(refused.value.errors) == ["size", "colour"]
    with pytest.raises(ActRefused, match="There is no setting sparkle"):
        change_block(DESIGN, "1-1-0", {"sparkle": 2})
    with pytest.raises(ActRefused, match="There is no block called chart"):
        add_block(DESIGN, "", 0, "chart")


def test_a_block_becomes_code_and_goes_back_to_its_settings():
    design = add_block(DESIGN, "", 3, Button(when="sender.mobile")).design

    coded = edit_as_code(design, "3")
    (code,) = [block for block in coded.design.blocks if isinstance(block, Code)]

    assert code.markup.startswith("{% if sender.mobile %}{% if sender.calendar_url %}<tr>")
    assert restore_settings(coded.design, "3") == Edited(design, "3")
    assert restore_settings(read_design(write_design(coded.design)), "3").design == design
    for path in ("1", "3"):
        with pytest.raises(ActRefused, match="columns not as a whole"):
            edit_as_code(coded.design, path)
    with pytest.raises(ActRefused, match="no settings to go back to"):
        restore_settings(DESIGN, "0")


def test_the_places_to_move_to_are_those_that_moving_takes():
    places = list_places(DESIGN, "1-1-1")

    assert [(place.list_path, place.index, place.label) for place in places] == [
        ("", 0, "First"),
        ("", 1, "After Banner"),
        ("", 2, "After Columns"),
        ("", 3, "After Disclaimer"),
        ("1-0", 0, "Block 2, column 1: first"),
        ("1-0", 1, "Block 2, column 1: after Image"),
        ("1-1", 0, "Block 2, column 2: first"),
        ("1-1", 1, "Block 2, column 2: after Name"),
        ("1-1", 2, "Block 2, column 2: after Contact"),
    ]
    assert [place.is_here for place in places] == [False] * 7 + [True, False]
    for place in places:
        moved = move_block(DESIGN, "1-1-1", place.list_path, place.index)
        assert moved.path.rpartition("-")[0] == place.list_path
        assert get_block(moved.design, moved.path) == Title()
    assert {place.list_path for place in list_places(DESIGN, "1")} == {""}
    assert [place.index for place in list_places(Design(Theme(), (Space(),) * 2), "0")] == [0, 1]
