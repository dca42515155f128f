"""Blocks: templates that people edit without HTML, kept in nothing but the template's own source.

A template made of blocks is ordinary source, HTML with Liquid, in which HTML comments keep the settings of each
block and a checksum. `compile_template` drops comments, so nothing else of the product knows of blocks.

    design = read_design(source)             # a Design, or NotBlocks(line, reason): then it is edited as code
    source = write_design(design)            # compiles as it is; read_design(source) == design

A `Design` is a `Theme` and a tuple of `Block`s, all frozen; `BLOCKS` has the classes by name, each with `label`
and `help` for the list of what can be added. `Columns.lists` are two or three tuples of blocks, one level deep.
A block or theme checks and cleans its settings when it is made (text of numbers, lists for tuples and the line
ends of browsers are accepted) and raises `SettingsRefused`, whose `errors` are setting -> sentence for a form and
whose text names the block and each setting. `settings_of(type(block))` are the settings in the order of a form:
name -> `Setting(kind, label, help, choices, low, high, unit, pattern, most, is_required, is_long)`; `Kind` says
what each kind of value is. A `Code` block is table rows written by hand; `former` is the block that it was.

What was changed by hand in a block, or put between blocks, is read as a Code block, and `former` has the
settings if they can still be read; `restore_settings` goes back to them. Saving a design that was read shows the
same to recipients as the source did.

Acts take a design and a path and return `Edited(design, path)`, path of the block to go on with. A path is "2", or
"0-1-2" for the third block in the second column of the first block; a list's path is "" or "0-1".

    walk(design)                                      (path, block) for each, to draw the list
    get_block(design, path)
    add_block(design, list_path, index, "button")     or a Block
    move_up, move_down, copy_block, remove_block      (design, path)
    move_block(design, path, list_path, index)        index is counted without the block itself
    list_places(design, path)                         choices for "Move to": list_path, index, label, is_here
    change_block(design, path, {"size": 18})          other settings stay
    change_theme(design, {"gap": 10})
    set_column_count(design, path, 3)
    edit_as_code(design, path)                        and back: restore_settings(design, path)

They raise `ActRefused` with a sentence for the person. `summarize_block` and `summarize_theme` say in a few words
what a list of blocks shows beside the label. `find_block(source, line)` is the path of the innermost block on a line
of the source, for a TemplateError; `find_blocks` does the same for the lines of many findings. `designs.DESIGNS` are
those that the product ships. `dump_block`, `load_block`, `dump_settings` and `load_theme` are for exports: they take
and return numbers, texts and lists alone.
"""

from .acts import (
    MOST_BLOCKS,
    ActRefused,
    Edited,
    Place,
    add_block,
    change_block,
    change_theme,
    copy_block,
    edit_as_code,
    get_block,
    list_places,
    move_block,
    move_down,
    move_up,
    remove_block,
    restore_settings,
    set_column_count,
    walk,
)
from .blocks import (
    BLOCKS,
    Banner,
    Block,
    Button,
    Code,
    Columns,
    Contact,
    Design,
    Disclaimer,
    Divider,
    Name,
    Picture,
    Social,
    Space,
    Title,
    Words,
    lists_of,
)
from .links import Refused
from .plain_values import dump_block, dump_settings, load_block, load_theme
from .reader import NotBlocks, find_block, find_blocks, read_design
from .settings import Kind, Setting, SettingsRefused, settings_of
from .summaries import summarize_block, summarize_theme
from .theme import FONTS, Theme
from .writer import write_block, write_design

__all__ = [
    "BLOCKS",
    "FONTS",
    "MOST_BLOCKS",
    "ActRefused",
    "Banner",
    "Block",
    "Button",
    "Code",
    "Columns",
    "Contact",
    "Design",
    "Disclaimer",
    "Divider",
    "Edited",
    "Kind",
    "Name",
    "NotBlocks",
    "Picture",
    "Place",
    "Refused",
    "Setting",
    "SettingsRefused",
    "Social",
    "Space",
    "Theme",
    "Title",
    "Words",
    "add_block",
    "change_block",
    "change_theme",
    "copy_block",
    "dump_block",
    "dump_settings",
    "edit_as_code",
    "find_block",
    "find_blocks",
    "get_block",
    "list_places",
    "lists_of",
    "load_block",
    "load_theme",
    "move_block",
    "move_down",
    "move_up",
    "read_design",
    "remove_block",
    "restore_settings",
    "set_column_count",
    "settings_of",
    "summarize_block",
    "summarize_theme",
    "walk",
    "write_block",
    "write_design",
]
