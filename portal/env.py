"""Environment: reads one setting from a variable, or from the file that NAME_FILE points to."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured

FROM_FILES = (
    "SECRET_KEY",
    "SECRET_KEY_FALLBACKS",
    "TOKEN_KEYS",
    "OUTREACH_BASE_URL",
    "OUTREACH_CLIENT_ID",
    "OUTREACH_CLIENT_SECRET",
    "PUBLIC_URL",
    "DATABASE_URL",
    "REDIS_URL",
    "EMAIL_URL",
    "METRICS_TOKEN",
    "NOTICE_WEBHOOK_URL",
    "NOTICE_WEBHOOK_SECRET",
    "NOTICE_SLACK_URL",
    "ALLOWED_HOSTS",
    "DEBUG",
)


@contextmanager
def _reading(name: str) -> Iterator[None]:
    try:
        yield
    except ValueError:
        # Not chained: its words hold a part of what may be a secret.
        raise ImproperlyConfigured(f"The value of {name} cannot be read; .env.example shows one.") from None


class Env(environ.Env):
    """Names the setting whose value cannot be read, and not the value."""

    def get_value(self, var: str, *args: Any, **kwargs: Any) -> Any:
        with _reading(var):
            return super().get_value(var, *args, **kwargs)

    def db(self, var: str, *args: Any, **kwargs: Any) -> Any:
        with _reading(var):
            return super().db(var, *args, **kwargs)

    def email_url(self, var: str, *args: Any, **kwargs: Any) -> Any:
        with _reading(var):
            return super().email_url(var, *args, **kwargs)


def read_secret_files(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return `environ` with each NAME taken from the file NAME_FILE names, its last newline removed.

    Raises ImproperlyConfigured where both are set, or the file cannot be read: a secret must not be ignored silently.
    """
    merged = dict(environ)
    for name in FROM_FILES:
        path = environ.get(f"{name}_FILE")
        if not path:
            continue
        if environ.get(name):
            raise ImproperlyConfigured(f"Set either {name} or {name}_FILE, not both.")
        try:
            merged[name] = Path(path).read_text(encoding="utf-8").rstrip("\r\n")
        except OSError as error:
            raise ImproperlyConfigured(
                f"{name}_FILE names {path}, which cannot be read: {error.strerror}."
            ) from error
        except UnicodeDecodeError:
            # Not chained: its words hold bytes of what may be a secret.
            raise ImproperlyConfigured(f"{name}_FILE names {path}, which is not UTF-8 text.") from None
    return merged


def take_literally(environ: Mapping[str, str]) -> dict[str, str]:
    """Return `environ` so that django-environ, with escape_proxy, reads each value as it is.

    It takes a value that begins with `$` for the name of another variable, and a secret may begin so.
    """
    return {name: value.replace("$", "\\$") for name, value in environ.items()}
