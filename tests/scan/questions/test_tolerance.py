from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from tests.scan.simulation import Simulated, simulate
from tests.servers.catalogue import running
from tests.servers.gate import require
from tests.servers.offers import read_offer
from tests.servers.proxies import Fate, close_many_suites, drop_large, fail_split
from tlswire.lab import server as lab
from tlswire.probe.exchange import Answer, HelloReader
from tlswire.probe.transport import DONE, Outcome
from tlswire.scan.interview import chosen
from tlswire.scan.scanner import Options
from tlswire.scan.tolerances import CASES
from tlswire.wire.records import ALERT, fragment

from .asking import asked, patient

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.servers.process import Server
    from tlswire.results.answers.tolerance import Tolerance
    from tlswire.results.scan import Finding

SEGMENTS = {"segments-two", "segments-header", "mlkem-segments"}


def not_borne(answer: Tolerance) -> set[str]:
    return {case.name for case in answer.cases if not case.borne}


def verdicts(answer: Tolerance) -> dict[str, str]:
    return {case.name: case.verdict for case in answer.cases}


def topics(found: list[Finding]) -> dict[str, str]:
    return {finding.id.removeprefix("tolerance-"): finding.category for finding in found}


@pytest.fixture(scope="module")
def nginx() -> Iterator[Server]:
    require("nginx-b")
    with running("nginx-b") as server:
        yield server


@pytest.mark.stacks
def test_a_good_server_bears_everything(nginx: Server) -> None:
    answer, found = asked(nginx.port, "tolerance")
    assert answer.state == "complete"
    assert [case.name for case in answer.cases] == [case.name for case in CASES]
    assert (not_borne(answer), found) == (set(), [])
    assert {case.verdict for case in answer.cases if case.category} == {"same"}
    assert answer.usual == "TLS 1.3 TLS_AES_128_GCM_SHA256"
    assert answer.older == "TLS 1.2 TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"
    assert answer.elapsed_s < 2
    proofs = [case.proof for case in answer.cases]
    assert all(proof is not None and 0 < len(proof.sent) <= 4096 and proof.received for proof in proofs)


@pytest.mark.stacks
@pytest.mark.parametrize(("fate", "told"), [(Fate.RESET, "reset"), (Fate.CLOSE, "close")])
def test_a_box_that_takes_the_first_segment_for_the_hello(nginx: Server, fate: Fate, told: str) -> None:
    with fail_split(nginx.port, fate) as proxy:
        answer, found = asked(proxy.port, "tolerance")
    assert not_borne(answer) == SEGMENTS
    assert {case.answer for case in answer.cases if case.name in SEGMENTS} == {told}
    assert topics(found) == {"segments": "fault", "post-quantum": "fault"}
    assert "Apple" in found[1].text


@pytest.mark.stacks
def test_a_box_that_waits_for_ever_for_a_hello_in_pieces(nginx: Server) -> None:
    with fail_split(nginx.port, Fate.SWALLOW) as proxy:
        answer, _ = asked(proxy.port, "tolerance", limits=patient(1.0))
    assert not_borne(answer) == SEGMENTS
    assert {verdicts(answer)[name] for name in SEGMENTS} == {"silent"}


@pytest.mark.stacks
def test_a_box_that_drops_large_hellos(nginx: Server) -> None:
    with drop_large(nginx.port, 512) as proxy:
        answer, found = asked(proxy.port, "tolerance", limits=patient(1.0))
    # 507 bytes and the record's header are 512.
    assert not_borne(answer) == {
        *("size-511", "size-512", "size-513", "size-4096"),
        *("mlkem", "mlkem-segments", "suites-256"),
    }
    assert {verdicts(answer)[name] for name in not_borne(answer)} == {"silent"}
    assert {verdicts(answer)[name] for name in ("size-16384", "size-65536")} == {"unasked"}
    assert topics(found) == {"size": "fault", "post-quantum": "fault", "lists": "fault"}


@pytest.mark.stacks
def test_a_box_that_closes_on_long_lists(nginx: Server) -> None:
    with close_many_suites(nginx.port, 128) as proxy:
        answer, found = asked(proxy.port, "tolerance")
    assert not_borne(answer) == {"suites-256"}
    assert topics(found) == {"lists": "fault"}


# What real stacks do not bear (docs/questions.md says which of it was seen with hellos of openssl's, too).
@pytest.mark.stacks
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("lighttpd-mbedtls", {"records-two", "records-header", "size-65536"}),
        ("lighttpd-wolfssl", {"records-header", "suites-256", "size-65536"}),
        ("go", {"legacy-0304", "legacy-03ff", "legacy-0404"}),
        ("erlang", {"records-header", "legacy-0304", "legacy-03ff", "legacy-0404"}),
        ("jsse", {"size-65536"}),
        ("mlkem", set()),
        ("openssl-d", set()),
        ("pyopenssl", set()),
    ],
)
def test_real_stacks(name: str, expected: set[str]) -> None:
    require(name)
    with running(name) as server:
        answer, found = asked(server.port, "tolerance")
    assert (answer.state, not_borne(answer)) == ("complete", expected)
    assert bool(found) == bool(expected)
    # Every server that does without a post-quantum share is asked with a hello that has room for all sizes but two.
    assert ("size-511" in {case.name for case in answer.cases if case.verdict == "same"}) == (name != "mlkem")


def test_a_server_that_refuses_what_it_does_not_know() -> None:
    with lab.running("version-intolerant") as server:
        answer, found = asked(server.port, "tolerance")
    assert not_borne(answer) == {"today", "legacy-0304", "legacy-03ff", "legacy-0404"}
    assert topics(found) == {"today": "fault", "legacy-version": "info"}
    assert verdicts(answer)["grease-suite"] == "same"
    assert verdicts(answer)["versions-0305"] == "unasked"
    assert answer.usual == answer.older == "TLS 1.0 TLS_RSA_WITH_AES_128_CBC_SHA"


def test_a_server_that_answers_what_nobody_offered_has_nothing_to_compare_with() -> None:
    with lab.running("unoffered-version") as server:
        answer, found = asked(server.port, "tolerance")
    assert (answer.state, answer.cases, found) == ("not-applicable", [], [])


def simulated(server: Simulated) -> Tolerance:
    options = Options(method="eliminate", questions=chosen(["tolerance"]))
    result = simulate(server, options, "server.example")
    answer = result.answers.tolerance
    assert answer is not None
    return answer


def test_silence_is_believed_between_hellos_that_work() -> None:
    answer = simulated(Simulated("drops-large"))
    assert "size-513" in not_borne(answer)
    assert verdicts(answer)["mlkem"] == "silent"
    assert answer.state == "complete"


def test_protocols_may_be_refused() -> None:
    answer = simulated(Simulated("needs-alpn"))
    assert verdicts(answer)["size-255"] == "refused"
    assert not_borne(answer) == set()


class Moody(Simulated):
    """Refuses long lists by an alert, so many times."""

    def __init__(self, times: int) -> None:
        super().__init__("plain")
        self.left = times

    async def ask(self, *sent: Any, **rest: Any) -> Answer:
        payload = sent[1]
        offer = read_offer(payload)
        if offer is None or len(offer.suites) != 256 or not self.left:
            return await super().ask(*sent, **rest)
        self.left -= 1
        reader = HelloReader()
        reader.feed(fragment(ALERT, 0x0303, bytes((2, 80))))
        return reader.answer(payload, Outcome(DONE, 0.0, 0.1, 0.1))


def test_an_alert_is_believed_when_it_comes_twice() -> None:
    assert not_borne(simulated(Moody(1))) == set()
    assert not_borne(simulated(Moody(2))) == {"suites-256"}


def test_a_greased_suite_that_is_chosen_is_not_borne() -> None:
    class Greased(Simulated):
        async def ask(self, *sent: Any, **rest: Any) -> Answer:
            answer = await super().ask(*sent, **rest)
            offer = read_offer(sent[1])
            if offer is not None and 0x0A0A in offer.suites and answer.hello is not None:
                return msgspec.structs.replace(answer, hello=msgspec.structs.replace(answer.hello, suite=0x0A0A))
            return answer

    answer = simulated(Greased("plain"))
    assert not_borne(answer) == {"grease", "grease-suite"}
    assert {case.chosen for case in answer.cases if not case.borne} == {"TLS 1.3 0x0A0A"}
