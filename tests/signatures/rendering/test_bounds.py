"""Any source of 100,000 characters is checked within a second, and ends in a version or in a sentence."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from signatures.rendering import TemplateError, compile_template
from signatures.rendering.bounds import (
    MAX_ATTRIBUTES,
    MAX_CELL_TAGS,
    MAX_DECLARATIONS,
    MAX_DEPTH,
    MAX_LIQUID,
    MAX_LIQUID_CHARACTERS,
    MAX_TAGS,
)
from tests.support.worst_templates import ALL, CSS, LIQUID, TAGS, TEXT, Generator, halves

LIMIT = 100_000
# Enough to render as well: a signature has at most 65,535 bytes.
RENDERED = 60_000


def check(source: str) -> tuple[str, float]:
    """Return "saved" or why not, and the processor time that took."""
    started = time.process_time()
    try:
        compile_template(source)
    except TemplateError as error:
        return error.message, time.process_time() - started
    return "saved", time.process_time() - started


def is_quick(source: str) -> bool:
    """Return whether checking `source` takes less than a second, once in three: the machine has other work too."""
    return any(check(source)[1] < 1 for _ in range(3))


def check_afresh(source: str) -> float:
    """Return the processor time of checking `source`, of which nothing is remembered."""
    compile_template.cache_clear()
    return check(source)[1]


def grows_in_line(generate: Generator, start: int) -> bool:
    """Return whether four times the source takes some four times as long, not sixteen times; once in three.

    What takes less than a tenth of a second is not looked at any closer; the machine has other work too.
    """
    few, many = generate(start), generate(4 * start)
    return any((taken := check_afresh(many)) < 0.1 or taken < 10 * check_afresh(few) for _ in range(3))


@pytest.mark.parametrize("length", [LIMIT, RENDERED])
@pytest.mark.parametrize("name", ALL)
def test_the_worst_source_of_any_kind_is_answered_within_a_second(name, length):
    source = ALL[name](length)
    assert 0.9 * length - 1_000 < len(source) <= length

    assert is_quick(source)


# Short enough to be below the bounds, which alone would answer a longer one at once.
@pytest.mark.parametrize("name", ALL)
def test_time_grows_with_the_length_alone(name):
    assert grows_in_line(ALL[name], LIMIT // 16)


@pytest.mark.parametrize("style", ["styled elements", "refused styles", "declarations", "tokens"])
@pytest.mark.parametrize("other", ["outputs", "outputs of a few filters"])
def test_two_kinds_at_once_are_answered_within_a_second(style, other):
    assert is_quick(halves(CSS[style], LIQUID[other])(LIMIT))
    assert is_quick(halves(LIQUID[other], TAGS["addresses"])(LIMIT))
    assert is_quick(halves(CSS[style], TEXT["references without end"])(RENDERED))


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("liquid: openers of outputs", "Expected '}}', found end of file."),
        ("liquid: comments without end", "This comment has no {% endcomment %}."),
        ("liquid: raw without end", "The tag raw is not available"),
        ("liquid: outputs of 500 blanks", "holds too many blanks in a row"),
        ("liquid: conditions of sixty words", "asks too much at once"),
        ("liquid: outputs of many brackets", "asks too much at once"),
        ("liquid: a long default", f"has at most {MAX_LIQUID_CHARACTERS:,} characters"),
        ("liquid: cases", f"at most {MAX_LIQUID} fields, conditions and comments"),
        ("liquid: long outputs", "fields, conditions and comments, and 2,000 filters"),
        ("liquid: outputs of a few filters", "saved"),
        ("tags: starts of tags", "has no end, so nothing behind it"),
        ("tags: elements", f"at most {MAX_TAGS:,} tags"),
        ("tags: cells", f"{MAX_CELL_TAGS:,} of them of table cells"),
        ("tags: nested blocks", f"more than {MAX_DEPTH} levels deep"),
        ("tags: nested elements", f"more than {MAX_DEPTH} levels deep, or 30 of"),
        ("tags: crossed elements", "Too many elements end inside others"),
        ("tags: lost emphasis before paragraphs", "levels deep, or 30 of"),
        ("tags: attributes", f"at most {MAX_ATTRIBUTES} attributes"),
        ("tags: pictures", "saved"),
        ("text: hard blanks before a missing value", "saved"),
        ("text: references of many digits", "The character written &#9"),
        ("css: numbered declarations", f"hold at most {MAX_DECLARATIONS:,} declarations"),
        ("css: tokens", "saved"),
        ("css: digits", "saved"),
        ("css: brackets", "saved"),
        ("css: negations", "brackets in <style> are nested too deeply"),
        ("css: classes", "too many rules in <style>"),
    ],
)
def test_each_bound_is_met_and_what_is_below_them_is_saved(name, answer):
    assert answer in check(ALL[name](RENDERED))[0]


NAME = "{{ sender.name }}"


@pytest.mark.parametrize(
    ("most", "one_more"),
    [
        (NAME * MAX_LIQUID, NAME * (MAX_LIQUID + 1)),
        ("<i>x</i>" * (MAX_TAGS // 2), "<i>x</i>" * (MAX_TAGS // 2 + 1)),
        ("<div>" * MAX_DEPTH + "x" + "</div>" * MAX_DEPTH, "<div>" * (MAX_DEPTH + 1) + "x"),
        (
            f"<table><tr>{'<td>x</td>' * (MAX_CELL_TAGS // 2)}</tr></table>",
            f"<table><tr>{'<td>x</td>' * (MAX_CELL_TAGS // 2 + 1)}</tr></table>",
        ),
        (f"<p{' a' * MAX_ATTRIBUTES}>x</p>", f"<p{' a' * (MAX_ATTRIBUTES + 1)}>x</p>"),
        (
            '<p style="color: red">x</p>' * MAX_DECLARATIONS,
            '<p style="color: red">x</p>' * (MAX_DECLARATIONS + 1),
        ),
        ("<p>a<li>b<tr><td>c" * 500, None),
        (
            "{{ sender.name | default: '" + "a" * 900 + "' }}",
            "{{ sender.name | default: '" + "a" * 1_000 + "' }}",
        ),
    ],
    ids=["outputs", "tags", "depth", "cells", "attributes", "styles", "unclosed", "long output"],
)
def test_a_source_at_a_bound_is_saved_and_one_beyond_is_refused(most, one_more):
    assert check(most)[0] == "saved"
    assert one_more is None or check(one_more)[0] != "saved"


@pytest.mark.parametrize(
    ("source", "line", "column", "words"),
    [
        ("<p>\n a <b title='x</p>", 2, 4, "<b has no end, so nothing behind it would be shown."),
        ("<p>{{ sender.name }}</p>\n<b", 2, 1, "<b has no end"),
        ("x\n<style>p{color:red}", 2, 1, "<style> has no end"),
        ("a {% comment %} b", 1, 3, "This comment has no {% endcomment %}."),
        ("{{ sender.name }}\n" + "<div>" * 101, 2, 501, "nested more than 100 levels deep"),
        ("<b>" * 3_000 + "x", 1, 91, "30 of <b>, <font> and their like"),
        ("{{ sender.name }}" + " <p " + "a " * 61 + ">", 1, 19, "A tag has at most 60 attributes."),
    ],
)
def test_what_is_beyond_a_bound_is_refused_at_its_place(source, line, column, words):
    with pytest.raises(TemplateError) as caught:
        compile_template(source)

    assert (caught.value.line, caught.value.column) == (line, column)
    assert words in caught.value.message


DEEP = """
import resource, sys, threading
from signatures.rendering import TemplateError, compile_template, render_signature
threading.stack_size(256 * 1024)
def work():
    pairs = ("<b>", ""), ("<div>", "</div>"), ("<p><span>", ""), ("<table><tr><td>", ""), ("<ul><li>", "")
    for opening, closing in pairs:
        for depth in (20, 30, 99, 100, 101, 2500, 5000):
            try:
                template = compile_template((opening * depth + "x" + closing * depth)[:100_000])
                render_signature(template, {"sender.name": "Ana"}).text
                print(opening, depth, "saved")
            except TemplateError as error:
                print(opening, depth, "refused")
thread = threading.Thread(target=work)
thread.start()
thread.join()
"""


def test_nothing_that_is_nested_ends_the_process_however_small_its_stack():
    ran = subprocess.run(
        [sys.executable, "-c", DEEP], capture_output=True, text=True, timeout=120, check=False
    )

    assert (ran.returncode, ran.stderr) == (0, "")
    answers = ran.stdout.splitlines()
    assert len(answers) == 35
    assert "<div> 100 saved" in answers
    assert "<div> 101 refused" in answers
    assert all(answer.endswith("refused") for answer in answers if "00 " in answer and " 100 " not in answer)
