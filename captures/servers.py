"""Recordings of other stacks' servers (``tests/servers``), each on a port of its own choice, and of bad answers.

The facts are what the client, Python's ``ssl``, negotiated.
"""

from __future__ import annotations

import socket
import ssl
import struct
import threading
from typing import TYPE_CHECKING

from captures import openssl
from captures.observer import observe
from captures.openssl import PORT, s_client
from captures.record import HOST, MissingError, Scenario
from tests.servers.catalogue import BY_NAME, available, running

if TYPE_CHECKING:
    from collections.abc import Callable

    from captures.record import Bench, Facts

NAMES = (
    "nginx-b", "gnutls", "lighttpd-openssl", "lighttpd-gnutls", "lighttpd-mbedtls", "lighttpd-nss", "lighttpd-wolfssl",
    "botan", "jsse", "tlslite-ng", "go", "erlang", "python-ssl",
)  # fmt: skip


def _visit(name: str) -> Callable[[Bench], list[Facts]]:
    def go(_: Bench) -> list[Facts]:
        if (reason := available(BY_NAME[name])) is not None:
            raise MissingError(reason)
        host = f"{name}.example"
        with running(name) as server:
            found = []
            for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
                try:
                    found.append(observe(server.port, host, maximum_version=version))
                except ssl.SSLError:
                    continue
        # The catalogue connects once without a word to see whether the server is up: no session.
        if name == "botan":  # it has a certificate for localhost only, and says so before its ServerHello
            warning = {"from": "server", "level": "warning", "description": "unrecognized_name"}
            found = [facts | {"alerts": [warning]} for facts in found]
        return found

    return go


def _unanswered(_: Bench) -> list[Facts]:
    host = "unanswered.example"
    with socket.create_server((HOST, PORT)):
        s_client(host, wait=b"")
    return [{"server_name": host, "version": None, "server_hellos": 0, "hellos": 1, "certificates": [], "alerts": []}]


def _reset(_: Bench) -> list[Facts]:
    host = "reset.example"
    with socket.create_server((HOST, PORT)) as listener:

        def slam() -> None:
            peer, _ = listener.accept()
            peer.recv(1 << 16)
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            peer.close()

        thread = threading.Thread(target=slam)
        thread.start()
        s_client(host, wait=b"")
        thread.join()
    return [{"server_name": host, "version": None, "outcome": "reset", "hellos": 1, "alerts": []}]


SCENARIOS: tuple[Scenario, ...] = (
    *(
        Scenario(f"server-{name}", f"TLS 1.2 and, where it can, 1.3 of {BY_NAME[name].implementation}", _visit(name))
        for name in NAMES
    ),
    Scenario("unanswered", "a ClientHello that nobody answers", _unanswered),
    Scenario("reset", "a ClientHello that is answered with RST", _reset),
)


def made_by(scenario: Scenario) -> str:
    """The server, and the client."""
    if not scenario.name.startswith("server-"):
        return openssl.made_by(scenario)
    implementation = BY_NAME[scenario.name.removeprefix("server-")].implementation
    return f"{implementation}, visited by Python ssl ({ssl.OPENSSL_VERSION.partition('  ')[0]})"
