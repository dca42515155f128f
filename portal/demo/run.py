"""Run: creates database and owner, starts the portal, runs the scenario, and waits."""

from __future__ import annotations

import contextlib
import threading
from pathlib import Path

from django.conf import settings
from django.urls import reverse
from rich.console import Console

from . import environment
from .browser import answers
from .scenario import Scenario
from .summary import build_table


def perform(folder: Path, plan: environment.Plan, *, console: Console, is_once: bool) -> bool:
    """Run the scenario and print its summary; return whether every mailbox holds what was delivered.

    is_once: return then. Otherwise the portal serves until Ctrl-C.
    """
    console.print(
        f"[bold]Countersign demo[/bold]: an invented company of {plan.people:,} people, all on this machine"
    )
    environment.run_command("migrate", "--verbosity", "0")
    environment.run_command(
        "createdomain", environment.DOMAIN, "--owner", environment.OWNER_EMAIL, "--operator"
    )
    console.print(f"[green]✓[/green] Created the database {folder / 'demo.sqlite3'}")
    health = plan.portal_url + reverse("portal:healthz")
    with environment.running_portal(folder, plan, lambda: answers(health)):
        console.print(
            f"[green]✓[/green] Started the portal, its worker and a sandbox Outreach at {settings.OUTREACH_BASE_URL}"
        )
        result = Scenario(plan, sandbox_url=settings.OUTREACH_BASE_URL, console=console).walk()
        console.print(build_table(result))
        for email in result.read_back.mismatches[:20]:
            console.print(f"[red]✗[/red] {email} does not hold what was delivered")
        console.print(
            f"Portal:  {plan.portal_url}/\nLogin:   {environment.OWNER_EMAIL}\nPassword: {environment.OWNER_PASSWORD}\n"
            f"Outreach: {settings.OUTREACH_BASE_URL}/people/ (change a title or a signature, and watch)"
        )
        if not is_once:
            console.print("It keeps running, worker included, until you press Ctrl-C.")
            with contextlib.suppress(KeyboardInterrupt):
                threading.Event().wait()
    return not result.read_back.mismatches
