"""Summary: prints a table of what the demo did."""

from __future__ import annotations

from rich.table import Table

from .result import Result


def build_table(result: Result) -> Table:
    table = Table(show_header=False, title="The main job, done", title_justify="left")
    table.add_column(style="dim")
    table.add_column()
    table.add_row("Connected as", result.connected_as)
    table.add_row("Scopes granted", ", ".join(result.scopes))
    table.add_row("People", f"{result.people:,}")
    table.add_row("Teams", f"{result.teams:,}")
    table.add_row("Groups", f"{result.groups:,}")
    table.add_row("Mailboxes", f"{result.mailboxes:,}")
    table.add_row("Delivered", f"{result.delivered:,}")
    table.add_row("Unchanged", f"{result.unchanged:,}")
    table.add_row("Refused", f"{sum(count for _, count in result.refused):,}")
    for reason, count in result.refused:
        table.add_row("", f"{count:,} × {reason}")
    table.add_row("Calls to Outreach", f"{result.calls:,}")
    table.add_row(
        "Read back", f"{result.read_back.compared:,} mailboxes, {len(result.read_back.mismatches)} differ"
    )
    for number, (campaign, count) in enumerate(result.mails.banners):
        table.add_row("" if number else "Banners in mails", f"{count:,} × {campaign}")
    table.add_row("Seconds", f"{result.seconds:.1f}")
    return table
