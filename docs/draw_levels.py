"""Levels: draws docs/architecture.md's pictures from the imports; `python docs/draw_levels.py` writes them anew."""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

import grimp

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs/architecture.md"
APPS = ("signatures", "integrations", "portal")
PICTURE = re.compile(r"(<!-- levels of (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def get_levels(app: str) -> list[list[str]]:
    """Return the packages of an app by level, the highest first, as pyproject.toml orders them."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = next(each["layers"] for each in contracts if each.get("containers") == [app])
    return [sorted(re.split(r"[\s|:]+", layer.strip())) for layer in layers]


def get_imports(app: str, packages: list[str]) -> dict[str, set[str]]:
    """Return which packages of the app each of them imports directly."""
    graph = grimp.build_graph(app, cache_dir=None)
    found: dict[str, set[str]] = {package: set() for package in packages}
    for module in graph.modules:
        importer = module.split(".")[1] if "." in module else ""
        for imported in graph.find_modules_directly_imported_by(module):
            target = imported.split(".")[1] if "." in imported else ""
            if importer in found and target in found and target != importer:
                found[importer].add(target)
    return found


def get_reached(imports: dict[str, set[str]], package: str) -> set[str]:
    """Return what a package imports, directly or through others."""
    reached: set[str] = set()
    waiting = list(imports[package])
    while waiting:
        target = waiting.pop()
        if target not in reached:
            reached.add(target)
            waiting += imports[target]
    return reached


def leave_out_detours(imports: dict[str, set[str]]) -> dict[str, set[str]]:
    """Return the imports without those that follow from others, so that the arrows can be followed."""
    reached = {package: get_reached(imports, package) for package in imports}
    return {
        package: {
            target for target in targets if not any(target in reached[other] for other in targets - {target})
        }
        for package, targets in imports.items()
    }


def draw(app: str) -> str:
    """Return the app's levels as a Mermaid diagram."""
    levels = get_levels(app)
    imports = leave_out_detours(get_imports(app, [package for level in levels for package in level]))
    lines = ["```mermaid", "flowchart TB"]
    for number, level in enumerate(levels, 1):
        lines += [f'  subgraph L{number}["{number}"]', "    direction LR"]
        lines += [f'    {app}_{package}["{package}"]' for package in level]
        lines.append("  end")
    lines += [f"  {app}_{a} --> {app}_{b}" for a in imports for b in sorted(imports[a])]
    return "\n".join([*lines, "```", ""])


def write_page(page: str) -> str:
    """Return the page with its pictures as the code is now."""
    return PICTURE.sub(lambda found: f"{found[1]}{draw(found[2])}{found[3]}", page)


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    PAGE.write_text(write_page(PAGE.read_text()))
