"""Pages: people, mailboxes and signatures of the fake organisation, for a person who makes changes as in Outreach.

Plain HTML forms without script, under /people, only where the sandbox listens on this machine alone. These
requests are not in the log of requests, and no fault applies to them. A form of another site is refused by
its Origin.
"""

from __future__ import annotations

from html import escape
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, quote, urlsplit

from .http import Request, Response
from .records import Mailbox, User

if TYPE_CHECKING:
    from .sandbox import Sandbox

ROOT = "/people"
PER_PAGE = 50
LONGEST_VALUE = 255
LONGEST_SIGNATURE = 65_535
POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src http: https: data:; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'"
)
STYLE = """
:root { color-scheme: light dark; --paper: #fbf3d9; --sheet: #fff; --ink: #222; --line: #999; --act: #8a1c14 }
@media (prefers-color-scheme: dark) {
  :root { --paper: #23201a; --sheet: #2e2a22; --ink: #eee8da; --line: #6d6657; --act: #ffb4a8 }
}
body { font: 16px/1.5 Georgia, serif; background: var(--paper); color: var(--ink); margin: 0 }
p.ribbon { background: #b3261e; color: #fff; font: bold 14px/1 monospace; margin: 0; padding: 12px }
p.ribbon { text-align: center }
main { margin: 0 auto; max-width: 60rem; padding: 16px }
section { background: var(--sheet); border: 1px solid var(--line); margin: 16px 0; padding: 16px }
a { color: var(--act) }
ul.people { list-style: none; margin: 0; padding: 0 }
ul.people li { border-top: 1px solid var(--line); padding: 8px 0 }
label { display: block; margin: 12px 0 }
input:not([type=checkbox]), select, textarea { box-sizing: border-box; display: block; font: inherit; width: 100% }
textarea { font: 13px/1.5 monospace; min-height: 12rem }
button { font: inherit; padding: 8px 20px }
iframe { box-sizing: border-box; height: 16rem; width: 100% }
iframe { background: #fff; border: 1px solid var(--line); color-scheme: light }
"""


class Refused(Exception):
    """A request that the pages do not accept; the text says why."""

    def __init__(self, reason: str, status: int = 400) -> None:
        super().__init__(reason)
        self.status = status


class Pages:
    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._directory = sandbox.directory

    def answers(self, request: Request) -> bool:
        """Return whether this is the address of a page, and the sandbox is reached from this machine alone."""
        path = request.decoded_path
        return (path == ROOT or path.startswith(f"{ROOT}/")) and _is_loopback(self._sandbox.base_url)

    def answer(self, request: Request) -> Response:
        parts = request.decoded_path.removeprefix(ROOT).strip("/").split("/")
        try:
            self._refuse_foreign(request)
            if parts == [""] and request.method in ("GET", "HEAD"):
                return self._list(dict(request.parameters))
            if request.method in ("GET", "HEAD") and len(parts) == 1:
                return self._show(self._get_user(parts[0]))
            if request.method == "POST" and len(parts) == 1:
                return self._change(self._get_user(parts[0]), _read_form(request))
            if request.method == "POST" and len(parts) == 3 and parts[1] == "mailboxes":
                return self._write(self._get_user(parts[0]), parts[2], _read_form(request))
            raise Refused("There is no such page.", 404)
        except Refused as error:
            return _page(error.status, "Not possible", f"<section><p>{escape(str(error))}</p></section>")

    def _refuse_foreign(self, request: Request) -> None:
        """Refuse requests by another host name, and forms of another site. Raises: Refused."""
        port = urlsplit(self._sandbox.base_url).port
        own = {self._sandbox.base_url, f"http://127.0.0.1:{port}", f"http://localhost:{port}"}
        if f"http://{request.headers.get('host', '')}" not in own:
            raise Refused("Open the sandbox by its own address.", 403)
        if request.method == "POST" and request.headers.get("origin", "") not in own:
            raise Refused("This form is not one of the sandbox's own pages.", 403)

    def _get_user(self, text: str) -> User:
        found = self._directory.users.get(int(text)) if text.isascii() and text.isdigit() else None
        if found is None:
            raise Refused("There is no such person.", 404)
        return found

    def _list(self, asked: dict[str, str]) -> Response:
        words = asked.get("q", "").strip()
        people = [
            user
            for user in list(self._directory.users.values())
            if words.lower() in f"{user.name} {user.email}".lower()
        ]
        page = int(asked["page"]) if asked.get("page", "").isdecimal() and len(asked["page"]) < 6 else 1
        shown = people[PER_PAGE * (page - 1) : PER_PAGE * page]
        rows = "".join(self._describe(user) for user in shown)
        more = ""
        if len(people) > PER_PAGE * page:
            more = f'<p><a href="{ROOT}/?q={quote(words)}&amp;page={page + 1}">More people</a></p>'
        form = (
            f'<form method="get" action="{ROOT}/"><label>Name or address '
            f'<input name="q" value="{escape(words)}"></label><button>Search</button></form>'
        )
        listed = f'<ul class="people">{rows}</ul>' if rows else "<p>Nobody matches.</p>"
        return _page(
            200, f"People ({len(people):,})", f"<section>{form}</section><section>{listed}{more}</section>"
        )

    def _describe(self, user: User) -> str:
        about = [user.title or "no title", *self._name_teams(user), *(["locked"] if user.locked else [])]
        return (
            f'<li><a href="{ROOT}/{user.id}">{escape(user.name or user.email)}</a>, {escape(user.email)}<br>'
            f"{escape(', '.join(about))}</li>"
        )

    def _name_teams(self, user: User) -> list[str]:
        return [self._directory.teams[id].name for id in user.team_ids if id in self._directory.teams]

    def _show(self, user: User) -> Response:
        teams = "".join(
            f'<option value="{team.id}"{" selected" if team.id in user.team_ids else ""}>{escape(team.name)}</option>'
            for team in list(self._directory.teams.values())
        )
        person = (
            f'<section><h2>Person</h2><form method="post" action="{ROOT}/{user.id}">'
            f'<label>Title <input name="title" value="{escape(user.title or "")}"></label>'
            f'<label>Phone <input name="phone" value="{escape(user.phone_number or "")}"></label>'
            f'<label>Teams <select name="team" multiple size="6">{teams}</select></label>'
            f'<label><input type="checkbox" name="locked"{" checked" if user.locked else ""}> Locked</label>'
            "<button>Save person</button></form></section>"
        )
        found = (self._directory.mailboxes.get(id) for id in user.mailbox_ids)
        mailboxes = "".join(_show_mailbox(user, mailbox) for mailbox in found if mailbox is not None)
        back = f'<p><a href="{ROOT}/">All people</a></p>'
        return _page(200, user.name or user.email, back + person + (mailboxes or "<p>No mailbox.</p>"))

    def _change(self, user: User, form: dict[str, list[str]]) -> Response:
        title, phone = _get_text(form, "title", LONGEST_VALUE), _get_text(form, "phone", LONGEST_VALUE)
        chosen = [int(text) for text in form.get("team", []) if text.isascii() and text.isdigit()]
        if any(id not in self._directory.teams for id in chosen):
            raise Refused("There is no such team.", 404)
        with self._directory.lock:
            self._directory.update(
                "users", user.id, title=title or None, phone_number=phone or None, locked="locked" in form
            )
            if set(chosen) != set(self._directory.users[user.id].team_ids):
                self._directory.move(user.id, chosen)
        return _redirect(user)

    def _write(self, user: User, text: str, form: dict[str, list[str]]) -> Response:
        mailbox_id = int(text) if text.isascii() and text.isdigit() else 0
        if mailbox_id not in user.mailbox_ids:
            raise Refused("There is no such mailbox.", 404)
        # A browser sends CR LF for every line of a text area, whatever the signature had.
        html = _get_text(form, "signature", LONGEST_SIGNATURE).replace("\r\n", "\n")
        self._directory.set_signature(mailbox_id, html or None)
        return _redirect(user)


def _is_loopback(base_url: str) -> bool:
    host = urlsplit(base_url).hostname or ""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _read_form(request: Request) -> dict[str, list[str]]:
    try:
        pairs = parse_qsl(request.body.decode(), keep_blank_values=True, max_num_fields=200)
    except ValueError as error:
        raise Refused("The form cannot be read.") from error
    form: dict[str, list[str]] = {}
    for name, value in pairs:
        form.setdefault(name, []).append(value)
    return form


def _get_text(form: dict[str, list[str]], name: str, longest: int) -> str:
    text = form.get(name, [""])[0].strip()
    if len(text.encode("utf-8", "surrogatepass")) > longest:
        raise Refused(f"The {name} is longer than {longest:,} bytes.")
    return text


def _show_mailbox(user: User, mailbox: Mailbox) -> str:
    html = mailbox.email_signature or ""
    shown = (
        f'<iframe sandbox title="Signature of {escape(mailbox.email)}" srcdoc="{escape(html)}"></iframe>'
        if html.strip()
        else "<p>No signature.</p>"
    )
    return (
        f"<section><h2>{escape(mailbox.email)}</h2>{shown}"
        f'<form method="post" action="{ROOT}/{user.id}/mailboxes/{mailbox.id}">'
        f'<label>Signature, as HTML <textarea name="signature">\n{escape(html)}</textarea></label>'
        "<button>Save signature</button></form></section>"
    )


def _redirect(user: User) -> Response:
    return Response(303, content_type="", headers=[("Location", f"{ROOT}/{user.id}")])


def _page(status: int, title: str, content: str) -> Response:
    html = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)} · Sandbox</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{STYLE}</style></head>'
        '<body><p class="ribbon">SANDBOX &mdash; this is not Outreach</p>'
        f"<main><h1>{escape(title)}</h1>{content}</main></body></html>"
    )
    response = Response.text(status, html, "text/html; charset=utf-8")
    # Not no-referrer: a browser would then say “null” as the Origin of our own forms.
    response.headers += [
        ("Content-Security-Policy", POLICY),
        ("Cache-Control", "no-store"),
        ("Referrer-Policy", "same-origin"),
        ("X-Content-Type-Options", "nosniff"),
    ]
    return response
