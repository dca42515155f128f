"""What the tests of renewing share: a pair grown old, one read that needs it, and twenty askers at once."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from integrations.models import Connection
from integrations.sync.one_person import read_mailboxes

REFRESHERS = """
import json, multiprocessing, threading
from integrations.models import Connection
from integrations.sync.one_person import read_mailboxes
from django.db import connections

def ask(found):
    try:
        row = Connection.objects.get(domain__name="acme.example")
        read_mailboxes(row, "1", job="test")
        found.append("ok")
    except Exception as error:
        found.append(type(error).__name__ + ": " + str(error))
    finally:
        connections["default"].close()

def work(barrier, answers):
    connections["default"].close()
    barrier.wait()
    found = []
    threads = [threading.Thread(target=ask, args=(found,)) for _ in range(5)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    answers.put(found)

context = multiprocessing.get_context("fork")
everything = []
for _ in range(int(sys.argv[1])):
    from django.utils import timezone
    from datetime import timedelta
    Connection.objects.filter(domain__name="acme.example").update(
        refreshed_at=timezone.now() - timedelta(hours=3), access_expires_at=timezone.now())
    connections["default"].close()
    barrier, answers = context.Barrier(4), context.Queue()
    workers = [context.Process(target=work, args=(barrier, answers)) for _ in range(4)]
    for worker in workers: worker.start()
    everything.append(sum((answers.get(timeout=60) for _ in workers), []))
    for worker in workers: worker.join()
print(json.dumps(everything))
"""


def age(connection: Connection, **since: float) -> None:
    """The pair was stored this long ago, so that it may be renewed; its access token has run out."""
    Connection.objects.filter(pk=connection.pk).update(
        refreshed_at=timezone.now() - timedelta(**(since or {"hours": 3})),
        access_expires_at=timezone.now() - timedelta(minutes=1),
    )
    connection.refresh_from_db()


def read_one(connection: Connection) -> bool:
    """One read leaves and is answered, or it raises."""
    read_mailboxes(connection, "1", job="test")
    return True
