"""Fake portal: answers the gateway from memory."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from signatures.mailgateway.slot import Shown

from .mail_corpus import KEY, PUBLIC_URL, SHOWN


def get_token(recipient: str) -> str:
    return "T" + "".join(letter for letter in recipient if letter.isalnum())


@dataclass
class FakePortal:
    """Maria's slots are hers; every recipient gets a banner with their own token. `on_decide` may fail or wait.

    marks: of what is at its end. marked: every one there ever was.
    """

    receipts: set[str] = field(default_factory=set)
    marks: set[str] = field(default_factory=set)
    marked: list[str] = field(default_factory=list)
    decided: list[str] = field(default_factory=list)
    on_decide: Callable[[str], Shown | None] | None = None
    broken: set[str] = field(default_factory=set)

    def _work(self, call: str) -> None:
        if call in self.broken:
            raise RuntimeError(f"{call} for jo@customer.example")

    def get_own_keys(self, keys: Collection[str], addresses: Collection[str]) -> set[str]:
        self._work("get_own_keys")
        return {key for key in keys if key == KEY and "maria@acme.example" in addresses}

    def decide(self, key: str, recipient: str) -> Shown | None:
        self._work("decide")
        self.decided.append(recipient)
        if self.on_decide is not None:
            return self.on_decide(recipient)
        return make_shown(recipient)

    def recall(self, receipts: Collection[str]) -> dict[str, bool]:
        self._work("recall")
        return {one: one in self.receipts for one in receipts if one in self.receipts | self.marks}

    def mark(self, receipts: Collection[str]) -> None:
        self._work("mark")
        self.marks |= set(receipts)
        self.marked += receipts

    def unmark(self, receipts: Collection[str]) -> None:
        self._work("unmark")
        self.marks -= set(receipts)

    def remember(self, receipts: Collection[str]) -> None:
        self._work("remember")
        self.receipts |= set(receipts)
        self.marks -= set(receipts)

    def forget(self, receipts: Collection[str]) -> None:
        self._work("forget")
        self.receipts -= set(receipts)
        self.marks -= set(receipts)


def make_shown(recipient: str) -> Shown:
    token = get_token(recipient)
    return dataclasses.replace(
        SHOWN,
        image_url=f"{PUBLIC_URL}/b/d/{token}.png",
        image_url_2x=f"{PUBLIC_URL}/b/d/{token}@2x.png",
        click_url=f"{PUBLIC_URL}/c/d/{token}",
    )
