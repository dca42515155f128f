"""TLS proxy: nginx as `deploy/nginx/` sets it up, on ports and files of the test's own."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from .installation import ROOT, wait_until
from .portal_process import find_free_port

EXAMPLE_HOST = "signatures.example.com"
MAIN = """
daemon off;
{user}
pid {folder}/nginx.pid;
error_log {folder}/nginx-error.log;
events {{}}
http {{
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  include {folder}/conf.d/*.conf;
}}
"""


@dataclass(frozen=True)
class Proxy:
    """A proxy that listens. certificate: the one to trust."""

    port: int
    plain_port: int
    certificate: Path


@contextlib.contextmanager
def running_proxy(folder: Path, *, ports: Sequence[int], host: str = EXAMPLE_HOST) -> Iterator[Proxy]:
    """nginx answers for `host`, before web servers on these ports, until the block ends."""
    proxy = Proxy(find_free_port(), find_free_port(), folder / "certificate.pem")
    make_certificate(proxy.certificate, folder / "key.pem", host)
    changes = {
        EXAMPLE_HOST: host,
        "/etc/nginx/tls": str(folder),
        "/var/cache/nginx": str(folder),
        "listen 80;": f"listen 127.0.0.1:{proxy.plain_port};",
        "listen 443 ssl;": f"listen 127.0.0.1:{proxy.port} ssl;",
        "server 127.0.0.1:8000;": " ".join(f"server 127.0.0.1:{port};" for port in ports),
    }
    (folder / "conf.d").mkdir()
    for path in (ROOT / "deploy/nginx").glob("*.conf"):
        pattern = "|".join(map(re.escape, changes))
        (folder / "conf.d" / path.name).write_text(
            re.sub(pattern, lambda found: changes[found[0]], path.read_text())
        )
    user = "user root;" if os.geteuid() == 0 else ""  # the tests' folders are their account's alone
    (folder / "nginx.conf").write_text(MAIN.format(folder=folder, user=user))
    nginx = subprocess.Popen(["nginx", "-p", str(folder), "-c", str(folder / "nginx.conf")])
    try:
        wait_until((folder / "nginx.pid").exists, what="nginx to listen")
        yield proxy
    finally:
        nginx.terminate()
        nginx.wait(20)


def make_certificate(certificate: Path, key: Path, host: str) -> None:
    subprocess.run(
        [
            "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", f"/CN={host}",
            "-addext", f"subjectAltName=DNS:{host}", "-keyout", str(key), "-out", str(certificate),
        ],
        check=True, capture_output=True,
    )  # fmt: skip
