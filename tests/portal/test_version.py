"""Version: one number, the same on the command line, on pages and in the changelog."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib

from django.conf import settings

from portal import __version__
from portal.models import Role


def test_the_command_line_prints_the_version_of_countersign_without_any_setting():
    said = [
        subprocess.run(
            [sys.executable, "manage.py", argument],
            cwd=settings.BASE_DIR,
            env={},
            capture_output=True,
            text=True,
        ).stdout
        for argument in ("--version", "version")
    ]

    assert said == [f"Countersign {__version__}\n"] * 2


def test_pages_show_the_version_to_people_who_are_signed_in_alone(client, make_member, domain):
    stranger = client.get("/accounts/login/")
    client.force_login(make_member(domain, Role.AUDITOR))

    page = client.get(f"/domains/{domain.name}/")

    assert page.content.decode().count(f"Countersign {__version__}<") == 1
    assert __version__ not in stranger.content.decode()


def test_the_version_is_semantic_and_stands_in_one_place():
    project = tomllib.loads((settings.BASE_DIR / "pyproject.toml").read_text())

    assert re.fullmatch(r"\d+\.\d+\.\d+", __version__)
    assert "version" not in project["project"]
    assert project["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "portal.__version__"}


def test_the_changelog_begins_with_this_version():
    heads = re.findall(r"^## (\S+?),? ", (settings.BASE_DIR / "CHANGELOG.md").read_text(), re.MULTILINE)

    assert heads[0] == __version__
    assert heads == sorted(heads, key=lambda head: [int(part) for part in head.split(".")], reverse=True)
