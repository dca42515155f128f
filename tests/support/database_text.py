"""Database text: everything that every table holds."""

from __future__ import annotations

from django.contrib.sessions.models import Session
from django.db import connection


def dump_database() -> str:
    """Everything every table holds, as text; sessions decoded, since their encoding hides nothing."""
    held = []
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names():
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")  # noqa: S608 - our own tables
            held += [str(row) for row in cursor.fetchall()]
    return "\n".join(held + [str(session.get_decoded()) for session in Session.objects.all()])
