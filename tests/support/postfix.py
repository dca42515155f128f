"""A Postfix of the test's own: configuration, queue and logs in a folder, high ports, nothing of the system's."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

from .installation import ROOT, wait_until
from .portal_process import find_free_port

AS_ROOT = [] if os.geteuid() == 0 else ["sudo", "-n"]

MAIN = """\
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
daemon_directory = /usr/lib/postfix/sbin
maillog_file = {folder}/mail.log
maillog_file_prefixes = {folder}
myhostname = mail.acme.example
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
mydestination =
alias_maps =
alias_database =
local_recipient_maps =
message_size_limit = 52428800
relayhost = [127.0.0.1]:{sink}
smtp_tls_security_level = none
"""

# What every Postfix has; the gateway's own services are read from the documentation.
MASTER = """\
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
tlsmgr unix - - n 1000? 1 tlsmgr
postlog unix-dgram n - n - 1 postlogd
"""


class Postfix:
    """entrance: where clients hand mail in. return_door: where the gateway hands it back.

    proxied: where clients hand mail in that the gateway sees before it is queued.
    """

    def __init__(self, folder: Path, *, gateway: int, sink: int) -> None:
        self._etc = folder / "etc"
        self.log = folder / "mail.log"
        self.entrance, self.return_door, self.proxied = (find_free_port() for _ in range(3))
        for name in ("etc", "queue", "data"):
            (folder / name).mkdir()
        (self._etc / "main.cf").write_text(MAIN.format(folder=folder, sink=sink))
        (self._etc / "master.cf").write_text(self._read_services(gateway) + MASTER)
        subprocess.run([*AS_ROOT, "chown", "postfix", str(folder / "data")], check=True)

    def _read_services(self, gateway: int) -> str:
        """The lines of docs/mailgateway.md, on ports of our own."""
        documented = (
            (ROOT / "docs" / "mailgateway.md").read_text().partition("\n```\n")[2].partition("```")[0]
        )
        services = documented.replace(":10025", f":{gateway}").replace(":10026", f":{self.return_door}")
        services = services.replace("smtp inet", f"127.0.0.1:{self.entrance} inet", 1)
        before_queue = f"  -o smtpd_proxy_filter=127.0.0.1:{gateway}\n"
        return f"{services}127.0.0.1:{self.proxied} inet n - n - - smtpd\n{before_queue}"

    def run(self, command: str, *arguments: str) -> str:
        done = subprocess.run(
            [*AS_ROOT, command, "-c", str(self._etc), *arguments],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def get_queue(self) -> list[str]:
        """The name of the queue that each message stands in."""
        return [json.loads(line)["queue_name"] for line in self.run("postqueue", "-j").splitlines()]

    def retry(self) -> None:
        self.run("postqueue", "-f")


@contextlib.contextmanager
def running_postfix(folder: Path, *, gateway: int, sink: int) -> Iterator[Postfix]:
    # Postfix's own processes must reach the folder, and pytest's is closed to others.
    for parent in (folder, *folder.parents):
        if parent.stat().st_uid == os.geteuid() and parent != Path("/"):
            parent.chmod(parent.stat().st_mode | 0o011)
    made = Postfix(folder, gateway=gateway, sink=sink)
    made.run("postfix", "start")
    try:
        wait_until(lambda: "daemon started" in made.log.read_text(), what="Postfix to start")
        yield made
    finally:
        made.run("postfix", "stop")
