"""Field words: what a field's rule says, for people to read."""

from __future__ import annotations

from signatures.rendering.cleanup import CleanUp
from signatures.rendering.fields import BUILT_IN

from .value_sources import COMPANY, GROUP, IMPORT, OUTREACH, OVERRIDE, USUAL_ORDER, FieldRule

SOURCE_WORDS = {
    OVERRIDE: "override",
    IMPORT: "import",
    OUTREACH: "Outreach",
    GROUP: "group",
    COMPANY: "company",
}
CASE_WORDS = {"title": "Capitals as in titles and names", "upper": "CAPITALS", "lower": "small letters"}
PHONE_WORDS = {"international": "International", "national": "National, where the number is of that country"}


def list_rule_words(rule: FieldRule) -> dict[str, str]:
    """Return each part of a rule by its label."""
    return {
        "Label": rule.label or BUILT_IN.label_of(rule.name),
        "Help": rule.help,
        "Default": rule.default,
        "Required before delivery": "Yes" if rule.is_required else "No",
        "Source order": say_order(rule.order),
        "Value comes from": BUILT_IN.label_of(rule.taken_from) if rule.taken_from else "",
        "Date format": rule.date_format,
        "Clean-up": say_clean_up(rule.clean_up),
        "Kept": "Removed" if rule.is_removed else "Yes",
    }


def say_order(order: tuple[str, ...]) -> str:
    """Return the sources in words, first asked first."""
    words = ", ".join(SOURCE_WORDS.get(source, source) for source in order or USUAL_ORDER)
    return words[:1].upper() + words[1:]


def say_clean_up(clean_up: CleanUp) -> str:
    """Return the rules in one line, '' for none."""
    parts = [f"“{find}” becomes “{put}”" for find, put in clean_up.replacements]
    if clean_up.trim:
        parts.insert(0, "trim")
    if clean_up.letter_case:
        parts.append(CASE_WORDS[clean_up.letter_case])
    if clean_up.phone:
        region = f" ({clean_up.region})" if clean_up.region else ""
        parts.append(f"phone format: {PHONE_WORDS[clean_up.phone].lower()}{region}")
    return "; ".join(parts)
