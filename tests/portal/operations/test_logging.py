"""What the worker's library logs during an outage, through the logging that the portal sets up."""

import io
import logging
import logging.config
from collections.abc import Iterator

import pytest
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import InterfaceError, OperationalError

from portal.operations.logging import MAILED_EVERY_SECONDS, SAID_EVERY_SECONDS, MailFilter, OutageFilter


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """What the console shows, under the settings' own configuration."""
    console = io.StringIO()
    present = settings.LOGGING["handlers"]
    handlers = {**present, "console": {**present["console"], "stream": console}}
    logging.config.dictConfig(settings.LOGGING | {"handlers": handlers})
    yield console
    logging.config.dictConfig(settings.LOGGING)


def test_a_closed_connection_is_said_once_with_what_and_why(log):
    library, bystander = logging.getLogger("django-q"), logging.getLogger("portal")

    for _ in range(40):
        library.error(OperationalError("the connection is closed"))
        bystander.error("its own line")

    lines = log.getvalue().splitlines()
    assert len([line for line in lines if "its own line" in line]) == 40
    said = [line for line in lines if " django-q: " in line]
    assert len(said) == 1
    assert said[0].endswith(
        "The worker cannot reach its database or cache and keeps trying "
        "(OperationalError: the connection is closed). Logged again in a minute if it lasts."
    )


@pytest.mark.parametrize("error", [ValueError("bad task"), ImproperlyConfigured("no key"), KeyError("name")])
def test_a_fault_of_ours_is_logged_each_time(log, error):
    for _ in range(3):
        logging.getLogger("django-q").error(error)

    assert log.getvalue().count(str(error)) == 3


def test_another_kind_is_said_beside_it_and_the_same_again_after_a_minute():
    clock = [0.0]
    outages = OutageFilter(now=lambda: clock[0])

    def passes(error: object) -> bool:
        return outages.filter(logging.LogRecord("django-q", logging.ERROR, "", 1, error, None, None))

    assert passes(OperationalError("gone\nand a second line"))
    assert passes(InterfaceError(""))
    clock[0] = SAID_EVERY_SECONDS - 1
    assert not passes(OperationalError("gone"))
    clock[0] = SAID_EVERY_SECONDS
    assert passes(OperationalError("gone"))


def test_the_same_fault_is_mailed_again_after_ten_minutes_and_another_at_once():
    clock = [0.0]
    mails = MailFilter(now=lambda: clock[0])

    def passes(error: Exception) -> bool:
        record = logging.LogRecord(
            "django.request", logging.ERROR, "", 1, "%s", None, (type(error), error, None)
        )
        return mails.filter(record)

    assert [passes(KeyError("a")), passes(ValueError("b")), passes(KeyError("c"))] == [True, True, False]
    clock[0] = MAILED_EVERY_SECONDS - 1
    assert not passes(KeyError("a"))
    clock[0] = MAILED_EVERY_SECONDS
    assert passes(KeyError("a"))
