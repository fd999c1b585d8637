"""The lab completes handshakes: with our own client in memory, with Python's ssl, openssl and tlslite-ng."""

from __future__ import annotations

import contextlib
import shutil
import socket
import ssl
import subprocess
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.servers.certs import certificates
from tlswire.crypto.protection import can_protect
from tlswire.handshake.client import Client
from tlswire.handshake.offer import encode
from tlswire.handshake.tls13 import Tls13
from tlswire.lab import keys
from tlswire.lab.actions import Close, Send
from tlswire.lab.characters import CHARACTERS, TLS13, Character, accepted, character
from tlswire.lab.responder import Conversation
from tlswire.lab.server import HOST, Lab, running
from tlswire.lab.sessions import MAX_REMEMBERED, Remembered, Sessions
from tlswire.registry import GROUPS, SUITES
from tlswire.scan.server import groups_of
from tlswire.wire.handshake import encode_handshake
from tlswire.wire.records import APPLICATION_DATA, CHANGE_CIPHER_SPEC, HANDSHAKE, Alert, fragment

from .handshakes import REQUEST, complete, hello_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tlswire.handshake.conversation import Conversation as Shown

TLS10, TLS12 = 0x0301, 0x0303
ECDHE_GCM, ECDHE_CBC, RSA_CBC, DHE_GCM = 0xC02F, 0xC013, 0x002F, 0x009E
AES128_13, AES256_13 = 0x1301, 0x1302
PAGE = b"A server of the tlswire lab."
# Options of OpenSSL that pyOpenSSL has no names for.
OP_LEGACY_SERVER_CONNECT, OP_LEGACY_RENEGOTIATION = 1 << 2, 1 << 18


def finished(shown: Shown) -> bool:
    told = (shown.label, shown.reason, shown.signature, shown.ending)
    assert told == ("finished", "", "", "done"), shown
    return PAGE in shown.application


def computable(of: Character) -> Iterator[tuple[int, int]]:
    """Every version and suite of a character whose handshakes both it and our client can complete."""
    for version, suites in accepted(of).items():
        for suite in sorted(suites if version > 0x0002 else ()):
            row = SUITES[suite]
            known = row.kex in {"ECDHE", "DHE", "RSA"} and row.auth in {"RSA", "DSS", "ECDSA"}
            if can_protect(version, suite) and (known or version == TLS13):
                yield version, suite


@pytest.mark.parametrize("name", ["plain", "modern", "legacy-mdm", "museum", "version-intolerant", "mlkem-only"])
def test_every_computable_suite_is_completed(name: str) -> None:
    of = character(name)
    pairs = list(computable(of))
    groups = of.groups if name == "mlkem-only" else ()
    for version, suite in pairs:
        shape: dict[str, Any] = {"groups": groups, "key_shares": groups} if groups else {}
        shown = complete(of, hello_for(version, (suite,), alpn=(b"http/1.1",), **shape))
        assert finished(shown), SUITES[suite].name
        assert (shown.version, shown.suite) == (version, suite)
    assert len(pairs) == {"museum": 194, "legacy-mdm": 38, "plain": 25, "modern": 11}.get(name, len(pairs))
    assert pairs


@pytest.mark.parametrize("version", [TLS12, TLS13])
def test_every_computable_group_is_taken(version: int) -> None:
    of = character("museum")
    suite = AES128_13 if version == TLS13 else ECDHE_GCM
    for group in (code for code in groups_of(version) if version == TLS13 or GROUPS[code].kind != "ffdhe"):
        shares = (group,) if version == TLS13 else ()
        shown = complete(of, hello_for(version, (suite,), groups=(group,), key_shares=shares))
        assert finished(shown)
        assert shown.group == group


def test_a_group_without_a_share_is_asked_for() -> None:
    shown = complete("plain", hello_for(TLS13, (AES128_13,), groups=(0x1E, 0x18), key_shares=(0x1E,)))
    assert finished(shown)
    assert shown.retry is not None
    assert shown.group == 0x18
    again = complete("museum", hello_for(TLS13, (0xC0B4,), key_shares=()))
    assert again.retry is not None
    assert finished(again)


def test_what_was_said_is_the_same_every_time() -> None:
    for version, suite in ((TLS10, ECDHE_CBC), (TLS12, DHE_GCM), (TLS13, AES256_13)):
        hello = hello_for(version, (suite,))
        first, again = complete("plain", hello), complete("plain", hello)
        assert first.received == again.received
        assert complete("plain", hello, seed=2).received != first.received


# What agreements there are below TLS 1.3.


@pytest.mark.parametrize("version", [TLS10, TLS12])
@pytest.mark.parametrize(("name", "extended", "after"), [("plain", True, False), ("museum", False, True)])
def test_what_binds_keys_and_what_comes_after_encryption(name: str, extended: bool, after: bool, version: int) -> None:
    shown = complete(name, hello_for(version, (RSA_CBC,)))
    assert finished(shown)
    assert shown.extended_master_secret == extended
    assert (shown.answered(22) is not None) == after


@pytest.mark.parametrize(("name", "how"), [("plain", "id"), ("modern", "id"), ("modern", "ticket")])
def test_sessions_go_on_below_tls13(name: str, how: str) -> None:
    sessions, hello = Sessions(), hello_for(TLS12, (ECDHE_GCM,))
    first = complete(name, hello, sessions=sessions)
    session = next(one for one in first.sessions if bool(one.ticket) == (how == "ticket"))
    again = complete(name, hello_for(TLS12, (ECDHE_GCM,), seed=2), sessions=sessions, session=session)
    assert finished(again)
    assert again.resumed
    assert not again.chain
    assert finished(complete(name, hello, session=session))  # another server, which knows nothing of it
    assert not complete(name, hello, session=session).resumed


def test_a_session_without_its_extended_master_secret_is_refused() -> None:
    sessions, hello = Sessions(), hello_for(TLS12, (ECDHE_GCM,))
    session = complete("plain", hello, sessions=sessions).sessions[0]
    bare = msgspec.structs.replace(hello, extensions=tuple(one for one in hello.extensions or () if one.type != 23))
    shown = complete("plain", bare, sessions=sessions, session=session)
    assert shown.label == "alert:handshake_failure"
    unbound = complete("plain", bare, sessions=sessions).sessions[0]
    assert not complete("plain", hello, sessions=sessions, session=unbound).resumed


@pytest.mark.parametrize(("version", "alert"), [(TLS12, "handshake_failure"), (TLS13, "certificate_required")])
def test_a_certificate_of_the_client_is_asked_for(version: int, alert: str) -> None:
    hello = hello_for(version, (AES128_13 if version == TLS13 else ECDHE_GCM,))
    of = character("needs-certificate")
    refused = complete(of, hello)
    assert refused.label == f"alert:{alert}"
    assert refused.certificate_request is not None
    assert finished(complete(msgspec.structs.replace(of, client_certificate="optional"), hello))


# TLS 1.3 after the handshake, and before it.


def test_tickets_of_tls13() -> None:
    sessions, hello = Sessions(), hello_for(TLS13, (AES128_13, AES256_13))
    first = complete("plain", hello, sessions=sessions)
    assert len(first.tickets) == 2
    for session in first.sessions:
        again = complete("plain", hello, sessions=sessions, session=session)
        assert finished(again)
        assert again.resumed
        assert not again.chain
    retried = hello_for(TLS13, (AES128_13, AES256_13), groups=(0x1E, 0x18), key_shares=(0x1E,))
    again = complete("plain", retried, sessions=sessions, session=first.sessions[0])
    assert finished(again)
    assert (again.resumed, again.retry is not None) == (True, True)


def test_a_wrong_binder_is_refused() -> None:
    sessions, hello = Sessions(), hello_for(TLS13, (AES128_13,))
    session = complete("plain", hello, sessions=sessions).sessions[0]
    wrong = msgspec.structs.replace(session, secret=bytes(32))
    assert complete("plain", hello, sessions=sessions, session=wrong).label == "alert:decrypt_error"


@pytest.mark.parametrize("data", [REQUEST, REQUEST[:20]], ids=["the whole request", "a part"])
def test_early_data_is_taken_once(data: bytes) -> None:
    sessions, hello = Sessions(), hello_for(TLS13, (AES128_13,))
    session = complete("early-data", hello, sessions=sessions).sessions[0]
    assert session.early_data == 1 << 14
    known: dict[str, Any] = {"sessions": sessions, "session": session, "early_data": data, "request": REQUEST[20:]}
    first = complete("early-data", hello, **known)
    assert finished(first)
    assert (first.resumed, first.early_data) == (True, True)
    again = complete("early-data", hello, **known | {"request": REQUEST})
    assert finished(again)
    assert (again.resumed, again.early_data) == (False, False)


def test_early_data_is_skipped_where_it_is_not_taken() -> None:
    sessions, hello = Sessions(), hello_for(TLS13, (AES128_13,))
    session = complete("early-data", hello, sessions=sessions).sessions[0]
    lessened = msgspec.structs.replace(character("early-data"), groups=(0x18,))
    for of in (character("plain"), lessened):
        shown = complete(of, hello, session=session, early_data=REQUEST * 40)
        assert finished(shown)
        assert shown.early_data is False
    assert shown.retry is not None


class Updating(Client):
    """Updates its keys twice, and asks the server to do the same, before its request."""

    def established(self) -> None:
        assert isinstance(self.flow, Tls13)
        self.flow.update_keys(request=True)
        self.flow.update_keys(request=False)
        super().established()


def test_keys_are_updated() -> None:
    shown = complete("plain", hello_for(TLS13, (AES128_13,)), make=Updating)
    assert finished(shown)
    assert [message.type for message in shown.messages].count(24) == 1


# What a good server refuses, and how.


class Saying(Client):
    """Says something else than it should at the end of its handshake."""

    content, data = APPLICATION_DATA, b""

    def established(self) -> None:
        self.send(self.content, self.data)


def saying(content: int, data: bytes) -> type[Client]:
    return type("Saying", (Saying,), {"content": content, "data": data})


BAD_KEY_UPDATE = encode_handshake(24, b"\x02")
FINISHED_AGAIN = encode_handshake(20, bytes(12))
HELLO_AGAIN = encode_handshake(1, b"")


@pytest.mark.parametrize(
    ("version", "content", "data", "alert"),
    [
        (TLS13, HANDSHAKE, BAD_KEY_UPDATE, "illegal_parameter"),
        (TLS13, HANDSHAKE, FINISHED_AGAIN, "unexpected_message"),
        (TLS12, HANDSHAKE, FINISHED_AGAIN, "unexpected_message"),
        (TLS12, CHANGE_CIPHER_SPEC, b"\x01", "unexpected_message"),
        (TLS13, HANDSHAKE, HELLO_AGAIN, "unexpected_message"),
    ],
)
def test_refusals_after_the_handshake_are_encrypted(version: int, content: int, data: bytes, alert: str) -> None:
    hello = hello_for(version, (AES128_13 if version == TLS13 else ECDHE_GCM,))
    shown = complete("plain", hello, make=saying(content, data))
    assert (shown.alert.name if shown.alert else None, shown.alert_encrypted) == (alert, True)


class BadFinished(Client):
    """Says a Finished that does not verify."""

    def send_handshake(self, kind: int, body: bytes) -> None:
        super().send_handshake(kind, bytes(len(body)) if kind == 20 else body)


class BadRecord(Client):
    """Changes the last byte of what it says under its keys."""

    def send(self, content: int, data: bytes) -> None:
        super().send(content, data)
        if self.sealer is not None:
            self._out[-1] ^= 1


@pytest.mark.parametrize(("make", "alert"), [(BadFinished, "decrypt_error"), (BadRecord, "bad_record_mac")])
@pytest.mark.parametrize(("version", "suite"), [(TLS10, RSA_CBC), (TLS12, ECDHE_GCM), (TLS13, AES128_13)])
def test_what_does_not_verify_or_open(make: type[Client], alert: str, version: int, suite: int) -> None:
    shown = complete("plain", hello_for(version, (suite,)), make=make)
    assert (shown.alert.name if shown.alert else None) == alert
    # Below TLS 1.3 the server has no keys of its own before it has seen the client's Finished.
    assert shown.alert_encrypted == (version == TLS13)


@pytest.mark.parametrize("suite", [RSA_CBC, ECDHE_GCM, DHE_GCM])
def test_keys_and_messages_in_the_wrong_order_are_refused(suite: int) -> None:
    for data, alert in (
        (fragment(CHANGE_CIPHER_SPEC, TLS12, b"\x01"), 10),
        (fragment(HANDSHAKE, TLS12, encode_handshake(20, bytes(12))), 10),
        (fragment(HANDSHAKE, TLS12, encode_handshake(15, bytes(4))), 10),
        (fragment(HANDSHAKE, TLS12, encode_handshake(16, b"\x09\x00")), 50),
        (fragment(APPLICATION_DATA, TLS12, b"hello"), 10),
    ):
        conversation = Conversation(character("plain"))
        conversation.answer(hello_for(TLS12, (suite,)), b"")
        actions = conversation.receive(data)
        assert actions == [Send(fragment(21, TLS12, bytes((2, alert)))), Close()]


def test_a_hello_inside_the_connection_is_declined_with_a_warning() -> None:
    again = hello_for(TLS12, (ECDHE_GCM,), seed=2)
    shown = complete("plain", hello_for(TLS12, (ECDHE_GCM,)), make=saying(HANDSHAKE, encode(again)))
    assert shown.warnings == (Alert(1, 100),)
    assert shown.alert is None


def test_a_request_that_is_too_long_is_answered() -> None:
    assert finished(complete("plain", hello_for(TLS13, (AES128_13,)), request=b"A" * 9000))


def test_http2_is_declined_in_its_own_words() -> None:
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    shown = complete("plain", hello_for(TLS12, (ECDHE_GCM,), alpn=(b"h2",)), request=preface)
    assert shown.alpn == b"h2"
    assert shown.application[9:].startswith(bytes.fromhex("000008 07"))
    assert shown.application.endswith(b"\x0d")


@pytest.mark.parametrize(("version", "suite"), [(TLS12, ECDHE_GCM), (TLS12, DHE_GCM), (TLS13, AES128_13)])
def test_a_hello_that_comes_again_gets_other_keys(version: int, suite: int) -> None:
    hello = hello_for(version, (suite,))
    runs = [[complete("plain", hello, sessions=sessions) for _ in range(3)] for sessions in (Sessions(), Sessions())]
    randoms = [[shown.hello.random for shown in run if shown.hello is not None] for run in runs]
    assert len(set(randoms[0])) == 3
    assert randoms[0] == randoms[1]
    assert len({shown.secrets[min(shown.secrets)] for shown in runs[0]}) == 3


def test_the_memory_of_hellos_is_bounded() -> None:
    sessions = Sessions()
    assert [sessions.times(b"a"), sessions.times(b"a"), sessions.times(b"b")] == [0, 1, 0]
    for number in range(MAX_REMEMBERED):
        assert sessions.times(number.to_bytes(4, "big")) == 0
    assert sessions.times(b"a") == 0


def test_the_memory_of_sessions_is_bounded() -> None:
    sessions, session = Sessions(), Remembered(TLS12, ECDHE_GCM, bytes(48))
    for number in range(MAX_REMEMBERED + 1):
        sessions.remember(number.to_bytes(4, "big"), session)
    assert sessions.recall(bytes(4)) is None
    assert sessions.recall(b"\0\0\0\1") == session
    sessions.forget(b"\0\0\0\1")
    sessions.forget(b"\0\0\0\1")
    assert sessions.recall(b"\0\0\0\1") is None


# With the clients of others.


_VERSIONS = {
    TLS10: ssl.TLSVersion.TLSv1,
    0x0302: ssl.TLSVersion.TLSv1_1,
    TLS12: ssl.TLSVersion.TLSv1_2,
    TLS13: ssl.TLSVersion.TLSv1_3,
}


def python_context(version: int, ciphers: str = "DEFAULT") -> ssl.SSLContext:
    """A context of Python's ssl that verifies the lab's certificates and speaks one version."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for kind in ("rsa", "ec"):
        context.load_verify_locations(cadata=keys.certificate(kind))
    context.set_ciphers(f"{ciphers}:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = _VERSIONS[version]
    return context


class Heard(NamedTuple):
    """What Python's ssl says of a connection, and the answer to its request."""

    version: str | None
    session: ssl.SSLSession | None
    reused: bool | None
    answer: bytes


def python_client(lab: Lab, context: ssl.SSLContext, session: ssl.SSLSession | None = None) -> Heard:
    with (
        socket.create_connection((HOST, lab.port), 5) as plain,
        context.wrap_socket(plain, server_hostname="lab.example", session=session) as wrapped,
    ):
        wrapped.sendall(REQUEST)
        answer = b""
        while part := wrapped.recv(4096):
            answer += part
        return Heard(wrapped.version(), wrapped.session, wrapped.session_reused, answer)


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
@pytest.mark.parametrize(
    ("version", "ciphers"),
    [
        *((version, kex) for version in (TLS10, 0x0302, TLS12) for kex in ("kECDHE", "kRSA", "kDHE")),
        (TLS12, "aECDSA"),
        (TLS12, "ECDHE-RSA-CHACHA20-POLY1305"),
        (TLS12, "AES128-GCM-SHA256"),
        (TLS13, "DEFAULT"),
    ],
)
def test_python_s_ssl_completes_every_version_and_key_exchange(version: int, ciphers: str) -> None:
    with running("legacy-mdm" if ciphers == "kDHE" else "plain") as lab:
        heard = python_client(lab, python_context(version, ciphers))
    assert PAGE in heard.answer
    assert heard.version == {TLS10: "TLSv1", 0x0302: "TLSv1.1", TLS12: "TLSv1.2", TLS13: "TLSv1.3"}[version]


@pytest.mark.parametrize("version", [TLS12, TLS13])
@pytest.mark.parametrize("name", ["plain", "modern"])
def test_python_s_ssl_resumes(name: str, version: int) -> None:
    context = python_context(version)
    with running(name) as lab:
        first = python_client(lab, context)
        again = python_client(lab, context, first.session)
    assert PAGE in again.answer
    assert (first.reused, again.reused) == (False, True)


@pytest.mark.parametrize("version", [TLS12, TLS13])
def test_a_client_with_a_certificate_is_let_in(version: int) -> None:
    context = python_context(version)
    context.load_cert_chain(certificates().leaf("rsa2048").combined)
    with running("needs-certificate") as lab:
        assert PAGE in python_client(lab, context).answer


def s_client(lab: Lab, *options: str, said: bytes = REQUEST) -> str:
    """What openssl s_client prints."""
    command = ["openssl", "s_client", "-connect", f"{HOST}:{lab.port}", "-servername", "lab.example", *options]
    done = subprocess.run(command, input=said, capture_output=True, timeout=10, check=False)
    return (done.stdout + done.stderr).decode(errors="replace")


needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")


@needs_openssl
@pytest.mark.parametrize("group", ["X25519", "P-256", "P-384", "ffdhe2048", "X448:P-384"])
def test_openssl_completes_every_group(group: str) -> None:
    with running("plain") as lab:
        shown = s_client(lab, "-tls1_3", "-groups", group, "-ign_eof")
    assert PAGE.decode() in shown
    assert "New, TLSv1.3" in shown


@needs_openssl
def test_openssl_sends_early_data(tmp_path: Path) -> None:
    kept, data = str(tmp_path / "session"), tmp_path / "data"
    data.write_bytes(REQUEST)
    with running("early-data") as lab:
        assert PAGE.decode() in s_client(lab, "-tls1_3", "-ign_eof", "-sess_out", kept)
        options = ("-tls1_3", "-ign_eof", "-sess_in", kept, "-early_data", str(data))
        first, again = s_client(lab, *options, said=b""), s_client(lab, *options)
    assert "Early data was accepted" in first
    assert PAGE.decode() in first
    assert "Early data was rejected" in again
    assert PAGE.decode() in again


@pytest.mark.parametrize("safely", [True, False])
def test_openssl_renegotiates(safely: bool) -> None:
    openssl = pytest.importorskip("OpenSSL.SSL")
    of = character("renegotiates" if safely else "renegotiates-insecurely")
    context = openssl.Context(openssl.TLS_CLIENT_METHOD)
    context.set_options(openssl.OP_NO_TLSv1_3 | OP_LEGACY_SERVER_CONNECT | OP_LEGACY_RENEGOTIATION)
    client, server = openssl.Connection(context, None), Conversation(of)
    client.set_connect_state()

    def until_done(step: Callable[[], object]) -> None:
        for _ in range(10):
            with contextlib.suppress(openssl.WantReadError):
                step()
                return
            for action in server.receive(client.bio_read(1 << 16)):
                assert isinstance(action, Send)
                client.bio_write(action.data)
        pytest.fail("no end")

    until_done(client.do_handshake)
    keys_before = client.master_key()
    assert client.renegotiate()
    until_done(client.do_handshake)
    assert client.master_key() != keys_before
    client.send(REQUEST)
    client.bio_write(b"".join(one.data for one in server.receive(client.bio_read(1 << 16)) if isinstance(one, Send)))
    assert PAGE in client.recv(4096)


# What openssl is built without: SSLv3 and RC4, 3DES, NULL.
@pytest.mark.parametrize("version", [(3, 0), (3, 1), (3, 2), (3, 3)])
@pytest.mark.parametrize("cipher", ["rc4", "3des", "null", "aes128"])
@pytest.mark.parametrize("exchange", ["rsa", "dhe_rsa"])
def test_tlslite_ng_completes_old_suites(version: tuple[int, int], cipher: str, exchange: str) -> None:
    if exchange == "dhe_rsa" and cipher in {"rc4", "null"}:
        return
    tlslite = pytest.importorskip("tlslite.api", exc_type=ImportError)
    settings = tlslite.HandshakeSettings()
    settings.minVersion = settings.maxVersion = version
    settings.cipherNames, settings.keyExchangeNames = [cipher], [exchange]
    settings.macNames = ["sha"]
    settings.minKeySize = 1023
    with running("museum") as lab, socket.create_connection((HOST, lab.port), 5) as plain:
        connection = tlslite.TLSConnection(plain)
        connection.handshakeClientCert(settings=settings)
        connection.write(REQUEST)
        assert PAGE in bytes(connection.read(min=100, max=4096))
        assert connection.version == version


# Hostile clients.

SUITE_OF = {TLS10: RSA_CBC, TLS12: ECDHE_GCM, TLS13: AES128_13}


class Distorted(Client):
    """Says what it should, but for one byte at ``at``, and some more at the end."""

    at, by, more = 0, 0, b""

    def to_send(self) -> bytes:
        said = bytearray(super().to_send())
        if said and self.at < len(said):
            said[self.at] ^= self.by
        return bytes(said) + (self.more if said else b"")


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(
        ("plain", "museum", "early-data", "heartbleed", "ccs-injection", "poodle-tls", "robot", "renegotiates")
    ),
    st.sampled_from((TLS10, TLS12, TLS13)),
    st.integers(0, 700),
    st.integers(0, 255),
    st.binary(max_size=40),
)
def test_no_client_makes_the_lab_fail(name: str, version: int, at: int, by: int, more: bytes) -> None:
    make = type("Distorted", (Distorted,), {"at": at, "by": by, "more": more})
    shown = complete(name, hello_for(version, (SUITE_OF[version],)), make=make)
    assert shown.ending in {"done", "close", "timeout"}
    if not by and not more and version in character(name).suites:
        assert shown.label == "finished"


@pytest.mark.parametrize("name", CHARACTERS)
def test_random_bytes_after_a_flight_end_it(name: str) -> None:
    for version, suites in accepted(CHARACTERS[name]).items():
        if version > 0x0002 and suites:
            conversation = Conversation(CHARACTERS[name])
            conversation.answer(hello_for(version, (min(suites),), alpn=(b"h2",)), b"")
            actions = conversation.receive(b"\x16\x03\x03\x00\x05\x99\x00\x00\x01\x00" * 3)
            assert len(actions) <= 2
