"""Vendored bundle: what is shipped is what was built from the sources beside it, under licences that are named."""

from __future__ import annotations

import json
import re
from hashlib import sha256

from tests.support.installation import ROOT

ASSETS = ROOT / "assets"
RECORD = json.loads((ASSETS / "built.json").read_text())
REBUILD = "run `npm ci && npm run build` in assets/"


def digest(path) -> str:
    return sha256(path.read_bytes()).hexdigest()


def test_the_bundle_was_built_from_the_sources_that_are_here() -> None:
    sources = [
        path
        for path in ASSETS.rglob("*")
        if path.suffix in (".js", ".mjs", ".json")
        and "node_modules" not in path.parts
        and path.name != "built.json"
    ]

    found = {path.relative_to(ASSETS).as_posix(): digest(path) for path in sources}

    assert found == RECORD["sources"], REBUILD


def test_nobody_edited_the_bundle() -> None:
    folder = ROOT / "signatures" / "static" / "signatures"

    assert {name: digest(folder / name) for name in RECORD["results"]} == RECORD["results"], REBUILD


def test_the_licence_of_each_package_in_the_bundle_is_shipped_with_it() -> None:
    lock = json.loads((ASSETS / "package-lock.json").read_text())["packages"]
    folder = ROOT / "signatures" / "static" / "signatures"
    licences = (folder / "codemirror.LICENSES.txt").read_text()

    built_with = re.compile(r"node_modules/(@esbuild/|esbuild$)")
    for path, package in lock.items():
        if path and not built_with.match(path):
            assert f"\n{path.removeprefix('node_modules/')} {package['version']}\n" in licences, path


def test_the_lock_names_no_host_and_pins_every_package() -> None:
    lock = (ASSETS / "package-lock.json").read_text()

    assert "://" not in lock
    assert all("integrity" in package for path, package in json.loads(lock)["packages"].items() if path)
