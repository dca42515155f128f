"""Files of spreadsheets are read whatever program wrote them, and what was guessed can be said otherwise."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.csv_export import restore_cell, write_lines
from portal.csv_import import CsvRefused, Format, guess_format, read_table

PEOPLE = "name;mail\nZoë;zoe@acme.example\nÄnne;aenne@acme.example\n"


def read(content: bytes, **choices: str) -> list[list[str]]:
    return [row.cells for row in read_table(io.BytesIO(content), **choices).rows]


@pytest.mark.parametrize(
    ("content", "guessed"),
    [
        (PEOPLE.encode(), Format("utf-8", ";")),
        (PEOPLE.encode("utf-8-sig"), Format("utf-8", ";")),
        (PEOPLE.encode("utf-16"), Format("utf-16", ";")),
        (PEOPLE.encode("cp1252"), Format("cp1252", ";")),
        (("Имя\tПочта\n" + "Мария Иванова\tmaria@acme.example\n" * 4).encode("cp1251"), Format("cp1251", "\t")),
        (b"mail,place\na@acme.example,\"Rome, Paris; Oslo; Bonn; Kiel\"\n", Format("utf-8", ",")),
        (b"mail;title\na@acme.example;Sales, Marketing, IT\nb@acme.example;CEO\n", Format("utf-8", ";")),
        (b"sep=|\nmail|a;b\nx@acme.example|c;d\n", Format("utf-8", "|")),
        (b"mail\na@acme.example\n", Format("utf-8", ",")),
        (b"", Format("utf-8", ",")),
    ],
)  # fmt: skip
def test_encoding_and_separator_are_guessed(content, guessed):
    assert guess_format(io.BytesIO(content)) == guessed


def test_a_choice_overrules_the_guess():
    content = "mail;name,first\na@acme.example;Zoë,Zo\n".encode("cp1250")

    assert read(content, encoding="cp1250", separator=",") == [
        ["mail;name", "first"],
        ["a@acme.example;Zoë", "Zo"],
    ]


@pytest.mark.parametrize(
    ("content", "kind"),
    [(b"PK\x03\x04" + b"\0" * 9, "Excel or OpenDocument"), (b"\xd0\xcf\x11\xe0" + b"\0" * 9, "old Excel"),
     (b"%PDF-1.7", "PDF")],
)  # fmt: skip
def test_a_workbook_is_refused_with_what_to_do(content, kind):
    for door in (guess_format, read_table):
        with pytest.raises(CsvRefused) as refused:
            door(io.BytesIO(content))

        assert kind in refused.value.message
        assert "save it as “CSV UTF-8”" in refused.value.message


@given(
    st.lists(st.text(alphabet=st.one_of(st.characters(), st.sampled_from("=+-@'\"\r\n\t,;| "))), max_size=4)
)
def test_whatever_is_exported_is_read_back(texts):
    texts = [text.replace("\0", "").strip() for text in texts]
    headings = ["E-mail", *(f"Field {at}" for at, _ in enumerate(texts))]

    file = "".join(write_lines(headings, [["a@acme.example", *texts]])).encode(errors="replace")

    texts = [text.encode(errors="replace").decode() for text in texts]
    assert [[restore_cell(cell) for cell in row] for row in read(file)] == [
        headings,
        ["a@acme.example", *texts],
    ]
