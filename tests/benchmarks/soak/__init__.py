"""Soak: syncs, deliveries, edits, campaigns and banners together on PostgreSQL; are memory and tables flat?"""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import django
from rich.console import Console
from rich.table import Table

from tests.support.installation import Installation, wait_until
from tests.support.portal_process import DOMAIN, OWNER, Portal, running_portal
from tests.support.postgres import running_cluster
from tests.support.served import LONG, SHORT, Served

from .judgement import Verdict, judge
from .load import Load, MailPrograms, OutreachChanges
from .people import People
from .plot import draw
from .samples import GROWING, Sample, take_sample

PEOPLE, KEYS, READERS = 300, 200, 400
SAMPLE_SECONDS = 30

PREPARE = """
import json
from integrations.models import SyncRun
from portal.demo.sample_campaigns import run_campaigns
from portal.models import Domain
from signatures.models import Campaign, RecipientPrivacy, Sender
from signatures.tasks import follow_sync
domain, owner, keys = Domain.objects.get(name=sys.argv[1]), sys.argv[2], int(sys.argv[3])
follow_sync(run_id=SyncRun.objects.latest("pk").pk)
run_campaigns(domain, actor=owner)
RecipientPrivacy.objects.update_or_create(domain=domain, defaults={"recipient_variable": "{{email}}"})
senders = Sender.objects.filter(domain=domain, is_active=True).order_by("pk")[:keys]
print(json.dumps([
    [sender.banner_key for sender in senders], Campaign.objects.get(domain=domain, name="The anvil handbook").pk,
]))
"""


def main(minutes: float, plot: Path | None) -> None:
    """Print how it went; write the picture to `plot`. Exits with 1 where something grew or failed."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("Ended before its time."))  # nothing is left running
    console = Console(width=140)
    with tempfile.TemporaryDirectory(prefix="countersign-soak-") as name, running_cluster() as cluster:
        folder = Path(name)
        url = cluster.create()
        migrated = Installation(folder, None, DATABASE_URL=url).manage(
            "migrate", "--verbosity=0", timeout=900
        )
        if migrated.returncode:
            raise SystemExit(migrated.stderr)
        environ = {
            "DATABASE_URL": url,
            "SPOOL_FOLDER": str(folder / "spool"),
            "OUTREACH_HOURLY_CALLS": "1000000",
        }
        with running_portal(folder, None, people=PEOPLE, **environ) as portal:
            os.environ.update(portal.installation.environ)
            django.setup()
            load, served = prepare(portal), serve(portal, folder)
            samples = list(soak(load, served, folder, minutes=minutes, console=console))
            said = served.output.read_text()
            served.process.terminate()
            served.process.wait(60)
    verdicts = judge(samples)
    report(console, load, samples, verdicts, said)
    if plot is not None:
        plot.write_text(draw(samples))
    if load.failures or not all(one.is_flat for one in verdicts):
        raise SystemExit(1)


def prepare(portal: Portal) -> Load:
    """Connect and read the directory, make campaigns; return the load, not begun."""
    outreach = portal.outreach
    outreach.change_settings(hourly_limit=1_000_000)
    portal.installation.connect(DOMAIN, outreach.issue_tokens())
    portal.manage("syncdirectory", "--domain", DOMAIN)
    keys, campaign = json.loads(portal.installation.run(PREPARE, DOMAIN, OWNER, str(KEYS)).splitlines()[-1])
    known = [prospect["emails"][0] for prospect in outreach.list_prospects() if prospect["emails"]]
    unknown = [f"reader{number}@customer.example" for number in range(READERS // 2)]
    readers = [*known[: READERS // 2], *unknown]
    people = People(portal.url, campaign=campaign)
    changes, mails = OutreachChanges(outreach), MailPrograms(portal.url, keys=keys, readers=readers)
    acts = (
        (people.sign_in_anew, 300), (people.read_page, 2), (people.publish, 90), (people.run_campaign, 60),
        (people.sync, 600), (changes.change_titles, 20), (changes.edit_by_hand, 45), (mails.read_banners, 1),
    )  # fmt: skip
    return Load(acts)


def serve(portal: Portal, folder: Path) -> Served:
    """Start `manage.py serve`; return once web server and workers are at work."""
    output, port = folder / "serve.log", portal.url.rpartition(":")[2]
    process = portal.installation.start("serve", "--sandbox", "--port", port, output=output)
    served = Served(portal.installation, process, output)
    for cluster in (SHORT, LONG):
        served.wait_for_worker(cluster)
    wait_until(portal.answers, seconds=90, what="the web server to answer")
    return served


def soak(load: Load, served: Served, folder: Path, *, minutes: float, console: Console) -> Iterator[Sample]:
    """Put the load on, and yield a sample every SAMPLE_SECONDS."""
    kept = Path(tempfile.gettempdir()) / "countersign-soak.jsonl"
    console.print(f"{minutes:g} minutes from {time.strftime('%H:%M:%S')}; samples in {kept}")
    begun_at = time.monotonic()
    load.start()
    with kept.open("w") as lines:
        for number in range(int(minutes * 60 / SAMPLE_SECONDS) + 1):
            time.sleep(max(0.0, begun_at + number * SAMPLE_SECONDS - time.monotonic()))
            sample = take_sample(served, folder, seconds=time.monotonic() - begun_at)
            lines.write(json.dumps(asdict(sample) | {"load": os.getloadavg()[0]}) + "\n")
            lines.flush()
            yield sample
    load.stop()


def report(console: Console, load: Load, samples: list[Sample], verdicts: list[Verdict], said: str) -> None:
    table = Table("What", "First third", "Middle third", "Last third", "Highest", "Last at most", "")
    for one in verdicts:
        figures = (f"{figure:,.0f}" for figure in (one.first, one.middle, one.last, one.highest))
        if one.allowed is None:
            table.add_row(one.what, *figures, f"grows: {GROWING[one.what]}", "")
        else:
            table.add_row(one.what, *figures, f"{one.allowed:,.0f}", "flat" if one.is_flat else "GREW")
    console.print(table)
    pids = {one.pid for sample in samples for one in sample.processes}
    console.print(
        f"{samples[-1].seconds / 60:.1f} minutes, {len(samples)} samples, {len(pids)} processes in all."
    )
    console.print(", ".join(f"{number:,} {what}" for what, number in sorted(load.done.items())))
    console.print(f"{len(load.failures)} failures, {said.count('Traceback')} tracebacks in the log.")
    for line in load.failures[:20]:
        console.print(line, markup=False)
