"""Sources that make a checker slow, as functions of their length: what is repeated, and what stands around it."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

Generator = Callable[[int], str]


def repeat(piece: str, before: str = "", after: str = "") -> Generator:
    """Return a function from a length to `piece` over and over, between `before` and `after`."""

    def generate(length: int) -> str:
        room = length - len(before) - len(after)
        return before + piece * (room // len(piece)) + after

    return generate


def nest(opening: str, closing: str, inside: str = "x") -> Generator:
    """Return a function from a length to elements in each other."""

    def generate(length: int) -> str:
        depth = (length - len(inside)) // (len(opening) + len(closing))
        return opening * depth + inside + closing * depth

    return generate


def number(pattern: str, before: str = "", after: str = "") -> Generator:
    """Return a function from a length to `pattern` with 0, 1, 2 … for each %d, so that no two are the same."""

    def generate(length: int) -> str:
        pieces, room, numbers = [], length - len(before) - len(after), count()
        while (room := room - len(piece := pattern.replace("%d", str(next(numbers))))) >= 0:
            pieces.append(piece)
        return before + "".join(pieces) + after

    return generate


def halves(first: Generator, second: Generator) -> Generator:
    """Return a function from a length to one source of half that length behind another."""
    return lambda length: first(length // 2) + second(length - length // 2)


FIELD = "{{ sender.name }}"
LIQUID = {
    "openers of outputs": repeat("{{"),
    "openers of tags": repeat("{%"),
    "an opener and a dash": repeat("{{-"),
    "closers": repeat("}}"),
    "open braces behind an output": repeat("{{", FIELD),
    "comments without end": repeat("{% comment %}"),
    "comments": repeat("{% comment %}x{% endcomment %}", "x"),
    "raw without end": repeat("{% raw %}"),
    "doc without end": repeat("{% doc %}"),
    "outputs": repeat(FIELD),
    "outputs of many fields": repeat("{{ sender.name }}, {{ sender.title }} "),
    "outputs in cells": repeat(f"<td>{FIELD}</td>", "<table><tr>", "</tr></table>"),
    "outputs in rows": repeat(f"<tr><td>{FIELD}</td></tr>", "<table>", "</table>"),
    "outputs in addresses": repeat(f'<a href="https://a.example/{FIELD}">x</a>'),
    "outputs in one address": repeat(FIELD, '<a href="https://a.example/', '">x</a>'),
    "outputs behind a long host": repeat(FIELD, f'<a href="https://{"a" * 40_000}/', '">x</a>'),
    "outputs in one title": repeat(FIELD, '<b title="', '">x</b>'),
    "outputs in one style": repeat("color: {{ company.accent }};", '<b style="', '">x</b>'),
    "missing fields on one line": repeat("{{ sender.mobile }} · "),
    "conditions": repeat("{% if sender.name %}a{% endif %}"),
    "nested conditions": nest("{% if sender.name %}", "{% endif %}"),
    "otherwise": repeat("{% elsif sender.name %}", "{% if sender.name %}", "{% endif %}"),
    "else over and over": repeat("{% else %}a", "{% if sender.name %}", "{% endif %}"),
    "cases": repeat('{% when "a" %}b', "{% case sender.name %}", "{% endcase %}"),
    "one long case": repeat('"a", ', "{% case sender.name %}{% when ", '"b" %}c{% endcase %}'),
    "one long condition": repeat("sender.name or ", "{% if ", "sender.name %}a{% endif %}"),
    "not not": repeat("not ", "{% if ", "sender.name %}a{% endif %}"),
    "parentheses": nest("(", ")", "sender.name"),
    "parentheses in a condition": repeat("(", "{% if ", " %}a{% endif %}"),
    "brackets in a field": repeat("[", "{{ sender", " }}"),
    "quoted brackets in a field": repeat('["', "{{ sender", " }}"),
    "quotes in a field": repeat("\"'", "{{ sender.name | default: ", " }}"),
    "filters": repeat(" | upcase", "{{ sender.name", " }}"),
    "a long default": repeat("a", '{{ sender.name | default: "', '" }}'),
    "blanks in an output": repeat(" ", "{{ sender.name", "}}"),
    "nothing but blanks in an output": repeat(" ", "{{", "}}"),
    "nothing but blanks in a tag": repeat(" ", "{%", "%}"),
    "blanks in a condition": repeat(" ", "{% if", "%}a{% endif %}"),
    "outputs of 500 blanks": repeat("{{" + " " * 500 + "}}"),
    "conditions of sixty words": repeat("{% if " + "not " * 60 + "sender.name %}a{% endif %}"),
    "outputs of many brackets": repeat("{{ sender.name | default: '" + "(" * 20 + "' }}"),
    "blank outputs": repeat("{{" + " " * 90 + "}}"),
    "outputs of a few filters": repeat(
        "{{ sender.name" + " | upcase" * 8 + ' | default: "' + "a" * 200 + '" }}'
    ),
    "long outputs": repeat("{{ sender.name" + " | upcase" * 28 + " }}"),
    "digits in a filter": repeat("9", "{{ sender.name | truncate: ", " }}"),
    "digits in an index": repeat("9", "{{ sender[", "] }}"),
    "digits in a condition": repeat("9", "{% if sender.name == ", " %}a{% endif %}"),
}
TAGS = {
    "starts of tags": repeat("<a"),
    "starts of tags and blanks": repeat("<a "),
    "starts of end tags": repeat("</a"),
    "starts of tables": repeat("<table "),
    "starts of cells": repeat("<td a='"),
    "a table and blanks": repeat(" ", "<table>"),
    "tables and blanks": repeat("<table>" + " " * 100),
    "starts of tables in a value": repeat("<table a='", '<p title="', '">'),
    "less than": repeat("<", "x"),
    "less than and blanks": repeat("< ", "x"),
    "greater than": repeat(">", "x"),
    "starts of comments": repeat("<!--", "x"),
    "comments": repeat("<!---->", "x"),
    "starts of odd comments": repeat("<!", "x"),
    "conditional comments": repeat("<!--[if mso]>x<![endif]-->", "x"),
    "revealed conditional comments": repeat("<![if !mso]>x<![endif]>", "x"),
    "odd declarations": repeat("<!ATTLIST a", "x"),
    "processing instructions": repeat("<?xml ", "x"),
    "sections": repeat("<![CDATA[", "x"),
    "starts of styles": repeat("<style "),
    "styles": repeat("<style>"),
    "styles and half an end": repeat("</style ", "<style>"),
    "empty styles": repeat("<style></style>", "x"),
    "scripts": repeat("<script>"),
    "textareas": repeat("<textarea>"),
    "plaintext": repeat("<plaintext>"),
    "elements": repeat("<b>x</b>"),
    "numbered elements": number('<b title="%d">x</b>'),
    "line breaks": repeat("<br>", "x"),
    "lines": repeat("<br>x"),
    "pictures without address": repeat("<img a", "", ">x"),
    "pictures": repeat('<img src="https://a.example/a.png">'),
    "nested elements": repeat("<b>"),
    "nested blocks": nest("<div>", "</div>"),
    "nested tables": nest("<table><tr><td>", "</td></tr></table>"),
    "nested lists": repeat("<ul><li>"),
    "unclosed paragraphs": repeat("<p>x"),
    "unclosed cells": repeat("<td>x", "<table><tr>"),
    "unclosed rows": repeat("<tr><td>x", "<table>"),
    "unclosed emphasis in paragraphs": number('<p><b title="%d">x'),
    "open emphasis before paragraphs": halves(number('<b title="%d">'), repeat("<p>x</p>")),
    "lost emphasis before paragraphs": halves(number('<b title="%d">', "<p>", "</p>"), repeat("<p>x</p>")),
    "emphasis lost in cells": number('<b title="%d"><table><td></b></td></table>'),
    "crossed elements": repeat("<b><i></b></i>"),
    "crossed blocks": repeat("<b><div></b></div>"),
    "links in links": repeat("<a><div>"),
    "text before rows": repeat("<table>x<tr>"),
    "foreign elements": repeat("<svg><b>"),
    "unknown elements": number("<x%d>a</x%d>"),
    "closing tags alone": repeat("</p>", "x"),
    "end tags of nothing": number("</x%d>", "x"),
    "cells": repeat("<td></td>", "<table><tr>", "</tr></table>"),
    "rows": repeat("<tr><td>x</td></tr>", "<table>", "</table>"),
    "spanning cells": repeat("<td colspan=99 rowspan=99>x", "<table><tr>"),
    "attributes": number(" a%d", "<p", ">x"),
    "attributes with values": number(" a%d=1", "<p", ">x"),
    "quotes as attributes": number(' a"%d', "<p", ">x"),
    "equals signs": repeat("=", "<p a", ">x"),
    "slashes": repeat("/", "<p ", ">x"),
    "blanks in a tag": repeat(" ", "<p", ">x"),
    "blanks before an equals sign": repeat(" ", "<p a", "=b>x"),
    "names and blanks": repeat("a ", "<p ", ">x"),
    "a long name": repeat("a", "<p ", ">x"),
    "a long name with a field": repeat("a", "<p ", f' title="{FIELD}">x'),
    "a long element name": repeat("a", "<", ">x"),
    "a long address": repeat("a", '<a href="https://a.example/', '">x</a>'),
    "a long host": repeat("a.", '<a href="https://', '">x</a>'),
    "a long telephone link": repeat("1", '<a href="tel:', '">x</a>'),
    "addresses": number('<a href="https://a.example/%d">x</a>'),
    "refused addresses": number('<a href="x:%d">x</a>'),
}
TEXT = {
    "words": repeat("word "),
    "blanks": repeat(" ", "x", "x"),
    "blanks before a missing value": repeat(" ", "x", "{{ sender.mobile }}{{ sender.name }}"),
    "hard blanks": repeat("&nbsp;", "x", "x"),
    "hard blanks before a missing value": repeat("&nbsp;", "x", "{{ sender.mobile }}{{ sender.name }}"),
    "hard blanks behind a missing value": repeat("&nbsp;", "{{ sender.name }}{{ sender.mobile }}", "x"),
    "brackets around a missing value": repeat("( ", "x", "{{ sender.mobile }}) {{ sender.name }}"),
    "separators": repeat(" · ", "x{{ sender.name }}{{ sender.mobile }}", "x"),
    "parts": repeat(" · x", "{{ sender.name }}{{ sender.mobile }}"),
    "dashes": repeat(" -", "x{{ sender.name }}{{ sender.mobile }}", "x"),
    "line ends": repeat("\n", "x", "x"),
    "line ends and blanks": repeat("\n ", "x", "x"),
    "carriage returns": repeat("\r", "x", "x"),
    "tabs": repeat("\t", "x", "x"),
    "ampersands": repeat("&", "x"),
    "references": repeat("&amp;", "x"),
    "references of many digits": repeat("9", "&#", ";"),
    "references of many zeros": repeat("0", "&#", "65;"),
    "references without end": repeat("&#x", "x"),
    "words that start with slot": number("slot%d "),
    "stand-in colours": number("#c5%d "),
    "numbers of four digits": number(" %d "),
    "quotes": repeat("\"'", "x"),
    "classes in text": repeat(' class="', "x"),
    "emoji": repeat("\U0001f600"),
}
CSS = {
    "declarations": repeat("color:red;", '<p style="', '">x</p>'),
    "numbered declarations": number("a%d:b;", '<p style="', '">x</p>'),
    "short declarations": repeat("a:b;", '<p style="', '">x</p>'),
    "styled elements": number('<p style="width:%dpx">x</p>'),
    "refused styles": number('<p style="colour:#%d; a: b c d">x</p>'),
    "digits": repeat("9", '<p style="width:', 'px">x</p>'),
    "digits behind a point": repeat("9", '<p style="width:.', 'px">x</p>'),
    "an exponent": repeat("9", '<p style="width:1e', 'px">x</p>'),
    "brackets": repeat("(", '<p style="color:', '">x</p>'),
    "square brackets": repeat("[", '<p style="color:', '">x</p>'),
    "braces": repeat("{", "<p style='color:", "'>x</p>"),
    "single brackets": repeat("()", '<p style="color:', '">x</p>'),
    "functions": repeat("a(", '<p style="color:', '">x</p>'),
    "commas": repeat(",", '<p style="font-family:', '">x</p>'),
    "fonts": repeat("Arial,", '<p style="font-family:', 'Arial">x</p>'),
    "tokens": repeat("b ", '<p style="a:', '">x</p>'),
    "semicolons": repeat(";", '<p style="', '">x</p>'),
    "colons": repeat(":", '<p style="', '">x</p>'),
    "at signs": repeat("@", '<p style="', '">x</p>'),
    "backslashes": repeat("\\", '<p style="', '">x</p>'),
    "comments": repeat("/*", '<p style="', '">x</p>'),
    "closed comments": repeat("/**/", '<p style="a:', '">x</p>'),
    "quotes": repeat("'", '<p style="font-family:', '">x</p>'),
    "rules": repeat("p{color:red}", "<style>", "</style><p>x</p>"),
    "rules for many": halves(number("p{a%d:b}", "<style>", "</style>"), repeat("<p>x</p>")),
    "one rule for many": halves(number("a%d:b;", "<style>p{", "}</style>"), repeat("<p>x</p>")),
    "a long rule for many": halves(repeat("b", "<style>p{color:", "}</style>"), repeat("<p>x</p>")),
    "selectors": repeat("p,", "<style>", "p{color:red}</style><p>x</p>"),
    "descendants": halves(repeat("* ", "<style>", "*{color:red}</style>"), nest("<div>", "</div>")),
    "children": halves(repeat("*>", "<style>", "*{color:red}</style>"), nest("<div>", "</div>")),
    "siblings": halves(repeat("p~", "<style>", "p{color:red}</style>"), repeat("<p>x</p>")),
    "many siblings": halves(repeat("p~p~p{color:red}", "<style>", "</style>"), repeat("<p>x</p>")),
    "positions": halves(
        repeat(":nth-last-child(3n+1){color:red}", "<style>", "</style>"), repeat("<p>x</p>")
    ),
    "negations": repeat(":not(", "<style>", "{color:red}</style><p>x</p>"),
    "closed negations": nest(":not(", ")", "p"),
    "closed negations in a style": halves(
        lambda length: "<style>" + nest(":not(", ")", "p")(length - 30) + "{color:red}</style>",
        repeat("<p>x</p>"),
    ),
    "has": halves(repeat(":has(p){color:red}", "<style>", "</style>"), repeat("<p>x</p>")),
    "media": repeat("@media x{", "<style>", "</style><p>x</p>"),
    "nested rules": repeat("p{", "<style>", "</style><p>x</p>"),
    "at rules": number("@a%d;", "<style>", "</style><p>x</p>"),
    "imports": repeat("@import 'https://a.example/';", "<style>", "</style><p>x</p>"),
    "open comments": repeat("/*", "<style>", "</style><p>x</p>"),
    "open quotes": repeat("'", "<style>", "</style><p>x</p>"),
    "escapes": repeat("\\{", "<style>", "</style><p>x</p>"),
    "variables": number("--a%d:var(--a);", "<style>p{", "}</style><p>x</p>"),
    "classes": halves(number(".a%d{color:red}", "<style>", "</style>"), number('<p class="a%d">x</p>')),
}
ALL = {
    f"{family}: {name}": generate
    for family, generators in (("liquid", LIQUID), ("tags", TAGS), ("text", TEXT), ("css", CSS))
    for name, generate in generators.items()
}
