"""Campaigns behind STARTTLS and proxies: what is judged is TLS alone, and what never came to TLS is not judged at all."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import msgspec
import pytest

from tests.servers.catalogue import running as serving
from tests.servers.dialogues import in_front
from tests.servers.gate import require
from tests.servers.listener import streamed
from tlswire.errors import LookupFailedError
from tlswire.fuzz.campaign import Options, fuzz_address
from tlswire.fuzz.cases import chosen
from tlswire.fuzz.cases.rows import Rows, modern
from tlswire.fuzz.line import Bounds, Line
from tlswire.fuzz.model import ABORT, NEGOTIATE
from tlswire.fuzz.script import Ground, Script, script_of
from tlswire.lab.server import running
from tlswire.probe.opening import Opening
from tlswire.probe.proxy import parse_proxy, resolved
from tlswire.probe.transport import UNRESOLVED, Address

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.servers.listener import Listener
    from tlswire.lab.server import Lab
    from tlswire.probe.proxy import Proxy
    from tlswire.results import ProvenFinding
    from tlswire.results.fuzz import Fuzz

# A second hello, segments, half-closes, a hello under keys, names; and E12, which deviates.
CASES = chosen(("E12", "X01", "R69", "F11", "F14", "N02", "S02", "S10"))
VALID = Rows("test", "RFC 9846 4.2.2").must("Y01", "valid", "nothing", modern(), NEGOTIATE)
WRONG = msgspec.structs.replace(VALID, id="Y02", allowed=ABORT)


def run(port: int, starttls: str = "", proxy: Proxy | None = None, **more: object) -> tuple[Fuzz, list[ProvenFinding]]:
    found: list[ProvenFinding] = []
    cases, bounds = more.pop("cases", CASES), more.pop("bounds", Bounds(timeout=1))
    address = more.pop("address", None) or Address("127.0.0.1", port)
    assert isinstance(bounds, Bounds)
    assert isinstance(address, Address)
    assert isinstance(cases, tuple)
    options = Options(starttls=starttls, proxy=proxy, bounds=bounds)
    return asyncio.run(fuzz_address("localhost", address, cases, options, found=found.append)), found


def reactions(result: Fuzz) -> dict[str, tuple[str, str, list[str]]]:
    return {case.id: (case.verdict, case.reaction, case.flight) for case in result.cases}


@pytest.fixture(autouse=True)
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who finds no room does not wait long."""
    monkeypatch.setattr("tlswire.fuzz.line.STUMBLED", 0.01)


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with running("ignores-duplicates") as server:
        yield server


@pytest.fixture(scope="module")
def plainly(lab: Lab) -> tuple[Fuzz, list[ProvenFinding]]:
    """What is found with nothing before TLS."""
    result, found = run(lab.port)
    assert [finding.case for finding in result.findings] == ["E12"]
    assert {case.id: case.verdict for case in result.cases}.pop("E12") == "deviates"
    return result, found


@pytest.mark.parametrize("starttls", ["smtp", "mysql", "tds"])
def test_a_server_reacts_the_same_behind_a_dialogue(
    starttls: str, lab: Lab, plainly: tuple[Fuzz, list[ProvenFinding]]
) -> None:
    with in_front(lab.port, starttls) as server:
        result, (finding,) = run(server.port, starttls)
    assert reactions(result) == reactions(plainly[0])
    assert result.features == plainly[0].features
    assert (result.target.starttls, result.target.proxy, result.notes) == (starttls, None, [])
    assert finding.target == result.target
    assert finding.sent == finding.script.payload == plainly[1][0].sent
    assert finding.received.startswith("160303")


@pytest.mark.parametrize(("proxy", "scheme"), [("tinyproxy", "http"), ("dante", "socks5")])
def test_a_server_reacts_the_same_through_a_real_proxy(
    proxy: str, scheme: str, lab: Lab, plainly: tuple[Fuzz, list[ProvenFinding]]
) -> None:
    require(proxy)
    with serving(proxy) as way:
        through = parse_proxy(f"{scheme}://127.0.0.1:{way.port}")
        # A name is the proxy's to resolve, but for socks5.
        by_name = Address("localhost", lab.port, UNRESOLVED)
        result, (finding,) = run(lab.port, proxy=through, address=by_name if through.resolves else None)
    seen, expected = reactions(result), reactions(plainly[0])
    for half_closed in ("F11", "F14"):  # Tinyproxy makes of a half-close a close
        assert {seen.pop(half_closed)[1], expected.pop(half_closed)[1]} <= {"flight", "close"}
    assert seen == expected
    assert (result.target.starttls, result.target.proxy) == (None, str(through))
    assert result.target.address == finding.target.address == (None if through.resolves else "127.0.0.1")
    assert finding.sent == plainly[1][0].sent


@pytest.mark.stacks
@pytest.mark.parametrize("daemon", ["postfix", "dovecot-imap"])
def test_real_daemons_are_judged_as_their_library_is(daemon: str) -> None:
    row = require(daemon)
    with serving(daemon) as server:
        result, found = run(server.port, row.starttls)
    assert (result.complete, result.error, result.notes) == (True, None, [])
    assert {case.verdict for case in result.cases} <= {"conforms", "not-applicable"}
    assert found == []
    assert {"tls13", "tls12", "psk13", "resumes13-retry"} <= set(result.features)


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (b"421 too many\r\n", "refuses STARTTLS (smtp): 421 too many"),
        (b"HTTP/1.1 400 No\r\n", "does not speak smtp: HTTP/1.1 400 No"),
    ],
)
def test_a_server_that_refuses_the_dialogue_is_one_line(lab: Lab, words: bytes, error: str) -> None:
    with in_front(lab.port, "smtp", mood=lambda _: words) as server:
        result, found = run(server.port, "smtp")
    assert (result.error, result.complete, result.reachable, result.cases, found) == (error, False, False, [], [])
    assert result.connections == server.connections == 3  # it might have been tired of an earlier visitor


def test_a_dialogue_with_a_server_of_tls_is_one_line(lab: Lab) -> None:
    result, _ = run(lab.port, "smtp", bounds=Bounds(timeout=0.3))
    assert result.error == "says nothing in the smtp dialogue within the timeout"
    assert result.connections == 1


def test_a_proxy_that_refuses_or_is_not_there_is_one_line() -> None:
    require("microsocks")
    with serving("microsocks") as way:
        through = parse_proxy(f"socks5://127.0.0.1:{way.port}")
        refused, _ = run(1, proxy=through)
    assert refused.error == f"the proxy {through} refuses: connection refused"
    gone, _ = run(1, proxy=through)
    assert gone.error == f"unreachable: cannot connect to the proxy {through}: Connection refused"
    assert not gone.reachable


def test_an_unknown_protocol_is_a_usage_error() -> None:
    with pytest.raises(LookupFailedError, match="gopher"):
        run(1, "gopher")


def test_a_server_that_is_crowded_for_a_moment_loses_no_verdict(
    lab: Lab, plainly: tuple[Fuzz, list[ProvenFinding]]
) -> None:
    with in_front(lab.port, "smtp", mood=lambda turn: b"421 too many\r\n" if turn % 16 == 9 else b"") as server:
        result, _ = run(server.port, "smtp")
        assert result.connections == server.connections
    assert reactions(result) == reactions(plainly[0])
    assert result.features == plainly[0].features


def test_what_never_came_to_tls_has_no_verdict(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tlswire.fuzz.confirm.RECOVERY", 0.1)
    cases = tuple(msgspec.structs.replace(one, id=f"{one.id}{n}") for n in range(30) for one in (VALID, WRONG))
    with in_front(lab.port, "smtp", mood=lambda turn: b"421 tired\r\n" if turn > 60 else b"") as server:
        result, found = run(server.port, "smtp", cases=cases)
    assert found == []
    assert not result.complete
    assert {case.verdict for case in result.cases} == {"conforms", "unknown"}
    assert any("refuses STARTTLS (smtp): 421 tired" in case.reasons[0] for case in result.cases if case.reasons)
    assert any("the server is down" in note for note in result.notes)


def test_an_exploration_ends_where_no_dialogue_succeeds_any_more(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tlswire.fuzz.confirm.RECOVERY", 0.1)
    monkeypatch.setattr("tlswire.fuzz.explore.RUN", 30)
    with in_front(lab.port, "smtp", mood=lambda turn: b"421 tired\r\n" if turn > 50 else b"") as server:
        options = Options(starttls="smtp", explore=60, bounds=Bounds(timeout=1))
        result = asyncio.run(fuzz_address("lab", Address("127.0.0.1", server.port), (), options))
    assert any("the server is down" in note for note in result.notes)
    assert result.elapsed_s < 30
    assert {case.verdict for case in result.cases} <= {"deviates"}


async def _asked(way: Opening, script: Script, timeout: float = 0.3) -> tuple[str, str, str, bytes, bytes]:
    line = Line(way.target, Ground(), Bounds(timeout=timeout), opening=way)
    heard = await line.ask("", script)
    return heard.reaction, heard.ending, heard.reason, heard.sent, heard.received


def _talking(words: bytes, then: bytes = b"") -> Listener:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(words)
        with contextlib.suppress(ConnectionError):
            while await reader.readline() not in {b"STARTTLS\r\n", b""}:
                writer.write(b"250 STARTTLS\r\n")
            writer.write(then)
            await reader.read(1 << 16)

    return streamed(handler)


HELLO = script_of(Ground().modern)


@pytest.mark.parametrize(
    ("words", "then", "expected"),
    [
        (b"", b"", ("hang", "starttls", "says nothing in the smtp dialogue within the timeout", b"", b"")),
        (b"554 no\r\n", b"", ("dead", "starttls", "refuses STARTTLS (smtp): 554 no", b"", b"")),
        (b"220 hi\r\n", b"220 go\r\n550 oops\r\n", ("not-tls", "close", "", HELLO.payload, b"550 oops\r\n")),
        (
            b"220 hi\r\n",
            b"220 go\r\n\x15\3\1\0\2\2\x28",
            ("alert:40", "done", "", HELLO.payload, b"\x15\3\1\0\2\2\x28"),
        ),
    ],
)
def test_what_is_heard_of_a_dialogue(words: bytes, then: bytes, expected: tuple[str, str, str, bytes, bytes]) -> None:
    with _talking(words, then) as server:
        way = Opening(Address("127.0.0.1", server.port), "smtp", "localhost")
        assert asyncio.run(_asked(way, HELLO)) == expected


def test_a_client_whose_dialogue_is_refused_has_sent_nothing() -> None:
    (renegotiates,) = chosen(("N02",))
    with _talking(b"554 no\r\n") as server:
        way = Opening(Address("127.0.0.1", server.port), "smtp", "localhost")
        told = asyncio.run(_asked(way, renegotiates.make(Ground())))
    assert told == ("dead", "starttls", "refuses STARTTLS (smtp): 554 no", b"", b"")


def test_nobody_behind_the_dialogue_or_at_the_proxy_is_dead() -> None:
    way = Opening(Address("127.0.0.1", 1), "smtp", "localhost")
    assert asyncio.run(_asked(way, HELLO))[:3] == ("dead", "refused", "cannot connect: Connection refused")
    proxy = asyncio.run(resolved(parse_proxy("http://127.0.0.1:1")))
    through = Opening(Address("127.0.0.1", 1), proxy=proxy)
    assert asyncio.run(_asked(through, HELLO))[2] == (
        "cannot connect to the proxy http://127.0.0.1:1: Connection refused"
    )
