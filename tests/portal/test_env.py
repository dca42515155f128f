"""A setting comes from the environment or from the file NAME_FILE names: whole, loud, and as it is."""

from __future__ import annotations

import environ
import pytest
from django.core.exceptions import ImproperlyConfigured

from portal.env import FROM_FILES, read_secret_files, take_literally

SECRET = "canary-of-a-secret"


@pytest.mark.parametrize("name", FROM_FILES)
def test_each_named_setting_may_come_from_a_file(tmp_path, name):
    path = tmp_path / "setting"
    path.write_text("from the file\n")

    assert read_secret_files({f"{name}_FILE": str(path)})[name] == "from the file"


@pytest.mark.parametrize(
    ("content", "read"),
    [
        ("value", "value"),
        ("value\n", "value"),
        ("value\r\n", "value"),
        ("value \n", "value "),
        (" value", " value"),
        ("two\nlines\n", "two\nlines"),
        ("", ""),
    ],
)
def test_the_last_newline_is_no_part_of_a_secret_and_everything_else_is(tmp_path, content, read):
    path = tmp_path / "secret"
    path.write_bytes(content.encode())

    assert read_secret_files({"SECRET_KEY_FILE": str(path)})["SECRET_KEY"] == read


def test_both_at_once_are_refused_without_telling_either(tmp_path):
    path = tmp_path / "secret"
    path.write_text(SECRET)

    with pytest.raises(ImproperlyConfigured) as refused:
        read_secret_files({"SECRET_KEY": SECRET, "SECRET_KEY_FILE": str(path)})

    assert str(refused.value) == "Set either SECRET_KEY or SECRET_KEY_FILE, not both."


def test_an_empty_setting_beside_its_file_is_none(tmp_path):
    path = tmp_path / "secret"
    path.write_text(SECRET)

    assert read_secret_files({"SECRET_KEY": "", "SECRET_KEY_FILE": str(path)})["SECRET_KEY"] == SECRET


@pytest.mark.parametrize("kind", ["absent", "folder", "binary"])
def test_a_file_that_cannot_be_read_is_named_with_its_setting(tmp_path, kind):
    path = tmp_path / kind
    if kind == "folder":
        path.mkdir()
    elif kind == "binary":
        path.write_bytes(SECRET.encode() + b"\xff\xfe")

    with pytest.raises(ImproperlyConfigured) as refused:
        read_secret_files({"TOKEN_KEYS_FILE": str(path)})

    assert "TOKEN_KEYS_FILE" in str(refused.value) and str(path) in str(refused.value)
    assert SECRET not in str(refused.value) + repr(refused.value.__cause__)


def test_other_settings_take_no_file(tmp_path):
    given = {"WORKERS_FILE": str(tmp_path / "absent"), "LOG_LEVEL": "DEBUG"}

    assert read_secret_files(given) == given


@pytest.mark.parametrize(
    "value", ["$ecret", "$$double", "pa$$word", "back\\slash", "back\\$lash", "\\$", "$", "plain", "a=b,c d"]
)
def test_a_value_is_read_as_it_is_whatever_signs_it_holds(value):
    env = environ.Env()
    env.escape_proxy = True
    env.ENVIRON = take_literally({"SECRET_KEY": value, "ecret": "another variable"})

    assert env.str("SECRET_KEY", default="") == value
