"""Recordings with a key log beside them: handshakes of every way to protect records, and what both sides say of them.

``-msg`` of s_client and s_server tells the messages they sent, those that are encrypted among them. The facts that only
the key log shows are in ``opened`` of a session.
"""

from __future__ import annotations

import contextlib
import re
import time
from typing import TYPE_CHECKING, NamedTuple

from captures.openssl import OLD, PORT, facts_of, files_of, made_by, s_server
from captures.record import HOST, Bench, Facts, Scenario, process, run

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["SCENARIOS", "made_by"]

_MESSAGE = re.compile(
    r"^(<<<|>>>) [^,]+, (?:Handshake|Alert) \[length \w+\], (\S+(?: \S+)?)\n((?:    [0-9a-f ]+\n)*)", re.MULTILINE
)
# What s_server prints of a connection: it takes leave of some after it has said that they are closed.
_CONNECTION = re.compile(r".+?(?:CONNECTION CLOSED\n(?:(?!<<<).)*|\Z)", re.DOTALL)
_LEVELS = {"warning", "fatal"}
_RSA_PADDING = 2  # bytes of the length before the encrypted premaster (RFC 5246 section 7.4.7.1)
# Also without an extended master secret, which s_client has no option for.
_NO_EMS = "openssl_conf=m\n[m]\nssl_conf=s\n[s]\nsystem_default=w\n[w]\nOptions=-ExtendedMasterSecret\n"


class Visit(NamedTuple):
    """One session: options of s_client, what it types after a while, and facts that nobody prints.

    ``shown`` are the certificates by who has them (``Minted``), ``later`` those of a renegotiation; ``ems`` and ``rsa`` whether there is an extended master
    secret, and whether the key log has NSS's line of the premaster in place of the master secret's.
    """

    name: str
    client: str = ""
    typed: tuple[bytes, ...] = (b"hello\n",)
    shown: tuple[str, ...] = ("ec",)
    later: tuple[str, ...] = ()
    ems: bool = True
    rsa: bool = False
    facts: Facts = {}  # noqa: RUF012 - nobody changes it
    opened: Facts = {}  # noqa: RUF012 - likewise


class Server(NamedTuple):
    """One run of s_server and who visits it."""

    options: str
    visits: tuple[Visit, ...]


class Sent(NamedTuple):
    """A message that a side says it sent."""

    name: str
    body: bytes


def sent(printed: str) -> list[Sent]:
    """The handshake messages and alerts that the side whose ``-msg`` this is has sent."""
    return [Sent(name, bytes.fromhex(dump)) for arrows, name, dump in _MESSAGE.findall(printed) if arrows == ">>>"]


def _alerts(side: str, messages: list[Sent]) -> list[Facts]:
    found = []
    for message in messages:
        level, _, description = message.name.partition(" ")
        if level in _LEVELS:
            found.append({"from": side, "level": level, "description": description})
    return found


def _extensions(messages: list[Sent]) -> list[int] | None:
    """The types in EncryptedExtensions (RFC 9846 section 4.4.1)."""
    for message in messages:
        if message.name == "EncryptedExtensions":
            found, at = [], 6
            while at < len(message.body):
                found.append(int.from_bytes(message.body[at : at + 2], "big"))
                at += 4 + int.from_bytes(message.body[at + 2 : at + 4], "big")
            return found
    return None


def _session(bench: Bench, visit: Visit, host: str, client: str, server: str) -> Facts:
    """The facts of one session from what both programs printed."""
    ours, theirs = sent(client), sent(server)
    chain, later = (
        [item for owner in owners for item in getattr(bench.minted, owner).sha256]
        for owners in (visit.shown, visit.later)
    )
    facts = facts_of(client, host) | {"hellos": 1, "outcome": "established"}
    modern = facts["version"] == "0x0304"
    alpn = re.search(r"^ALPN protocol: (\S+)", client, re.MULTILINE)
    alerts = _alerts("client", ours) + _alerts("server", theirs)
    opened: Facts = {
        "decryption": "complete",
        "certificates": chain + later,
        "encrypted_extensions": _extensions(theirs),
        "alpn": alpn[1] if alpn else None,
        "tickets": sum(message.name == "NewSessionTicket" for message in theirs),
        "alerts": alerts,
        "encrypted_alerts": len(alerts),
    }
    facts["certificates"] = [] if modern else chain
    if not modern:
        facts["alpn"] = opened["alpn"]
    return facts | visit.facts | {"opened": opened | visit.opened}


def _type(argv: list[str], typed: tuple[bytes, ...], env: dict[str, str]) -> str:
    """Run s_client, type each line after it had time for the last, and return its output."""
    with process(argv, env=env) as client:
        if client.stdin is None or client.stdout is None:
            raise RuntimeError
        with contextlib.suppress(BrokenPipeError):
            for line in (b"", *typed):
                client.stdin.write(line)
                client.stdin.flush()
                time.sleep(0.25)
        with contextlib.suppress(BrokenPipeError):
            client.stdin.close()
        return client.stdout.read().decode(errors="replace")


def _served(bench: Bench, scenario: str, server: Server) -> Iterator[Facts]:
    files = files_of(bench) | {"state": bench.folder / "state"}
    (bench.folder / "early").write_bytes(b"early words\n")
    (bench.folder / "noems.cnf").write_text(_NO_EMS)
    rsa = any("rsa" in visit.shown for visit in server.visits)
    printed = []
    # After so many it ends by itself, and has printed everything.
    options = ["-msg", "-naccept", str(len(server.visits)), *server.options.format(**files).split()]
    with process(s_server(bench, *options, rsa=rsa), port=PORT) as peer:
        for visit in server.visits:
            host = f"{visit.name}.example"
            more = ["-servername", host, "-msg", *visit.client.format(**files).split()]
            if not visit.rsa:
                more += ["-keylogfile", str(bench.folder / f"{scenario}.keys")]
            env = {} if visit.ems else {"OPENSSL_CONF": str(bench.folder / "noems.cnf")}
            argv = ["openssl", "s_client", "-connect", f"{HOST}:{PORT}", *more]
            printed.append((visit, host, _type(argv, visit.typed, env)))
        told = peer.stdout.read().decode(errors="replace") if peer.stdout is not None else ""
    parts = _CONNECTION.findall(told)
    for (visit, host, client), part in zip(printed, parts, strict=False):
        if visit.rsa:
            _premaster(bench, scenario, sent(client))
        yield _session(bench, visit, host, client, part)


def _premaster(bench: Bench, scenario: str, messages: list[Sent]) -> None:
    """The line that NSS once wrote for RSA key exchange, from the server's private key."""
    from cryptography.hazmat.primitives.asymmetric import padding, rsa  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import load_pem_private_key  # noqa: PLC0415

    key = load_pem_private_key(bench.minted.rsa.key.read_bytes(), None)
    (body,) = (message.body[4 + _RSA_PADDING :] for message in messages if message.name == "ClientKeyExchange")
    if not isinstance(key, rsa.RSAPrivateKey):
        raise TypeError
    with (bench.folder / f"{scenario}.keys").open("a") as file:
        file.write(f"RSA {body[:8].hex()} {key.decrypt(body, padding.PKCS1v15()).hex()}\n")


def _gnutls(bench: Bench, scenario: str) -> Iterator[Facts]:
    """What only GnuTLS does here: certificates compressed (RFC 8879), and a refusal under the keys of the handshake."""
    leaf = bench.minted.rsa
    env = {"SSLKEYLOGFILE": str(bench.folder / f"{scenario}.keys")}
    argv = ["gnutls-serv", "--echo", "--disable-client-cert", "--port", str(PORT), "--compress-cert", "zlib"]
    files = ["--x509certfile", str(leaf.chain), "--x509keyfile", str(leaf.key)]
    visit = ["gnutls-cli", "-p", str(PORT), HOST, "--sni-hostname"]
    with process([*argv, *files], port=PORT):
        options = ["compressed.example", "--insecure", "--compress-cert", "zlib"]
        run([*visit, *options], stdin=b"hello\n", wait=b"\nhello", env=env, timeout=4)
    facts: Facts = {"version": "0x0304", "certificates": [], "hellos": 1}
    opened: Facts = {"decryption": "complete", "certificates": leaf.sha256}
    yield facts | {"server_name": "compressed.example", "opened": opened}
    with process(s_server(bench, "-rev", "-msg", "-naccept", "1"), port=PORT) as peer:
        run([*visit, "distrusted.example"], env=env, timeout=4)
        messages = sent(peer.stdout.read().decode(errors="replace") if peer.stdout is not None else "")
    refusal = {"from": "client", "level": "fatal", "description": "bad_certificate"}
    opened = {
        "decryption": "complete",
        "certificates": bench.minted.ec.sha256,
        "encrypted_extensions": _extensions(messages),
        "alerts": [refusal],
        "encrypted_alerts": 1,
        "outcome": "alert",
    }
    yield facts | {"server_name": "distrusted.example", "alerts": [], "opened": opened}


def _scenario(name: str, shows: str, *servers: Server, gnutls: bool = False) -> Scenario:
    def go(bench: Bench) -> list[Facts]:
        found = [facts for server in servers for facts in _served(bench, name, server)]
        return found + (list(_gnutls(bench, name)) if gnutls else [])

    return Scenario(name, shows, go)


def _one(name: str, server: str = "", client: str = "", **more: object) -> Server:
    return Server(server, (Visit(name, client, **more),))  # type: ignore[arg-type]  # the fields of Visit


_CLIENT = "-cert {client} -key {client_key} -cert_chain {issuer}"
_CCM = "TLS_AES_128_CCM_SHA256"
_CCM8 = "TLS_AES_128_CCM_8_SHA256"
_EARLY = "-max_early_data 1000 -early_data"
_EC = "-tls1_2 -cipher"
_UNKNOWN_CA = [{"from": "client", "level": "fatal", "description": "unknown_ca"}]

TLS13 = (
    _one("aes128", "-rev -alpn h2", "-ciphersuites TLS_AES_128_GCM_SHA256 -alpn h2,http/1.1"),
    _one("aes256", "-rev", "-ciphersuites TLS_AES_256_GCM_SHA384 -groups P-256", facts={"group": "0x0017"}),
    _one("chacha20", "-rev", "-ciphersuites TLS_CHACHA20_POLY1305_SHA256 -groups P-384", facts={"group": "0x0018"}),
    _one("ccm", f"-rev -ciphersuites {_CCM}", f"-ciphersuites {_CCM}"),
    _one("ccm8", f"-rev -ciphersuites {_CCM8}", f"-ciphersuites {_CCM8}"),
    _one("retry", "-rev -groups P-384", "-groups P-256:P-384", facts={"hellos": 2, "retry": True}),
    _one("ffdhe", "-rev -groups ffdhe2048", "-groups ffdhe2048 -no_middlebox", facts={"group": "0x0100"}),
    Server(
        f"{_EARLY} -no_anti_replay",
        (
            Visit("first", "-sess_out {state}"),
            Visit("resumed", "-sess_in {state}", shown=()),
            Visit("early", "-sess_in {state} -early_data {folder}/early", shown=(), facts={"early_data": True}),
        ),
    ),
    # The server that knew the ticket is gone: early data and ticket are both refused.
    _one("early-refused", _EARLY, "-sess_in {state} -early_data {folder}/early", facts={"early_data": True}),
    # The ticket is taken, the early data before the second hello is not.
    Server(
        f"{_EARLY} -no_anti_replay -groups P-384",
        (
            Visit("retry-first", "-groups P-256:P-384 -sess_out {state}", facts={"hellos": 2}),
            Visit(
                "early-retry",
                "-groups P-256:P-384 -sess_in {state} -early_data {folder}/early",
                shown=(),
                facts={"hellos": 2, "early_data": True},
            ),
        ),
    ),
    _one(
        "client", "-rev -Verify 3 -CAfile {root}", _CLIENT, shown=("ec", "client"), opened={"certificate_request": True}
    ),
    _one("update", "-rev", typed=(b"K\n", b"hello\n")),
    _one("updates", "-rev", typed=(b"k\n", b"hello\n", b"k\n", b"K\n", b"again\n")),
    # s_client says no before it changes its keys, in clear, and logs none of those that come later.
    _one(
        "refused",
        "-rev",
        "-verify_return_error -verify 5",
        facts={"outcome": "alert", "alerts": _UNKNOWN_CA},
        opened={"alerts": _UNKNOWN_CA, "encrypted_alerts": 0, "tickets": None},
    ),
    _one("psk", "-rev -psk 5a5a5a5a -ciphersuites TLS_AES_128_GCM_SHA256", "-psk 5a5a5a5a", shown=()),
)

TLS12 = (
    _one("gcm", f"-rev -alpn h2 {_EC} ECDHE+AESGCM", "-alpn h2"),
    _one("chacha20", f"-rev {_EC} ECDHE+CHACHA20"),
    _one("ccm", f"-rev {_EC} ECDHE-ECDSA-AES128-CCM8", "-cipher ECDHE-ECDSA-AES128-CCM8"),
    _one("cbc", f"-rev {_EC} ECDHE-ECDSA-AES256-SHA384"),
    _one("cbc-mac-first", f"-rev {_EC} ECDHE-ECDSA-AES128-SHA256", "-no_etm"),
    _one("plain-master", f"-rev {_EC} ECDHE+AESGCM", ems=False),
    _one("rsa", f"-rev {_EC} AES128-GCM-SHA256", shown=("rsa",), rsa=True),
    _one("rsa-plain-master", f"-rev {_EC} AES256-SHA", shown=("rsa",), rsa=True, ems=False),
    Server("-rev -tls1_2", (Visit("first", "-sess_out {state}"), Visit("ticket", "-sess_in {state}", shown=()))),
    Server(
        "-rev -tls1_2 -no_ticket",
        (Visit("id-first", "-sess_out {state}"), Visit("id", "-sess_in {state}", shown=())),
    ),
    _one("client", "-rev -tls1_2 -Verify 3 -CAfile {root}", _CLIENT, shown=("ec", "client")),
    _one(
        "renegotiated",
        "-rev -tls1_2 -client_renegotiation",
        typed=(b"R\n", b"hello\n"),
        later=("ec",),
        opened={"hellos": 2},
    ),
)

_OLD11, _OLD10 = f"-rev -tls1_1 {OLD}", f"-rev -tls1 {OLD}"
OLDER = (
    _one("tls11", _OLD11, f"-tls1_1 {OLD}"),
    _one("tls11-mac-first", _OLD11, f"-tls1_1 -no_etm {OLD}"),
    _one("tls10", _OLD10, f"-tls1 {OLD}"),
    _one("tls10-mac-first", _OLD10, f"-tls1 -no_etm {OLD}", ems=False),
)

SCENARIOS: tuple[Scenario, ...] = (
    _scenario("keylog-tls13", "twenty sessions of TLS 1.3 with their key log", *TLS13, gnutls=True),
    _scenario("keylog-tls12", "TLS 1.2 with its key log: ciphers, master secrets, resumption, renegotiation", *TLS12),
    _scenario("keylog-older", "TLS 1.1 and 1.0 with their key log: CBC, the MAC before and after", *OLDER),
)
