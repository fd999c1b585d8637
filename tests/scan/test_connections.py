"""The number of connections a scan prints is the number its server accepted, and within what was promised."""

from __future__ import annotations

import subprocess

import pytest

from tests.servers import recipes
from tests.servers.catalogue import ECDHE_GCM, MODERN
from tests.servers.gate import require
from tests.servers.process import HOST, serving
from tlswire.scan.interview import chosen
from tlswire.scan.scanner import Options

from .scans import scan

COUNTED = recipes.nginx(protocols=MODERN, ciphers=ECDHE_GCM, directives=("location = /status { stub_status; }",))

# What a scan with the default questions may cost a modern server (the figure the bench holds us to).
MOST = 150


def accepted(port: int) -> int:
    """How many connections nginx says it has accepted, this one among them (ngx_http_stub_status_module)."""
    command = ["openssl", "s_client", "-quiet", "-connect", f"{HOST}:{port}"]
    request = b"GET /status HTTP/1.0\r\n\r\n"
    said = subprocess.run(command, input=request, capture_output=True, timeout=20, check=True).stdout.decode()
    return int(said.split("server accepts handled requests")[1].split()[0])


@pytest.mark.stacks
@pytest.mark.parametrize(
    ("options", "most"),
    [(Options(method="each"), None), (Options(method="eliminate", questions=chosen(["default"])), MOST)],
    ids=["each", "questions"],
)
def test_a_scan_prints_the_connections_its_server_counted(options: Options, most: int | None) -> None:
    require("nginx-b")
    with serving("counted", COUNTED) as server:
        before = accepted(server.port)
        result = scan(server.port, options, host="localhost")
        counted = accepted(server.port) - before - 1
    assert result.connections == counted
    assert most is None or counted <= most
