from __future__ import annotations

import asyncio
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import msgspec
import pytest

from tlswire.errors import LookupFailedError, UsageError
from tlswire.lab.characters import CHARACTERS, TLS10, TLS12, TLS13, accepted
from tlswire.lab.plants import PLANTS
from tlswire.lab.server import HOST, Lab, running

from .hellos import Answer, ask, client_hello, converse, named, sslv2_wire, wire

if TYPE_CHECKING:
    from collections.abc import Callable

RSA_CBC, RC4, AES_GCM_13 = 0x002F, 0x0005, 0x1301
HELLO12 = client_hello(TLS12, (0xC02F, RSA_CBC))
GOOD = wire(HELLO12)
GOOD13 = wire(client_hello(TLS13, (AES_GCM_13,)))
REFUSED = wire(client_hello(TLS12, (RC4,)))
MIB = 1 << 20


def first(lab: Lab, data: bytes = GOOD) -> Answer:
    """The beginning of the answer, without waiting for more."""
    return ask(lab.port, data, patience=3, most=1)


def accepts(lab: Lab, data: bytes = GOOD, suite: int = 0xC02F) -> None:
    answer = first(lab, data)
    assert answer.error == ""
    assert answer.hello is not None
    assert answer.hello.suite == suite


def refuses(lab: Lab, data: bytes, alert: int) -> None:
    answer = ask(lab.port, data, patience=3)
    assert (answer.alerts, answer.end) == ([(2, alert)], "fin")


def modern(lab: Lab) -> None:
    accepts(lab)
    accepts(lab, GOOD13, AES_GCM_13)
    refuses(lab, REFUSED, 40)


def legacy_mdm(lab: Lab) -> None:
    accepts(lab, REFUSED, RC4)
    refuses(lab, GOOD13, 40)


def museum(lab: Lab) -> None:
    accepts(lab, wire(client_hello(0x0300, (0x0003,))), 0x0003)
    assert [message.type for message in first(lab, sslv2_wire((0x010080,))).messages] == [4]


def strict(lab: Lab) -> None:
    accepts(lab)
    accepts(lab, GOOD13, AES_GCM_13)
    refuses(lab, wire(client_hello(TLS12, (0xC02F,), e1=5)), 47)


def plain(lab: Lab) -> None:
    accepts(lab, wire(client_hello(TLS10, (RSA_CBC,))), RSA_CBC)
    refuses(lab, REFUSED, 40)


def drops_large(lab: Lab) -> None:
    padding = 512 - len(GOOD) - 4
    accepts(lab, wire(client_hello(TLS12, (0xC02F, RSA_CBC), e21=bytes(padding))))
    answer = ask(lab.port, wire(client_hello(TLS12, (0xC02F, RSA_CBC), e21=bytes(padding + 1))))
    assert (answer.data, answer.end) == (b"", "timeout")


def limits_suites(lab: Lab) -> None:
    others = tuple(range(0x7000, 0x7080))
    accepts(lab, wire(client_hello(TLS12, (0xC02F, *others[:127]))))
    answer = ask(lab.port, wire(client_hello(TLS12, (0xC02F, *others))))
    assert (answer.data, answer.end) == (b"", "fin")


def rate_limited(lab: Lab) -> None:
    admitted = [socket.create_connection((HOST, lab.port)) for _ in range(20)]
    assert ask(lab.port, GOOD).end == "reset"
    for connection in admitted:
        assert converse(connection, GOOD, patience=3, most=1).hello is not None
        connection.close()


def tarpit(lab: Lab) -> None:
    for _ in range(99):
        socket.create_connection((HOST, lab.port)).close()
    accepts(lab)
    answer = ask(lab.port, GOOD)
    assert (answer.data, answer.end) == (b"", "timeout")


def closes(lab: Lab) -> None:
    accepts(lab)
    answer = ask(lab.port, REFUSED)
    assert (answer.data, answer.end) == (b"", "fin")


def resets(lab: Lab) -> None:
    accepts(lab)
    answer = ask(lab.port, REFUSED)
    assert (answer.data, answer.end) == (b"", "reset")


def silent_refusal(lab: Lab) -> None:
    accepts(lab)
    answer = ask(lab.port, REFUSED)
    assert (answer.data, answer.end) == (b"", "timeout")


def fragmented_alert(lab: Lab) -> None:
    accepts(lab)
    answer = ask(lab.port, REFUSED)
    assert answer.data == bytes.fromhex("15030300010215030300 01 28")
    assert answer.alerts == [(2, 40)]


def list_intolerant(lab: Lab) -> None:
    accepts(lab, wire(client_hello(TLS12, (RSA_CBC,))), RSA_CBC)
    refuses(lab, wire(client_hello(TLS12, (RSA_CBC, 0xC00A))), 40)
    refuses(lab, wire(client_hello(TLS12, (0xC00A,))), 40)


def unoffered_suite(lab: Lab) -> None:
    accepts(lab, GOOD, RC4)
    refuses(lab, wire(client_hello(0x0300, (RC4,))), 70)


def unoffered_version(lab: Lab) -> None:
    for hello in (HELLO12, client_hello(TLS13, (AES_GCM_13,)), client_hello(TLS10, (RSA_CBC,))):
        answer = first(lab, wire(hello)).hello
        assert answer is not None
        assert answer.version not in hello.versions
        assert answer.suite in hello.suites


def unoffered_extension(lab: Lab) -> None:
    for data in (GOOD, GOOD13):
        answer = first(lab, data).hello
        assert answer is not None
        assert answer.extension_types[-1] == 35


def unoffered_group(lab: Lab) -> None:
    answer = first(lab, GOOD13).hello
    assert answer is not None
    assert answer.group == 0x0019
    key_exchange = next(message for message in first(lab).messages if message.type == 12)
    assert key_exchange.body[:3] == b"\x03\x00\x16"


def serial(lab: Lab) -> None:
    with socket.create_connection((HOST, lab.port)), socket.create_connection((HOST, lab.port)) as second:
        assert converse(second, GOOD).end == "timeout"
    with socket.create_connection((HOST, lab.port)) as occupying:
        waiting = socket.create_connection((HOST, lab.port))
        waiting.sendall(GOOD)
        occupying.close()
        assert converse(waiting, b"", patience=3, most=1).hello is not None
        waiting.close()


def slow(lab: Lab) -> None:
    start = time.perf_counter()
    accepts(lab)
    assert time.perf_counter() - start >= 0.1


def drip(lab: Lab) -> None:
    answer = ask(lab.port, GOOD)
    assert (answer.data, answer.end) == (b"\x16", "timeout")


def flood(lab: Lab) -> None:
    answer = ask(lab.port, GOOD, patience=3, most=MIB)
    assert len(answer.data) >= MIB
    assert answer.hello is None
    assert set(answer.types) == {0}


def endless_message(lab: Lab) -> None:
    answer = ask(lab.port, GOOD, patience=3, most=MIB)
    assert "length 16777215" in answer.error
    assert answer.messages == []


def malformed_hello(lab: Lab) -> None:
    message = first(lab).messages[0]
    assert (message.type, message.body[34]) == (2, 255)


def zero_record(lab: Lab) -> None:
    answer = ask(lab.port, GOOD, patience=3, most=8 * MIB)
    assert "length 0" in answer.error
    assert (len(answer.data), answer.end) == (5 * MIB, "fin")


def oversized_record(lab: Lab) -> None:
    assert "over 2^14+2048" in ask(lab.port, GOOD, patience=3, most=18438).error


def plain_http(lab: Lab) -> None:
    for data in (GOOD, b"GET / HTTP/1.1\r\n\r\n"):
        answer = ask(lab.port, data, patience=3)
        assert answer.data.startswith(b"HTTP/1.1 400 ")
        assert answer.end == "fin"


def closes_at_once(lab: Lab) -> None:
    answer = ask(lab.port, b"", patience=3)
    assert (answer.data, answer.end) == (b"", "fin")


def mute(lab: Lab) -> None:
    answer = ask(lab.port, GOOD)
    assert (answer.data, answer.end) == (b"", "timeout")


def needs_name(lab: Lab) -> None:
    accepts(lab, wire(named(HELLO12, b"lab.example")))
    refuses(lab, GOOD, 112)


def warns_name(lab: Lab) -> None:
    answer = ask(lab.port, GOOD)
    assert answer.alerts == [(1, 112)]
    assert answer.hello is not None
    assert answer.messages[0].content == 21


def needs_alpn(lab: Lab) -> None:
    accepts(lab, wire(client_hello(TLS12, (0xC02F,), e16=(b"h2",))))
    refuses(lab, GOOD, 120)
    refuses(lab, wire(client_hello(TLS13, (AES_GCM_13,), e16=(b"http/1.1",))), 120)


def mlkem_only(lab: Lab) -> None:
    answer = first(lab, GOOD13).hello
    assert answer is not None
    assert answer.is_retry
    assert answer.group == 0x11EC
    refuses(lab, wire(client_hello(TLS13, (AES_GCM_13,), e10=(0x1D, 0x17))), 40)


def version_intolerant(lab: Lab) -> None:
    accepts(lab, wire(client_hello(TLS10, (RSA_CBC,))), RSA_CBC)
    refuses(lab, GOOD, 70)


def needs_certificate(lab: Lab) -> None:
    accepts(lab)
    assert 13 in first(lab).types


def compresses(lab: Lab) -> None:
    hello = client_hello(TLS12, (RSA_CBC,))
    accepts(lab, wire(hello), RSA_CBC)
    answer = first(lab, wire(msgspec.structs.replace(hello, compression=(1, 0)))).hello
    assert answer is not None
    assert answer.compression == 1


def huge(lab: Lab) -> None:
    answer = ask(lab.port, GOOD, patience=3, most=9 * MIB if "certificate" in lab.character.name else 3 * MIB)
    assert answer.hello is not None
    assert "handshake.length" in answer.error


def early_data(lab: Lab) -> None:
    accepts(lab, GOOD13, AES_GCM_13)


BEHAVIOURS: dict[str, Callable[[Lab], None]] = {
    function.__name__.replace("_", "-"): function
    for function in (
        modern,
        legacy_mdm,
        museum,
        plain,
        strict,
        drops_large,
        limits_suites,
        rate_limited,
        tarpit,
        closes,
        resets,
        silent_refusal,
        fragmented_alert,
        list_intolerant,
        unoffered_suite,
        unoffered_version,
        unoffered_extension,
        unoffered_group,
        serial,
        slow,
        drip,
        flood,
        endless_message,
        malformed_hello,
        zero_record,
        oversized_record,
        plain_http,
        closes_at_once,
        mute,
        needs_name,
        warns_name,
        needs_alpn,
        mlkem_only,
        version_intolerant,
        needs_certificate,
        early_data,
        compresses,
    )
}


# What is wrong with the handshakes of these is shown in test_flaws.py and test_handshakes.py.
BEHAVIOURS |= {name: accepts for name, it in CHARACTERS.items() if it.quirks.flaw and name not in PLANTS}
BEHAVIOURS |= dict.fromkeys(("huge-chain", "huge-certificate"), huge)
BEHAVIOURS |= dict.fromkeys(("ignores-schemes", "garbage-status", "renegotiates", "renegotiates-insecurely"), accepts)


# Those planted for the fuzzer say bytes in, bytes out: test_edges.py.
@pytest.mark.parametrize("name", [name for name in CHARACTERS if name not in PLANTS])
def test_a_character_does_what_it_says(name: str) -> None:
    with running(name) as lab:
        BEHAVIOURS[name](lab)


def test_a_server_that_takes_one_client_after_the_other_counts_them() -> None:
    with running("plain") as lab:
        for _ in range(50):
            accepts(lab)
        assert lab.connections == 50


def test_a_lab_lives_in_an_event_loop_too() -> None:
    async def exchange() -> bytes:
        async with Lab("modern", seed=3) as lab:
            reader, writer = await asyncio.open_connection(lab.host, lab.port)
            writer.write(GOOD)
            data = await reader.read(1 << 16)
            writer.close()
            await writer.wait_closed()
            return data

    first_run, second_run = asyncio.run(exchange()), asyncio.run(exchange())
    assert first_run == second_run
    assert first_run[:1] == b"\x16"


def test_a_lab_ends_with_clients_still_connected() -> None:
    with running("mute") as lab:
        connection = socket.create_connection((HOST, lab.port))
        assert converse(connection, GOOD).end == "timeout"
    assert converse(connection, b"", patience=3).end in {"fin", "reset"}
    connection.close()


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::", "localhost"])
def test_only_loopback_addresses_will_do(host: str) -> None:
    with pytest.raises(UsageError):
        Lab("modern", host=host)


def test_wrong_usage() -> None:
    with pytest.raises(LookupFailedError):
        Lab("no such thing")
    with running("plain") as lab, pytest.raises(UsageError, match="cannot listen"), running("plain", lab.port):
        pass


def test_serve_forever_ends_cleanly_when_interrupted() -> None:
    code = (
        "from tlswire.lab.server import serve_forever\n"
        "serve_forever('plain', 0, ready=lambda lab: print(lab.port, flush=True))\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        port = int(process.stdout.readline())
        assert ask(port, GOOD, patience=3, most=1).hello is not None
        process.send_signal(signal.SIGINT)
        assert process.stderr.read() == b""
        assert process.wait(5) == 0


def test_every_character_but_the_unreadable_accepts_something() -> None:
    nothing = {name for name, character in CHARACTERS.items() if not accepted(character)}
    unreadable = {name for name, character in CHARACTERS.items() if character.quirks.instead}
    assert nothing == unreadable | {"unoffered-version"}


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_openssl_reads_every_message() -> None:
    with running("modern") as lab:
        command = ["openssl", "s_client", "-connect", f"{HOST}:{lab.port}", "-tls1_2", "-msg"]
        shown = subprocess.run(command, input=b"", capture_output=True, timeout=10, check=False).stdout.decode()
    received = re.findall(r"^<<< .*, (?:Handshake \[.*\], |Alert \[.*\], )(.*)$", shown, re.MULTILINE)
    flight = ["ServerHello", "Certificate", "ServerKeyExchange", "ServerHelloDone"]
    assert received[:6] == [*flight, "NewSessionTicket", "Finished"]
