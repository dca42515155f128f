"""Every regular expression of the code takes time in proportion to what it reads, whatever that holds."""

from __future__ import annotations

import ast
import re
import time
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from itertools import product
from pathlib import Path
from re import _constants as op  # type: ignore[attr-defined]  # no public way to what a pattern is made of
from re import _parser as parser  # type: ignore[attr-defined]
from types import ModuleType

import pytest

ROOT = Path(__file__).parent.parent
LENGTH = 4_000
# Enough for a pattern that is known to be quadratic to take noticeable time on a fast machine.
FAR = 4 * LENGTH
# Those that look ahead for an end, and what sees to it that there is one, or how much they are given.
GUARDED = {
    "signatures.rendering.placeholders.LIQUID_PIECE": "bounds.read_liquid refuses what has no end",
    "signatures.rendering.compile.LIQUID_PIECE": "the same pattern",
    "signatures.rendering.compile._COMMENTS": "a serializer closes every comment",
    "integrations.outreach.replies._ADDRESS": "1,000 characters of a reply",
    "integrations.outreach.replies._SECRET": "1,000 characters of a reply",
}
ANYWHERE = frozenset({"search", "sub", "subn", "split", "findall", "finditer"})
# What may stand where a pattern takes "anything but …", besides the characters it names.
COMMON = "a1 \n<'"


def read_modules() -> Iterator[tuple[ModuleType, str]]:
    """Yield each module of ours that compiles a pattern, and its text."""
    for package in ("portal", "integrations", "signatures"):
        for path in sorted((ROOT / package).rglob("*.py")):
            text = path.read_text()
            if "migrations" not in path.parts and "re.compile" in text:
                name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
                yield import_module(name), text


def find_patterns() -> dict[str, tuple[re.Pattern, bool]]:
    """Return "module.NAME" -> the pattern, and whether it is looked for anywhere in a text, not only at its start."""
    found = {}
    for module, text in read_modules():
        for name, value in vars(module).items():
            several = value if isinstance(value, dict) else {"": value}
            for key, pattern in several.items():
                if isinstance(pattern, re.Pattern):
                    is_anywhere = any(
                        isinstance(node, ast.Attribute)
                        and node.attr in ANYWHERE
                        and name in (ast.unparse(node.value), ast.unparse(node.value).partition("[")[0])
                        for node in ast.walk(ast.parse(text))
                    )
                    found[f"{module.__name__}.{name}{f'[{key}]' if key else ''}"] = (pattern, is_anywhere)
    return found


PATTERNS = find_patterns()
UNGUARDED = sorted(PATTERNS.keys() - GUARDED.keys())


@cache
def get_pieces(pattern: re.Pattern) -> tuple[str, ...]:
    """Return short texts that lead far into the pattern: its literals, a character of each class, its alternatives."""
    text = pattern.pattern if isinstance(pattern.pattern, str) else pattern.pattern.decode("latin-1")
    flags = pattern.flags & ~re.UNICODE if isinstance(pattern.pattern, bytes) else pattern.flags
    pieces = dict.fromkeys(COMMON)
    walk(parser.parse(text, flags), pieces)
    # The first parts and the whole lead furthest.
    several = [piece for piece in pieces if piece]
    return (*several[:7], *several[7:][-2:])


def walk(nodes, pieces: dict[str, None]) -> str:
    """Return the shortest text these nodes match, as far as it can be read off; note each part of it."""
    whole = ""
    for code, value in nodes:
        part = ""
        if code is op.LITERAL:
            part = chr(value)
        elif code is op.IN:
            part = next(
                (chr(v if c is op.LITERAL else v[0]) for c, v in value if c in (op.LITERAL, op.RANGE)), "a"
            )
            if any(c is op.CATEGORY for c, v in value):
                part = next((x for x in (" ", "1", "a") if fits(x, value)), part)
            if value[0][0] is op.NEGATE:
                part = "a"
        elif code is op.ANY or code is op.NOT_LITERAL:
            part = "a"
        elif code in (op.MAX_REPEAT, op.MIN_REPEAT, op.POSSESSIVE_REPEAT):
            part = walk(value[2], pieces) * max(1, min(value[0], 3))
        elif code is op.SUBPATTERN:
            part = walk(value[3], pieces)
        elif code is op.ATOMIC_GROUP:
            part = walk(value, pieces)
        elif code is op.BRANCH:
            part, *_ = [walk(branch, pieces) for branch in value[1]]
        elif code in (op.ASSERT, op.ASSERT_NOT):
            walk(value[1], pieces)
        pieces[part[:12]] = None
        whole += part
    pieces[whole[:40]] = None
    pieces[whole[:-1][:40]] = None
    return whole


def fits(character: str, members) -> bool:
    kinds = {op.CATEGORY_SPACE: " ", op.CATEGORY_DIGIT: "1", op.CATEGORY_WORD: "a"}
    return any(c is op.CATEGORY and kinds.get(v) == character for c, v in members)


def spend(pattern: re.Pattern, text: str, *, is_anywhere: bool) -> float:
    """Return the processor time of reading `text` with `pattern` once."""
    subject = text if isinstance(pattern.pattern, str) else text.encode("utf-8", "replace")
    started = time.process_time()
    pattern.fullmatch(subject)
    pattern.match(subject)
    if is_anywhere:
        for _ in pattern.finditer(subject):
            pass
    return time.process_time() - started


def is_linear(pattern: re.Pattern, make, *, is_anywhere: bool, longest: int) -> bool:
    """Return whether eight times the text takes some eight times as long; what takes nothing is not looked at.

    A quadratic pattern takes 64 times as long: between the two is room for a busy machine.
    """
    if spend(pattern, make(longest), is_anywhere=is_anywhere) < 0.008:
        return True
    # Whatever else runs can only lengthen a measurement: one that is right is enough.
    return any(grows_linearly(pattern, make, is_anywhere=is_anywhere, longest=longest) for _ in range(3))


def grows_linearly(pattern: re.Pattern, make, *, is_anywhere: bool, longest: int) -> bool:
    few, many = (
        min(spend(pattern, make(length), is_anywhere=is_anywhere) for _ in range(3))
        for length in (longest // 8, longest)
    )
    return many < 22 * max(few, 0.0003)


def test_every_pattern_is_found():
    assert len(PATTERNS) > 90
    assert GUARDED.keys() <= PATTERNS.keys()
    assert PATTERNS["signatures.rendering.context._EMAIL"][1] is False
    assert PATTERNS["signatures.rendering.placeholders._SLOT"][1] is True


def find_slow(pattern: re.Pattern, *, is_anywhere: bool, longest: int = LENGTH) -> str | None:
    """Return what over and over, up to `longest` characters, makes `pattern` slow, or None."""
    pieces = get_pieces(pattern)
    repeated = dict.fromkeys((*pieces, *(first + second for first, second in product(pieces, repeat=2))))
    for before, piece, after in product(("", pieces[-1]), repeated, ("", "\x00")):

        def make(length: int, before: str = before, piece: str = piece, after: str = after) -> str:
            return before + piece * (length // len(piece)) + after

        if not is_linear(pattern, make, is_anywhere=is_anywhere, longest=longest):
            return f"{before!r} {piece!r} {after!r}"
    return None


def is_found_slow(pattern: re.Pattern, *, is_anywhere: bool) -> bool:
    return any(find_slow(pattern, is_anywhere=is_anywhere, longest=longest) for longest in (LENGTH, FAR))


@pytest.mark.parametrize("name", UNGUARDED)
def test_a_pattern_is_linear_in_repetitions_of_what_it_is_made_of(name):
    pattern, is_anywhere = PATTERNS[name]

    assert find_slow(pattern, is_anywhere=is_anywhere) is None


@pytest.mark.parametrize("name", GUARDED)
def test_a_guarded_pattern_is_none_of_the_others(name):
    pattern, is_anywhere = PATTERNS[name]

    assert is_found_slow(pattern, is_anywhere=is_anywhere)


@pytest.mark.parametrize(
    "text", [r"\s+$", r"<[^>]*>", r"x*;", r"\{\{.*?\}\}", r"[a-z]+@", r"\s*(?:\n\s*)+", r"(\w+)\s*="]
)
def test_what_is_not_linear_is_found(text):
    assert is_found_slow(re.compile(text, re.DOTALL), is_anywhere=True)
