from __future__ import annotations

import asyncio
import contextlib
import itertools
from typing import TYPE_CHECKING

import msgspec
import pytest

from tlswire.fuzz.campaign import Options, fuzz_address
from tlswire.fuzz.cases.rows import Rows, modern, sent
from tlswire.fuzz.edits import Edit
from tlswire.fuzz.line import Bounds
from tlswire.fuzz.model import ABORT, DECODE_ERROR, HANDSHAKE_FAILURE, HANG, NEGOTIATE, WAITING, alerts
from tlswire.fuzz.script import Ground, Script
from tlswire.lab.characters import character
from tlswire.lab.quirks import Quirks
from tlswire.lab.server import running
from tlswire.probe.transport import Address

if TYPE_CHECKING:
    from collections.abc import Container, Iterator

    from tlswire.fuzz.campaign import Progress
    from tlswire.fuzz.model import Case
    from tlswire.lab.characters import Character
    from tlswire.results.fuzz import CaseResult, Fuzz

_ROWS = Rows("test", "RFC 9846 4.2.2")
VALID = _ROWS.must("Y01", "valid", "nothing", modern(), NEGOTIATE)
LIE = _ROWS.must(
    "Y02", "lie", "extensions length one too long", modern(Edit("length-by", "extensions", 1)), alerts(DECODE_ERROR)
)
LONG_NAME = _ROWS.must("Y03", "refused", "a hello that no server refuses", modern(), ABORT)
SILENT = _ROWS.must("Y04", "one-byte", "one byte", sent(lambda _: Script(b"\x16")), NEGOTIATE)
WAITS = _ROWS.free("Y05", "waits", "one byte", sent(lambda _: Script(b"\x16")), WAITING)
LACKING = _ROWS.must("Y06", "lacking", "nothing", modern(), ABORT, needs=("npn",))


def run(
    who: str | Character, *cases: Case, bounds: Bounds | None = None, progress: list[Progress] | None = None
) -> Fuzz:
    with running(who) as lab:
        address = Address(lab.host, lab.port)
        told = None if progress is None else progress.append
        return asyncio.run(
            fuzz_address("lab", address, cases, Options(bounds=bounds or Bounds(timeout=1)), progress=told)
        )


def of(result: Fuzz, name: str) -> CaseResult:
    return next(case for case in result.cases if case.id == name)


@pytest.fixture(scope="module")
def plain() -> Fuzz:
    return run("plain", VALID, LIE, LONG_NAME, SILENT, WAITS, LACKING)


def test_a_flight_of_tls13_is_read_to_its_finished(plain: Fuzz) -> None:
    case = of(plain, "Y01")
    assert (case.verdict, case.first, case.reaction, case.version) == ("conforms", "server-hello", "flight", "TLS 1.3")
    assert case.flight == ["server-hello", "encrypted-extensions", "certificate", "certificate-verify", "finished"]


def test_an_alert_is_told_by_its_code(plain: Fuzz) -> None:
    case = of(plain, "Y02")
    assert (case.verdict, case.first, case.reaction) == ("conforms", "alert:50", "alert:50")


def test_a_deviation_is_seen_three_times_and_becomes_a_finding_with_its_bytes(plain: Fuzz) -> None:
    case = of(plain, "Y03")
    assert (case.verdict, case.repeated) == ("deviates", 3)
    finding = next(one for one in plain.findings if "Y03" in one.cases)
    assert finding.sent.startswith("160301")
    assert finding.received.startswith("160303")


def test_silence_deviates_only_where_no_clause_allows_it(plain: Fuzz) -> None:
    assert (of(plain, "Y04").verdict, of(plain, "Y04").reaction) == ("deviates", "hang")
    assert (of(plain, "Y05").verdict, of(plain, "Y05").reaction) == ("conforms", "hang")


def test_a_server_is_not_judged_on_what_it_lacks(plain: Fuzz) -> None:
    case = of(plain, "Y06")
    assert (case.verdict, case.reaction) == ("not-applicable", "")
    assert case.reasons == ["the server does not show npn"]


def test_features_are_what_the_server_shows(plain: Fuzz) -> None:
    assert {"tls13", "tls12", "x25519", "secp256r1", "ffdhe2048", "alpn", "ems", "retry"} <= set(plain.features)
    assert not {"mlkem", "mfl", "heartbeat", "npn", "renegotiation"} & set(plain.features)


def test_the_connections_counted_are_those_the_server_counts() -> None:
    with running("plain") as lab:
        result = asyncio.run(fuzz_address("lab", Address(lab.host, lab.port), (VALID, LIE), Options()))
        assert result.connections == lab.connections


def test_a_serial_server_is_asked_one_by_one() -> None:
    result = run("serial", *(msgspec.structs.replace(VALID, id=f"Y1{n}") for n in range(5)), WAITS)
    assert {case.verdict for case in result.cases} == {"conforms"}
    assert any("one client at a time" in note for note in result.notes)


def test_progress_counts_what_was_answered() -> None:
    told: list[Progress] = []
    run("plain", VALID, LIE, LACKING, progress=told)
    assert told
    assert {one.total for one in told} == {2}
    assert [one.done for one in told] == sorted(one.done for one in told)
    assert 1 <= told[0].done <= 2


def test_a_bound_of_connections_leaves_the_rest_unknown() -> None:
    cases = [msgspec.structs.replace(VALID, id=f"Y{n}") for n in range(50)]
    result = run("plain", *cases, bounds=Bounds(connections=60, timeout=1))
    assert result.connections <= 61  # one handshake is under way when the bound is reached
    assert {case.verdict for case in result.cases} == {"conforms", "unknown"}
    assert not result.complete


@pytest.mark.parametrize(
    ("who", "error"),
    [
        ("plain-http", "speaks plain HTTP"),
        ("closes-at-once", "no valid hello is answered: close"),
        ("mute", "no answer to a valid hello"),
    ],
)
def test_what_is_no_tls_server_is_told_in_a_line(who: str, error: str) -> None:
    result = run(who, VALID, bounds=Bounds(timeout=0.3))
    assert result.error is not None
    assert error in result.error
    assert result.cases == []


def test_nobody_there_is_unreachable() -> None:
    with running("plain") as lab:
        address = Address(lab.host, lab.port)
    result = asyncio.run(fuzz_address("lab", address, (VALID,), Options()))
    assert not result.reachable
    assert result.error is not None
    assert result.error.startswith("unreachable")


async def _behind_a_relay(
    lab: Address, case: Case, lost: Container[int], held: Container[int], asked: Iterator[int]
) -> Fuzz:
    """A campaign through a relay that ends the connection where the answers to the case of these numbers should come,
    or says nothing.
    """
    going: set[asyncio.Task[None] | None] = set()

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        going.add(asyncio.current_task())
        from_lab, to_lab = await asyncio.open_connection(lab.host, lab.port)
        with contextlib.suppress(OSError, asyncio.CancelledError):
            said = await reader.read(1 << 16)
            to_lab.write(said)
            answer = await from_lab.read(1 << 16)
            number = next(asked) if said == case.make(Ground()).payload else 0
            if number in held:
                await reader.read()
            elif number not in lost:
                writer.write(answer)
        for one in (to_lab, writer):
            one.close()

    async with await asyncio.start_server(relay, "127.0.0.1", 0) as server:
        address = Address("127.0.0.1", server.sockets[0].getsockname()[1])
        result = await fuzz_address("lab", address, (case,), Options(bounds=Bounds(timeout=1)))
        tasks = [task for task in going if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks)
        return result


@pytest.mark.parametrize(
    ("lost", "verdict"), [(set(), "deviates"), ({2}, "deviates"), ({3}, "deviates"), ({2, 3}, "unknown")]
)
def test_an_alert_that_is_lost_once_makes_no_server_flaky(lost: set[int], verdict: str) -> None:
    wrong = msgspec.structs.replace(LIE, allowed=alerts(HANDSHAKE_FAILURE))
    with running("plain") as lab:
        result = asyncio.run(_behind_a_relay(Address(lab.host, lab.port), wrong, lost, (), itertools.count(1)))
    case = of(result, "Y02")
    assert (case.verdict, case.reaction) == (verdict, "alert:50")
    assert (case.repeated == 3) == (verdict == "deviates")
    assert [note for note in result.notes if "asked anew" in note] == (
        ["Y02: met by close once, and asked anew"] if lost else []
    )


def test_what_follows_silence_that_is_allowed_is_seen_three_times_too() -> None:
    waits, asked = msgspec.structs.replace(LIE, allowed=(HANG,)), itertools.count(1)
    with running("plain") as lab:
        result = asyncio.run(_behind_a_relay(Address(lab.host, lab.port), waits, (), (1,), asked))
    case = of(result, "Y02")
    assert (case.verdict, case.reaction, case.repeated) == ("deviates", "alert:50", 3)
    assert next(asked) == 5


def test_a_server_that_goes_down_ends_the_campaign_and_the_last_hellos_are_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tlswire.fuzz.confirm.RECOVERY", 0.5)
    served = msgspec.structs.replace(character("plain"), quirks=Quirks(connections_served=60))
    cases = [msgspec.structs.replace(VALID, id=f"Y{n}") for n in range(80)]
    result = run(served, *cases, bounds=Bounds(timeout=0.4, concurrency=4))
    assert not result.complete
    assert result.last
    assert any("the server is down" in note for note in result.notes)
    assert {case.verdict for case in result.cases} == {"conforms", "unknown"}
    assert result.findings == []
