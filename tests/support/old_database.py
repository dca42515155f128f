"""Old database: makes the SQL dump that `tests/test_upgrade.py` upgrades; invented data alone.

Run it with today's file and the code of an earlier commit, in a checkout of that commit:

    git worktree add /tmp/before 4be1c9b && cd /tmp/before
    DATABASE_URL=sqlite:////tmp/before.sqlite3 python /path/to/tests/support/old_database.py before.sql.gz

4be1c9b is the last commit before every module moved. Its modules are named here as they were then, so nothing
of today's code can import this file.
"""

from __future__ import annotations

import gzip
import inspect
import os
import sqlite3
import sys
from pathlib import Path
from types import SimpleNamespace

sys.path.insert(0, str(Path.cwd()))
os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"

import django

django.setup()

from django.conf import settings  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import connection as database  # noqa: E402
from django.utils import timezone  # noqa: E402
from django_q.models import OrmQ  # noqa: E402
from django_q.tasks import async_task  # noqa: E402


def make_rows() -> dict[str, dict[str, object]]:
    """Make two furnished domains; return what each task that takes an argument is given."""
    from integrations.chain import get_chain
    from integrations.tokens import sealed_fields
    from signatures.groups import refresh_groups

    from integrations.ledger import record_act
    from integrations.models import (
        Connection,
        ConnectionState,
        DisconnectStep,
        Mailbox,
        Notice,
        Person,
        SyncKind,
        SyncRun,
    )
    from portal.models import Domain
    from signatures.authoring import install_starters
    from signatures.delivery import open_plan
    from signatures.models import DeliveryRun
    from signatures.senders import refresh_senders
    from tests.portal.conftest import furnish

    furnished, bystander = furnish("acme.example"), furnish("bystander.example")
    pair = SimpleNamespace(
        access_token="access-1",
        refresh_token="refresh-1",
        expires_in_seconds=7200,
        scope=None,
        created_at=None,
    )
    for each in (furnished, bystander):
        sealed = sealed_fields(each.connection.pk, pair, at=timezone.now())
        Connection.objects.filter(pk=each.connection.pk).update(**sealed)
        install_starters(each.domain, actor="command")
    Connection.objects.filter(pk=bystander.connection.pk).update(paused_at=timezone.now())
    Domain.objects.filter(pk=bystander.domain.pk).update(automatic_sync=False)
    Person.objects.update(is_locked=False)
    Mailbox.objects.update(is_editable=True)
    refresh_groups(furnished.connection)
    refresh_senders(furnished.connection, since=None)
    record_act("domain made", domain=furnished.domain, actor_label="command")
    leaving = Connection.objects.create(
        domain=Domain.objects.create(name="leaving.example"),
        state=ConnectionState.DISCONNECTING,
        disconnect_step=DisconnectStep.RESTORING,
    )
    DeliveryRun.objects.filter(pk=furnished.delivery_run.pk).delete()
    plan = open_plan(furnished.domain, actor="owner@acme.example")
    queued = SyncRun.objects.create(
        connection=furnished.connection, kind=SyncKind.FULL, started_by_label="command"
    )
    notice = Notice.objects.create(connection=furnished.connection, kind="lost", audience="owners")
    chain = get_chain(furnished.domain)
    return {
        "integrations.tasks.sync_directory": {"run_id": queued.pk},
        "integrations.tasks.check_chain": {"chain_id": chain.pk},
        "integrations.tasks.continue_disconnect": {"connection_id": str(leaving.pk)},
        "integrations.tasks.send_notice": {"notice_id": notice.pk},
        "signatures.tasks.follow_sync": {"run_id": furnished.sync_run.pk},
        "signatures.tasks.plan_delivery": {"run_id": plan.pk},
        "signatures.tasks.deliver_signatures": {"run_id": plan.pk},
        "signatures.tasks.restore_signatures": {"connection_id": str(leaving.pk)},
    }


def queue_every_task(given: dict[str, dict[str, object]]) -> int:
    """Queue each task there is, once; return how many."""
    import integrations.tasks
    import portal.tasks
    import signatures.tasks

    OrmQ.objects.all().delete()
    for module in (integrations.tasks, signatures.tasks, portal.tasks):
        for name, function in inspect.getmembers(module, inspect.isfunction):
            if function.__module__ == module.__name__ and not name.startswith("_"):
                task = f"{module.__name__}.{name}"
                async_task(task, **given.get(task, {}))
    return OrmQ.objects.count()


def main(target: str) -> None:
    call_command("migrate", verbosity=0)
    call_command("setupschedules")
    print(queue_every_task(make_rows()), "tasks queued")
    database.close()
    with sqlite3.connect(settings.DATABASES["default"]["NAME"]) as file:
        Path(target).write_bytes(gzip.compress("\n".join(file.iterdump()).encode(), mtime=0))


if __name__ == "__main__":
    main(sys.argv[1])
