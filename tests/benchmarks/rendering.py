"""Rendering against Liquid alone, one changed value against all, previews at the server, and the queries of lists.

`main` starts each measurement in a process of its own; the functions below it are what those run.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

SMALL, GROUPS, LAYOUTS = 1_000, 500, 200
PREVIEWS = 200
TURNS = 3
NOBODY = "http://127.0.0.1:9"


def main(people: int) -> None:
    """Print the tables. people: senders of the company."""
    from .__main__ import measure

    with tempfile.TemporaryDirectory(prefix="countersign-benchmarks-") as name:
        folder = Path(name)
        done = measure(f"rendering:{people}", NOBODY, folder / "rendering.sqlite3")
        small = measure(f"lists:{SMALL}", NOBODY, folder / "small.sqlite3")
        large = measure(f"lists:{people}", NOBODY, folder / "large.sqlite3")
    table = Table("What", "Measured", "Baseline in the same run", "Figure", "Aim")
    table.add_row(
        f"Rendering {people:,} senders after a template change, processor time",
        f"{done['render_seconds']:.2f} s",
        f"{done['liquid_seconds']:.2f} s: the same templates and values through python-liquid alone",
        f"{done['ratio']:.2f} ×",
        "≤ 1.5 ×",
    )
    table.add_row(
        "The same with reading senders and storing statuses",
        f"{done['follow_seconds']:.2f} s",
        "the line above",
        f"{done['follow_seconds'] / done['liquid_seconds']:.2f} ×",
        "",
    )
    table.add_row(
        "One changed value, where groups have rules",
        f"{done['evaluated']} person evaluated, {done['one_seconds'] * 1000:.0f} ms",
        f"{done['all_seconds']:.2f} s: everybody",
        f"1 / {done['all_seconds'] / done['one_seconds']:,.0f}",
        "one person's groups",
    )
    for what, (median, most) in done["previews"].items():
        table.add_row(what, f"median {median:.0f} ms", f"{PREVIEWS} people", f"p95 {most:.0f} ms", "< 150 ms")
    Console(width=160).print(table)
    queries = Table(
        "List", f"{people:,} senders, {GROUPS} groups, {LAYOUTS} templates", f"{SMALL:,} senders", "Aim"
    )
    for page, number in large.items():
        aim = "≤ 20, as often" if number > 20 or number != small[page] else ""
        queries.add_row(page, str(number), str(small[page]), aim)
    Console(width=160).print(queries)


def render(people: int, connection: Any) -> dict[str, Any]:
    """Change the template of a company of `people`, and measure what follows from it."""
    from signatures.authoring.templates import install_starters, save_template
    from signatures.delivery.status import follow_release
    from signatures.models import Brand, Group, Sender, Template
    from signatures.releases.compose import Composer
    from signatures.releases.live import get_live_content
    from signatures.releases.publish import publish

    from .delivery import make_people

    domain = connection.domain
    make_people(connection, people)
    Brand.objects.create(
        domain=domain, name="Acme", website="https://www.acme.example", phone="+1 312 555 0100",
        address="1 Pier Lane", logo_url="https://www.acme.example/logo.png", legal="Acme Inc., Chicago.",
    )  # fmt: skip
    install_starters(domain, actor="benchmark")
    publish(domain, actor="benchmark")
    follow_release(connection)
    template = Template.objects.get(assignments__group__is_default=True, domain=domain)
    source = f"{template.current.source}<p>{{{{ sender.title }}}}</p>"
    save_template(domain, name=template.name, template=template, source=source, actor="benchmark")
    publish(domain, actor="benchmark")
    senders = list(Sender.objects.filter(domain=domain).select_related("person"))
    pairs = []
    for _ in range(TURNS):
        composer = Composer(domain, get_live_content(domain))
        bare = parse_bare(composer, senders)
        worked = time.process_time()
        for parsed, scope in bare:
            parsed.render(**scope)
        liquid = time.process_time() - worked
        worked = time.process_time()
        for sender in senders:
            composer.compose(sender)
        pairs.append((time.process_time() - worked, liquid))
    pairs.sort(key=lambda pair: pair[0] / pair[1])
    render_seconds, liquid_seconds = pairs[len(pairs) // 2]
    worked = time.process_time()
    follow_release(connection)
    follow_seconds = time.process_time() - worked
    Group.objects.filter(domain=domain, name="Few").update(
        rule=[{"attribute": "title", "operator": "contains", "values": ["Lead"]}]
    )
    return {
        "render_seconds": render_seconds,
        "liquid_seconds": liquid_seconds,
        "ratio": render_seconds / liquid_seconds,
        "follow_seconds": follow_seconds,
        **change_value(domain, senders[0]),
        "previews": ask_previews(domain, template, senders[:PREVIEWS]),
    }


def parse_bare(composer: Any, senders: Any) -> list[tuple[Any, dict[str, Any]]]:
    """Return for each sender their template, parsed by a plain environment of python-liquid, and their values."""
    from liquid import Environment

    from signatures.models import TemplateVersion
    from signatures.rendering.context import build_context
    from signatures.rendering.filters import FILTERS

    environment, parsed, found = Environment(), {}, []
    for filter_name, function in FILTERS.items():
        environment.add_filter(filter_name, function)
    for sender in senders:
        version_id = composer.get_version_id(sender)
        if version_id not in parsed:
            html = TemplateVersion.objects.get(pk=version_id).compiled_html
            parsed[version_id] = environment.from_string(html)
        context = build_context(composer.get_values(sender, composer.get_group(sender)), composer.vocabulary)
        found.append((parsed[version_id], context.scope))
    return found


def change_value(domain: Any, sender: Any) -> dict[str, Any]:
    """Return how many people's groups one changed value evaluates, and its cost beside that of everybody's."""
    from signatures.senders.group_membership import GroupTable
    from signatures.senders.groups import regroup_domain
    from signatures.senders.values import set_own_values

    seen, list_groups = [], GroupTable.list_groups

    def count(table: Any, member: Any) -> Any:
        seen.append(member.sender_id)
        return list_groups(table, member)

    worked = time.process_time()
    regroup_domain(domain)
    all_seconds = time.process_time() - worked
    GroupTable.list_groups = count  # type: ignore[method-assign]
    worked = time.process_time()
    set_own_values(sender, {"sender.title": "Lead"}, actor="benchmark")
    one_seconds = time.process_time() - worked
    GroupTable.list_groups = list_groups  # type: ignore[method-assign]
    return {"evaluated": len(set(seen)), "one_seconds": one_seconds, "all_seconds": all_seconds}


def ask_previews(domain: Any, template: Any, senders: Any) -> dict[str, tuple[float, float]]:
    """Return median and 95th percentile in milliseconds of previews over HTTP within the process."""
    from django.test import Client

    from portal.models import Membership

    reader = Client()
    reader.force_login(Membership.objects.get(domain=domain).user)
    base, version = f"/domains/{domain.name}", template.current
    asked = {
        "Preview of a saved template": lambda sender: reader.get(
            f"{base}/templates/preview/", {"version": version.pk, "sender": sender.email}
        ),
        "Preview of an unsaved template": lambda sender: reader.post(
            f"{base}/templates/trial/", {"source": version.source, "sender": sender.email}
        ),
        "Preview of one sender": lambda sender: reader.get(f"{base}/senders/{sender.pk}/preview/"),
    }
    return {what: time_all(ask, senders) for what, ask in asked.items()}


def time_all(ask: Any, senders: Any) -> tuple[float, float]:
    milliseconds = []
    for sender in (senders[0], *senders):
        started = time.perf_counter()
        reply = ask(sender)
        milliseconds.append((time.perf_counter() - started) * 1000)
        if reply.status_code != 200:
            raise SystemExit(f"{reply.status_code}: {reply.content[:500]!r}")
    return statistics.median(milliseconds[1:]), statistics.quantiles(milliseconds[1:], n=20)[-1]


def list_pages(people: int) -> dict[str, int]:
    """Return page -> how often it asks the database, with `people` senders, GROUPS groups and LAYOUTS templates."""
    from allauth.mfa.models import Authenticator
    from django.core.management import call_command
    from django.test import Client

    from portal.models import Membership
    from tests.support.furnished_domain import furnish, make_user
    from tests.support.large_domain import MADE_WHEN_OPENED, add, open_pages

    call_command("migrate", verbosity=0)
    furnished = furnish("acme.example")
    user = make_user("dana@acme.example")
    Membership.objects.create(domain=furnished.domain, user=user, role="owner")
    Authenticator.objects.create(user=user, type=Authenticator.Type.TOTP, data={})
    reader = Client()
    reader.force_login(user)
    add(furnished, senders=people, others=GROUPS, layouts=LAYOUTS)
    open_pages(reader, furnished, MADE_WHEN_OPENED)
    return {page: len(asked) for page, asked in open_pages(reader, furnished).items()}
