"""Block editor: a template's blocks as a form, whose state is nothing but the template's source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from django.http import QueryDict

from signatures.rendering.blocks import (
    BLOCKS,
    MOST_BLOCKS,
    ActRefused,
    Block,
    Code,
    Columns,
    Design,
    Edited,
    Kind,
    NotBlocks,
    Place,
    Setting,
    SettingsRefused,
    Theme,
    add_block,
    change_block,
    change_theme,
    copy_block,
    edit_as_code,
    get_block,
    list_places,
    lists_of,
    move_block,
    move_down,
    move_up,
    read_design,
    remove_block,
    restore_settings,
    set_column_count,
    settings_of,
    summarize_block,
    summarize_theme,
    write_design,
)
from signatures.rendering.fields import BUILT_IN, Vocabulary

Choices = tuple[tuple[str, str], ...]
THEME = "theme"  # in place of a path: the settings of the whole design
OWN = "own"  # in place of one of a setting's choices: the value typed beside it
PREFIX = "b-"
READ = "read"  # the act that takes the source as it is: it was changed beside the blocks
REPLACES = ("remove", "settings")  # acts after which nothing is left of the settings that were typed


@dataclass(frozen=True)
class Row:
    """One setting of the chosen block, as it is drawn. value: as kept, or as it was typed where there is an error.

    offers: further choices, which depend on the domain.
    """

    name: str
    setting: Setting
    value: Any
    error: str = ""
    offers: Choices = ()

    @property
    def id(self) -> str:
        return f"{PREFIX}{self.name}"

    @property
    def kind(self) -> str:
        return self.setting.kind.value

    @property
    def is_own(self) -> bool:
        return self.value not in dict((*self.setting.choices, *self.offers))

    @property
    def entries(self) -> list[Any]:
        """The entries of a list with an empty one behind them, for the next."""
        empty: Any = ("", "") if self.setting.kind == Kind.LINKS else ""
        return [*self.value, *([empty] if len(self.value) < self.setting.most else [])]


@dataclass(frozen=True)
class Entry:
    """One line of the list of blocks. lists: the lines of each of its columns, with where a block is added there."""

    path: str
    block: Block
    is_chosen: bool
    has_focus: bool
    is_first: bool
    is_last: bool
    summary: str
    lists: tuple[tuple[str, tuple[Entry, ...]], ...] = ()

    @property
    def is_code(self) -> bool:
        return isinstance(self.block, Code)

    @property
    def has_settings(self) -> bool:
        """Whether it was a block with settings that are still known."""
        return isinstance(self.block, Code) and self.block.former is not None

    @property
    def is_columns(self) -> bool:
        return isinstance(self.block, Columns)


OF_A_BLOCK = {
    "up": move_up, "down": move_down, "copy": copy_block, "remove": remove_block,
    "code": edit_as_code, "settings": restore_settings,
}  # fmt: skip


def edit_design(design: Design, chosen: str, verb: str, path: str, post: QueryDict) -> Edited:
    """Return what an act makes of a design. Raises: ActRefused. chosen: path of the block whose settings are shown."""
    if verb in OF_A_BLOCK:
        return OF_A_BLOCK[verb](design, path)
    if verb == "open":
        if path != THEME:
            get_block(design, path)
        return Edited(design, path)
    if verb == "columns":
        return set_column_count(design, chosen, int(path) if path in ("2", "3") else 0)
    if verb == "move":
        list_path, _, index = post.get("place", "").partition("|")
        return move_block(design, path, list_path, _read_index(index))
    if verb == "add":
        return add_block(design, post.get("where", ""), MOST_BLOCKS, post.get("new", ""))
    return Edited(design, chosen)


@dataclass
class BlockEditor:
    """The editor of one source. obstacle: why it can be edited as code only; then there is no design.

    chosen: path of the block whose settings are shown, THEME or "".
    images, icons: addresses of the domain's images and of sets of icons, each with its name.
    message: why the last act was not done; note: what it did beside the blocks.
    """

    vocabulary: Vocabulary = field(default=BUILT_IN, kw_only=True)
    kinds: ClassVar = [(name, block.label) for name, block in BLOCKS.items()]  # that may be added
    source: str
    chosen: str = ""
    design: Design | None = None
    obstacle: NotBlocks | None = None
    message: str = ""
    note: str = ""
    errors: dict[str, str] = field(default_factory=dict)
    typed: dict[str, Any] = field(default_factory=dict)
    has_moved: bool = False
    images: Choices = ()
    icons: Choices = ()

    @classmethod
    def from_source(cls, source: str, vocabulary: Vocabulary) -> BlockEditor:
        found = read_design(source)
        if isinstance(found, NotBlocks):
            return cls(source, obstacle=found, vocabulary=vocabulary)
        names = {each.name: each.label for each in vocabulary.of_senders() if each.is_custom}
        named = replace(found, theme=replace(found.theme, names=names))
        return cls(source, design=named, vocabulary=vocabulary)

    @classmethod
    def from_post(cls, post: QueryDict, vocabulary: Vocabulary) -> BlockEditor:
        """Return the editor after the act that was asked for; the settings that were typed are taken over first."""
        editor = cls.from_source(post.get("source", ""), vocabulary)
        editor.chosen = post.get("chosen", "")
        if editor.design is not None:
            editor._act(editor.design, post)
        return editor

    def _act(self, design: Design, post: QueryDict) -> None:
        verb, _, path = post.get("act", "").partition(":")
        try:
            if not (verb == READ or (verb in REPLACES and path == self.chosen)):
                design = self._take_settings(design, post)
            edited = edit_design(design, self.chosen, verb, path, post)
        except SettingsRefused as refused:
            self.errors = refused.errors
            return
        except ActRefused as refused:
            self.message = str(refused)
            return
        self._keep(edited)
        self.has_moved = verb in ("up", "down", "move", "copy", "add")

    def _take_settings(self, design: Design, post: QueryDict) -> Design:
        """Give the chosen block what was typed, if it is still the block that the form was drawn for."""
        owner = self.owner
        if owner is None or post.get("of") != _name(owner):
            return design
        self.typed = read_settings(type(owner), post)
        if isinstance(owner, Theme):
            self._keep(Edited(change_theme(design, self.typed).design, THEME))
        else:
            self._keep(change_block(design, self.chosen, self.typed))
        return self.design or design

    def _keep(self, edited: Edited) -> None:
        if edited.design != self.design:
            self.source = write_design(edited.design)
        self.design, self.chosen = edited.design, edited.path

    @property
    def owner(self) -> Theme | Block | None:
        """Whose settings are shown."""
        if self.design is None or not self.chosen:
            return None
        if self.chosen == THEME:
            return self.design.theme
        try:
            return get_block(self.design, self.chosen)
        except ActRefused:
            return None

    @property
    def owner_name(self) -> str:
        owner = self.owner
        return _name(owner) if owner is not None else ""

    @property
    def owner_label(self) -> str:
        owner = self.owner
        return "Design" if isinstance(owner, Theme) else owner.label if owner is not None else ""

    @property
    def rows(self) -> list[Row]:
        """The settings of the chosen block."""
        owner = self.owner
        if owner is None:
            return []
        shown = self.typed if self.errors else {}
        return [
            Row(
                name,
                with_custom_fields(one, kept, self.vocabulary),
                shown.get(name, kept),
                self.errors.get(name, ""),
                self.images if one.kind == Kind.IMAGE else self.icons if name == "icons" else (),
            )
            for name, one in settings_of(type(owner)).items()
            for kept in (getattr(owner, name),)
        ]

    @property
    def column_count(self) -> int:
        """How many columns the chosen block has; 0 where it is none."""
        owner = self.owner
        return len(owner.lists) if isinstance(owner, Columns) else 0

    @property
    def entries(self) -> tuple[Entry, ...]:
        """The list of blocks."""
        moved = self.chosen if self.has_moved else ""
        return list_entries("", self.design.blocks, self.chosen, moved) if self.design else ()

    @property
    def theme_summary(self) -> str:
        return summarize_theme(self.design.theme) if self.design else ""

    @property
    def is_theme(self) -> bool:
        return self.chosen == THEME

    @property
    def places_to_add(self) -> list[tuple[str, str]]:
        """Where a block may be added: the path of a list, and in words."""
        return list_places_to_add(self.design) if self.design else []

    @property
    def places(self) -> list[Place]:
        """Where the chosen block may be moved to."""
        owner = self.owner
        return list_places(self.design, self.chosen) if self.design and isinstance(owner, Block) else []


def with_custom_fields(one: Setting, kept: Any, vocabulary: Vocabulary) -> Setting:
    """Return a setting with the domain's custom fields among its choices, and removed ones that are kept in it."""
    if not one.takes_custom:
        return one
    choices = dict(one.choices)
    choices |= {each.name: each.label for each in vocabulary.of_senders() if each.is_custom}
    for name in kept if isinstance(kept, tuple) else (kept,):
        choices.setdefault(name, name)
    return replace(one, choices=tuple(choices.items()))


def list_entries(prefix: str, blocks: tuple[Block, ...], chosen: str, moved: str) -> tuple[Entry, ...]:
    """Return the lines of a list of blocks and of what is in its columns. moved: path that gets the focus."""
    entries = []
    for index, block in enumerate(blocks):
        path = f"{prefix}-{index}" if prefix else str(index)
        columns = ((f"{path}-{at}", inner) for at, inner in enumerate(lists_of(block)))
        entries.append(
            Entry(
                path,
                block,
                is_chosen=path == chosen,
                has_focus=path == moved,
                is_first=index == 0,
                is_last=index == len(blocks) - 1,
                summary=summarize_block(block),
                lists=tuple((at, list_entries(at, inner, chosen, moved)) for at, inner in columns),
            )
        )
    return tuple(entries)


def list_places_to_add(design: Design) -> list[tuple[str, str]]:
    """Return where a block may be added: the path of a list, and in words."""
    columns = (
        (f"{index}-{at}", f"Block {index + 1}, column {at + 1}")
        for index, block in enumerate(design.blocks)
        for at in range(len(lists_of(block)))
    )
    return [("", "At the end"), *columns]


def with_source(post: QueryDict, editor: BlockEditor) -> QueryDict:
    """Return what was posted, with the source that the settings typed beside it lead to."""
    data = post.copy()
    data["source"] = editor.source
    return data


def read_settings(owner: type[Any], post: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a theme's or block's form as they were typed, for the block to check."""
    return {name: _read(one, f"{PREFIX}{name}", post) for name, one in settings_of(owner).items()}


def _read(one: Setting, key: str, post: Any) -> Any:
    if one.kind == Kind.SWITCH:
        return key in post
    if one.kind == Kind.LIST:
        return [value for value in post.getlist(key) if value]
    if one.kind == Kind.LINKS:
        pairs = zip(post.getlist(key), post.getlist(f"{key}-link"), strict=False)
        return [pair for pair in pairs if pair[0]]
    typed = post.get(key, OWN)
    return post.get(f"{key}-own", "") if typed == OWN else typed


def _read_index(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 4):
        raise ActRefused("Select where the block is to go.")
    return int(text)


def _name(owner: Theme | Block) -> str:
    return THEME if isinstance(owner, Theme) else owner.name
