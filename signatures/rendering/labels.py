"""Labels: words and pictures of a template that only name a value, and are removed with it."""

from __future__ import annotations

import re
from html import unescape

from signatures.rendering.tree import Element

# A longer text is no label, and stays where the value is missing: a company's line, a sentence.
_LONGEST = 40
_LONGEST_WITH_COLON = 30
_LARGEST_PICTURE = 32
_ENDS_LIKE_A_LABEL = (":", "\uff1a", "=", "#", "\u2116")
_OPENS = ("(", "[", "\u201c", "\u2018", '"')
_WORDS = re.compile(r"[^\W\d_]+(?:['\u2019-][^\W\d_]+)*")
_SENTENCE_END = re.compile(r"(?<!\b(?:Tel|Fax|Mob))(?<!\bNo)[.!?)\]]\s+(?=\S)", re.IGNORECASE)
_HAS_WORD = re.compile(r"[^\W_]")
# One letter is a label too. English, German, French, Spanish, Italian, Portuguese, Dutch, Nordic languages.
_KNOWN_WORDS = """
    tel telephone phone ph mob mobile cell cellular cellphone fax telefax direct line dial office desk work home main
    switchboard number no nr ext extension toll free hotline whatsapp skype teams zoom signal telegram wechat
    email e-mail mail address web website site www url homepage internet blog linkedin twitter facebook instagram
    xing youtube github calendar booking meet meeting pronouns name title vat tax id
    telefon fon mobil mobiltelefon handy durchwahl dw büro zentrale direkt anschrift adresse webseite ust-id ustid
    téléphone portable fixe bureau courriel télécopie teléfono móvil celular fijo oficina correo dirección
    telefono cellulare ufficio indirizzo sito telefone telemóvel escritório endereço telefoon mobiel kantoor adres
    mobilnummer puhelin matkapuhelin sähköposti epost e-post
    and or at of in by on with und oder bei von et ou chez y o e i en de the
"""
_KNOWN = frozenset(_KNOWN_WORDS.split())


def is_label(text: str) -> bool:
    """Return whether `text`, still escaped, means nothing without the value after it."""
    text = unescape(text).strip()
    if not text or text.endswith(_OPENS):
        return False
    if text.endswith(_ENDS_LIKE_A_LABEL):
        return len(text) <= _LONGEST_WITH_COLON and not _SENTENCE_END.search(text)
    if is_separator(text):
        return True
    words = _WORDS.findall(text.casefold())
    is_known = len(words) <= 3 and all(word in _KNOWN for word in words)
    return bool(words) and (is_known or len("".join(words)) == 1) and not _has_digit(text)


def find_label(text: str) -> int | None:
    """Return where the label at the end of `text` starts: 0 where all of it is one, None where there is none."""
    if is_label(text):
        return 0
    start = max((found.end() for found in _SENTENCE_END.finditer(text)), default=0)
    return start if start and is_label(text[start:]) else None


def is_separator(text: str) -> bool:
    """Return whether `text`, still escaped, is a symbol without a word, such as | between two cells."""
    text = unescape(text).strip()
    return bool(text) and not has_words(text)


def has_words(text: str) -> bool:
    """Return whether `text`, still escaped, contains a letter or digit."""
    return _HAS_WORD.search(unescape(text)) is not None


def is_long(text: str) -> bool:
    """Return whether `text`, still escaped, is more than a label."""
    return len(" ".join(unescape(text).split())) > _LONGEST


def is_label_picture(picture: Element) -> bool:
    """Return whether a picture is small enough to replace a word such as "Phone"."""
    sizes = [picture.attributes.get(name, "") for name in ("width", "height")]
    known = [int(size) for size in sizes if size.isascii() and size.isdigit()]
    return picture.tag == "img" and bool(known) and max(known) <= _LARGEST_PICTURE


def _has_digit(text: str) -> bool:
    return any(character.isdigit() for character in text)
