"""Prints the state of the whole installation, as the page System status shows it."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.core.serializers.json import DjangoJSONEncoder
from django.db import Error as DatabaseFailure

from portal.background import enqueue
from portal.operations.readiness import get_readiness
from portal.status.collect import ScheduleState, Status, collect_status
from portal.views.status import SWEEPS

PROBES = ("web", "worker", "machine", "both")


class Command(BaseCommand):
    help = (
        "Print workers, queue, schedules, runs, connections, versions and what needs an operator. "
        "Exit code 0: nothing does; 1: something does; 2: it cannot be told, as the database does not answer. "
        "With --probe: whether one part is ready, within seconds whatever hangs; 0: ready; 1: not ready."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="as JSON")
        parser.add_argument(
            "--requeue", action="store_true", help="queue what is due and that no worker holds, first"
        )

        parser.add_argument(
            "--probe",
            choices=PROBES,
            help="web: what this machine's web server needs; worker: any worker; machine: a worker of this machine; "
            "both: web and worker",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["probe"]:
            self._probe(options["probe"], as_json=options["json"])
            return
        try:
            if options["requeue"]:
                for task in SWEEPS:
                    enqueue(task)
            found = collect_status()
        except DatabaseFailure as error:
            raise CommandError(
                f"It cannot be told, as the database does not answer or is not migrated: {error}",
                returncode=2,
            ) from error
        if options["json"]:
            self.stdout.write(json.dumps(found.as_json(), cls=DjangoJSONEncoder, indent=2))
        else:
            self.stdout.write("\n".join(describe(found)))
        if not found.is_well:
            number = len(found.problems)
            raise CommandError(
                f"{number} {'thing needs' if number == 1 else 'things need'} an operator.", returncode=1
            )

    def _probe(self, part: str, *, as_json: bool) -> None:
        found = getattr(get_readiness(), part)
        if as_json:
            self.stdout.write(json.dumps(found))
        elif found["ready"]:
            self.stdout.write("ready")
        if not found["ready"]:
            raise CommandError(f"Not ready: {'; '.join(found['faults'])}.", returncode=1)


def describe(status: Status) -> list[str]:
    """Return the state as lines for people."""
    lines = [f"workers: {sum(each.is_alive for each in status.machines)} of {len(status.machines)} alive"]
    lines += [
        f"  {each.name}, process {each.process}: {each.state}, {each.age_seconds:.0f} s ago, {each.memory_mb} MB"
        + ("" if each.disk_free_mb is None else f", {each.disk_free_mb:,} MB of disk free")
        for each in status.machines
    ]
    oldest = status.queue.oldest_seconds
    age = "" if oldest is None else f", the oldest for {oldest} s"
    lines.append(f"queue: {status.queue.waiting} waiting{age}, {status.queue.taken} taken")
    lines.append("schedules:")
    lines += [f"  {each.name}: {_describe_schedule(each)}" for each in status.schedules]
    lines.append(f"runs in progress: {len(status.runs)}")
    lines += [
        f"  {each.title} of {each.domain}: {'stuck' if each.is_stuck else each.state.lower()}, {each.progress}"
        for each in status.runs
    ]
    lines.append("connections:")
    lines += [
        f"  {each.domain}: {each.state.lower()}, {each.used:,} of {each.limit:,} calls this hour, "
        f"{each.used_this_year:,} this year"
        + (f", none until {each.blocked_until:%H:%M} UTC" if each.blocked_until else "")
        for each in status.connections
    ]
    lines.append(f"database: {status.database.vendor}, {status.database.size_bytes / 2**20:,.1f} MB")
    lines += [
        f"  {each.name}: {each.size_bytes / 2**20:,.1f} MB, about {each.rows:,} rows"
        for each in status.database.largest
    ]
    lines.append("retention, what goes next at most:")
    lines += [
        f"  {each.model}: {each.rows:,}{' or more' if each.has_more else ''} row{'' if each.rows == 1 else 's'}"
        for each in status.retention
        if each.rows
    ]
    pending = len(status.versions.migrations_pending)
    lines.append(
        f"Countersign {status.versions.countersign}, Django {status.versions.django}, Python {status.versions.python}, "
        f"migrations pending: {pending or 'none'}"
    )
    lines += [f"{each.kind.upper()}: {each.sentence} {each.remedy}" for each in status.problems]
    return lines


def _describe_schedule(schedule: ScheduleState) -> str:
    words = schedule.state
    if schedule.last_at is not None:
        words += f", {schedule.last_at:%-d %b %H:%M}, took {schedule.took_seconds:.1f} s"
    return words + (f", next {schedule.next_at:%-d %b %H:%M} UTC" if schedule.next_at else "")
