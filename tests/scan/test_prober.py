from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest

from tlswire.hello.builder import Shape
from tlswire.probe.exchange import UNASKED, Answer
from tlswire.probe.opening import Transcript
from tlswire.scan.offers import Probe, ProbeMaker
from tlswire.scan.pacing import FIRST_WINDOW, Limits
from tlswire.scan.prober import HABIT, PATIENCE, Prober
from tlswire.wire.messages import ServerHello
from tlswire.wire.records import Alert

from .simulation import ADDRESS, virtually

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

MAKER = ProbeMaker(Shape())
CONTROL = MAKER.probe(0x0303, (0xC02F,))
PROBES = [MAKER.probe(0x0303, (code,)) for code in range(1, 60)]
HELLO = Answer("hello", hello=ServerHello(0x0303, bytes(32), b"", 0xC02F, 0, None))
REFUSED = Answer("alert", alert=Alert(2, 40))
CLOSE, RESET, TIMEOUT, EXHAUSTED = (Answer(kind) for kind in ("close", "reset", "timeout", "exhausted"))


class Server:
    """Answers by ``script(payload, ordinal)``; silence takes the whole timeout, everything else 10 ms."""

    def __init__(self, script: Callable[[bytes, int], Answer]) -> None:
        self.script = script
        self.asked: list[bytes] = []
        self.timeouts: list[float] = []

    async def __call__(self, _: object, payload: bytes, *, timeout: float, **__: Any) -> Answer:
        loop = asyncio.get_running_loop()
        started = loop.time()
        self.asked.append(payload)
        self.timeouts.append(timeout)
        answer = self.script(payload, len(self.asked))
        await asyncio.sleep(timeout if answer.kind == "timeout" else 0.01)
        return Answer(
            answer.kind,
            hello=answer.hello,
            alert=answer.alert,
            reason=answer.reason,
            opening=answer.opening,
            sent=payload,
            started=started,
            elapsed=loop.time() - started,
        )


def run(
    script: Callable[[bytes, int], Answer],
    work: Callable[[Prober], Coroutine[Any, Any, Any]],
    limits: Limits | None = None,
    *,
    control: bool = True,
) -> tuple[Any, Prober, Server]:
    server = Server(script)

    async def main() -> tuple[Any, Prober, Server]:
        prober = Prober(ADDRESS, limits or Limits())
        if control:
            assert (await prober.ask(CONTROL)).accepts
        return await work(prober), prober, server

    with mock.patch("tlswire.scan.offers.ask", server):
        return virtually(main())


def normally(other: Answer, *, on: bytes | None = None) -> Callable[[bytes, int], Answer]:
    """The control works; everything else (or just ``on``) is answered by ``other``."""

    def script(payload: bytes, _: int) -> Answer:
        if payload == CONTROL.payload or (on is not None and payload != on):
            return HELLO
        return other

    return script


@pytest.mark.parametrize("answer", [HELLO, REFUSED, Answer("fault", reason="x"), Answer("not-tls", reason="x")])
def test_what_the_server_says_is_believed_at_once(answer: Answer) -> None:
    got, prober, server = run(normally(answer), lambda prober: prober.ask(PROBES[0]))
    assert got.kind == answer.kind
    assert prober.connections == len(server.asked) == 2
    assert prober.notes == []


@pytest.mark.parametrize("answer", [CLOSE, RESET, TIMEOUT])
def test_an_ending_is_believed_between_working_controls_only(answer: Answer) -> None:
    got, prober, server = run(normally(answer), lambda prober: prober.ask(PROBES[0]))
    assert got.kind == answer.kind
    assert not got.decisive
    control, doubtful = CONTROL.payload, PROBES[0].payload
    assert server.asked == [control, doubtful, control, doubtful, control]
    assert prober.refusals == {answer.kind: 1}


@pytest.mark.parametrize("answer", [CLOSE, RESET, TIMEOUT])
def test_three_proven_refusals_make_a_habit(answer: Answer) -> None:
    async def work(prober: Prober) -> list[Answer]:
        return [await prober.ask(probe) for probe in PROBES[:8]]

    got, prober, server = run(normally(answer), work)
    assert {one.kind for one in got} == {answer.kind}
    assert prober.habitual(answer.kind)
    assert not prober.habitual("refused")
    # Each of the first three: itself, control, itself, control. The others: itself, and a control.
    assert len(server.asked) == 1 + 4 * HABIT + 2 * (8 - HABIT)
    assert len(prober.notes) == 1


def test_a_habit_is_not_made_of_lists() -> None:
    lists = [MAKER.probe(0x0303, tuple(range(at, at + 5))) for at in range(1, 9)]

    async def work(prober: Prober) -> None:
        for probe in lists:
            assert (await prober.ask(probe)).kind == "close"

    _, prober, _ = run(normally(CLOSE), work)
    assert not prober.habitual("close")


def test_a_stumble_is_asked_again() -> None:
    answers = deque([CLOSE, HELLO])

    def script(payload: bytes, _: int) -> Answer:
        return HELLO if payload == CONTROL.payload or not answers else answers.popleft()

    got, prober, _ = run(script, lambda prober: prober.ask(PROBES[0]))
    assert got.accepts
    assert prober.refusals == {}
    assert "failed that worked when tried alone" in prober.notes[0]


def test_a_slow_answer_is_waited_for() -> None:
    answers = deque([TIMEOUT, HELLO])

    def script(payload: bytes, _: int) -> Answer:
        return HELLO if payload == CONTROL.payload or not answers else answers.popleft()

    async def work(prober: Prober) -> Answer:
        for _ in range(20):
            await prober.once(CONTROL)  # so that the usual latency is known
        return await prober.ask(PROBES[0])

    got, prober, server = run(script, work)
    assert got.accepts
    assert server.timeouts[21] < 5.0  # the first try was cut short
    assert server.timeouts[-1] == 5.0
    assert "slow" in prober.notes[0]


def test_many_doubts_share_their_rounds() -> None:
    async def work(prober: Prober) -> list[Answer]:
        return await asyncio.gather(*(prober.ask(probe) for probe in PROBES[:40]))

    got, prober, server = run(normally(CLOSE), work)
    assert {one.kind for one in got} == {"close"}
    assert len(server.asked) < 1 + 40 + 3 * HABIT + 40 / 4
    assert prober.pacer.in_flight == 0


def test_a_host_that_ends_everything_is_given_up() -> None:
    def script(_: bytes, ordinal: int) -> Answer:
        return HELLO if ordinal == 1 else RESET

    async def work(prober: Prober) -> tuple[Answer, float]:
        answer = await prober.ask(PROBES[0])
        return answer, asyncio.get_running_loop().time()

    (got, at), prober, _ = run(script, work)
    assert got.kind == UNASKED
    assert prober.over
    assert got.reason == prober.over
    assert PATIENCE <= at < 4 * PATIENCE
    assert "gave up" in prober.notes[-1]
    assert "a reset" in prober.notes[-1]


def test_nothing_is_sent_after_giving_up() -> None:
    async def work(prober: Prober) -> Answer:
        prober.give_up("enough")
        return await prober.ask(PROBES[0])

    got, prober, server = run(normally(HELLO), work)
    assert (got.kind, got.reason) == (UNASKED, "enough")
    assert prober.connections == len(server.asked) == 1


def test_a_host_that_rests_is_asked_more_slowly_afterwards() -> None:
    def script(_: bytes, ordinal: int) -> Answer:
        return RESET if 40 < ordinal <= 43 else HELLO

    async def work(prober: Prober) -> list[Answer]:
        return [await prober.ask(probe) for probe in PROBES[:50]]

    got, prober, _ = run(script, work)
    assert all(one.accepts for one in got)
    assert "stopped answering" in prober.notes[0]
    assert 0 < prober.pacer.rate < 100


def test_the_deadline_leaves_the_rest_unasked() -> None:
    async def work(prober: Prober) -> tuple[list[Answer], float]:
        got = await asyncio.gather(*(prober.ask(probe) for probe in PROBES))
        return got, asyncio.get_running_loop().time()

    (got, at), prober, _ = run(normally(HELLO), work, Limits(max_rate=10, deadline=2.0))
    kinds = [one.kind for one in got]
    assert 18 <= kinds.count("hello") <= 20
    assert kinds.count(UNASKED) == len(kinds) - kinds.count("hello")
    assert prober.notes == ["deadline of 2 s passed"]
    assert at <= 2.2


def test_the_timeout_never_passes_the_deadline() -> None:
    async def work(prober: Prober) -> float:
        await prober.ask(PROBES[0])
        return asyncio.get_running_loop().time()

    at, _, _ = run(normally(TIMEOUT), work, Limits(timeout=60.0, deadline=3.0))
    assert at == pytest.approx(3.0, abs=0.2)


@pytest.mark.parametrize("kind", ["starttls", "proxy", "close", "reset", "timeout", "refused"])
def test_what_ends_before_the_hello_is_never_a_refusal_of_it(kind: str) -> None:
    phase = "proxy" if kind == "proxy" else "starttls"
    busy = Answer(kind, reason="421 busy", opening=Transcript(phase, (), offered=True, clear=b""))

    async def work(prober: Prober) -> list[Answer]:
        return [await prober.ask(probe) for probe in PROBES[:4]]

    got, prober, _ = run(normally(busy), work, Limits(retries=2, timeout=1.0))
    assert {(answer.kind, answer.reason) for answer in got} == {("unsettled", "421 busy")}
    assert prober.refusals == {}


@pytest.mark.parametrize("kind", ["starttls", "proxy"])
def test_a_server_that_stops_opening_is_given_up_with_its_words(kind: str) -> None:
    busy = Answer(kind, reason="421 busy", opening=Transcript(kind, (), offered=True, clear=b""))

    def script(_: bytes, ordinal: int) -> Answer:
        return HELLO if ordinal == 1 else busy

    got, prober, _ = run(script, lambda prober: prober.ask(PROBES[0]))
    assert got.kind == UNASKED
    assert prober.notes[-1].endswith("gave up (421 busy)")


def test_our_own_shortage_is_not_the_server_s_answer() -> None:
    answers = deque([EXHAUSTED, HELLO])

    def script(payload: bytes, _: int) -> Answer:
        return HELLO if payload == CONTROL.payload or not answers else answers.popleft()

    got, prober, _ = run(script, lambda prober: prober.ask(PROBES[0]))
    assert got.accepts
    assert "ran out of sockets" in prober.notes[0]
    assert prober.pacer.window < FIRST_WINDOW


def test_two_answers_that_never_agree_stay_unasked() -> None:
    def script(payload: bytes, ordinal: int) -> Answer:
        if payload == CONTROL.payload:
            return HELLO
        return CLOSE if ordinal % 2 else RESET

    got, _, server = run(script, lambda prober: prober.ask(PROBES[0]), Limits(retries=2))
    assert got.kind in {UNASKED, "close", "reset"}
    assert len(server.asked) < 30


def test_a_refusal_is_no_control_for_silence() -> None:
    # A server that only ever refused is not known to work: its silence says nothing.
    async def work(prober: Prober) -> Answer:
        for probe in PROBES[1:5]:
            await prober.ask(probe)
        return await prober.ask(PROBES[0])

    def script(payload: bytes, _: int) -> Answer:
        return TIMEOUT if payload == PROBES[0].payload else REFUSED

    got, prober, _ = run(script, work, control=False)
    assert prober.control is None
    assert got.kind in {UNASKED, "timeout"}
    assert not prober.habitual("timeout")


def test_observers_see_every_connection() -> None:
    seen: list[tuple[Probe, Answer]] = []
    server = Server(normally(CLOSE))

    async def main() -> Prober:
        prober = Prober(ADDRESS, Limits(), lambda *pair: seen.append(pair))
        await prober.ask(CONTROL)
        await prober.ask(PROBES[0])
        return prober

    with mock.patch("tlswire.scan.offers.ask", server):
        prober = virtually(main())
    assert [probe.payload for probe, _ in seen] == server.asked
    assert prober.connections == len(seen)
