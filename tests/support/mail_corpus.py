"""Awkward messages, built by code: each says whether our slot in it is replaced, and where its slots stand."""

from __future__ import annotations

import quopri
from base64 import b64encode
from dataclasses import dataclass

from signatures.mailgateway.slot import Marks, Shown

PUBLIC_URL = "https://signatures.acme.example"
KEY = "MariaMariaMariaMaria_1"
OTHER_KEY = "SomebodyElsesKey-22222"
MARKS = Marks(PUBLIC_URL)
SHOWN = Shown(
    image_url=f"{PUBLIC_URL}/b/d/ToKeN123.png",
    image_url_2x=f"{PUBLIC_URL}/b/d/ToKeN123@2x.png",
    click_url=f"{PUBLIC_URL}/c/d/ToKeN123",
    alt="Meet us at “Expo” & say hello",
)


def make_slot(key: str = KEY, ext: str = "@2x.png") -> str:
    return (
        f'<a href="{PUBLIC_URL}/c/{key}"><img src="{PUBLIC_URL}/b/{key}{ext}" width="480" height="120" '
        'alt="News from Acme" style="display:block;border:0"></a>'
    )


SLOT = make_slot()
WORDS = "<p>Dear Jo, the figures you asked for are below; they rose by a third.</p>\r\n"


def make_page(slot: str = SLOT, *, before: str = WORDS * 6, after: str = WORDS * 6) -> str:
    return f"<html><body>\r\n{before}<table><tr><td>{slot}</td></tr></table>\r\n{after}</body></html>\r\n"


@dataclass(frozen=True)
class Awkward:
    """A message. is_changed: our slot in it is replaced; else every byte stays."""

    name: str
    raw: bytes
    is_changed: bool = True


ENVELOPE = (
    b"Received: from outreach.example by mail.acme.example; Tue, 24 Nov 2026 10:00:00 +0000\r\n"
    b"From: Maria Alvarez <maria@acme.example>\r\nTo: jo@customer.example\r\nSubject: The figures\r\n"
    b"Message-ID: <1@acme.example>\r\nDate: Tue, 24 Nov 2026 10:00:00 +0000\r\nMIME-Version: 1.0\r\n"
)


def part(body: bytes, kind: str = 'text/html; charset="utf-8"', encoding: str = "7bit", *more: str) -> bytes:
    header = [f"Content-Type: {kind}", f"Content-Transfer-Encoding: {encoding}", *more]
    return "\r\n".join(header).encode() + b"\r\n\r\n" + body


def message(body_part: bytes, envelope: bytes = ENVELOPE) -> bytes:
    return envelope + body_part


def multipart(
    *parts: bytes,
    kind: str = "mixed",
    boundary: str = "=_b1",
    parameter: str = "",
    preamble: bytes = b"",
    end: bytes = b"\r\n",
) -> bytes:
    parameter = parameter or f'boundary="{boundary}"'
    header = f"Content-Type: multipart/{kind};\r\n {parameter}\r\n\r\n".encode()
    line = b"--" + boundary.encode()
    return header + preamble + b"".join(line + b"\r\n" + one + b"\r\n" for one in parts) + line + b"--" + end


def quoted(text: bytes) -> bytes:
    return quopri.encodestring(text.replace(b"\r\n", b"\n")).replace(b"\n", b"\r\n")


def quoted_tightly(text: bytes, width: int = 40) -> bytes:
    """Every line broken where it is `width` long, be it in the middle of an address."""
    lines = []
    for line in text.split(b"\r\n"):
        tokens = [b"=%02x" % byte if byte > 126 or byte == 61 else bytes((byte,)) for byte in line]
        pieces, current = [], b""
        for token in tokens:
            if len(current) + len(token) > width - 1:
                pieces.append(current + b"=")
                current = b""
            current += token
        lines.append(b"\r\n".join([*pieces, current]))
    return b"\r\n".join(lines)


def packed(text: bytes, width: int = 76, line_end: bytes = b"\r\n") -> bytes:
    whole = b64encode(text)
    return line_end.join(whole[at : at + width] for at in range(0, len(whole), width)) + line_end


def unevenly(text: bytes) -> bytes:
    whole, lines, at, width = b64encode(text), [], 0, 40
    while at < len(whole):
        lines.append(whole[at : at + width])
        at, width = at + width, 40 + (width * 7) % 33
    return b"\r\n".join(lines) + b"\r\n"


def in_html(name: str, slot: str, *, is_changed: bool = True) -> Awkward:
    return Awkward(name, message(part(make_page(slot).encode())), is_changed)


ACCENTS = "<p>Grüße aus Köln – “schön”, naïve café €5</p>\r\n" * 4
JAPANESE = "<p>お世話になっております。</p>\r\n" * 6
CYRILLIC = "<p>Добрый день, цифры ниже.</p>\r\n" * 6
PAGE = make_page().encode()
TEXT = part(b"Dear Jo,\r\n.\r\n..two dots\r\n-- \r\nMaria\r\n", "text/plain; charset=us-ascii")
PICTURE = part(packed(bytes(range(256)) * 9), 'image/png; name="a.png"', "base64")


def encoded(name: str, charset: str, words: str, encoding: str, encode=lambda text: text) -> Awkward:
    text = make_page(before=words, after=words).encode(charset, "xmlcharrefreplace")
    return Awkward(name, message(part(encode(text), f"text/html; charset={charset}", encoding)))


def nest(inner: bytes, levels: int) -> bytes:
    for level in range(levels):
        inner = multipart(inner, boundary=f"level-{level}")
    return inner


URL_B, URL_C = f"{PUBLIC_URL}/b/{KEY}", f"{PUBLIC_URL}/c/{KEY}"
WRAPPED = f"https://track.example/ls/click?u={URL_C.replace(':', '%3A').replace('/', '%2F')}&amp;s=1"
IMG = f'<img src="{URL_B}@2x.png" alt="">'

CHANGED = [
    Awkward("html alone", message(part(PAGE))),
    Awkward("alternative", message(multipart(TEXT, part(PAGE), kind="alternative"))),
    Awkward(
        "alternative with an attachment",
        message(multipart(multipart(TEXT, part(PAGE), kind="alternative", boundary="inner"), PICTURE)),
    ),
    Awkward("related with pictures", message(multipart(part(PAGE), PICTURE, PICTURE, kind="related"))),
    Awkward("twelve multiparts deep", message(nest(part(PAGE), 12))),
    encoded("utf-8 in 8bit", "utf-8", ACCENTS, "8bit"),
    encoded("utf-8 quoted", "utf-8", ACCENTS, "quoted-printable", quoted),
    encoded("quoted with addresses broken", "utf-8", ACCENTS, "quoted-printable", quoted_tightly),
    encoded("quoted in lower case", "utf-8", ACCENTS, "Quoted-Printable", lambda t: quoted_tightly(t, 76)),
    encoded("quoted in narrow lines", "utf-8", ACCENTS, "quoted-printable", lambda t: quoted_tightly(t, 9)),
    encoded("windows-1252 quoted", "windows-1252", ACCENTS, "quoted-printable", quoted),
    encoded("iso-8859-1 in 8bit", "iso-8859-1", ACCENTS, "8bit"),
    encoded("utf-8 in base64", "utf-8", ACCENTS, "base64", packed),
    encoded("base64 in lines of 72", "utf-8", ACCENTS, "BASE64", lambda t: packed(t, 72)),
    encoded("base64 in lines of 64", "utf-8", ACCENTS, "base64", lambda t: packed(t, 64)),
    encoded("base64 in lines of 70, across groups", "utf-8", ACCENTS, "base64", lambda t: packed(t, 70)),
    encoded("base64 in one line", "utf-8", ACCENTS, "base64", lambda t: packed(t, 10**9)),
    encoded("base64 in uneven lines", "utf-8", ACCENTS, "base64", unevenly),
    encoded("base64 that needs no padding", "utf-8", "<p>xy</p>" * 3, "base64", packed),
    encoded("base64 padded twice", "utf-8", "<p>xy</p>a", "base64", packed),
    encoded("iso-8859-1 in base64", "iso-8859-1", ACCENTS, "base64", packed),
    encoded("utf-16 with a mark", "utf-16", ACCENTS, "base64", packed),
    encoded("utf-16 little-endian", "utf-16le", JAPANESE, "base64", packed),
    encoded("utf-16 big-endian in lines of 72", "utf-16be", CYRILLIC, "base64", lambda t: packed(t, 72)),
    encoded("shift_jis in base64", "shift_jis", JAPANESE, "base64", packed),
    encoded("gb18030 quoted", "gb18030", JAPANESE, "quoted-printable", quoted),
    encoded("koi8-r in 8bit", "koi8-r", CYRILLIC, "8bit"),
    in_html("two slots", f"{SLOT}<p>and</p>{SLOT}"),
    encoded("two slots in base64", "utf-8", f"{SLOT}{ACCENTS}", "base64", packed),
    encoded("two slots quoted, on one line", "utf-8", f"{SLOT}{SLOT}", "quoted-printable", quoted),
    in_html(
        "a quoted reply with somebody else's slot", f"{SLOT}<blockquote>{make_slot(OTHER_KEY)}</blockquote>"
    ),
    in_html("a quoted reply with an earlier choice", f"{SLOT}<img src='{PUBLIC_URL}/b/d/Old@2x.png'>"),
    in_html("single quotes", SLOT.replace('"', "'")),
    in_html("no quotes", f"<a href={URL_C}><img src={URL_B}.png alt=News></a>"),
    in_html(
        "capitals",
        f'<A HREF="{URL_C}"><IMG BORDER=0 ALT="x" SRC="{URL_B.replace("https", "HTTPS")}.PNG"/></A>',
    ),
    in_html(
        "attributes on lines of their own",
        f'<a\r\n href = "{URL_C}"\r\n><img\r\n alt=""\r\n src\r\n=\r\n"{URL_B}.png"></a>',
    ),
    in_html(
        "entities in the address",
        f'<a href="{URL_C}?a=1&amp;b=2"><img src="https:&#x2F;&#47;{URL_B[8:]}.png?a=1&amp;b=2"></a>',
    ),
    in_html("a scheme left out", f'<a href="{URL_C[6:]}"><img src="{URL_B[6:]}.png" alt=""></a>'),
    in_html("a picture without a link", f"<p>{IMG}</p>"),
    in_html("a link that a tracker wrapped", f'<a href="{WRAPPED}">{IMG}</a>'),
    in_html(
        "a link that a tracker hid", f'<a href="https://t.example/x9">\r\n <span>&nbsp;{IMG}</span> </a>'
    ),
    in_html("a picture in somebody's link", f'<a href="https://acme.example/">Read on {IMG}</a>'),
    in_html("a stray apostrophe", f"<p title=it's><a title=o'clock href='{URL_C}'>{IMG}</a>"),
    in_html("a comment with a slot before ours", f"<!-- {make_slot()} -->{SLOT}"),
    Awkward(
        "bare newlines",
        message(multipart(part(b"Dear Jo\r\n", "text/plain"), part(PAGE))).replace(b"\r\n", b"\n"),
    ),
    Awkward(
        "bare newlines, quoted",
        message(part(quoted(PAGE), encoding="quoted-printable")).replace(b"\r\n", b"\n"),
    ),
    Awkward("bare newlines, base64", message(part(packed(PAGE), encoding="base64")).replace(b"\r\n", b"\n")),
    Awkward("bare returns and NUL in the page", message(part(PAGE.replace(b"figures", b"fig\0ures\r")))),
    Awkward(
        "preamble and epilogue",
        message(
            multipart(
                TEXT,
                part(PAGE),
                preamble=b"--=_b\r\nFor old programs\r\n",
                end=b"\r\n" + SLOT.encode() + b"\r\n",
            )
        ),
    ),
    Awkward("no closing boundary", message(multipart(TEXT, part(PAGE)))[: -len(b"\r\n--=_b1--\r\n")]),
    Awkward("no line end at the end", message(part(PAGE.rstrip()))),
    Awkward(
        "a boundary of odd characters", message(multipart(TEXT, part(PAGE), boundary="a'b(c)+_,-./:=? d"))
    ),
    Awkward(
        "a boundary in pieces",
        message(
            multipart(part(PAGE), boundary="abcdef", parameter='boundary*0="abc";\r\n\tboundary*1="def"')
        ),
    ),
    Awkward(
        "a boundary that begins another",
        message(multipart(multipart(TEXT, part(PAGE), boundary="xx"), PICTURE, boundary="x")),
    ),
    Awkward(
        "a line that only looks like a boundary",
        message(multipart(part(b"--=_b1 no\r\n--=_b12\r\n" + PAGE), TEXT)),
    ),
    Awkward(
        "blanks behind a boundary",
        message(multipart(TEXT, part(PAGE)).replace(b"--=_b1\r\n", b"--=_b1 \t\r\n")),
    ),
    Awkward("a part without a header", message(multipart(b"\r\nplain\r\n", part(PAGE)))),
    Awkward("lines that begin with dots", message(part(b".\r\n..\r\n...\r\n" + PAGE + b".\r\n"))),
    Awkward("one line just short enough", message(part(b"x" * (997 - len(SLOT)) + SLOT.encode() + b"\r\n"))),
    Awkward(
        "a header in raw utf-8, folded",
        message(part(PAGE), ENVELOPE + "X-Greeting: grün\r\n\tund blau\r\nX-Empty:\r\n".encode()),
    ),
    Awkward("a message within", message(multipart(part(PAGE), part(message(part(PAGE)), "message/rfc822")))),
    Awkward(
        "a page attached beside",
        message(multipart(part(PAGE), part(PAGE, "text/html", "7bit", "Content-Disposition: attachment"))),
    ),
    Awkward(
        "format and delsp",
        message(multipart(part(b"x \r\n y\r\n", "text/plain; format=flowed; delsp=yes"), part(PAGE))),
    ),
]

SIGNED = b"DKIM-Signature: v=1; a=rsa-sha256; d=acme.example; s=a;\r\n bh=x; b=y\r\n"
SIGNATURE = part(b"MIIB", "application/pkcs7-signature", "base64")
ARMOUR = b"-----BEGIN PGP MESSAGE-----\r\n\r\nhQ\r\n-----END PGP MESSAGE-----\r\n"

ALONE = [
    Awkward("no slot", message(part(make_page("<b>Maria</b>").encode()))),
    Awkward("plain text with our address", message(part(PAGE, "text/plain"))),
    Awkward("DKIM-signed", SIGNED + message(part(PAGE))),
    Awkward("ARC-sealed", b"arc-seal: i=1; a=x\r\n" + message(part(PAGE))),
    Awkward("signed parts", message(multipart(part(PAGE), SIGNATURE, kind="signed"))),
    Awkward(
        "signed parts within",
        message(multipart(part(PAGE), multipart(TEXT, SIGNATURE, kind="signed", boundary="s"))),
    ),
    Awkward(
        "S/MIME", message(part(packed(PAGE), "application/pkcs7-mime; smime-type=enveloped-data", "base64"))
    ),
    Awkward("S/MIME under its old name", message(part(packed(PAGE), "application/x-pkcs7-mime", "base64"))),
    Awkward(
        "PGP/MIME",
        message(
            multipart(
                part(b"Version: 1\r\n", "application/pgp-encrypted"),
                part(ARMOUR, "application/octet-stream"),
                kind="encrypted",
            )
        ),
    ),
    Awkward("inline PGP", message(multipart(part(ARMOUR, "text/plain"), part(PAGE)))),
    Awkward(
        "inline PGP in base64", message(multipart(part(packed(ARMOUR), "text/plain", "base64"), part(PAGE)))
    ),
    Awkward(
        "a digest of its own",
        message(part(PAGE, "text/html", "7bit", "Content-MD5: Q2hlY2sgSW50ZWdyaXR5IQ==")),
    ),
    Awkward("a length of its own", b"Content-Length: 12\r\n" + message(part(PAGE))),
    Awkward("a charset nobody knows", message(part(PAGE, "text/html; charset=x-klingon"))),
    Awkward("utf-7", message(part(PAGE, "text/html; charset=utf-7"))),
    Awkward(
        "iso-2022-jp",
        message(part(make_page(before=JAPANESE).encode("iso-2022-jp"), "text/html; charset=iso-2022-jp")),
    ),
    Awkward("an encoding nobody knows", message(part(PAGE, encoding="x-uuencode"))),
    Awkward("base64 cut short", message(part(packed(PAGE)[:-4], encoding="base64"))),
    Awkward(
        "base64 with words behind it",
        message(part(packed(PAGE + b"x") + b"-- \r\na list's footer\r\n", encoding="base64")),
    ),
    Awkward(
        "quoted with a sign that means nothing",
        message(part(b"a=zz " + quoted(PAGE), encoding="quoted-printable")),
    ),
    Awkward("two content types", message(b"Content-Type: text/plain\r\n" + part(PAGE))),
    Awkward("a header line without a colon", message(part(PAGE), ENVELOPE + b"nonsense\r\n")),
    Awkward("a bare return in the header", message(part(PAGE), ENVELOPE + b"X-A: b\rX-B: c\r\n")),
    Awkward("a multipart without a boundary", message(b"Content-Type: multipart/mixed\r\n\r\n" + PAGE)),
    Awkward(
        "an encoded multipart", message(b"Content-Transfer-Encoding: base64\r\n" + multipart(part(PAGE)))
    ),
    Awkward("thirty multiparts deep", message(nest(part(PAGE), 30))),
    Awkward(
        "only in a message within", message(multipart(TEXT, part(message(part(PAGE)), "message/rfc822")))
    ),
    Awkward(
        "only in an attached page",
        message(part(PAGE, "text/html", "7bit", "Content-Disposition: ATTACHMENT; filename=a.html")),
    ),
    in_html("only in a comment", f"<!-- {SLOT} -->"),
    in_html("only somebody else's slot", make_slot(OTHER_KEY)),
    in_html("another host", SLOT.replace("acme.example", "acme.example.evil.example")),
    in_html("a key too short", SLOT.replace(KEY, KEY[:-1])),
    in_html("a tag that does not end", f"<img src='{URL_B}.png' alt='"),
    Awkward("a header alone", ENVELOPE),
    Awkward("nothing", b""),
    Awkward("a dot", b".\r\n"),
]
ALONE = [Awkward(one.name, one.raw, is_changed=False) for one in ALONE]

CORPUS = CHANGED + ALONE
