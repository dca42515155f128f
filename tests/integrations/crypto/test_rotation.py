"""Key rotation: every secret under the newest key, killed where it may be, and none unreadable."""

from __future__ import annotations

import base64
import random
import signal

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import TOTP
from cryptography.fernet import Fernet, InvalidToken
from django.core.management import CommandError, call_command

from integrations.crypto.rotation import reseal_all
from integrations.crypto.sealing import open_sealed, seal
from integrations.models import Connection
from tests.support.connections import get_values

pytestmark = pytest.mark.soak

NEW_KEY = base64.urlsafe_b64encode(b"the newest key of 32 bytes here!").decode()
LOST_KEY = base64.urlsafe_b64encode(b"a key that was lost in a move...").decode()


def is_under(key, sealed):
    try:
        Fernet(key).decrypt(sealed.encode())
    except InvalidToken:
        return False
    return True


def get_sealed():
    """Every sealed text of the database."""
    found = []
    for row in Connection.objects.all():
        found += [row.access_sealed, row.refresh_sealed]
    for row in Authenticator.objects.all():
        found += [row.data[key] for key in ("secret", "seed") if key in row.data]
    return found


@pytest.fixture
def seed(owner):
    """A one-time-password seed and recovery codes, sealed by the adapter as a set-up seals them."""
    TOTP.activate(owner, "ABCDEFGHIJKLMNOP")
    Authenticator.objects.create(
        user=owner,
        type=Authenticator.Type.RECOVERY_CODES,
        data={"seed": seal("recovery-seed", bound_to="mfa"), "used_mask": 5},
    )


def test_rotating_puts_everything_under_the_newest_key(
    sandbox, connection, bystander, seed, settings, capsys
):
    before = {
        row.pk: open_sealed(row.refresh_sealed, bound_to=f"{row.pk}:refresh")
        for row in Connection.objects.all()
    }
    old = list(settings.TOKEN_KEYS)
    settings.TOKEN_KEYS = [NEW_KEY, *old]

    call_command("rotatekeys", dry_run=True)
    assert not any(is_under(NEW_KEY, sealed) for sealed in get_sealed())
    call_command("rotatekeys")

    assert capsys.readouterr().out.splitlines() == [
        "6 secrets would be under the newest key.",
        "6 secrets are under the newest key.",
    ]
    assert all(is_under(NEW_KEY, sealed) for sealed in get_sealed())
    settings.TOKEN_KEYS = [NEW_KEY]
    assert before == {
        row.pk: open_sealed(row.refresh_sealed, bound_to=f"{row.pk}:refresh")
        for row in Connection.objects.all()
    }
    recovery = Authenticator.objects.get(type=Authenticator.Type.RECOVERY_CODES)
    assert (open_sealed(recovery.data["seed"], bound_to="mfa"), recovery.data["used_mask"]) == (
        "recovery-seed",
        5,
    )
    assert "sealed" not in str(Authenticator.objects.get(type=Authenticator.Type.TOTP).wrap())


def test_what_no_key_opens_is_named_and_left_and_the_rest_is_rotated(
    sandbox, connection, bystander, settings
):
    lost = Fernet(LOST_KEY).encrypt(b"x\ny").decode()
    Connection.objects.filter(pk=bystander.pk).update(refresh_sealed=lost)
    before = get_values(bystander)
    settings.TOKEN_KEYS = [NEW_KEY, *settings.TOKEN_KEYS]

    with pytest.raises(CommandError, match=r"connection of bystander\.example"):
        call_command("rotatekeys")

    assert get_values(bystander) == before
    row = Connection.objects.get(pk=connection.pk)
    assert is_under(NEW_KEY, row.access_sealed) and is_under(NEW_KEY, row.refresh_sealed)


def test_ended_connections_hold_nothing_to_rotate(sandbox, connection):
    Connection.objects.filter(pk=connection.pk).update(access_sealed="", refresh_sealed="")

    tally = reseal_all()

    assert (tally.resealed, tally.unreadable) == (0, [])


MANY = """
import sys
from integrations.models import Connection
from integrations.crypto.sealing import seal
from portal.models import Domain
for number in range(100):
    domain = Domain.objects.create(name=f"d{number}.example")
    row = Connection(domain=domain)
    row.access_sealed = seal("access", bound_to=f"{row.pk}:access")
    row.refresh_sealed = seal("refresh", bound_to=f"{row.pk}:refresh")
    row.save()
"""
READ_ALL = """
from integrations.models import Connection
from integrations.crypto.sealing import open_sealed
for row in Connection.objects.all():
    assert open_sealed(row.access_sealed, bound_to=f"{row.pk}:access") == "access"
    assert open_sealed(row.refresh_sealed, bound_to=f"{row.pk}:refresh") == "refresh"
print("all readable")
"""


ROTATE_UNTIL_KILLED = """
import os, signal, sys
from django.db import connection
from integrations.crypto.rotation import reseal_all

left = int(sys.argv[1])

def count_down(execute, *arguments):
    global left
    answer = execute(*arguments)
    left -= 1
    if not left:
        os.kill(os.getpid(), signal.SIGKILL)
    return answer

with connection.execute_wrapper(count_down):
    reseal_all()
"""


def test_i9_a_rotation_killed_at_any_moment_leaves_every_secret_readable(installation, settings):
    old = settings.TOKEN_KEYS[0]
    installation.run(MANY)
    both = f"{NEW_KEY},{old}"
    chance = random.Random(7)  # noqa: S311 - repeatable, not secret
    half_done = 0
    # Each is killed by its own hand after so many statements: between two rows, or inside one's transaction.
    for statement in [1, 2, 3, 4, *(chance.randrange(5, 290) for _ in range(6))]:
        process = installation.start_script(ROTATE_UNTIL_KILLED, str(statement), TOKEN_KEYS=both)
        assert process.wait() == -signal.SIGKILL
        rows = installation.rows("select access_sealed, refresh_sealed from integrations_connection")
        half_done += 0 < sum(is_under(NEW_KEY, access) for access, _ in rows) < len(rows)
        assert all(is_under(NEW_KEY, access) == is_under(NEW_KEY, refresh) for access, refresh in rows)
        assert all(any(is_under(key, sealed) for key in (NEW_KEY, old)) for row in rows for sealed in row)
    assert half_done > 5
    assert installation.run(READ_ALL, TOKEN_KEYS=both) == "all readable"

    done = installation.manage("rotatekeys", TOKEN_KEYS=both)

    assert done.returncode == 0, done.stderr
    assert "200 secrets are" in done.stdout
    assert installation.run(READ_ALL, TOKEN_KEYS=NEW_KEY) == "all readable"
