"""Delivery against a bare concurrent loop at 50 ms latency, and planning against rendering alone.

`main` starts each measurement in a process of its own; the functions below it are what those run.
"""

from __future__ import annotations

import json
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

LATENCY_SECONDS = 0.05
IN_FLIGHT = 8  # as many as `signatures.delivery.executor.THREADS`
TOUCHED = 500


def main(people: int, many: int) -> None:
    """Print both tables. people: mailboxes of the delivery; many: those of the plan."""
    from .__main__ import measure, running_sandbox

    table = Table("What", "Measured", "Baseline in the same run", "Figure", "Aim")
    with tempfile.TemporaryDirectory(prefix="countersign-benchmarks-") as name:
        folder = Path(name)
        with running_sandbox(people, folder) as url:
            measure("sync", url, folder / "delivery.sqlite3")
            done = measure("deliver_slowly", url, folder / "delivery.sqlite3")
            bare = measure("patch_bare", url, folder / "delivery.sqlite3")
        rate, bare_rate = done["delivered"] / done["seconds"], bare["writes"] / bare["seconds"]
        table.add_row(
            f"Delivery, {LATENCY_SECONDS * 1000:.0f} ms latency",
            f"{done['delivered']:,} mailboxes, {rate:.0f} a second",
            f"{bare['writes']:,} bare PATCHes, {IN_FLIGHT} in flight: {bare_rate:.0f} a second",
            f"{rate / bare_rate:.0%}",
            "≥ 85 %",
        )
        with running_sandbox(24, folder) as url:
            plan = measure(f"plan:{many}", url, folder / "plan.sqlite3")
        table.add_row(
            f"Statuses of {many:,} mailboxes after a first release, processor time",
            f"{plan['follow_seconds']:.1f} s",
            f"{plan['render_seconds']:.1f} s: rendering each, and nothing else",
            f"{plan['follow_seconds'] / plan['render_seconds']:.2f} ×",
            "",
        )
        table.add_row(
            f"Plan for {many:,} mailboxes, processor time",
            f"{plan['plan_seconds']:.1f} s",
            f"{plan['render_seconds']:.1f} s: rendering each, and nothing else",
            f"{plan['plan_seconds'] / plan['render_seconds']:.2f} ×",
            "≤ 1 ×",
        )
        share = plan["render_seconds"] * TOUCHED / many
        table.add_row(
            f"Plan after a release that touches {TOUCHED} of them",
            f"{plan['touched_seconds']:.2f} s for {plan['touched']:,} mailboxes",
            f"{share:.2f} s: rendering {TOUCHED}",
            f"{plan['touched_seconds'] / share:.1f} ×",
            "the cost of 500",
        )
    Console(width=160).print(table)


def deliver_slowly(control: Any) -> dict[str, Any]:
    """Deliver to everybody while each write takes 50 ms to be answered."""
    from integrations.models import Connection
    from signatures.delivery.deliver import carry_out

    connection = Connection.objects.select_related("domain").get()
    plan = publish_and_plan(connection)
    control("POST", "faults", kind="slow", method="PATCH", times=None, seconds=LATENCY_SECONDS)
    started = time.perf_counter()
    run = carry_out(plan.pk)
    seconds = time.perf_counter() - started
    control("DELETE", "faults")
    if run.state != "complete":
        raise SystemExit(f"{run.state}: {run.cause}")
    return {"seconds": seconds, "delivered": run.delivered}


def publish_and_plan(connection: Any) -> Any:
    """Follow the sync, publish what the shipped templates say, and start a plan for everybody."""
    from signatures.authoring.templates import install_starters
    from signatures.delivery.after_sync import follow_mirror
    from signatures.delivery.planning import plan_delivery
    from signatures.delivery.runs import start_delivery
    from signatures.releases.live import get_live
    from signatures.releases.publish import publish

    install_starters(connection.domain, actor="benchmark")
    follow_mirror(connection.sync_runs.latest("pk"))
    if get_live(connection.domain) is None:
        publish(connection.domain, actor="benchmark")
    return start_delivery(plan_delivery(connection.domain, actor="benchmark"), actor="benchmark")


def patch_bare(control: Any, base_url: str, token: str) -> dict[str, Any]:
    """Write the same mailboxes with `requests`, as many in flight, and nothing else."""
    import threading

    import requests

    from signatures.models import Delivery, SignatureHtml

    rows = list(
        Delivery.objects.filter(state="delivered").values_list("mailbox_remote_id", "rendered_sha256")
    )
    texts = dict(SignatureHtml.objects.values_list("sha256", "html"))
    local = threading.local()

    def write(row: tuple[str, str]) -> None:
        if not hasattr(local, "session"):
            local.session = requests.Session()
            local.session.headers.update(
                {"Authorization": f"Bearer {token}", "Content-Type": "application/vnd.api+json"}
            )
        mailbox_id, sha256 = row
        attributes = {"emailSignature": texts[sha256]}
        body = {"data": {"type": "mailbox", "id": int(mailbox_id), "attributes": attributes}}
        url = f"{base_url}/api/v2/mailboxes/{mailbox_id}"
        local.session.patch(url, data=json.dumps(body), timeout=60).raise_for_status()

    control("POST", "faults", kind="slow", method="PATCH", times=None, seconds=LATENCY_SECONDS)
    started = time.perf_counter()
    with ThreadPoolExecutor(IN_FLIGHT) as pool:
        list(pool.map(write, rows))
    seconds = time.perf_counter() - started
    control("DELETE", "faults")
    return {"seconds": seconds, "writes": len(rows)}


def plan(many: int, connection: Any) -> dict[str, Any]:
    """Plan for a company of `many` mailboxes, then after a template of 500 of them was published anew."""
    from signatures.authoring.templates import assign_template, install_starters, save_template
    from signatures.delivery.planning import drop_run, plan_delivery
    from signatures.delivery.status import follow_release
    from signatures.models import Sender, Template
    from signatures.releases.compose import Composer
    from signatures.releases.draft import build_draft
    from signatures.releases.publish import publish

    domain = connection.domain
    make_people(connection, many)
    install_starters(domain, actor="benchmark")
    first, second = Template.objects.filter(domain=domain).order_by("pk")[:2]
    default = domain.groups.get(is_default=True)
    assign_template(domain, template=first, group=default, actor="benchmark")
    small = domain.groups.get(name="Few")
    assign_template(domain, template=second, group=small, actor="benchmark")

    composer = Composer(domain, build_draft(domain))
    senders = list(Sender.objects.filter(domain=domain).select_related("person"))
    worked = time.process_time()
    for sender in senders:
        composer.compose(sender)
    render_seconds = time.process_time() - worked

    publish(domain, actor="benchmark")
    worked = time.process_time()
    follow_release(connection)
    follow_seconds = time.process_time() - worked
    worked = time.process_time()
    whole = plan_delivery(domain, actor="benchmark")
    plan_seconds = time.process_time() - worked
    if whole.planned < many:
        raise SystemExit(f"Planned {whole.planned} of {many}.")
    drop_run(whole)
    place_everything(connection)

    source = f"{second.current.source}<p>{{{{ sender.title }}}}</p>"
    save_template(domain, name=second.name, template=second, source=source, actor="benchmark")
    publish(domain, actor="benchmark")
    worked = time.process_time()
    part = plan_delivery(domain, actor="benchmark")
    return {
        "render_seconds": render_seconds,
        "follow_seconds": follow_seconds,
        "plan_seconds": plan_seconds,
        "touched_seconds": time.process_time() - worked,
        "touched": part.planned,
    }


def make_people(connection: Any, many: int) -> None:
    """People with one mailbox each, 500 of them in a team, as a sync would have stored them."""
    from django.utils import timezone

    from integrations.models import Mailbox, Person, Team
    from signatures.delivery.after_sync import refresh_groups
    from signatures.senders.refresh import refresh_senders

    now = timezone.now()
    Team.objects.create(connection=connection, remote_id="900001", name="Few", digest="d", changed_at=now)
    numbers = range(1_000_000, 1_000_000 + many)
    Person.objects.bulk_create(
        (
            Person(
                connection=connection,
                remote_id=str(number),
                digest=str(number),
                changed_at=now,
                email=f"person.{number}@acme.example",
                first_name="Kim",
                last_name=f"Number {number}",
                title="Account Executive",
                phone="+1 312 555 0190",
                team_ids=["900001"] if number < 1_000_000 + TOUCHED else [],
            )
            for number in numbers
        ),
        batch_size=2_000,
    )
    Mailbox.objects.bulk_create(
        (
            Mailbox(
                connection=connection,
                remote_id=str(number),
                digest=str(number),
                changed_at=now,
                read_at=now,
                email=f"person.{number}@acme.example",
                person_remote_id=str(number),
                signature_html="<p>Before</p>",
                is_editable=True,
            )
            for number in numbers
        ),
        batch_size=2_000,
    )
    refresh_groups(connection)
    refresh_senders(connection, since=None)


def place_everything(connection: Any) -> None:
    """Every mailbox holds what the live release renders, as after a delivery to everybody."""
    from django.utils import timezone

    from signatures.delivery.status import refresh_states
    from signatures.models import MailboxState, Placement
    from signatures.releases.live import get_live

    states = MailboxState.objects.exclude(rendered_sha256="").select_related("mailbox")
    Placement.objects.bulk_create(
        (
            Placement(
                domain=connection.domain,
                account_key=connection.account_key,
                mailbox_remote_id=state.mailbox.remote_id,
                rendered_sha256=state.rendered_sha256,
                returned_sha256=state.rendered_sha256,
                template_version_id=state.version_id,
                release=get_live(connection.domain),
                placed_at=timezone.now(),
            )
            for state in states.defer("mailbox__signature_html").iterator(chunk_size=2_000)
        ),
        batch_size=2_000,
    )
    refresh_states(connection)
