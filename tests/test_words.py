"""Words: pages, messages and docs say each thing by the one word that docs/glossary.md has for it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

from tests.support.installation import ROOT

BRAND, MFA = "company values", "second step|one-time step"
# What is said no more, and the word instead. A word that is right elsewhere is listed with the words around it.
OLDER = {
    r"pictures?": "impression, where it was requested; image, where it is a file",
    r"(single|pictures?|images?) fetche[sd]|fetches (and|or) clicks|fetch or click": "impression",
    r"carriers?|carried by|who had it": "coverage, used by",
    r"carry the (place|banner)": "in signature since",
    r"sets? apart|scanners left out|left out as scanners": "bot traffic, filter",
    r"(?<!screen )(?<!fingerprint )readers?": "recipient",
    r"(always|none|nothing) stands? before|stands? before (it|every)": "outranks",
    r"(?<!light )(?<!light\n)dark(?! (mode|colou?rs?|scheme|theme))": "blocked, unavailable",
    r"set aside|quarantined?": "rejected",
    r"wall time": "time zone",
    MFA: "multi-factor authentication (MFA)",
    r"banner.?s? place|place for (a|the) banner|place set up": "banner slot",
    r"(the|this|our) (house|roof|keeper)\b": "the portal, the worker",
    r"say something else": "override",
    r"(?<!is )kept here|who says so|written here, over": "local, source",
    r"legal line": "disclaimer",
    r"needs you\b": "action needed",
    r"look at the (plan|connection)|have a look|(?-i:Look at it)": "review, open",
    r"(?-i:Take (it|them) (back|out))": "revoke, remove",
    r"bring (it|them) back": "restore",
    r"(?-i:Archive it|Delete it|Replace it|Pause it)": "archive, delete, replace or pause, and the noun",
    r"editions?\b": "revision, release",
    r"groups of senders|everyone else": "sender groups, default group",
    BRAND: "brand",
    r"write to whose turn it is": "send alerts",
    r"how sure|it lies between": "confidence interval",
    r"beside the campaign.s other banners": "traffic share",
    r"privileged acts?": "admin action",
    r"prove (it|that nothing)": "run the least-privilege test",
    r"refused before leaving": "blocked locally",
    r"the five calls it can make": "allowed API calls",
    r"access (last renewed|lapses)|(?-i:Our clock)": "token last refreshed, token expires, clock difference",
    r"receipt of leaving|leaving.s receipt": "disconnect receipt",
    r"switches of this portal": "local scope switches",
    r"sign-on address": "SSO URL",
    r"redirect address": "redirect URI",
    r"invite somebody|give this role|good until": "invite member, save role, expires",
    r"keys of the decision api|make a key|in force\b": "API keys, create key, active",
    r"one person.s data|how long things are kept": "data subject request, data retention",
    r"days (of|in) utc|wall clock": "time zone: UTC",
    r"changes not published": "unpublished changes",
    r"cannot be used as written|nothing was saved yet": "not saved; n fields need attention",
    r"read it again|read everything again": "update summary, full sync",
    r"what was (read|ever written)": "records read, writes",
    r"(runs?|stops?|starts?|acts?|continues?|goes on|go(es)? live|updates?) by (itself|themselves)": "automatically",
    r"(is|was|were) not believed": "could not be verified",
    r"begin again": "start again",
    r"(cannot get|holds?|edited) theirs|theirs already": "blocked, unchanged, manual edits",
    r"keys? back": "revoke",
    r"somebody says otherwise": "until it is managed again",
    r"people who run (it|this)": "operator, administrator",
    r"mend what|(would|will) go\.": "correct, would be removed",
    r"in the clear": "unencrypted",
    r"(cut to the size|picture) there is": "cropped",
    r"look at (the|its) reasons|has a look": "review",
}
FORBIDDEN = {word: re.compile(rf"(?<![\w-]){word}(?![\w-])", re.IGNORECASE) for word in OLDER}

SAID_BY_CODE = ("forms", "views", "admin", "models", "management")
ATTRIBUTE = re.compile(r'\b(?:aria-label|title|placeholder|alt|content|value)="([^"{]+)"')


def read_template(text: str) -> str:
    """Return what a person reads of a template: its text, labels, and the words given to partials."""
    text = re.sub(
        r"\{#.*?#\}|\{% comment.*?endcomment %\}|<(script|style)\b.*?</\1>|<!--.*?-->",
        "",
        text,
        flags=re.DOTALL,
    )
    given = [
        words
        for tag in re.findall(r"\{%.*?%\}", text, re.DOTALL)
        for words in re.findall(r'"([^"]* [^"]*)"', tag)
        if not words.endswith(".html")
    ]
    text = re.sub(r"\{%.*?%\}|\{\{.*?\}\}", "\N{HORIZONTAL ELLIPSIS}", text, flags=re.DOTALL)
    labels = ATTRIBUTE.findall(text)
    return "\n".join([" ".join(re.sub(r"<[^>]*>", " ", text).split()), *given, *labels])


def read_messages(text: str) -> str:
    """Return the sentences and labels in a module's code; no docstrings, names or queries."""
    tree = ast.parse(text)
    docstrings = {
        node.body[0].value
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    return "\n".join(
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and node not in docstrings
        and (" " in node.value or node.value.istitle())
    )


def read_page(text: str) -> str:
    """Return the prose of a Markdown page: no code, no addresses of links."""
    text = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    return re.sub(r"`[^`]*`|\]\([^)]*\)|https?://\S+", " ", text)


def list_texts() -> Iterator[tuple[str, str]]:
    """Yield each file that speaks to people, and what it says."""
    for path in sorted((ROOT / "templates").rglob("*.*")):
        if path.suffix in (".html", ".txt"):
            yield path.relative_to(ROOT).as_posix(), read_template(path.read_text())
    for app in ("portal", "integrations", "signatures"):
        for path in sorted((ROOT / app).rglob("*.py")):
            if set(path.relative_to(ROOT).with_suffix("").parts) & set(SAID_BY_CODE):
                yield path.relative_to(ROOT).as_posix(), read_messages(path.read_text())
    for path in [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]:
        yield path.relative_to(ROOT).as_posix(), read_page(path.read_text())


TEXTS = dict(list_texts())


@pytest.mark.parametrize("older", OLDER)
def test_an_older_word_is_said_nowhere(older):
    found = {
        name: [text[max(0, hit.start() - 40) : hit.end() + 40] for hit in FORBIDDEN[older].finditer(text)]
        for name, text in TEXTS.items()
    }

    assert {name: hits for name, hits in found.items() if hits} == {}, f"say: {OLDER[older]}"


@pytest.mark.parametrize(
    ("read", "text", "said"),
    [
        (
            read_template,
            '<p title="A picture">Two {% if x %}banners{# pictures #}{% endif %}</p>',
            "Two …banners…\nA picture",
        ),
        (read_template, '{% include "a b.html" with words="A picture" %}', "…\nA picture"),
        (read_messages, '"""A picture."""\nsay("A picture", "picture")', "A picture"),
        (read_page, "A [picture](picture.md) as `picture`", "A [picture  as  "),
    ],
)
def test_what_people_read_is_told_from_code(read, text, said):
    assert read(text) == said


def test_the_glossary_is_short_and_has_each_word_once():
    words = re.findall(r"^\| ([^|]+?) \| [^|]+ \|$", (ROOT / "docs/glossary.md").read_text(), re.MULTILINE)[
        1:
    ]

    assert 40 <= len(words) <= 80
    assert words == sorted(set(words), key=str.casefold)
