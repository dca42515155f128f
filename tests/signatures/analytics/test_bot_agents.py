"""The public list of bots: what is taken from it, and the command that makes our file anew."""

from __future__ import annotations

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from signatures.analytics import bot_agents

ENTRIES = [
    {"pattern": "Examplebot\\/"},
    {"pattern": "[wW]get2"},
    {"pattern": "^curlish"},
    {"pattern": "Alpha Reader|Beta Reader"},
    {"pattern": "One(Two|Three)"},
    {"pattern": "Any[\\s\\S]*thing"},
    {"pattern": "XQ\\/"},
    {"pattern": "GoogleImageProxy"},
    {"pattern": "Examplebot\\/"},
]


@pytest.fixture
def kept(monkeypatch, tmp_path):
    """A file of names of its own, in place of the one that is shipped."""
    monkeypatch.setattr(bot_agents, "FILE", tmp_path / "names.txt")
    caches = (bot_agents._load, bot_agents.get_source)
    for cache in caches:
        cache.cache_clear()
    yield bot_agents.FILE
    for cache in caches:
        cache.cache_clear()


@pytest.fixture
def published(tmp_path):
    folder = tmp_path / "package"
    folder.mkdir()
    (folder / "crawler-user-agents.json").write_text(json.dumps(ENTRIES))
    (folder / "package.json").write_text('{"version": "9.8.7"}')
    return folder / "crawler-user-agents.json"


def test_the_command_takes_plain_names_and_says_what_it_passed_over(kept, published):
    said = StringIO()

    call_command("refreshbotlist", published, stdout=said)

    heading, _, *names = kept.read_text().splitlines()
    assert "crawler-user-agents 9.8.7, MIT licence" in heading
    assert names == ["Alpha Reader", "Beta Reader", "Examplebot/", "Wget2", "^XQ/", "^curlish", "wget2"]
    assert said.getvalue() == (
        "7 names of version 9.8.7; 2 patterns that are not plain names were skipped. "
        "Restart, then `recountbanners`.\n"
    )
    assert bot_agents.count_names() == 7
    assert bot_agents.get_source() == (
        "crawler-user-agents 9.8.7, MIT licence, Copyright (c) 2017 Martin Monperrus"
    )


@pytest.mark.parametrize(
    ("agent", "is_listed"),
    [
        ("Mozilla/5.0 (compatible; Examplebot/2.1)", True),
        ("examplebot/2.1", False),  # letter case counts, as the list means it
        ("wget2/1.0", True),
        ("Wget2/1.0", True),
        ("curlish", True),
        ("x curlish", False),
        ("XQ/1", True),
        ("Mozilla XQ/1", False),  # so short a name counts at the beginning alone
        ("via GoogleImageProxy", False),
        ("", False),
    ],
)
def test_a_name_counts_where_the_list_means_it(kept, published, agent, is_listed):
    call_command("refreshbotlist", published, stdout=StringIO())

    assert bot_agents.is_listed(agent) is is_listed


def test_a_dry_run_writes_nothing(kept, published):
    call_command("refreshbotlist", published, "--dry-run", stdout=StringIO())

    assert not kept.exists()


@pytest.mark.parametrize(
    "content", ["", "{}", "[1]", '[{"name": "x"}]', '[{"pattern": 7}]', "[]", "[" * 10_000]
)
def test_another_file_is_refused_and_ours_stays(kept, published, content):
    kept.write_text("# x: y.\n#\nKept/\n")
    published.write_text(content)

    with pytest.raises(CommandError):
        call_command("refreshbotlist", published)

    assert kept.read_text() == "# x: y.\n#\nKept/\n"


def test_the_file_that_is_shipped_is_the_lists_with_its_licence():
    assert bot_agents.count_names() > 1_000
    assert bot_agents.get_source().startswith("crawler-user-agents 1.")
    assert "MIT License" in bot_agents.FILE.with_suffix(".LICENSE").read_text()
