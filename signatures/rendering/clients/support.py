"""Support of mail clients: reads `support.json`, a part of caniemail's data, and makes it anew from the whole.

Source: caniemail (MIT licence, Copyright (c) 2019 HTeuMeuLeu), as the package `caniemail` publishes it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("support.json")


class Client(StrEnum):
    """A mail client that signatures are judged by."""

    GMAIL = "gmail"
    GMAIL_ANDROID = "gmail-android"
    OUTLOOK_WINDOWS = "outlook-windows"
    OUTLOOK_WEB = "outlook-web"
    OUTLOOK_MAC = "outlook-mac"
    APPLE_MAIL = "apple-mail"
    IOS_MAIL = "ios-mail"
    YAHOO = "yahoo"
    SAMSUNG = "samsung"
    THUNDERBIRD = "thunderbird"

    @property
    def label(self) -> str:
        return _SOURCES[self][0]


# Client -> its name, and the family and platform that caniemail keeps it under.
_SOURCES: dict[Client, tuple[str, str, str]] = {
    Client.GMAIL: ("Gmail", "gmail", "desktop-webmail"),
    Client.GMAIL_ANDROID: ("Gmail for Android", "gmail", "android"),
    Client.OUTLOOK_WINDOWS: ("Outlook for Windows", "outlook", "windows"),
    Client.OUTLOOK_WEB: ("Outlook on the web", "outlook", "outlook-com"),
    Client.OUTLOOK_MAC: ("Outlook for Mac", "outlook", "macos"),
    Client.APPLE_MAIL: ("Apple Mail", "apple-mail", "macos"),
    Client.IOS_MAIL: ("iPhone Mail", "apple-mail", "ios"),
    Client.YAHOO: ("Yahoo Mail", "yahoo", "desktop-webmail"),
    Client.SAMSUNG: ("Samsung Email", "samsung-email", "android"),
    Client.THUNDERBIRD: ("Thunderbird", "thunderbird", "macos"),
}


class Support(StrEnum):
    """What a client does with a feature; PARTLY: what is missing is said in words, for our rules to tell."""

    YES = "y"
    PARTLY = "a"
    NO = "n"
    UNKNOWN = "u"


@dataclass(frozen=True, slots=True)
class Dataset:
    """The data in use. version: of the package; dated: the day of the data, as 2026-05-13."""

    version: str
    dated: str
    features: dict[str, dict[str, str]]


@lru_cache(maxsize=1)
def get_dataset() -> Dataset:
    kept = json.loads(FILE.read_text(encoding="utf-8"))
    return Dataset(kept["version"], kept["dated"], kept["features"])


def get_support(client: Client, feature: str) -> Support:
    """Return what `client` does with a feature, named as caniemail names its page: css-padding, html-img."""
    return Support(get_dataset().features.get(feature, {}).get(client, Support.UNKNOWN))


def pick_features(whole: dict[str, Any]) -> dict[str, dict[str, str]]:
    """Return feature -> client -> support from all of caniemail's data: of CSS, HTML and images, and our clients only.

    The last version of a client counts, since the data lists them from old to new.
    Raises: KeyError where the data has another form.
    """
    picked = {}
    for feature in sorted(whole["data"], key=lambda one: str(one["slug"])):
        if feature["category"] not in ("css", "html", "image"):
            continue
        answers = {}
        for client, (_, family, platform) in _SOURCES.items():
            versions = feature["stats"].get(family, {}).get(platform, {})
            if versions:
                answers[client.value] = list(versions.values())[-1].split()[0]
        picked[feature["slug"]] = answers
    return picked


def write_features(whole: dict[str, Any], *, version: str) -> int:
    """Write `support.json` from all of caniemail's data and return how many features it has.

    version: of the package the data came in.
    """
    features = pick_features(whole)
    dated = str(whole["last_update_date"])[:10]
    rows = ",\n".join(f"  {json.dumps(slug)}: {json.dumps(answers)}" for slug, answers in features.items())
    about = f'"source": "caniemail", "version": {json.dumps(version)}, "dated": {json.dumps(dated)}'
    FILE.write_text(f'{{{about}, "licence": "MIT", "features": {{\n{rows}\n}}}}\n', encoding="utf-8")
    return len(features)
