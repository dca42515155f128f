"""Scenario: does the main job through the portal's pages: log in, consent, sync, publish, deliver."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar

from django.urls import reverse
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from integrations.catalogue import list_scopes
from integrations.models import UNFINISHED, Connection, RunState, SyncRun
from portal.models import Domain
from signatures.models import (
    UNFINISHED_DELIVERY,
    Assignment,
    DeliveryRun,
    DeliveryRunState,
    Group,
    Sender,
)

from .browser import Browser, DemoFailed, Page
from .environment import DOMAIN, OWNER_EMAIL, OWNER_PASSWORD, Plan
from .result import Result, get_result, read_back
from .sample_campaigns import run_campaigns
from .sample_mails import Mails, send_mails

Found = TypeVar("Found")

PATIENCE_SECONDS = 600.0
LOOK_AGAIN_SECONDS = 0.1
COMPANY = {
    "name": "Acme",
    "tagline": "Anvils, rockets and a very long guarantee",
    "website": "https://www.acme.example",
    "phone": "+1 555 0100",
    "address": "12 Roadrunner Way, Tucson, AZ 85701",
    "accent": "#2b4acb",
    "legal": "Acme Example Corporation. An invented company.",
}


class Scenario:
    """One walk through the portal at `portal_url`, with the sandbox at `sandbox_url` in Outreach's place."""

    def __init__(self, plan: Plan, *, sandbox_url: str, console: Console) -> None:
        self._portal = plan.portal_url
        self._sandbox = sandbox_url
        self._console = console
        self._browser = Browser()

    def walk(self) -> Result:
        """Run the whole scenario; raises DemoFailed where a page or a run is not as expected."""
        started = time.monotonic()
        self._log_in()
        self._connect()
        self._name_the_company()
        run = self._sync()
        self._run_campaigns()
        delivery = self._deliver(self._publish())
        mails = self._send_mails()
        found = read_back(self._browser, self._sandbox)
        self._say(
            f"Read back {found.compared:,} editable mailboxes: "
            f"{len(found.mismatches)} differ from what was delivered"
        )
        return get_result(run, delivery, mails, found, seconds=time.monotonic() - started)

    def _say(self, text: str) -> None:
        self._console.print(f"[green]✓[/green] {text}")

    def _page(self, name: str, *args: Any) -> Page:
        return self._browser.open(self._portal + reverse(name, args=args))

    def _log_in(self) -> None:
        page = self._page("account_login")
        self._browser.submit(page, reverse("account_login"), login=OWNER_EMAIL, password=OWNER_PASSWORD)
        self._say(f"Logged in as {OWNER_EMAIL}")

    def _connect(self) -> None:
        consent = self._page("integrations:outreach", DOMAIN)
        missing = [scope.name for scope in list_scopes() if scope.name not in consent.text]
        if missing:
            raise DemoFailed(f"The consent page does not show {', '.join(missing)}.")
        self._say(f"Opened the consent page: {len(list_scopes())} permissions, each with its purpose")
        theirs = self._browser.submit(consent, reverse("integrations:outreach_connect", args=[DOMAIN]))
        if not theirs.url.startswith(self._sandbox):
            raise DemoFailed(f"Connecting led to {theirs.url} instead of Outreach.")
        back = self._browser.submit(theirs, "/oauth/authorize", decision="allow")
        if not back.url.startswith(self._portal):
            raise DemoFailed(f"Outreach did not send us back to the portal but to {back.url}.")
        granted = Connection.objects.get(domain__name=DOMAIN).scopes_granted
        self._say(f"Connected to Outreach by OAuth; granted: {', '.join(granted)}")

    def _name_the_company(self) -> None:
        page = self._page("signatures:brand", DOMAIN)
        self._browser.submit(page, reverse("signatures:brand", args=[DOMAIN]), **COMPANY)
        self._say("Filled in the company’s name, address and colour")

    def _sync(self) -> SyncRun:
        page = self._page("integrations:outreach", DOMAIN)
        self._browser.submit(page, reverse("integrations:sync_now", args=[DOMAIN]))
        with self._bar("Reading people, teams and mailboxes") as bar:
            task = bar.add_task("Reading", total=None)

            def look() -> SyncRun | None:
                run = SyncRun.objects.latest("pk")
                bar.update(task, completed=run.people_read + run.teams_read + run.mailboxes_read)
                return run if run.state not in UNFINISHED else None

            run = _wait_for(look, "the sync")
        if run.state != RunState.COMPLETE:
            raise DemoFailed(f"The sync ended as {run.get_state_display().lower()}: {run.cause}")
        self._say(
            f"Read {run.people_read:,} people, {run.teams_read:,} teams, {run.mailboxes_read:,} mailboxes"
        )
        domain = Domain.objects.get(name=DOMAIN)
        senders = Sender.objects.filter(domain=domain)
        _wait_for(lambda: senders.count() >= run.people_read or None, "senders and groups")
        assigned = Assignment.objects.filter(domain=domain).count()
        self._say(
            f"Made {Group.objects.filter(domain=domain).count()} groups from {run.teams_read:,} teams; "
            f"{assigned} assigned a template"
        )
        return run

    def _run_campaigns(self) -> None:
        count = run_campaigns(Domain.objects.get(name=DOMAIN), actor=OWNER_EMAIL)
        page = self._page("signatures:campaigns", DOMAIN)
        if "Spring webinar" not in page.text:
            raise DemoFailed("The campaigns page does not show the active campaign.")
        self._say(f"Started {count} campaigns with generated banners")

    def _publish(self) -> DeliveryRun:
        """Publish release 1 and leave its plan ready to start."""
        page = self._page("signatures:releases", DOMAIN)
        path = reverse("signatures:release_publish", args=[DOMAIN])
        self._browser.submit(
            page,
            reverse("signatures:releases", args=[DOMAIN]),
            to=path,
            note="First release",
            stage_0="",  # everybody at once: who tries it out does not wait between stages
            stage_1="",
        )
        planned = _wait_for(self._find_plan, "the plan")
        self._say(
            f"Published {planned.release}: "
            f"{planned.planned:,} to change, {planned.unchanged:,} to stay, {planned.refused:,} cannot"
        )
        return planned

    def _deliver(self, planned: DeliveryRun) -> DeliveryRun:
        page = self._page("signatures:delivery_run", DOMAIN, planned.pk)
        self._browser.submit(page, reverse("signatures:delivery_start", args=[DOMAIN, planned.pk]))
        with self._bar("Delivering signatures") as bar:
            task = bar.add_task("Delivering", total=planned.planned)

            def look() -> DeliveryRun | None:
                run = DeliveryRun.objects.get(pk=planned.pk)
                bar.update(task, completed=run.delivered + run.failed)
                over = run.state not in UNFINISHED_DELIVERY and run.state != DeliveryRunState.PLANNED
                return run if over else None

            run = _wait_for(look, "the delivery")
        if run.state != DeliveryRunState.COMPLETE:
            raise DemoFailed(f"The delivery ended as {run.get_state_display().lower()}: {run.cause}")
        self._say(f"Delivered {run.delivered:,} signatures")
        return run

    def _send_mails(self) -> Mails:
        mails = send_mails(
            Domain.objects.get(name=DOMAIN),
            self._browser,
            portal_url=self._portal,
            sandbox_url=self._sandbox,
            actor=OWNER_EMAIL,
        )
        self._say(
            f"Chose banners for {mails.sent} mails by who receives them; {mails.clicks} recipients clicked"
        )
        return mails

    def _find_plan(self) -> DeliveryRun | None:
        plans = DeliveryRun.objects.filter(domain__name=DOMAIN, state=DeliveryRunState.PLANNED)
        return plans.select_related("release").first()

    def _bar(self, title: str) -> Progress:
        columns = (TextColumn(f"  {title}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        return Progress(*columns, console=self._console, transient=True)


def _wait_for(look: Callable[[], Found | None], what: str) -> Found:
    """Return what `look` finds as soon as it finds something. Raises DemoFailed when that takes too long."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        found = look()
        if found is not None:
            return found
        time.sleep(LOOK_AGAIN_SECONDS)
    raise DemoFailed(f"Waiting for {what} took more than {PATIENCE_SECONDS:.0f} s.")
