"""Bot agents: names of crawlers and bots in `bot_agents.txt`, and how that is made from a public list.

Source: crawler-user-agents (MIT licence, Copyright (c) 2017 Martin Monperrus), published as a package of that name.
Matched as in that list: case-sensitive, and `^` anchors a name to the beginning.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

FILE = Path(__file__).with_name("bot_agents.txt")
MIN_LETTERS = 4  # a shorter name is part of too many others, so it counts only at the beginning
# Names on the list that are mail programs, or fetch images for a person.
NOT_TAKEN = {
    "GoogleImageProxy": "Gmail fetches through it when a mail is opened",
    "YahooMailProxy": "Yahoo Mail fetches through it when a mail is opened",
    "YahooCacheSystem": "Yahoo Mail's older proxy",
    "FastmailUA": "Fastmail fetches through it when a mail is opened",
    "Shortwave Image Fetcher": "Shortwave, a mail program, fetches through it",
    "mail.ru": "Mail.ru's programs name the company",
    "okhttp": "mail programs on Android load pictures with this library",
    "HttpUrlConnection": "mail programs on Android load pictures with this library",
    "Sogou": "a browser of this name as well as a crawler, which the word “spider” tells",
    "Notion/": "Notion Mail, a mail program",
    "Fluid": "a browser for single sites",
    "^Silk/": "the browser of Kindle tablets",
    "Salesforce.com": "its mail program names the company",
    "HubSpot": "its mail program names the company",
}
_HEADING = """\
# Names of crawlers and bots: crawler-user-agents {version}, MIT licence, Copyright (c) 2017 Martin Monperrus.
# Made by `manage.py refreshbotlist FILE`: {count} names. Letter case counts, ^ ties to the start.
"""
_LETTER_CLASS = re.compile(r"\[([A-Za-z])([A-Za-z])\]")
_SPECIAL = re.compile(r"(?<!\\)[\[\](){}*+?|.$^]|\\[a-zA-Z]")


class ListRefused(Exception):
    """A file is not the public list; the message says why, to an operator."""


@dataclass(frozen=True, slots=True)
class Names:
    """Names to search for, and patterns of the list that are no plain name and were skipped."""

    taken: tuple[str, ...]
    passed_over: tuple[str, ...]


def is_listed(agent: str) -> bool:
    """Return whether a program's name contains one of the list."""
    anywhere, at_start = _load()
    return agent.startswith(at_start) or any(name in agent for name in anywhere)


@lru_cache(maxsize=1)
def get_source() -> str:
    """Return name, version and licence of the list, as the file says them."""
    with FILE.open(encoding="utf-8") as file:
        return file.readline().partition(": ")[2].strip().removesuffix(".")


def count_names() -> int:
    return sum(map(len, _load()))


def read_list(text: str) -> Names:
    """Return the names in the public list's JSON. Raises: ListRefused."""
    try:
        patterns = [entry["pattern"] for entry in json.loads(text)]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise ListRefused(
            "This is not crawler-user-agents.json: a list of objects with a “pattern”."
        ) from error
    if not all(isinstance(pattern, str) for pattern in patterns):
        raise ListRefused("This is not crawler-user-agents.json: a pattern is no text.")
    taken: dict[str, None] = {}
    passed_over = []
    for pattern in patterns:
        for name in _spell_out(pattern):
            plain = re.sub(r"\\(.)", r"\1", name)
            if _SPECIAL.search(name.removeprefix("^")):
                passed_over.append(pattern)
            elif plain not in NOT_TAKEN:
                is_short = sum(map(str.isalpha, plain)) < MIN_LETTERS
                taken[f"^{plain.strip('^ ')}" if is_short else plain] = None
    return Names(tuple(sorted(taken)), tuple(passed_over))


def write_names(names: Names, *, version: str) -> None:
    """Write these names to the file, which a process reads when it starts."""
    heading = _HEADING.format(version=version, count=len(names.taken))
    FILE.write_text(heading + "".join(f"{name}\n" for name in names.taken), encoding="utf-8")


def _spell_out(pattern: str) -> list[str]:
    """Return both names of a letter in two cases, such as [wW]get, and of a plain alternative."""
    if "|" in pattern and "(" not in pattern:
        return [name for part in pattern.split("|") for name in _spell_out(part)]
    found = _LETTER_CLASS.search(pattern)
    if found is None:
        return [pattern]
    before, after = pattern[: found.start()], pattern[found.end() :]
    return [name for letter in found.groups() for name in _spell_out(before + letter + after)]


@lru_cache(maxsize=1)
def _load() -> tuple[tuple[str, ...], tuple[str, ...]]:
    lines = FILE.read_text(encoding="utf-8").splitlines()
    names = [line for line in lines if line and not line.startswith("#")]
    return (
        tuple(name for name in names if not name.startswith("^")),
        tuple(name[1:] for name in names if name.startswith("^")),
    )
