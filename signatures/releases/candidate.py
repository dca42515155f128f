"""Candidate: what publishing the chosen drafts of a domain would make live."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property

from portal.models import Domain
from signatures.models import Release, Sender, ValueDraft
from signatures.senders.origins import mark_numbers

from .content import ORDER, ReleaseContent, list_changed_keys, merge
from .draft import read_draft
from .live import get_content, get_live


@dataclass(frozen=True)
class Candidate:
    """live: the present release, or None. keys: of all drafts. chosen: of those that are to be published."""

    domain: Domain
    live: Release | None
    before: ReleaseContent
    draft: ReleaseContent
    keys: tuple[str, ...]
    chosen: tuple[str, ...]
    value_senders: tuple[int, ...]

    @cached_property
    def values(self) -> tuple[ValueDraft, ...]:
        """Every draft of a value; read when it is first asked for."""
        if not self.value_senders:
            return ()
        return tuple(ValueDraft.objects.filter(sender__domain=self.domain).order_by("sender", "field"))

    @cached_property
    def content(self) -> ReleaseContent:
        """The content that would be live."""
        return merge(self.before, self.draft, self.chosen)

    @cached_property
    def without(self) -> dict[str, ReleaseContent]:
        """For each chosen draft whose reach depends on the others: what would be live without it."""
        keys = [key for key in self.chosen if key.startswith(("template:", "group:")) or key == ORDER]
        return {
            key: merge(self.before, self.draft, [other for other in self.chosen if other != key])
            for key in keys
        }

    @cached_property
    def chosen_values(self) -> dict[int, dict[str, str]]:
        """Sender id -> field -> value, of the chosen drafts of values."""
        chosen: dict[int, dict[str, str]] = {}
        for draft in self.values:
            if f"values:{draft.sender_id}" in self.chosen:
                chosen.setdefault(draft.sender_id, {})[draft.field] = draft.value
        return chosen

    @cached_property
    def missing(self) -> list[tuple[str, ...]]:
        """Sets of keys that can only be published together, of which some are chosen and some are not."""
        needed = []
        for template_id, users in self.content.list_unpublished_templates().items():
            keys = (f"template:{template_id}", *users)
            needed.append(tuple(key for key in keys if key in self.keys))
        return needed

    def give_values(self, sender: Sender) -> Sender:
        """Return the sender as the chosen values would make them; nothing is stored."""
        chosen = self.chosen_values.get(sender.pk, {})
        own = {**sender.own_values, **chosen}
        sender.own_values = {name: text for name, text in own.items() if text}
        sender.value_origins = mark_numbers(sender.value_origins, chosen)
        return sender


def build_candidate(
    domain: Domain, *, leave: Collection[str] = (), only: Collection[str] | None = None
) -> Candidate:
    """Return every draft of the domain as the next release, but for those left out by their keys.

    only: the keys of those to choose from; None for all.
    """
    live, draft = get_live(domain), read_draft(domain)
    before = get_content(live)
    keys = (*list_changed_keys(before, draft.content), *draft.value_keys)
    chosen = tuple(key for key in keys if key not in leave and (only is None or key in only))
    return Candidate(domain, live, before, draft.content, keys, chosen, draft.value_senders)
