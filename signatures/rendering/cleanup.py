"""Clean-up: rewrites a value by a field's rules; pure, and cleaning twice changes nothing more."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Any

from signatures.rendering.phones import format_phone

LETTER_CASES = ("title", "upper", "lower")
PHONE_FORMATS = ("international", "national")
MOST_REPLACEMENTS = 20
LONGEST_PART = 80
LONGEST_VALUE = 4_000
_MOST_PASSES = 8
_GAPS = re.compile(r"[ \t]+")
_STRAY = " \t,;|"
_WORD = re.compile(r"[^\W_]+(?:['’&][^\W_]+)*")
_MAC = re.compile(r"mc(?=[^\W\d_]{3})")
_SHORT_PREFIX = re.compile(r"[^\W\d_](?=['’][^\W\d_]{2})")
# Of family names; the others join words and stand in titles too.
_PARTICLES = frozenset(
    [
        "van",
        "von",
        "der",
        "den",
        "de",
        "da",
        "di",
        "del",
        "della",
        "la",
        "le",
        "du",
        "dos",
        "das",
        "ter",
        "zu",
        "zur",
    ]
)
_JOINING = frozenset(["of", "and", "for", "the", "in", "to", "at", "on", "with", "or", "und", "et", "y"])
_ACRONYMS = frozenset(
    {
        "VP", "SVP", "EVP", "AVP", "CEO", "CFO", "CTO", "COO", "CMO", "CIO", "CISO", "CRO", "CPO", "CHRO", "CCO", "CDO",
        "HR", "IT", "PR", "QA", "UX", "UI", "R&D", "P&L", "B2B", "B2C", "SMB", "EMEA", "APAC", "LATAM", "MENA", "DACH",
        "ANZ", "AMER", "US", "USA", "UK", "EU", "UAE", "AI", "ML", "API", "SDR", "BDR", "ADR", "CSM", "SEO", "SEM",
        "CRM", "ERP", "MBA", "MD", "CPA", "PMP", "KAM", "GM", "II", "III", "IV", "VI", "VII", "VIII", "IX",
    }
)  # fmt: skip
_WRITTEN = {"phd": "PhD", "saas": "SaaS", "devops": "DevOps", "revops": "RevOps", "iot": "IoT"}


@dataclass(frozen=True, slots=True)
class CleanUp:
    """The rules of one field. replacements: pairs of what is found, in any case, and what stands there then.

    letter_case: one of LETTER_CASES or ''. phone: one of PHONE_FORMATS, or '' for as it was typed.
    region: ISO 3166 code of numbers without a country code; '' for the sender's own.
    """

    trim: bool = False
    replacements: tuple[tuple[str, str], ...] = ()
    letter_case: str = ""
    phone: str = ""
    region: str = ""

    @property
    def can_empty(self) -> bool:
        """Whether nothing may be left of a value."""
        return self.trim or bool(self.replacements)

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> CleanUp:
        """Return what `to_json` gave."""
        pairs = tuple((find, put) for find, put in stored.get("replacements", ()))
        return cls(**{**stored, "replacements": pairs})

    def to_json(self) -> dict[str, Any]:
        """Return the rules that are set, as plain values."""
        chosen = {one.name: getattr(self, one.name) for one in fields(self) if getattr(self, one.name)}
        if self.replacements:
            chosen["replacements"] = [list(pair) for pair in self.replacements]
        return chosen


NOTHING = CleanUp()


@lru_cache(maxsize=8192)
def clean_value(text: str, rules: CleanUp, region: str = "") -> str:
    """Return `text` by the rules; as it was where they never settle, or make it too long.

    region: of the sender's numbers, where the rules name none.
    """
    if not text or rules == NOTHING or len(text) > LONGEST_VALUE:
        return text
    cleaned = text
    for _ in range(_MOST_PASSES):
        before, cleaned = cleaned, _clean_once(cleaned, rules, region)
        if cleaned == before:
            return cleaned
        if len(cleaned) > LONGEST_VALUE:
            break
    return text


def _clean_once(text: str, rules: CleanUp, region: str) -> str:
    if rules.trim:
        text = _GAPS.sub(" ", text).strip(_STRAY)
    if rules.letter_case:
        text = _CASES[rules.letter_case](text)
    for find, put in rules.replacements:
        text = re.sub(re.escape(find), put.replace("\\", r"\\"), text, flags=re.IGNORECASE)
    return format_phone(text, rules.region or region, rules.phone) if rules.phone else text


def write_title_case(text: str) -> str:
    """Return `text` with capitals where a title or name has them; words of mixed case stay as they are."""
    is_shouted = text == text.upper()
    first = _WORD.search(text)
    return _WORD.sub(
        lambda found: _write_word(
            found[0], is_first=found.start() == (first or found).start(), is_shouted=is_shouted
        ),
        text,
    )


def _write_word(word: str, *, is_first: bool, is_shouted: bool) -> str:
    small = word.lower()
    if word not in (small, word.upper()):
        return word
    if word.upper() in _ACRONYMS:
        return word.upper()
    if small in _WRITTEN:
        return _WRITTEN[small]
    if word != small and not is_shouted:
        return word  # capitals among other words: an acronym that is not known here
    if small in _PARTICLES | _JOINING and not is_first:
        return small
    if small in _PARTICLES and word == small:
        return small  # “van der Berg” where the family name has a field of its own
    if _MAC.match(small):
        return f"Mc{_capitalize(small[2:])}"
    if _SHORT_PREFIX.match(small):
        return f"{small[:2].upper()}{_capitalize(small[2:])}"
    return _capitalize(small)


def _capitalize(word: str) -> str:
    return word[:1].upper() + word[1:]


_CASES = {"title": write_title_case, "upper": str.upper, "lower": str.lower}
