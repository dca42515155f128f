"""A plot's bars, its scale and its words, as numbers."""

from __future__ import annotations

import pytest

from portal.charts import HEIGHT, WIDTH, Bar, draw_bars, draw_states, pick_marks, round_up


def test_a_part_stands_in_front_of_everything_on_one_scale():
    plot = draw_bars(
        "Clicks a day",
        names=["23 Nov", "24 Nov"],
        everything=[3, 10],
        part=[0, 5],
        all_name="in all",
        part_name="read",
    )

    assert plot.bars == (
        Bar(45.0, 270.0, 70.0, 30.0, 100.0, 0.0, "23 Nov: 0 read, 3 in all"),
        Bar(405.0, 270.0, 0.0, 100.0, 50.0, 50.0, "24 Nov: 5 read, 10 in all"),
    )
    assert (plot.top, plot.half, plot.marks) == (10, 5, ("23 Nov", "24 Nov"))
    assert plot.summary == "Clicks a day: 5 read, 13 in all; most on 24 Nov, 10"


def test_nothing_is_drawn_flat_and_said():
    plot = draw_bars("Clicks", names=["1 Nov"], everything=[0], part=[0], all_name="in all", part_name="read")

    assert (plot.bars[0].all_height, plot.top, plot.summary) == (0.0, 2, "Clicks: 0 read, 0 in all")
    assert draw_bars("x", names=[], everything=[], part=[], all_name="a", part_name="b").bars == ()


def test_what_happened_at_all_is_a_hair_high():
    plot = draw_bars("x", names=["a", "b"], everything=[1_000, 1], part=[0, 1], all_name="a", part_name="b")

    assert [(bar.all_height, bar.part_height) for bar in plot.bars] == [(100.0, 0.0), (1.5, 1.5)]


@pytest.mark.parametrize("days", [1, 30, 365])
def test_bars_stay_within_the_drawing(days):
    numbers = list(range(days))
    plot = draw_bars(
        "x", names=list(map(str, numbers)), everything=numbers, part=numbers, all_name="a", part_name="b"
    )

    assert all(bar.x >= 0 and bar.x + bar.width <= WIDTH + 0.01 for bar in plot.bars)
    assert all(bar.all_y >= 0 and round(bar.all_y + bar.all_height, 1) == HEIGHT for bar in plot.bars)


@pytest.mark.parametrize(
    ("value", "top"), [(0, 2), (2, 2), (3, 4), (5, 10), (10, 10), (11, 20), (399, 400), (401, 1000)]
)
def test_the_scale_ends_at_a_round_number(value, top):
    assert round_up(value) == top


def test_a_few_names_stand_below():
    assert pick_marks(["a", "b"]) == ("a", "b")
    assert pick_marks([str(n) for n in range(31)]) == ("0", "10", "20", "30")


def test_states_stand_on_each_other_in_steps_on_one_scale():
    plot = draw_states(
        "Mailboxes",
        names=["23 Nov", "24 Nov"],
        states=[("edited", "Edited", [1, 0]), ("pending", "Pending", [1, 4])],
        events=[(1, "Release 2")],
    )

    assert [(layer.name, layer.points) for layer in plot.layers] == [
        ("edited", "0,75 360,75 360,100 720,100 720,100 360,100 360,100 0,100"),
        ("pending", "0,50 360,50 360,0 720,0 720,100 360,100 360,75 0,75"),
    ]
    assert (plot.events, plot.top) == (((540.0, "Release 2"),), 4)
    assert plot.summary == "Mailboxes. 24 Nov: 0 edited, 4 pending. Most on 24 Nov: 4"
    assert draw_states("x", names=[], states=[("edited", "Edited", [])]).layers[0].points == ""
