"""Consent: the pages a person sees, in plain HTML without script; they look unlike the portal's."""

from __future__ import annotations

from html import escape

from .http import Response

STYLE = """
body { font: 16px/1.5 Georgia, serif; background: #fbf3d9; color: #222; margin: 0 }
p.ribbon { background: #b3261e; color: #fff; font: bold 14px/1 monospace; margin: 0; padding: 12px }
p.ribbon { text-align: center }
main { background: #fff; border: 1px solid #999; margin: 40px auto; max-width: 32rem; padding: 24px }
label { display: block; margin: 8px 0 }
button { font: inherit; margin: 16px 8px 0 0; padding: 8px 20px }
select { font: inherit; max-width: 100% }
"""


def _page(status: int, title: str, content: str) -> Response:
    html = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{STYLE}</style></head>'
        '<body><p class="ribbon">SANDBOX &mdash; this is not Outreach</p>'
        f"<main><h1>{title}</h1>{content}</main></body></html>"
    )
    response = Response.text(status, html, "text/html; charset=utf-8")
    response.headers += [
        # No form-action: Chromium applies it to the redirect that follows the form, too.
        ("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"),
        ("Cache-Control", "no-store"),
        ("Referrer-Policy", "no-referrer"),
    ]
    return response


def consent_page(
    *, hidden: dict[str, str], scopes: tuple[str, ...], people: list[tuple[int, str]]
) -> Response:
    """Return the page that asks for consent; each scope can be left out, as only a sandbox allows."""
    fields = "".join(
        f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">'
        for name, value in hidden.items()
    )
    boxes = "".join(
        f'<label><input type="checkbox" name="grant" value="{escape(scope)}" checked> {escape(scope)}</label>'
        for scope in scopes
    )
    options = "".join(f'<option value="{user_id}">{escape(label)}</option>' for user_id, label in people)
    return _page(
        200,
        "Sandbox Outreach: authorize application",
        f'<form method="post" action="/oauth/authorize">{fields}'
        f'<label>Authorize as <select name="user_id">{options}</select></label>'
        "<fieldset><legend>The application asks for these scopes. Untick one to grant fewer.</legend>"
        f"{boxes}</fieldset>"
        '<button name="decision" value="allow">Allow</button>'
        '<button name="decision" value="deny">Deny</button></form>',
    )


def refusal_page(status: int, reason: str) -> Response:
    return _page(status, "Sandbox Outreach: an error has occurred", f"<p>{escape(reason)}</p>")
