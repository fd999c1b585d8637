"""Recordings of OpenSSL's s_server and s_client: versions, key exchanges, resumption, alerts, DTLS.

The facts are what the two programs print.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

from captures.record import HOST, Bench, Facts, Scenario, process, run

if TYPE_CHECKING:
    from collections.abc import Callable

PORT = 4433
VERSIONS = {
    "SSLv3": "0x0300",
    "TLSv1": "0x0301",
    "TLSv1.0": "0x0301",
    "TLSv1.1": "0x0302",
    "TLSv1.2": "0x0303",
    "TLSv1.3": "0x0304",
    "DTLSv1": "0xFEFF",
    "DTLSv1.2": "0xFEFD",
}
GROUPS = {"X25519": "0x001D", "P-256": "0x0017", "P-384": "0x0018", "ECDH, P-256": "0x0017", "ECDH, P-384": "0x0018"}


@cache
def suites() -> dict[str, str]:
    """OpenSSL's and IANA's names of suites and their codes, as OpenSSL tells them."""
    found = {}
    modern = "TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256:TLS_AES_128_CCM_SHA256:TLS_AES_128_CCM_8_SHA256"
    listed = run(["openssl", "ciphers", "-V", "-stdname", "-ciphersuites", modern, "ALL:COMPLEMENTOFALL:@SECLEVEL=0"])
    for high, low, standard, name in re.findall(r"0x(..),0x(..) - (\S+)\s+- (\S+)", listed):
        found[name] = found[standard] = f"0x{high}{low}"
    return found


def facts_of(printed: str, name: str | None, minted_chain: list[str] | None = None) -> Facts:
    """What one handshake of s_client was."""
    state, suite = re.findall(r"(New|Reused), [^,]+, Cipher is (\S+)", printed)[-1]
    version = "TLSv1.3" if suite.startswith("TLS_") else re.findall(r"Protocol\s*: (\S+)", printed)[-1]
    facts: Facts = {
        "server_name": name,
        "version": VERSIONS[version],
        "suite": suites()[suite],
        "resumed": state == "Reused",
        "alerts": [],
        "outcome": "established",
    }
    clear = version != "TLSv1.3"
    if group := re.search(r"Server Temp Key: (X25519|ECDH, P-\d+)", printed):
        facts["group"] = GROUPS[group[1]]
    if clear and (alpn := re.search(r"ALPN protocol: (\S+)", printed)):
        facts["alpn"] = alpn[1]
    if minted_chain is not None:
        facts["certificates"] = minted_chain if clear and state == "New" else []
    return facts


def s_server(bench: Bench, *options: str, rsa: bool = False, bare: bool = False) -> list[str]:
    """The command line of a server on PORT that reverses lines; ``bare`` leaves out the certificate."""
    leaf = bench.minted.rsa if rsa else bench.minted.ec
    argv = ["openssl", "s_server", "-accept", str(PORT), *options]
    if bare:
        return [*argv, "-nocert"]
    return [*argv, "-cert", str(leaf.cert), "-key", str(leaf.key), "-cert_chain", str(bench.minted.issuer)]


def s_client(
    name: str | None, *options: str, stdin: bytes = b"hello\n", wait: bytes = b"olleh", port: int = PORT
) -> str:
    """Run a client against ``port`` and return what it prints."""
    naming = ["-noservername"] if name is None else ["-servername", name]
    return run(
        ["openssl", "s_client", "-connect", f"{HOST}:{port}", *naming, *options], stdin=stdin, wait=wait, timeout=4
    )


def _pair(
    name: str,
    shows: str,
    server: str = "",
    client: str = "",
    *,
    rsa: bool = False,
    bare: bool = False,
    wait: bytes = b"olleh",
    **more: object,
) -> Scenario:
    """One session. ``{root}`` and so on in the options are files of the bench."""

    def go(bench: Bench) -> list[Facts]:
        host = f"{name}.example"
        leaf = bench.minted.rsa if rsa else bench.minted.ec
        files = files_of(bench)
        keep = ["-rev"] if wait == b"olleh" else []
        with process(s_server(bench, *keep, *server.format(**files).split(), rsa=rsa, bare=bare), port=PORT):
            printed = s_client(host, *client.format(**files).split(), wait=wait)
        return [facts_of(printed, host, None if bare else leaf.sha256) | resolve(more, bench)]

    return Scenario(name, shows, go)


def files_of(bench: Bench) -> dict[str, object]:
    """The files that options may name."""
    return {
        "root": bench.minted.root,
        "dh": bench.minted.dhparam,
        "folder": bench.folder,
        "client": bench.minted.client.cert,
        "client_key": bench.minted.client.key,
        "issuer": bench.minted.issuer,
    }


def resolve(more: dict[str, object], bench: Bench) -> Facts:
    """Facts that only the bench knows."""
    return {key: value(bench) if callable(value) else value for key, value in more.items()}


def _alert(name: str, shows: str, server: str, client: str, sender: str, description: str, **more: object) -> Scenario:
    """A handshake that fails with an alert in clear; the client or the server prints its name."""

    def go(bench: Bench) -> list[Facts]:
        host = f"{name}.example"
        files = files_of(bench)
        with process(s_server(bench, "-rev", *server.format(**files).split()), port=PORT):
            printed = s_client(host, *client.format(**files).split(), wait=b"")
        spoken = description.replace("_", " ")
        if sender == "server" and spoken not in printed.replace("alert number", ""):
            raise RuntimeError(f"{name}: {printed}")
        found: Facts = {
            "server_name": host,
            "alerts": [{"from": sender, "level": "fatal", "description": description}],
            "outcome": "alert",
        }
        return [found | resolve(more, bench)]

    return Scenario(name, shows, go)


def _twice(
    name: str, shows: str, server: str, first: str, second: str, *, wait: bytes = b"olleh", **more: object
) -> Scenario:
    """Two sessions, the second with the state of the first."""

    def go(bench: Bench) -> list[Facts]:
        host = f"{name}.example"
        files = files_of(bench) | {"state": bench.folder / "state"}
        (bench.folder / "early").write_bytes(b"early words\n")
        chain = bench.minted.ec.sha256
        keep = ["-rev"] if wait else []
        with process(s_server(bench, *keep, *server.format(**files).split()), port=PORT) as peer:
            one = s_client(host, *first.format(**files).split(), wait=wait or b"ID")
            two = s_client(host, *second.format(**files).split(), wait=wait or b"Early data was")
            peer.kill()
        return [facts_of(one, host, chain), facts_of(two, host, chain) | resolve(more, bench)]

    return Scenario(name, shows, go)


def _keylog(bench: Bench) -> list[Facts]:
    host = "tls13.example"
    keys = bench.folder / "tls13.keys"
    with process(s_server(bench, "-rev", "-alpn", "h2,http/1.1"), port=PORT):
        printed = s_client(host, "-alpn", "h2,http/1.1", "-keylogfile", str(keys))
    return [
        facts_of(printed, host, bench.minted.ec.sha256)
        | {
            "offered_alpn": ["h2", "http/1.1"],
            "hellos": 1,
            "opened": {"decryption": "complete", "certificates": bench.minted.ec.sha256},
        }
    ]


def _cookie(bench: Bench) -> list[Facts]:
    host = "tls13-cookie.example"
    with process(s_server(bench, "-tls1_3", "-stateless"), port=PORT):
        s_client(host, wait=b"")
    gave_up = {"from": "client", "level": "fatal", "description": "decode_error"}
    return [{"server_name": host, "certificates": [], "hellos": 2, "retry": True, "alerts": [gave_up]}]


def _version6(bench: Bench) -> list[Facts]:
    host = "ipv6.example"
    with process(s_server(bench, "-rev"), port=PORT):
        printed = run(
            ["openssl", "s_client", "-connect", f"[::1]:{PORT}", "-servername", host], stdin=b"hello\n", wait=b"olleh"
        )
    return [facts_of(printed, host, bench.minted.ec.sha256) | {"address": "::1"}]


def _many(bench: Bench) -> list[Facts]:
    hosts = [f"many-{number}.example" for number in range(12)]
    with process(s_server(bench, "-rev"), port=PORT):
        return [
            facts_of(s_client(host, f"-tls1_{2 + at % 2}"), host, bench.minted.ec.sha256)
            for at, host in enumerate(hosts)
        ]


OLD = "-cipher DEFAULT:@SECLEVEL=0"
_ALERT_12 = "-tls1_2"


def _chains(*leaves: str) -> Callable[[Bench], list[str]]:
    return lambda bench: [item for leaf in leaves for item in getattr(bench.minted, leaf).sha256]


SCENARIOS: tuple[Scenario, ...] = (
    Scenario("tls13", "TLS 1.3 with ALPN; the key log stands beside it", _keylog),
    _pair("tls12-ecdhe", "TLS 1.2, ECDHE, a chain of two certificates, ALPN", "-tls1_2 -alpn h2", "-alpn h2"),
    _pair("tls12-rsa", "TLS 1.2, RSA key exchange", "-tls1_2 -cipher AES128-SHA", "-cipher kRSA", rsa=True, group=None),
    _pair(
        "tls12-dhe",
        "TLS 1.2, DHE with ffdhe2048",
        "-tls1_2 -dhparam {dh} -cipher kDHE",
        "-cipher kDHE",
        rsa=True,
        group=None,
        prime_bits=2048,
    ),
    _pair(
        "tls12-client-certificate",
        "TLS 1.2, client certificate asked for and sent",
        "-tls1_2 -Verify 3 -CAfile {root}",
        "-cert {client} -key {client_key} -cert_chain {issuer}",
        certificates=_chains("ec", "client"),
        certificate_request=True,
    ),
    _pair(
        "tls12-anonymous",
        "TLS 1.2, no certificate at all",
        "-tls1_2 -cipher AECDH:@SECLEVEL=0",
        "-tls1_2 -cipher AECDH:@SECLEVEL=0",
        bare=True,
        certificates=[],
    ),
    _pair(
        "tls12-psk",
        "TLS 1.2, pre-shared key",
        "-tls1_2 -psk 5a5a -cipher PSK",
        "-tls1_2 -psk 5a5a -cipher PSK",
        bare=True,
        certificates=[],
    ),
    _pair("tls12-status", "TLS 1.2, client asks for OCSP stapling", "-tls1_2", "-status"),
    _pair("tls11", "TLS 1.1", f"-tls1_1 {OLD}", f"-tls1_1 {OLD}"),
    _pair("tls10", "TLS 1.0", f"-tls1 {OLD}", f"-tls1 {OLD}"),
    _pair(
        "tls10-rsa",
        "TLS 1.0, RSA key exchange",
        f"-tls1 {OLD}",
        "-tls1 -cipher AES256-SHA:@SECLEVEL=0",
        rsa=True,
        group=None,
    ),
    _twice(
        "tls12-ticket", "TLS 1.2, resumed with a session ticket", "-tls1_2", "-sess_out {state}", "-sess_in {state}"
    ),
    _twice(
        "tls12-session-id",
        "TLS 1.2, resumed with a session id",
        "-tls1_2 -no_ticket",
        "-sess_out {state}",
        "-sess_in {state}",
    ),
    _twice(
        "tls13-resumed",
        "TLS 1.3, resumed with a PSK",
        "-tls1_3",
        "-sess_out {state}",
        "-sess_in {state}",
        group="0x001D",
    ),
    _twice(
        "tls13-early-data",
        "TLS 1.3, resumed with early data (0-RTT)",
        "-tls1_3 -early_data -max_early_data 1000",
        "-sess_out {state}",
        "-sess_in {state} -early_data {folder}/early",
        wait=b"",
        early_data=True,
    ),
    _pair(
        "tls13-external-psk",
        "TLS 1.3, external PSK",
        "-tls1_3 -psk 5a5a5a5a -ciphersuites TLS_AES_128_GCM_SHA256",
        "-psk 5a5a5a5a",
    ),
    _pair(
        "tls13-psk-declined",
        "TLS 1.3, external PSK offered and not taken",
        "-tls1_3 -psk 5a5a5a5a -ciphersuites TLS_AES_256_GCM_SHA384",
        "-psk 5a5a5a5a",
    ),
    _pair(
        "tls13-retry",
        "TLS 1.3, HelloRetryRequest for another group",
        "-tls1_3 -groups P-384",
        "-groups P-256:P-384",
        hellos=2,
        retry=True,
        group="0x0018",
    ),
    Scenario(
        "tls13-cookie", "TLS 1.3, HelloRetryRequest with a cookie; s_server gives up after the second hello", _cookie
    ),
    _pair("tls13-ffdhe", "TLS 1.3, ffdhe2048", "-tls1_3 -groups ffdhe2048", "-groups ffdhe2048:X25519", group="0x0100"),
    _pair(
        "tls13-middlebox-off",
        "TLS 1.3 without the compatibility messages: no ChangeCipherSpec, no session id",
        "-tls1_3 -no_middlebox",
        "-no_middlebox",
    ),
    _pair(
        "tls13-client-certificate",
        "TLS 1.3, client certificate (encrypted, so not seen)",
        "-tls1_3 -Verify 3 -CAfile {root}",
        "-cert {client} -key {client_key}",
    ),
    _alert(
        "alert-handshake-failure",
        "no common suite",
        "-tls1_2 -cipher ECDHE+CHACHA20",
        "-tls1_2 -cipher ECDHE+AESGCM",
        "server",
        "handshake_failure",
        version=None,
    ),
    _alert(
        "alert-protocol-version", "no common version", "-tls1_3", "-tls1_2", "server", "protocol_version", version=None
    ),
    _alert(
        "alert-unknown-ca",
        "the client does not know who signed the chain",
        _ALERT_12,
        "-verify_return_error -verify 5",
        "client",
        "unknown_ca",
        version="0x0303",
        certificates=_chains("ec"),
    ),
    _alert(
        "alert-no-certificate",
        "the server wants a certificate, the client has none",
        "-tls1_2 -Verify 3",
        "",
        "server",
        "handshake_failure",
        version="0x0303",
        certificate_request=True,
    ),
    _alert(
        "alert-no-alpn",
        "no common ALPN protocol",
        "-tls1_2 -alpn h2",
        "-alpn dot",
        "server",
        "no_application_protocol",
        version=None,
        offered_alpn=["dot"],
    ),
    _alert(
        "alert-unrecognized-name",
        "the server knows another name only",
        "-tls1_2 -servername other.example -servername_fatal -cert2 {client} -key2 {client_key}",
        "",
        "server",
        "unrecognized_name",
        version=None,
    ),
    _alert(
        "alert-fallback",
        "TLS_FALLBACK_SCSV at a server that could do more",
        "-cipher DEFAULT:@SECLEVEL=0",
        "-tls1_1 -fallback_scsv -cipher DEFAULT:@SECLEVEL=0",
        "server",
        "inappropriate_fallback",
        version=None,
    ),
    Scenario("ipv6", "TLS 1.3 over IPv6", _version6),
    Scenario("many", "twelve sessions, TLS 1.2 and 1.3 in turn", _many),
)


def made_by(_: Scenario) -> str:
    """The stack and its version."""
    return f"s_server and s_client of {run(['openssl', 'version']).partition(' (')[0].strip()}"
