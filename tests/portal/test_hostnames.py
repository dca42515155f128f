"""The ASCII form of host names: IDNA 2008, as browsers and registries use it."""

from __future__ import annotations

import pytest

from portal.hostnames import to_ascii


@pytest.mark.parametrize(
    ("host", "ascii_form"),
    [
        ("Acme.Example", "acme.example"),
        ("acme.example.", "acme.example"),
        ("straße.example", "xn--strae-oqa.example"),  # not strasse.example, which is somebody else's
        ("XN--STRAE-OQA.example", "xn--strae-oqa.example"),
        ("κλαρας.example", "xn--mxaaze5ah.example"),  # final sigma is a letter of its own
        ("Bücher.example", "xn--bcher-kva.example"),
        ("bu\u0308cher.example", "xn--bcher-kva.example"),  # written with a combining mark
        ("例え。テスト", "xn--r8jz45g.xn--zckzah"),  # an ideographic full stop parts labels
        ("ｗｗｗ．ａｃｍｅ．ｅｘａｍｐｌｅ", "www.acme.example"),
        ("بوابة.example", "xn--mgbbbe6m.example"),
    ],
)
def test_a_host_has_one_ascii_form(host, ascii_form):
    assert to_ascii(host) == ascii_form


@pytest.mark.parametrize(
    "host",
    [
        "☃.example",
        "ä..example",
        "ä_b.example",
        "ä b.example",
        "ä/..example",
        "-ä.example",
        "\u0301a.example",  # begins with a combining mark
        "\udfaaä.example",
        "é." * 120 + "example",
        "a" * 255,
        "ä" * 64 + ".example",
    ],
)
def test_a_name_that_no_registry_gives_out_is_refused(host):
    with pytest.raises(ValueError):
        to_ascii(host)
