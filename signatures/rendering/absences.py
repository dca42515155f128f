"""Absences: what a signature loses where one value is missing, found by rendering it with and without the value."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher

from signatures.rendering.context import build_context
from signatures.rendering.errors import RenderRefused
from signatures.rendering.fields import BUILT_IN, Vocabulary
from signatures.rendering.findings import Finding, TagPlaces, warn
from signatures.rendering.labels import has_words
from signatures.rendering.render import render_signature
from signatures.rendering.template import CompiledTemplate

# Each field costs one more rendering; a template with more fields is not checked.
_MAX_CHARACTERS = 150_000
_MAX_LINES = 400
_LONGEST_LEFT = 40
_WORDS = re.compile(r"\w+|[^\w\s]")
_SEPARATORS = re.compile(r"[·•‧∙⋅●▪|¦│‖,]|\s[-–—/]+\s|\s\s")


@dataclass(frozen=True)
class Absence:
    """What happens where one field has no value and every other has.

    gone: the words of each line that is removed. left: short words of the template that were directly before the
    value and stay, so they may be its label.
    """

    field: str
    gone: tuple[str, ...]
    left: tuple[str, ...]


def describe_absences(
    template: CompiledTemplate,
    values: Mapping[str, str | None] | None = None,
    vocabulary: Vocabulary = BUILT_IN,
) -> Iterator[Absence]:
    """Yield an Absence for each field of `template`, banners left out; nothing for a very large template.

    values: of the other fields; sample values by default.
    """
    known = dict(vocabulary.sample_values if values is None else values)
    fields = [name for name in template.fields if not name.startswith("banner.")]
    if len(template.html) * len(fields) > _MAX_CHARACTERS:
        return
    full = _lines(template, known, vocabulary)
    context = build_context(known, vocabulary)
    context.add_missing(fields)
    shown = [value for name in fields if (value := context.value(name))]
    for name in fields:
        yield _compare(name, full, _lines(template, {**known, name: None}, vocabulary), shown)


def left_over_findings(
    template: CompiledTemplate, places: TagPlaces, vocabulary: Vocabulary
) -> Iterator[Finding]:
    """Yield a warning for words that may belong to a missing value: only the author knows."""
    for absence in describe_absences(template, vocabulary=vocabulary):
        for words in absence.left:
            yield warn(
                "label-left",
                f"Where {absence.field} is missing, “{words}” stays.",
                f"If it is only a label, put both into {{% if {absence.field} %}} … {{% endif %}}.",
            ).at(places.find_text(words))


def _lines(template: CompiledTemplate, values: Mapping[str, str | None], vocabulary: Vocabulary) -> list[str]:
    try:
        return render_signature(template, values, vocabulary).text.split("\n")
    except RenderRefused:
        return []


def _compare(name: str, full: list[str], without: list[str], shown: list[str]) -> Absence:
    gone: list[str] = []
    left: list[str] = []
    if max(len(full), len(without)) > _MAX_LINES:
        return Absence(name, (), ())
    for change, start, end, new_start, new_end in SequenceMatcher(
        None, full, without, autojunk=False
    ).get_opcodes():
        if change == "equal":
            continue
        # A line that lost words keeps its place in the order; between them come lines that were removed whole.
        news = without[new_start:new_end]
        for old in full[start:end]:
            new = news.pop(0) if news and _is_part(news[0], old) else ""
            at, went = _difference(old, new)
            gone.append(went.strip(" ·•|,–—-/"))
            left.extend(_fixed_end(new[:at], shown))
        if change == "delete" and start and full[start - 1].endswith(":"):
            left.append(full[start - 1])
    return Absence(name, tuple(filter(None, gone)), tuple(dict.fromkeys(left)))


def _is_part(new: str, old: str) -> bool:
    """Return whether `new` is `old` with words removed."""
    rest = iter(_WORDS.findall(old))
    return all(word in rest for word in _WORDS.findall(new))


def _difference(old: str, new: str) -> tuple[int, str]:
    """Return the position of the words that `old` has and `new` has not, and these words."""
    words, others = list(_WORDS.finditer(old)), _WORDS.findall(new)
    shared = min(len(words), len(others))
    start = 0
    while start < shared and words[start][0] == others[start]:
        start += 1
    end = len(words)
    while len(words) - end < shared - start and words[end - 1][0] == others[end - len(words) - 1]:
        end -= 1
    if start >= end:
        return len(new), ""
    return words[start].start(), old[words[start].start() : words[end - 1].end()]


def _fixed_end(before: str, shown: list[str]) -> Iterator[str]:
    """Yield the short words of the template at the end of `before`, if there are any."""
    start = max((at + len(value) for value in shown if (at := before.rfind(value)) >= 0), default=0)
    words = _SEPARATORS.split(before[start:].rstrip())[-1].strip()
    if words and has_words(words) and len(words) <= _LONGEST_LEFT and "<" not in words and ">" not in words:
        yield words
