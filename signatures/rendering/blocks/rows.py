"""Rows: the table rows, cells, tables and links that blocks are written with.

Outlook for Windows honours padding on cells only, and a nested table takes neither font nor size from outside
where a mail has no doctype, so every cell that holds words has the class `words`.
"""

from __future__ import annotations

from signatures.rendering.fields import Trust, get_trust
from signatures.rendering.liquid import escape_value

from .links import is_link_field, write_link
from .theme import Theme, line_height

PLAIN_TABLE = 'role="presentation" cellpadding="0" cellspacing="0" border="0"'


def write_head(theme: Theme) -> str:
    """Return what stands before the first block: the shared styles, and the start of the table."""
    height = line_height(theme.size)
    centred = " text-align: center;" if theme.align == "center" else ""
    links = "underline" if theme.links == "underlined" else "none"
    direction = ' dir="rtl"' if theme.is_rtl else ""
    return "\n".join(
        (
            "",
            "<style>",
            "  .stack { color: inherit; mso-table-lspace: 0; mso-table-rspace: 0; }",
            f"  .words {{ font-family: {theme.font_stack}; font-size: {theme.size}px; line-height: {height}px;"
            f" mso-line-height-rule: exactly;{centred} }}",
            f"  .image {{ font-family: {theme.font_stack}; font-size: {theme.size}px;{centred} }}",
            f"  .quiet {{ color: {theme.quiet}; }}",
            "  .number { white-space: nowrap; }",
            f"  a {{ color: inherit; text-decoration: {links}; }}",
            "</style>",
            f'<table class="stack" {PLAIN_TABLE}{direction} style="width: 100%; max-width: {theme.width}px"><tbody>',
            "",
        )
    )


def write_tail() -> str:
    """Return what stands behind the last block."""
    return "\n</tbody></table>\n"


def row(
    theme: Theme, gap: str, content: str, *styles: str, named: str = "words", attributes: str = ""
) -> str:
    """Return a row with one cell.

    gap: the space above. styles: declarations of the cell. named: its classes, "words" where it holds words,
    "image" where it holds an image, whose alt text needs a font and whose line no height, "" for tables.
    """
    space = theme.space(gap)
    style = "; ".join([*([f"padding-top: {space}px"] if space else []), *(one for one in styles if one)])
    classes = f' class="{named}"' if named else ""
    return f"<tr><td{classes}{aligned(theme)}{attributes}{_style(style)}>{content}</td></tr>"


def table(theme: Theme, rows: str, *, attributes: str = "", style: str = "") -> str:
    """Return a table in a cell."""
    start = f'<table class="stack" {PLAIN_TABLE}{aligned(theme)}{attributes}{_style(style)}>'
    return f"{start}<tbody>{rows}</tbody></table>"


def aligned(theme: Theme) -> str:
    """Return the attribute that centres a cell or table, which Outlook for Windows needs beside the style."""
    return ' align="center"' if theme.align == "center" else ""


def centred(theme: Theme, shown: str) -> str:
    """Return an image in a table of its own where the design is centred, since no text alignment moves it."""
    return table(theme, f'<tr><td class="image">{shown}</td></tr>') if theme.align == "center" else shown


def sized(size: int) -> str:
    """Return the declarations of words of `size` pixels."""
    return f"font-size: {size}px; line-height: {line_height(size)}px"


def coloured(theme: Theme, colour: str) -> str:
    """Return the declaration of words in the colour, "" where it is that of the mail."""
    return "" if colour == "text" else f"color: {theme.colour(colour)}"


def link(href: str, content: str, style: str = "", attributes: str = "") -> str:
    """Return `content` as a link. href: a link that was checked."""
    return f'<a{attributes} href="{write_link(href)}"{_style(style)}>{content}</a>'


def output(field: str) -> str:
    """Return what writes the value of a field."""
    return f"{{{{ {field} }}}}"


def only_if(field: str, markup: str) -> str:
    """Return `markup` under the condition that the field has a value; unconditional where `field` is ""."""
    return f"{{% if {field} %}}{markup}{{% endif %}}" if field else markup


def field_link(field: str) -> str:
    """Return a field's value as a link: to call, to write to, or to open."""
    if not is_link_field(field):
        return output(field)
    is_number = get_trust(field) is Trust.PHONE
    return link(field, output(field), attributes=' class="number"' if is_number else "")


def image(src: str, alt: str, width: int, *, height: int = 0, radius: int = 0) -> str:
    """Return an image of `width` pixels. src, alt: markup. height: 0 where it follows from the width."""
    high = f' height="{height}"' if height else ""
    style = f"display: block; border: 0; width: {width}px; height: {f'{height}px' if height else 'auto'}" + (
        f"; border-radius: {radius}px" if radius else ""
    )
    return f'<img src="{src}" alt="{alt}" width="{width}"{high} style="{style}">'


def label(text: str) -> str:
    """Return a word before a value."""
    return f'<span class="quiet">{escape_value(text)}</span> '


def letter(text: str, colour: str) -> str:
    """Return a letter before a value, on the same line. colour: markup."""
    return (
        f'<span style="color: {colour}; font-weight: bold">{escape_value(text)}</span>&nbsp;' if text else ""
    )


def _style(style: str) -> str:
    return f' style="{style}"' if style else ""
