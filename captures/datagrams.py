"""Recordings over UDP: DTLS, and QUIC of aioquic and ngtcp2.

The facts are what s_client and aioquic's client saw, and what the DTLS and ngtcp2 peers were told to be.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

from captures import openssl
from captures.openssl import OLD, PORT, facts_of, files_of, resolve, s_client, s_server
from captures.record import HOST, Bench, Facts, Scenario, need, process, run

if TYPE_CHECKING:
    from collections.abc import Callable

SOURCE = Path(__file__).with_name("sources") / "quic.py"


def _aioquic(name: str, shows: str, mode: str, **more: object) -> Scenario:
    def go(bench: Bench) -> list[Facts]:
        leaf = bench.minted.ec
        keys = [str(bench.folder / f"{name}.keys")] if mode == "keylog" else []
        told = run([bench.python, str(SOURCE), mode, f"{name}.example", str(leaf.chain), str(leaf.key), *keys])
        try:
            facts: list[Facts] = json.loads(told.strip().splitlines()[-1])
        except (ValueError, IndexError):
            raise RuntimeError(told) from None
        return [item | more for item in facts]

    return Scenario(name, shows, go)


def _ngtcp2(name: str, shows: str, *options: str, **more: object) -> Scenario:
    def go(bench: Bench) -> list[Facts]:
        leaf = bench.minted.ec
        host = f"{name}.example"
        (bench.folder / "index.html").write_text("ok\n")
        server = ["gtlsserver", "-q", "-d", str(bench.folder), HOST, str(PORT), str(leaf.key), str(leaf.chain)]
        with process(server, port=PORT, kind="udp"):
            uri = f"https://{host}/index.html"
            argv = ["gtlsclient", "--exit-on-all-streams-close", f"--sni={host}", *options, HOST, str(PORT), uri]
            told = run(argv, timeout=5)
        if "handshake completed" not in told.lower() and "Negotiated cipher suite" not in told:
            raise RuntimeError(told[-500:])
        # Whatever --sni says, gtlsclient names "localhost" to a numeric address.
        return [{"transport": "quic", "server_name": "localhost", "version": "0x0304", "certificates": []} | more]

    return Scenario(name, shows, go)


def _gnutls(*server_options: str) -> Callable[[Bench], list[Facts]]:
    def go(bench: Bench) -> list[Facts]:
        leaf = bench.minted.ec
        files = ["--x509certfile", str(leaf.chain), "--x509keyfile", str(leaf.key)]
        argv = ["gnutls-serv", "--udp", "--echo", "--disable-client-cert", "--port", str(PORT), *files, *server_options]
        with process(argv, port=PORT, kind="udp"):
            client = [
                "gnutls-cli",
                "--udp",
                "--insecure",
                "--sni-hostname",
                "dtls-gnutls.example",
                "-p",
                str(PORT),
                HOST,
            ]
            run(client, stdin=b"hello\n", wait=b"\nhello", timeout=4)
        return [
            {
                "transport": "dtls",
                "server_name": "dtls-gnutls.example",
                "version": "0xFEFD",
                "hellos": 2,
                "certificates": leaf.sha256,
            }
        ]

    return go


def _nss(versions: str, code: str, name: str, **more: object) -> Callable[[Bench], list[Facts]]:
    def go(bench: Bench) -> list[Facts]:
        database = f"sql:{bench.folder}"
        need("tstclnt")
        leaf = bench.minted.ec
        bundle = str(bench.folder / "server.p12")
        run(["certutil", "-N", "-d", database, "--empty-password"])
        source = ["-in", str(leaf.cert), "-inkey", str(leaf.key), "-name", "server"]
        run(["openssl", "pkcs12", "-export", *source, "-out", bundle, "-passout", "pass:"])
        run(["pk12util", "-i", bundle, "-d", database, "-W", ""])
        address = ["-h", HOST, "-p", str(PORT), "-V", f"{versions}:{versions}"]
        with process(["tstclnt", "-P", "server", "-d", database, "-n", "server", "-o", *address]) as server:
            time.sleep(0.5)
            told = run(
                ["tstclnt", "-P", "client", "-D", "-o", "-a", name, *address],
                stdin=b"hello\n",
                wait=b"never",
                timeout=1.5,
            )
            if server.poll() is not None and server.stdout is not None:
                raise RuntimeError(told + server.stdout.read().decode())
        return [{"transport": "dtls", "server_name": name, "version": code} | more]

    return go


def _botan(bench: Bench) -> list[Facts]:
    leaf = bench.minted.ec
    argv = ["botan", "tls_server", str(leaf.chain), str(leaf.key), f"--port={PORT}", "--type=udp"]
    with process(argv, port=PORT, kind="udp"):
        trusted = f"--trusted-cas={bench.minted.root}"
        client = [
            "botan",
            "tls_client",
            "localhost",
            f"--port={PORT}",
            "--type=udp",
            "--skip-system-cert-store",
            trusted,
        ]
        run(client, stdin=b"hello\n", wait=b"olleh", timeout=3)
    warning = {"from": "server", "level": "warning", "description": "unrecognized_name"}
    facts: Facts = {"server_name": "localhost", "version": "0xFEFD", "certificates": leaf.sha256, "alerts": [warning]}
    return [facts | {"transport": "dtls"}]


def _dtls(name: str, shows: str, server: str = "", client: str = "", **more: object) -> Scenario:
    def go(bench: Bench) -> list[Facts]:
        host = f"{name}.example"
        files = files_of(bench)
        # Without -rev, which s_server does not do over DTLS: the client has its handshake, and says goodbye.
        with process(s_server(bench, *server.split()), port=PORT, kind="udp"):
            time.sleep(0.1)
            printed = s_client(host, *client.format(**files).split(), wait=b"---\nread R BLOCK", stdin=b"")
        return [
            facts_of(printed, host, bench.minted.ec.sha256) | {"transport": "dtls", "hellos": 2} | resolve(more, bench)
        ]

    return Scenario(name, shows, go)


_V1, _V2 = "0x00000001", "0x6B3343CF"

SCENARIOS: tuple[Scenario, ...] = (
    _dtls("dtls12", "DTLS 1.2", "-dtls1_2", "-dtls1_2"),
    _dtls("dtls10", "DTLS 1.0", f"-dtls1 {OLD}", f"-dtls1 {OLD}"),
    _dtls("dtls12-cookie", "DTLS 1.2, HelloVerifyRequest and second hello", "-dtls1_2 -listen", "-dtls1_2"),
    _dtls(
        "dtls12-fragments",
        "DTLS 1.2 in datagrams of 256 bytes: hello and certificate in fragments",
        "-dtls1_2 -mtu 256",
        "-dtls1_2 -mtu 256 -sigalgs RSA-PSS+SHA256:RSA-PSS+SHA384:ECDSA+SHA256:ECDSA+SHA384:RSA+SHA256 -alpn first.protocol.of.a.long.list,second.protocol.of.a.long.list,third.protocol.of.a.long.list",
    ),
    Scenario("dtls-gnutls", "DTLS 1.2 of GnuTLS", _gnutls()),
    Scenario("dtls-nss", "DTLS 1.2 of NSS", _nss("tls1.2", "0xFEFD", "dtls-nss.example")),
    # NSS 3.87 writes the number of draft 43, the last but few before RFC 9147.
    Scenario(
        "dtls13-nss", "DTLS 1.3 (draft 43) of NSS", _nss("tls1.3", "0x7F2B", "dtls13-nss.example", certificates=[])
    ),
    Scenario("dtls-botan", "DTLS 1.2 of Botan", _botan),
    _aioquic("quic-v1", "QUIC version 1", "v1", quic_version=_V1),
    _aioquic("quic-v2", "QUIC version 2 from the first packet on", "v2", quic_version=_V2),
    _aioquic("quic-upgrade", "QUIC begun in version 1, gone over to version 2 (RFC 9368)", "upgrade"),
    _aioquic("quic-negotiation", "QUIC version 2 refused with Version Negotiation, then version 1", "negotiation"),
    _aioquic("quic-retry", "QUIC with a Retry packet", "retry"),
    _aioquic("quic-early", "QUIC, then the same resumed with 0-RTT", "early"),
    _aioquic("quic-large", "QUIC, ClientHello over two Initial packets (a large transport parameter)", "large"),
    _aioquic("quic-long-alpn", "QUIC, ClientHello over several Initial packets (a long ALPN list)", "long-alpn"),
    _aioquic("keylog-quic", "QUIC versions 1 and 2 with every suite, and early data, with their key log", "keylog"),
    _aioquic("quic-chacha", "QUIC with ChaCha20-Poly1305", "chacha"),
    _ngtcp2("quic-ngtcp2", "QUIC version 1 of ngtcp2 with GnuTLS", quic_version=_V1),
)


def made_by(scenario: Scenario) -> str:
    """The stack and its version."""
    name = scenario.name
    package = {"dtls-gnutls": "gnutls-bin", "dtls-botan": "botan", "quic-ngtcp2": "ngtcp2-client"}.get(name)
    if name.startswith("dtls1") and not name.endswith("nss"):
        return openssl.made_by(scenario)
    if package is None and not name.endswith("nss"):
        return "aioquic 1.7.2, both sides"
    package = package or "libnss3-tools"
    return f"{package} {run(['dpkg-query', '-W', '-f', '${Version}', package]).strip()}, both sides"
