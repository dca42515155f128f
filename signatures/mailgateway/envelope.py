"""Envelope: reads the addresses and parameters of MAIL and RCPT, and checks which parameters are offered."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

# Quoted text may hold any bracket; RFC 5321, 4.1.2.
_PATH = re.compile(
    rb'[ \t]*(<(?:"(?:[^"\\\r\n\0]|\\[^\r\n\0])*+"|[^<>"\r\n\0])*+>)((?:[ \t]+[!-~\x80-\xff]+)*+)[ \t]*'
)
_PARAMETER = re.compile(rb"([A-Za-z0-9][A-Za-z0-9-]*)(?:=[!-<>-~\x80-\xff]+)?")
_SIZE = re.compile(rb"SIZE=(\d{1,20})", re.IGNORECASE)

_MAIL_PARAMETERS = {
    b"BODY": "8BITMIME",
    b"SMTPUTF8": "SMTPUTF8",
    b"SIZE": "SIZE",
    b"RET": "DSN",
    b"ENVID": "DSN",
}
_RECIPIENT_PARAMETERS = {b"NOTIFY": "DSN", b"ORCPT": "DSN"}


def get_extension(name: bytes) -> str:
    """Return the extension that a parameter of this name, in capitals, belongs to; '' for one that is not passed on."""
    return (_MAIL_PARAMETERS | _RECIPIENT_PARAMETERS).get(name, "")


@dataclass(frozen=True, slots=True)
class Path:
    """An envelope address as the client sent it: the bytes in angle brackets, and the parameters after them."""

    path: bytes
    parameters: tuple[bytes, ...] = ()

    @property
    def address(self) -> str:
        """The address without brackets, as text; "" for the null sender."""
        return self.path[1:-1].decode("utf-8", "replace").strip()


def read_path(arg: str | None, keyword: str) -> Path | None:
    """Return the address and its parameters, unchanged, or None where they cannot be parsed."""
    if arg is None or arg[: len(keyword)].upper() != keyword:
        return None
    match = _PATH.fullmatch(arg[len(keyword) :].encode("utf-8", "surrogateescape"))
    return Path(match[1], tuple(match[2].split())) if match else None


def refuse_parameters(path: Path, offered: Collection[str], *, for_mail: bool) -> str | None:
    """Return why the parameters are refused: only those of offered extensions are accepted, RFC 5321, 4.1.1.11.

    for_mail: they follow MAIL FROM, not RCPT TO.
    """
    names = [one.partition(b"=")[0].upper() for one in path.parameters]
    if not all(map(_PARAMETER.fullmatch, path.parameters)) or len(set(names)) < len(names):
        return "501 5.5.4 These parameters cannot be read."
    known = _MAIL_PARAMETERS if for_mail else _RECIPIENT_PARAMETERS
    if not all(known.get(name) in offered for name in names):
        return "555 5.5.4 A parameter that is not offered here."
    if b"SIZE" in names and read_size(path) is None:
        return "501 5.5.4 Syntax: SIZE=bytes"
    return None


def read_size(sender: Path) -> int | None:
    """Return the size that was declared, None where it was not or cannot be read."""
    sizes = (_SIZE.fullmatch(one) for one in sender.parameters)
    return next((int(size[1]) for size in sizes if size), None)


def with_size(sender: Path, pieces: Sequence[memoryview | bytes]) -> Path:
    """Return the sender's path with the size that this copy has."""
    others = tuple(one for one in sender.parameters if not one.upper().startswith(b"SIZE="))
    return Path(sender.path, (*others, b"SIZE=%d" % sum(map(len, pieces))))
