"""What the deployment checks find, each by its id, with a hint."""

from __future__ import annotations

import contextlib
import os

import pytest
from django.core.checks import run_checks
from django.db import ConnectionHandler

from tests.support.portal_process import find_free_port

SOUND = {
    "DEBUG": False,
    "IS_HTTPS": True,
    "ALLAUTH_TRUSTED_PROXY_COUNT": 1,
    "IS_SANDBOX": False,
    "OUTREACH_BASE_URL": "https://api.outreach.io",
    "OUTREACH_CLIENT_ID": "client",
    "OUTREACH_CLIENT_SECRET": "secret",
}


@pytest.fixture(autouse=True)
def sound(settings, db):
    for name, value in SOUND.items():
        setattr(settings, name, value)


@pytest.fixture
def account(tmp_path):
    """Act as an account that is not root, to which everything is writable."""

    @contextlib.contextmanager
    def be_nobody():
        if os.geteuid():
            yield
            return
        for folder in (tmp_path, *tmp_path.parents[:2]):
            folder.chmod(folder.stat().st_mode | 0o055)
        os.setresuid(65534, 65534, 0)
        try:
            yield
        finally:
            os.setresuid(0, 0, 0)

    return be_nobody


def find(*, deploy=True):
    return sorted(
        found.id
        for found in run_checks(include_deployment_checks=deploy)
        if str(found.id).startswith("portal.")
    )


def test_a_sound_installation_has_nothing_to_mend():
    assert find() == []


@pytest.mark.parametrize(
    ("changes", "ids"),
    [
        ({"TOKEN_KEYS": []}, ["portal.E001"]),
        ({"TOKEN_KEYS": ["not a key"]}, ["portal.E001"]),
        ({"SCANNER_NETWORKS": ["203.0.113.0/24", "2001:db8::/48"]}, []),
        ({"SCANNER_NETWORKS": ["203.0.113.9"]}, ["portal.E010"]),
        ({"SCANNER_NETWORKS": ["everybody"]}, ["portal.E010"]),
        ({"IS_HTTPS": False}, ["portal.W002"]),
        ({"IS_HTTPS": False, "ALLAUTH_TRUSTED_PROXY_COUNT": 0}, ["portal.W002"]),
        ({"ALLAUTH_TRUSTED_PROXY_COUNT": 0}, ["portal.E011"]),
        ({"ALLAUTH_TRUSTED_PROXY_COUNT": 2}, []),
        ({"IS_SANDBOX": True}, ["portal.E003"]),
        ({"IS_SANDBOX": True, "DEBUG": True}, []),
        ({"OUTREACH_BASE_URL": "http://api.outreach.io"}, ["portal.E005"]),
        ({"OUTREACH_BASE_URL": "https://api.outreach.io/api/v2"}, ["portal.E005"]),
        ({"OUTREACH_BASE_URL": "api.outreach.io"}, ["portal.E005"]),
        ({"EMAIL_BACKEND": "django.core.mail.backends.console.EmailBackend"}, ["portal.W015"]),
        ({"OUTREACH_CLIENT_ID": ""}, ["portal.E004"]),
        ({"OUTREACH_CLIENT_SECRET": ""}, ["portal.E004"]),
        (
            {"TOKEN_KEYS": [], "IS_HTTPS": False, "IS_SANDBOX": True},
            ["portal.E001", "portal.E003", "portal.W002"],
        ),
    ],
)
def test_each_fault_has_its_id(settings, changes, ids):
    for name, value in changes.items():
        setattr(settings, name, value)

    assert find() == ids


@pytest.mark.parametrize("name", ["locked/spool", "file/spool", "file"])
def test_a_spool_folder_that_cannot_be_written_to_is_found_and_none_is_made(
    settings, tmp_path, name, account
):
    (tmp_path / "locked").mkdir(mode=0o500)
    (tmp_path / "file").touch()
    settings.SPOOL_FOLDER = str(tmp_path / name)
    with account():
        refused = find()
    settings.SPOOL_FOLDER = str(tmp_path / "made" / "later")

    assert (refused, find()) == (["portal.E012"], [])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "locked"]


def test_a_database_that_does_not_answer_is_found(settings, monkeypatch, tmp_path):
    nowhere = ConnectionHandler(
        {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": tmp_path / "absent" / "file"}}
    )
    monkeypatch.setattr("portal.checks.connection", nowhere["default"])

    assert find() == ["portal.E013"]


def test_a_redis_that_does_not_answer_is_found(settings):
    url = f"redis://:canary-password@127.0.0.1:{find_free_port()}/0"
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": url}}
    settings.REDIS_URL = url

    found = [each for each in run_checks(include_deployment_checks=True) if each.id == "portal.E014"]

    assert [each.msg for each in found] == [
        "Redis does not answer (ConnectionError), so nobody could sign in."
    ]


def test_only_the_key_is_looked_at_on_every_start(settings):
    settings.TOKEN_KEYS, settings.IS_HTTPS, settings.IS_SANDBOX = [], False, True

    assert find(deploy=False) == ["portal.E001"]


def test_each_finding_says_what_to_do_and_shows_no_secret(settings):
    settings.TOKEN_KEYS = ["canary-of-a-key"]
    settings.IS_HTTPS, settings.IS_SANDBOX, settings.OUTREACH_CLIENT_ID = False, True, ""
    settings.OUTREACH_CLIENT_SECRET = "canary-of-a-secret"

    found = [
        each for each in run_checks(include_deployment_checks=True) if str(each.id).startswith("portal.")
    ]

    assert len(found) == 4
    assert all(each.hint for each in found)
    assert "canary" not in str(found)
