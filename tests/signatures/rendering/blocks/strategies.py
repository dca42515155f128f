"""Random themes, blocks and designs, made from nothing but what their settings say of themselves."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

from hypothesis import strategies as st

from signatures.rendering.blocks import (
    BLOCKS,
    Block,
    Code,
    Columns,
    Design,
    Kind,
    Refused,
    Setting,
    Theme,
    Title,
    settings_of,
)
from signatures.rendering.blocks.links import LINK_FIELDS

WHOLE_ROW = '<tr><td class="words">Written by {{ sender.name }}</td></tr>'

_PIECES = [
    "{{ sender.title }}",
    "{{sender.first_name|default:'me'}}",
    "{{ company.legal | upcase }}",
    "**Acme**",
    "**",
    "[",
    "](",
    "[Book](https://meet.acme.example/a?b=1&c=2)",
    "[{{ sender.name }}](sender.calendar_url)",
    "<b>",
    "%",
    "*/",
    "<script>alert(1)</script>",
    "</td></tr></table>",
    "<!--",
    "-->",
    "--",
    "&amp;",
    "&#x7b;",
    "\"'",
    "\\",
    "slot0",
    "javascript:alert(1)",
    "#c5000000",
    "9000",
    "\u00a0",
    "é",
    "שלום",
    "\u200f",
    "a",
    " ",
    "Regards,",
    "<!-- /blocks -->",
]
_LINKS = [
    *LINK_FIELDS,
    "https://acme.example/a?b=c&d=%22",
    "mailto:sales@acme.example?subject=Hi&body=x",
    "tel:+14155550100",
]
_MARKUP = [
    '<tr><td class="words">{{ sender.title }}</td></tr>',
    "<tr><td>",
    "</td></tr>",
    "{% if sender.mobile %}",
    "&",
    "<",
    "{% endif %}",
    "<b>bold",
    "text",
    "<!-- a note -->",
    "{{ company.name }}",
    "<img src=x alt='>'>",
    "{% comment %}",
    "{% endcomment %}",
    "<style>td { color: red }</style>",
    "{",
    "\n",
]


def _texts(random: Random, pieces: list[str], setting: Setting) -> Iterator[str]:
    """Yield texts, ever shorter, so that one of them is taken."""
    glue = ["", " ", "\n"] if setting.is_long or setting.kind is Kind.MARKUP else ["", " "]
    for most in range(8, 0, -1):
        chosen = random.choices([*pieces, *glue], k=random.randint(1, most))
        yield "".join(chosen)[: setting.most]
    yield "Acme"


def make_value(setting: Setting, random: Random) -> Any:
    """Return a value that the setting takes."""
    named = [name for name, _ in setting.choices]
    colour = f"#{random.randrange(0x1000000):06x}"
    match setting.kind:
        case Kind.NUMBER:
            return random.randint(setting.low, setting.high)
        case Kind.SWITCH:
            return random.random() < 0.5
        case Kind.CHOICE:
            return random.choice(named)
        case Kind.COLOUR:
            return random.choice([*named, colour])
        case Kind.TEXT | Kind.MARKUP:
            pieces = _PIECES if setting.kind is Kind.TEXT else _MARKUP
            return next(text for text in _texts(random, pieces, setting) if _is_taken(setting, text))
        case Kind.LINK:
            links = ["https://icons.acme.example/v1/"] if setting.label == "Icons from" else _LINKS
            return random.choice(links if setting.is_required else ["", *links])
        case Kind.IMAGE:
            return random.choice([*named, "https://images.acme.example/a.png?b=1&c=2"])
        case Kind.LIST:
            return random.sample(named, random.randint(1, 5))
        case Kind.LINKS:
            return [(random.choice(named), random.choice(_LINKS)) for _ in range(random.randint(1, 4))]


def _is_taken(setting: Setting, value: str) -> bool:
    try:
        setting.clean(value)
    except Refused:
        return False
    return True


def make_settings(owner: type, random: Random) -> dict[str, Any]:
    chosen = {name: make_value(one, random) for name, one in settings_of(owner).items()}
    if "when" in chosen and random.random() < 0.7:
        chosen["when"] = ""
    return chosen


def make_block(kind: type[Block], random: Random, *, is_whole: bool) -> Block:
    """Return a block with random settings. is_whole: code blocks hold whole rows."""
    chosen = make_settings(kind, random)
    if kind is Columns:
        lists = [random.choices(_SIMPLE, k=random.randint(0, 3)) for _ in range(random.randint(2, 3))]
        return Columns(
            **chosen,
            lists=tuple(
                tuple(make_block(one, random, is_whole=is_whole) for one in kinds) for kinds in lists
            ),
        )
    if kind is Code:
        former = random.choice([None, make_block(Title, random, is_whole=True)])
        chosen["markup"] = WHOLE_ROW if is_whole else chosen["markup"]
        return Code(**chosen, former=former)
    return kind(**chosen)


_SIMPLE = [kind for kind in BLOCKS.values() if kind is not Columns]


def _random(seed: int) -> Random:
    return Random(seed)  # noqa: S311 - repeatable, not secret


@st.composite
def designs(draw: st.DrawFn, *, is_whole: bool = True) -> Design:
    """Return designs of up to five blocks. is_whole: their code blocks hold whole rows."""
    theme = make_settings(Theme, _random(draw(st.integers(0, 1 << 32))))
    kinds = draw(st.lists(st.tuples(st.sampled_from(list(BLOCKS)), st.integers(0, 1 << 32)), max_size=5))
    blocks = [make_block(BLOCKS[name], _random(seed), is_whole=is_whole) for name, seed in kinds]
    return Design(Theme(**theme), tuple(blocks))
