"""Containers without their daemon: the steps of a container file in a bare file tree, and its commands run in there.

This machine's own files stand for the base image, and are not changed: what the steps write lies over them, in memory.
Needs to be root on Linux. What that does not show: whether the base image exists, and what it brings.
"""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .installation import ROOT, wait_until

PREFIX = Path(sys.base_prefix)
IGNORED = {"ARG", "EXPOSE", "VOLUME", "HEALTHCHECK", "ENTRYPOINT", "CMD"}


@dataclass(frozen=True)
class Step:
    """A RUN or COPY, with the folder and environment it has where it stands."""

    verb: str
    rest: str
    folder: str
    environ: dict[str, str]


@dataclass
class Stage:
    """What a container file says of one image."""

    name: str
    steps: list[Step] = field(default_factory=list)
    environ: dict[str, str] = field(default_factory=dict)
    folder: str = "/"
    user: str = "0:0"
    entrypoint: list[str] = field(default_factory=list)
    command: list[str] = field(default_factory=list)
    health: list[str] = field(default_factory=list)


def read_container_file(path: Path) -> list[Stage]:
    """Return the stages of a container file whose instructions are one line each."""
    stages: list[Stage] = []
    for line in path.read_text().splitlines():
        verb, _, rest = line.partition(" ")
        if not line or line.startswith("#") or (verb == "ARG" and not stages):
            continue
        if verb == "FROM":
            stages.append(Stage(rest.partition(" AS ")[2]))
            continue
        stage = stages[-1]
        if verb == "ENV":
            stage.environ |= dict(each.split("=", 1) for each in shlex.split(rest))
        elif verb == "USER":
            stage.user = rest
        elif verb == "WORKDIR":
            stage.folder = rest
        elif verb == "ENTRYPOINT":
            stage.entrypoint = json.loads(rest)
        elif verb == "CMD":
            stage.command = json.loads(rest)
        elif verb == "HEALTHCHECK":
            stage.health = json.loads(rest.partition(" CMD ")[2])
        elif verb in ("RUN", "COPY"):
            stage.steps.append(Step(verb, rest, stage.folder, dict(stage.environ)))
        else:
            assert verb in IGNORED, f"unknown instruction: {line}"
    return stages


class Image:
    """The last stage of a container file, built into a file tree. Made by `built_image`."""

    def __init__(self, stage: Stage, root: Path, holder: int) -> None:
        self.stage = stage
        self.root = root
        self._holder = holder

    def run(
        self, *arguments: str, environ: dict[str, str] | None = None, timeout: float = 120
    ) -> subprocess.CompletedProcess[str]:
        """Run `manage.py` with these arguments in a container, to its end."""
        return self.execute([*self.stage.entrypoint, *arguments], environ=environ, timeout=timeout)

    def execute(
        self, command: Sequence[str], *, environ: dict[str, str] | None = None, timeout: float = 120
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self._enter(command, environ),
            capture_output=True,
            text=True,
            timeout=timeout,
            stdin=subprocess.DEVNULL,
        )

    @contextlib.contextmanager
    def running(
        self, *arguments: str, environ: dict[str, str], log: Path
    ) -> Iterator[subprocess.Popen[bytes]]:
        """Run `manage.py` with these arguments until the block ends, and end it as a daemon does."""
        command = self._enter([*self.stage.entrypoint, *arguments], environ)
        with log.open("wb") as output:
            process = subprocess.Popen(
                command, stdout=output, stderr=output, stdin=subprocess.DEVNULL, start_new_session=True
            )
            try:
                yield process
            finally:
                process.terminate()
                process.wait(60)

    def _enter(self, command: Sequence[str], environ: dict[str, str] | None) -> list[str]:
        """Return the command line in the tree, as the image's account, without any privilege."""
        user, _, group = self.stage.user.partition(":")
        return [
            *_enter_namespace(self._holder), "chroot", str(self.root),
            "setpriv", "--no-new-privs", "--bounding-set=-all", "--inh-caps=-all",
            f"--reuid={user}", f"--regid={group}", "--clear-groups", "--",
            *_with_environ(self.stage.folder, self.stage.environ | (environ or {})), *command,
        ]  # fmt: skip


@contextlib.contextmanager
def built_image(container_file: Path, folder: Path, *, secrets: Path) -> Iterator[Image]:
    """Build the image; its tree can then only be read, but for /tmp and its volume. secrets: at /run/secrets."""
    holder = subprocess.Popen(["unshare", "--mount", "--propagation", "private", "sleep", "infinity"])
    try:
        ours = Path("/proc/self/ns/mnt").readlink()
        wait_until(lambda: Path(f"/proc/{holder.pid}/ns/mnt").readlink() != ours, what="a mount namespace")
        yield _Builder(holder.pid, folder).build(read_container_file(container_file), secrets)
    finally:
        holder.kill()  # the last process of its namespace: every tree goes with it
        holder.wait()


class _Builder:
    def __init__(self, holder: int, folder: Path) -> None:
        self._holder = holder
        self._folder = folder
        self._roots: dict[str, Path] = {}

    def build(self, stages: list[Stage], secrets: Path) -> Image:
        self._do("mount", "-t", "tmpfs", "tmpfs", str(self._folder))
        for number, stage in enumerate(stages):
            root = self._roots[stage.name] = self._make_root(str(number))
            for step in stage.steps:
                (self._copy if step.verb == "COPY" else self._run)(root, step)
        self._close(root, stage, secrets)
        return Image(stage, root, self._holder)

    def _make_root(self, name: str) -> Path:
        parts = {part: self._folder / name / part for part in ("upper", "work", "root")}
        root = parts["root"]
        self._do("mkdir", "-p", *map(str, parts.values()))
        options = f"lowerdir=/,upperdir={parts['upper']},workdir={parts['work']}"
        self._do("mount", "-t", "overlay", "overlay", "-o", options, str(root))
        for name in ("dev", "proc"):
            self._do("mount", "--rbind", f"/{name}", str(root / name))
        # What the base image brings: a `python` that every account can run.
        inside = [root / path.relative_to("/") for path in (PREFIX, *PREFIX.parents)]
        self._do("chmod", "a+rx", *map(str, inside))
        self._do("ln", "-sf", "python3", str(inside[0] / "bin/python"))
        return root

    def _copy(self, root: Path, step: Step) -> None:
        source, words = ROOT, step.rest.split()
        if words[0].startswith("--from="):
            source = self._roots[words.pop(0).removeprefix("--from=")]
        *names, into = words
        goal = root / (Path(step.folder) / into).relative_to("/")
        for name in names:
            path = source / name.lstrip("/")
            is_folder = path.is_dir() or source != ROOT  # what comes from a stage is not to be seen from here
            self._do("mkdir", "-p", str(goal))
            self._do(
                "cp", "-a", "--no-preserve=ownership", f"{path}/." if is_folder else str(path), str(goal)
            )

    def _run(self, root: Path, step: Step) -> None:
        environ = {"PATH": f"{PREFIX}/bin:/usr/bin:/bin:/usr/sbin:/sbin"} | step.environ
        environ |= {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "SSL_"))}
        self._do("mkdir", "-p", str(root / step.folder.lstrip("/")))
        self._do("chroot", str(root), *_with_environ(step.folder, environ), "/bin/sh", "-c", step.rest)

    def _close(self, root: Path, stage: Stage, secrets: Path) -> None:
        """Let nothing be written any more, but to /tmp and the volume."""
        volume, hidden = stage.environ["SPOOL_FOLDER"], root / "run/secrets"
        self._do("mkdir", "-p", str(hidden))
        self._do("mount", "-o", "remount,ro", str(root))
        self._do("mount", "--bind", str(secrets), str(hidden))
        self._do("mount", "-t", "tmpfs", "-o", "mode=1777", "tmpfs", str(root / "tmp"))
        user, _, group = stage.user.partition(":")
        owned = f"uid={user},gid={group},mode=0700"
        self._do("mount", "-t", "tmpfs", "-o", owned, "tmpfs", str(root / volume.lstrip("/")))

    def _do(self, *command: str) -> None:
        done = subprocess.run([*_enter_namespace(self._holder), *command], capture_output=True, text=True)
        assert done.returncode == 0, f"{' '.join(command)}: {done.stdout[-2000:]}{done.stderr[-2000:]}"


def _enter_namespace(holder: int) -> list[str]:
    return ["nsenter", f"--mount=/proc/{holder}/ns/mnt", "--"]


def _with_environ(folder: str, environ: dict[str, str]) -> list[str]:
    """Return the beginning of a command line that has these variables and no other, in this folder."""
    return ["env", "-i", f"--chdir={folder}", *(f"{name}={value}" for name, value in environ.items())]
