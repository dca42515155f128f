"""Writer: the source of a template from its design.

A block's markup depends on its settings and on the theme alone, never on its neighbours, so that blocks can be
moved, copied and removed in the source as well.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from signatures.rendering.fields import Trust, get_custom_trust
from signatures.rendering.liquid import escape_value

from .blocks import (
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
)
from .choices import DECORATION, NETWORKS, name_contact
from .links import is_link_field
from .markers import LIST, write_marked, write_settings
from .plain_values import dump_block, dump_settings
from .rows import (
    aligned,
    centred,
    coloured,
    field_link,
    image,
    label,
    letter,
    link,
    only_if,
    output,
    row,
    sized,
    table,
    write_head,
    write_tail,
)
from .texts import write_plain, write_rich
from .theme import Theme

VERSION = 1
# Stands in own markup where a list of blocks does, when the checksum is made.
HOLE = f"<!-- {LIST} --><!-- /{LIST} -->"
_NUMBERS_FIRST = frozenset(
    {"sender.phone", "sender.mobile", "company.phone", "sender.email", "company.address"}
)
_EXTENSION = (
    "{% if sender.phone and sender.phone_extension %} ext.&nbsp;{{ sender.phone_extension }}{% endif %}"
)
_UNDERLINED = "text-decoration: underline"
# A cell as high as its border or height, and no higher.
_FLAT = "font-size: 1px; line-height: 1px; mso-line-height-rule: exactly"


def write_design(design: Design) -> str:
    """Return the source of a template: markup that compiles as it is, with the settings in comments."""
    theme = design.theme
    head, tail = write_head(theme), write_tail()
    start, end = write_marked(
        "design", write_settings(dump_settings(theme)), f"{head}{HOLE}{tail}", version=VERSION
    )
    return f"{start}{head}{_write_list(theme, design.blocks, '  ')}{tail}{end}\n"


def write_block(theme: Theme, block: Block, indent: str = "") -> str:
    """Return one block between its markers."""
    own = write_own(theme, block)
    settings = dump_settings(block)
    if isinstance(block, Code):
        del settings["markup"]
        settings["former"] = dump_block(block.former) if block.former else None
    start, end = write_marked(block.name, write_settings(settings), own)
    if isinstance(block, Columns):
        pieces = own.split(HOLE)
        lists = [_write_list(theme, blocks, f"{indent}  ") for blocks in block.lists]
        own = "".join(piece + inside for piece, inside in zip(pieces, [*lists, ""], strict=True))
    return f"{start}{own}{end}"


def write_own(theme: Theme, block: Block) -> str:
    """Return a block's markup, HOLE in the place of each list of blocks in it."""
    return only_if(block.when, _WRITERS[type(block)](theme, block))


def _write_list(theme: Theme, blocks: tuple[Block, ...], indent: str) -> str:
    inside = "".join(f"\n{indent}{write_block(theme, block, indent)}" for block in blocks)
    return f"<!-- {LIST} -->{inside}\n<!-- /{LIST} -->"


def _write_name(theme: Theme, block: Name) -> str:
    pronouns = (
        only_if(
            "sender.pronouns",
            f' <span class="quiet" style="font-size: {theme.size}px; font-weight: normal">'
            f"({output('sender.pronouns')})</span>",
        )
        if block.pronouns
        else ""
    )
    return row(
        theme,
        block.gap,
        output("sender.name") + pronouns,
        sized(block.size),
        "font-weight: bold" if block.bold else "",
        coloured(theme, block.colour),
    )


def _write_title(theme: Theme, block: Title) -> str:
    between = {"none": "", "dot": " · ", "comma": ", ", "below": "<br>"}[block.company]
    company = between and between + output("company.name")
    return row(theme, block.gap, output("sender.title") + company, coloured(theme, block.colour))


def _write_contact(theme: Theme, block: Contact) -> str:
    between = " · " if block.layout == "row" else "<br>"
    return row(theme, block.gap, between.join(_write_line(theme, block, field) for field in block.lines))


def _write_line(theme: Theme, block: Contact, field: str) -> str:
    """Return a way to reach the sender: the value with a label before it, or for a page the label as a link."""
    words, short = name_contact(field, theme.names)
    has_label = field in _NUMBERS_FIRST or get_custom_trust(field) in (Trust.PHONE, Trust.EMAIL)
    if is_link_field(field) and not has_label:
        return link(field, escape_value(words), _UNDERLINED)
    before = ""
    if has_label and block.labels == "letters":
        before = letter(short, theme.colour("accent"))
    elif has_label and block.labels == "words":
        before = label(words)
    value = field_link(field) + (_EXTENSION if field == "sender.phone" else "")
    # Numbers and addresses read from left to right in any text.
    return before + (f'<span dir="ltr">{value}</span>' if theme.is_rtl and is_link_field(field) else value)


def _write_picture(theme: Theme, block: Picture) -> str:
    field = {"logo": "company.logo_url", "photo": "sender.photo_url"}.get(block.image, "")
    is_square = block.image == "photo" or block.shape == "round"
    radius = {"plain": 0, "rounded": 6, "round": block.width // 2}[block.shape]
    shown = image(
        output(field) if field else escape_value(block.image),
        "" if block.alt == DECORATION else write_plain(block.alt),
        block.width,
        height=block.width if is_square else 0,
        radius=radius,
    )
    content = link(block.link, shown) if block.link else shown
    if is_link_field(block.link) and not field:
        # A link without an address would take a fixed image along.
        content = f"{{% if {block.link} %}}{content}{{% else %}}{shown}{{% endif %}}"
    if block.ground != "none":
        style = f"background-color: {block.ground}; border-radius: 6px; padding: 10px 12px"
        cell = f'<tr><td class="image" bgcolor="{block.ground}" style="{style}">{content}</td></tr>'
        content = table(theme, cell, style="border-collapse: separate")
    else:
        content = centred(theme, content)
    return row(theme, block.gap, content, named="image")


def _write_button(theme: Theme, block: Button) -> str:
    ground, ink = theme.colour(block.fill), theme.ink_on(block.fill)
    words = link(
        block.link, write_plain(block.words), f"color: {ink}; font-weight: bold; text-decoration: none"
    )
    style = f"background-color: {ground}; border-radius: {block.radius}px; padding: 6px 14px"
    cell = f'<tr><td class="words" bgcolor="{ground}" style="{style}">{words}</td></tr>'
    button = row(theme, block.gap, table(theme, cell, style="border-collapse: separate"), named="")
    return only_if(block.link if is_link_field(block.link) and block.link != block.when else "", button)


def _write_social(theme: Theme, block: Social) -> str:
    names = dict(NETWORKS)
    if not block.icons:
        words = (link(href, names[network], _UNDERLINED) for network, href in block.links)
        return row(theme, block.gap, " · ".join(words))
    icons = (
        link(href, _write_icon(escape_value(f"{block.icons}{network}.png"), names[network], block.size))
        for network, href in block.links
    )
    return row(theme, block.gap, " &nbsp;".join(icons), named="image")


def _write_icon(src: str, name: str, size: int) -> str:
    style = f"border: 0; width: {size}px; height: {size}px; vertical-align: middle"
    return f'<img src="{src}" alt="{name}" width="{size}" height="{size}" style="{style}">'


def _write_words(theme: Theme, block: Words) -> str:
    return row(
        theme,
        block.gap,
        write_rich(block.text, _UNDERLINED),
        sized(block.size),
        "font-weight: bold" if block.bold else "",
        coloured(theme, block.colour),
    )


def _write_disclaimer(theme: Theme, block: Disclaimer) -> str:
    return row(theme, block.gap, write_rich(block.text, _UNDERLINED), sized(block.size), named="words quiet")


def _write_banner(theme: Theme, block: Banner) -> str:
    shown = (
        '<a href="{{ banner.click_url }}"><img src="{{ banner.image_url }}" alt="{{ banner.alt }}"'
        ' width="{{ banner.width }}" height="{{ banner.height }}"'
        ' style="display: block; border: 0; max-width: 100%; height: auto"></a>'
    )
    return row(theme, block.gap, centred(theme, shown), named="image")


def _write_divider(theme: Theme, block: Divider) -> str:
    colour = theme.colour(block.colour)
    cell = f'<tr><td style="border-top: {block.height}px solid {colour}; {_FLAT}">&nbsp;</td></tr>'
    width = f"{block.width}px" if block.width else "100%"
    attribute = f' width="{block.width or "100%"}"'
    return row(theme, block.gap, table(theme, cell, attributes=attribute, style=f"width: {width}"), named="")


def _write_space(theme: Theme, block: Space) -> str:
    high = f"height: {block.height}px; font-size: 1px; line-height: {block.height}px; mso-line-height-rule: exactly"
    return row(theme, block.gap, "&nbsp;", high, named="", attributes=f' height="{block.height}"')


def _write_columns(theme: Theme, block: Columns) -> str:
    cells = [_write_column(theme, block, number) for number in range(len(block.lists))]
    wide = block.widths == "equal"
    inside = table(
        theme,
        f"<tr>\n{''.join(cells)}</tr>",
        attributes=' width="100%"' if wide else "",
        style="width: 100%" if wide else "",
    )
    return row(theme, block.gap, inside, named="")


def _write_column(theme: Theme, block: Columns, number: int) -> str:
    """Return one column; the space and the line behind it are its own, so they go where it has nothing to show."""
    is_last = number == len(block.lists) - 1
    has_rule, has_lead = block.rule != "none", block.lead != ""
    before, behind = block.space // 2, block.space - block.space // 2
    width = f"{100 // len(block.lists)}%" if block.widths == "equal" else ""
    styles = [f"vertical-align: {block.align}", f"width: {width}" if width else ""]
    if has_rule and number and not (has_lead and number == 1):
        styles.append(f"padding-{theme.start}: {before}px")
    if not is_last:
        styles.append(f"padding-{theme.end}: {behind if has_rule else block.space}px")
        styles.append(f"border-{theme.end}: 1px solid {theme.colour(block.rule)}" if has_rule else "")
    attributes = f' valign="{block.align}"' + (f' width="{width}"' if width else "") + aligned(theme)
    style = "; ".join(one for one in styles if one)
    cell = f'<td{attributes} style="{style}">{table(theme, HOLE)}</td>\n'
    if number or not has_lead:
        return cell
    space = ""
    if has_rule and before:  # a padding, as a narrow window takes the width of a cell away
        space = f'<td style="padding-{theme.start}: {before}px; {_FLAT}">&nbsp;</td>\n'
    return only_if(block.lead, cell + space)


def _write_code(theme: Theme, block: Code) -> str:
    return block.markup


_WRITERS: dict[type[Block], Callable[[Theme, Any], str]] = {
    Name: _write_name,
    Title: _write_title,
    Contact: _write_contact,
    Picture: _write_picture,
    Button: _write_button,
    Social: _write_social,
    Words: _write_words,
    Disclaimer: _write_disclaimer,
    Banner: _write_banner,
    Divider: _write_divider,
    Space: _write_space,
    Columns: _write_columns,
    Code: _write_code,
}
