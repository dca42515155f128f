"""Settings as an operator meets them: in a process of its own, from an environment of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
KEY = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
NAMES = (
    "ALLOWED_HOSTS", "CACHES", "CSRF_COOKIE_NAME", "DATABASES", "DEBUG", "IS_HTTPS", "IS_SANDBOX", "MIDDLEWARE",
    "OUTREACH_BASE_URL", "OUTREACH_CLIENT_SECRET", "PUBLIC_URL", "Q_CLUSTER",
    "RECIPIENT_LOOKUPS_PER_HOUR", "SECRET_KEY", "SESSION_COOKIE_NAME",
    "SESSION_COOKIE_SECURE", "SECURE_HSTS_SECONDS", "SECURE_SSL_REDIRECT", "SOCIALACCOUNT_PROVIDERS",
    "SOCIALACCOUNT_STORE_TOKENS", "TOKEN_KEYS", "CONTENT_SECURITY_POLICY",
)  # fmt: skip
SCRIPT = f"""
import json
from django.conf import settings
print(json.dumps({{name: getattr(settings, name) for name in {NAMES!r}}}, default=str))
"""
DEFAULTS = {"SECRET_KEY": "s" * 60, "TOKEN_KEYS": KEY, "PUBLIC_URL": "https://signatures.acme.example"}


def start(*command, **environ):
    return subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "DJANGO_SETTINGS_MODULE": "portal.settings", **environ},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def read(**environ):
    done = start("-c", SCRIPT, **DEFAULTS | environ)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(autouse=True)
def no_dotenv():
    if (ROOT / ".env").exists():
        pytest.skip("This checkout has a .env of its own, which settings read.")


def test_what_a_public_installation_gets_without_asking():
    found = read()

    assert (found["DEBUG"], found["IS_HTTPS"], found["IS_SANDBOX"]) == (False, True, False)
    assert found["OUTREACH_BASE_URL"] == "https://api.outreach.io"
    assert found["ALLOWED_HOSTS"] == ["signatures.acme.example"]
    assert (found["SESSION_COOKIE_NAME"], found["CSRF_COOKIE_NAME"]) == ("__Host-session", "__Host-csrf")
    assert (found["SESSION_COOKIE_SECURE"], found["SECURE_SSL_REDIRECT"]) == (True, True)
    assert found["SECURE_HSTS_SECONDS"] == 31_536_000
    assert found["SOCIALACCOUNT_STORE_TOKENS"] is False
    assert found["DATABASES"]["default"]["OPTIONS"]["transaction_mode"] == "IMMEDIATE"
    assert "journal_mode=WAL" in found["DATABASES"]["default"]["OPTIONS"]["init_command"]
    directives = found["CONTENT_SECURITY_POLICY"]["DIRECTIVES"]
    assert "unsafe" not in json.dumps(directives) and directives["default-src"] == ["'none'"]


def test_the_queue_hands_no_task_out_twice_while_it_may_still_run():
    cluster = read(WORKERS="3", LONG_WORKERS="5")["Q_CLUSTER"]

    assert cluster["ALT_CLUSTERS"] == {"long": {"workers": 5}}
    waits = -(-(cluster["queue_limit"] + 1) // cluster["workers"])
    assert cluster["retry"] > cluster["timeout"] * (1 + waits)
    assert (cluster["workers"], cluster["ack_failures"], cluster["catch_up"]) == (3, True, False)
    assert cluster["max_attempts"] > 0


def test_lists_take_spaces_and_secrets_any_sign():
    found = read(
        TOKEN_KEYS=f" {KEY} , {KEY} ,",
        ALLOWED_HOSTS="a.example, b.example",
        OUTREACH_CLIENT_SECRET="$3cret\\$x",
    )

    assert found["TOKEN_KEYS"] == [KEY, KEY]
    assert found["ALLOWED_HOSTS"] == ["a.example", "b.example"]
    assert found["OUTREACH_CLIENT_SECRET"] == "$3cret\\$x"


def test_a_setting_still_works_under_its_older_name():
    name, older = "RECIPIENT_LOOKUPS_PER_HOUR", "READER_LOOKUPS_PER_HOUR"

    assert read()[name] == 500
    assert read(**{older: "7"})[name] == 7
    assert read(**{older: "7", name: "9"})[name] == 9


def test_settings_come_from_files(tmp_path):
    for name, content in {
        "SECRET_KEY": "f" * 60,
        "DATABASE_URL": f"sqlite:///{tmp_path}/other.sqlite3",
    }.items():
        (tmp_path / name).write_text(content + "\n")

    found = read(
        SECRET_KEY="",
        SECRET_KEY_FILE=str(tmp_path / "SECRET_KEY"),
        DATABASE_URL_FILE=str(tmp_path / "DATABASE_URL"),
    )

    assert found["SECRET_KEY"] == "f" * 60
    assert found["DATABASES"]["default"]["NAME"] == f"{tmp_path}/other.sqlite3"


def test_the_client_secret_stays_out_of_allauth():
    found = read(OUTREACH_CLIENT_ID="client", OUTREACH_CLIENT_SECRET="canary-secret")

    assert found["SOCIALACCOUNT_PROVIDERS"] == {"outreach": {"APPS": [{"client_id": "client", "secret": ""}]}}


def test_redis_is_the_shared_cache_where_it_is_named():
    assert read()["CACHES"]["default"]["BACKEND"].endswith("DatabaseCache")
    assert read(REDIS_URL="redis://127.0.0.1:6379/1")["CACHES"]["default"]["BACKEND"].endswith("RedisCache")


@pytest.mark.parametrize(
    "url",
    ["signatures.acme.example", "ftp://acme.example", "https://", "https://acme.example/path", "https:///x"],
)
def test_a_public_address_that_is_none_is_refused_at_start(url):
    done = start("-c", SCRIPT, **DEFAULTS | {"PUBLIC_URL": url})

    assert done.returncode != 0
    assert "PUBLIC_URL must look like" in done.stderr


def test_fewer_than_no_proxies_are_refused_at_start():
    done = start("-c", SCRIPT, **DEFAULTS | {"TRUSTED_PROXIES": "-1"})

    assert done.returncode != 0
    assert "TRUSTED_PROXIES is the number of reverse proxies" in done.stderr


@pytest.mark.parametrize("keys", ["", "nonsense"])
def test_without_a_token_key_no_command_starts(keys, tmp_path):
    done = start(
        "manage.py",
        "migrate",
        "--check",
        **DEFAULTS | {"TOKEN_KEYS": keys, "DATABASE_URL": f"sqlite:///{tmp_path}/x"},
    )

    assert done.returncode != 0
    assert "portal.E001" in done.stderr


def test_a_deployment_check_of_a_sound_installation_finds_nothing(tmp_path):
    done = start(
        "manage.py", "check", "--deploy", "--fail-level=WARNING",
        **DEFAULTS | {
            "SECRET_KEY": "".join(chr(33 + number % 90) for number in range(70)),
            "OUTREACH_CLIENT_ID": "client",
            "OUTREACH_CLIENT_SECRET": "secret", "EMAIL_URL": "smtp://127.0.0.1",
            "TRUSTED_PROXIES": "1",
            "DATABASE_URL": f"sqlite:///{tmp_path}/x",
        },
    )  # fmt: skip

    assert done.returncode == 0, done.stderr


def test_python_s_own_warnings_are_objects_too_where_the_log_is():
    script = "import django, warnings; django.setup(); warnings.warn('an old name', DeprecationWarning)"

    done = start("-W", "always", "-c", script, **DEFAULTS, LOG_FORMAT="json")

    said = [json.loads(line)["message"] for line in done.stderr.splitlines()]
    assert any("DeprecationWarning: an old name" in message for message in said)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("WORKERS", "two"),
        ("HEARTBEAT_GRACE_SECONDS", "90s"),
        ("LOG_LEVEL", "verbose"),
        ("DATABASE_URL", "postgres://portal:a/password@host/d"),
        ("EMAIL_URL", "smtp://portal:a/password@host"),
    ],
)
def test_a_value_that_cannot_be_read_is_told_by_its_setting(name, value):
    done = start("-c", "from django.conf import settings; settings.DEBUG", **DEFAULTS, **{name: value})

    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert last.startswith("django.core.exceptions.ImproperlyConfigured: ") and name in last
    assert value not in done.stderr and "'a'" not in done.stderr  # a part of the password
