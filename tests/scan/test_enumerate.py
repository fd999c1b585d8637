from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import Phase, assume, given, settings
from hypothesis import strategies as st

from tlswire.hello.builder import Shape
from tlswire.lab.characters import CHARACTERS, Character, accepted, character
from tlswire.lab.plants import PLANTS
from tlswire.lab.quirks import Quirks
from tlswire.lab.server import running
from tlswire.probe.exchange import Answer
from tlswire.probe.transport import Address
from tlswire.registry import SCSV, SSLV2_KINDS, SUITES
from tlswire.scan.offers import Probe, ProbeMaker
from tlswire.scan.scanner import VERSIONS_SCANNED, Options, candidates, scan_address
from tlswire.scan.tally import Tally
from tlswire.wire.extension_bodies import KeyShareEntry
from tlswire.wire.handshake import parse_client_hello, parse_server_hello
from tlswire.wire.records import Alert, Deframer

from .scans import METHODS, Method, Sets, found, sample, scan, truth, unknown
from .simulation import Simulated, simulate

if TYPE_CHECKING:
    from tlswire.results import Scan

SSLV2 = 0x0002
VERSIONS_TLS = VERSIONS_SCANNED[1:]

# Characters a patient scanner learns everything about, by either method; with what the notes must speak of then.
LEARNABLE: dict[str, dict[str, str]] = {
    "modern": {},
    "legacy-mdm": {},
    "museum": {},
    "plain": {},
    "strict": {},
    "drops-large": {"eliminate": "timeout"},
    "limits-suites": {"eliminate": "close"},
    "rate-limited": {"each": "connections a second", "eliminate": "connections a second"},
    "closes": {"each": "by closing", "eliminate": "by closing"},
    "resets": {"each": "by a reset", "eliminate": "by a reset"},
    "silent-refusal": {"each": "by silence", "eliminate": "by silence"},
    "fragmented-alert": {},
    "unoffered-version": {},
    "unoffered-extension": {},
    "unoffered-group": {},
    "unoffered-suite": {},
    "serial": {},
    "slow": {},
    "warns-name": {},
    "needs-alpn": {},
    "list-intolerant": {},
    "mlkem-only": {},
    "version-intolerant": {},
    "needs-certificate": {},
    "early-data": {},
    "ignores-schemes": {},
    "compresses": {},
    "garbage-status": {},
    "renegotiates": {},
    "renegotiates-insecurely": {},
}
# What is wrong with these comes after their first flight, or would take long (the huge ones).
LEARNABLE |= {
    name: {} for name, it in CHARACTERS.items() if it.quirks.flaw and not it.quirks.serial and name not in PLANTS
}
HUGE = ("huge-chain", "huge-certificate")
# Characters that answer some hellos, or all, in no way that could be believed: unknown is the only right word.
UNREADABLE = ("drip", "flood", "endless-message", "malformed-hello", "zero-record", "oversized-record")
DEAD = {"plain-http": "plain HTTP", "closes-at-once": "ends every connection", "mute": "says nothing"}
ELSEWHERE = ("tarpit", "needs-name")


def sane(result: Scan, known: Sets) -> None:
    """Nothing claimed that is not so: all accepted suites are true, and no true one is called rejected."""
    got, unsettled = found(result), unknown(result)
    for version, suites in known.items():
        assert got[version] <= suites
        assert suites - got[version] <= unsettled[version]
    assert result.complete == (not any(unsettled.values()) and result.error is None)


def test_every_character_has_its_place_here() -> None:
    # What is planted for the fuzzer shows in hellos that no scan sends: tests/lab/test_edges.py.
    assert {*LEARNABLE, *UNREADABLE, *DEAD, *ELSEWHERE, *HUGE, *PLANTS} == set(CHARACTERS)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", ["modern", "legacy-mdm", "museum"])
def test_all_of_the_registry_over_sockets(name: str, method: Method) -> None:
    with running(name) as lab:
        result = scan(lab.port, Options(method=method))
        assert result.connections == lab.connections
    assert found(result) == truth(name)
    assert result.complete
    assert (result.error, result.faults) == (None, [])
    assert [version.tried for version in result.versions] == [13, 451, 451, 451, 451, 19]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", ["serial", "closes", "resets", "warns-name", "list-intolerant"])
def test_awkward_ones_over_sockets(name: str, method: Method) -> None:
    with running(name) as lab:
        result = scan(lab.port, Options(method=method, suites=sample(name, 9)))
    assert found(result) == truth(name)
    assert result.complete


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", LEARNABLE)
def test_everything_is_learnt(name: str, method: Method) -> None:
    # All of the registry by a hello for every pair is what the tests over sockets do, and the rate limit needs.
    whole = method == "eliminate" or name in {"museum", "rate-limited"}
    server = Simulated(name)
    result = simulate(server, Options(method=method, suites=() if whole else sample(name, 9)))
    assert found(result) == truth(name)
    assert result.complete
    assert result.error is None
    assert result.connections == server.connections
    reason = LEARNABLE[name].get(method)
    notes = " ".join(result.notes)
    if reason is not None:
        assert reason in notes
    if name in {"modern", "legacy-mdm", "museum", "plain", "fragmented-alert", "slow", "warns-name"}:
        assert result.notes == []


@pytest.mark.parametrize("name", [name for name in LEARNABLE if name != "museum"])
def test_a_choice_of_suites_is_learnt_from_lists(name: str) -> None:
    # SSLv2 has kinds of its own: a list of suites asks it nothing.
    result = simulate(Simulated(name), Options(method="eliminate", suites=sample(name)))
    assert found(result) == truth(name)
    assert result.complete


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", UNREADABLE)
def test_unreadable_answers_leave_suites_unknown(name: str, method: Method) -> None:
    # TLS 1.2 alone: reading floods of 256 KiB takes its time.
    result = simulate(Simulated(name), Options(method=method, suites=sample("plain", 40), versions=(0x0303,)))
    unsettled = unknown(result)
    assert not any(found(result).values())
    assert truth("plain")[0x0303] <= unsettled[0x0303]
    assert not result.complete
    assert result.elapsed_s < 120


@pytest.mark.parametrize("name", [name for name in UNREADABLE if name != "drip"])
def test_unreadable_answers_are_faults(name: str) -> None:
    result = simulate(Simulated(name), Options(method="eliminate", suites=sample("plain", 40), versions=(0x0303,)))
    assert {fault.kind for fault in result.faults} == {"malformed"}
    assert result.findings[0].category == "fault"


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", DEAD)
def test_dead_ends_are_told(name: str, method: Method) -> None:
    result = simulate(Simulated(name), Options(method=method))
    assert result.error is not None
    assert DEAD[name] in result.error
    assert not result.complete
    assert result.reachable == (name != "plain-http")
    assert not any(found(result).values())
    assert result.connections <= 15
    assert result.elapsed_s <= 6


@pytest.mark.parametrize("method", METHODS)
def test_a_tarpit_leaves_the_rest_unknown(method: Method) -> None:
    trap = msgspec.structs.replace(CHARACTERS["tarpit"], quirks=Quirks(connections_served=40))
    result = simulate(Simulated(trap), Options(method=method))
    sane(result, truth("plain"))
    assert not result.complete
    assert any("gave up" in note for note in result.notes)
    assert result.elapsed_s < 60


@pytest.mark.parametrize("method", METHODS)
def test_a_server_that_needs_a_name_gets_it(method: Method) -> None:
    # Without SSLv3, whose hellos have no room for a name.
    options = Options(
        versions=VERSIONS_TLS[1:], method=method, suites=sample("needs-name", 9), server_name="lab.example"
    )
    result = simulate(Simulated("needs-name"), options)
    assert found(result) == {version: truth("needs-name")[version] for version in VERSIONS_TLS[1:]}
    assert result.complete


@pytest.mark.parametrize("method", METHODS)
def test_a_server_that_misses_a_name_is_not_called_empty(method: Method) -> None:
    result = simulate(Simulated("needs-name"), Options(method=method, suites=sample("needs-name", 9)))
    assert "--server-name" in " ".join([*result.notes, result.error or ""])
    assert not result.complete


@pytest.mark.parametrize("method", METHODS)
def test_the_deadline_ends_the_scan(method: Method) -> None:
    options = Options(method=method, limits=msgspec.structs.replace(Options().limits, deadline=3.0))
    result = simulate(Simulated("rate-limited"), options)
    sane(result, truth("rate-limited"))
    assert not result.complete
    assert result.elapsed_s < 4.5
    assert any("deadline" in note for note in result.notes)
    assert not any("gave up" in note for note in result.notes)


@pytest.mark.parametrize("method", METHODS)
def test_the_user_s_rate_is_kept(method: Method) -> None:
    server = Simulated("plain")
    limits = msgspec.structs.replace(Options().limits, max_rate=50.0)
    result = simulate(server, Options(method=method, limits=limits, suites=sample("plain", 20)))
    assert found(result) == truth("plain")
    # A second, its first moment counted twice.
    busiest = max(sum(1 for at in server.times if began <= at < began + 1) for began in server.times)
    assert busiest <= 51


def test_the_user_s_concurrency_is_kept() -> None:
    server = Simulated("plain")
    limits = msgspec.structs.replace(Options().limits, concurrency=5)
    result = simulate(server, Options(limits=limits, suites=sample("plain", 20)))
    assert found(result) == truth("plain")
    assert server.most <= 5


@pytest.mark.parametrize("name", ["modern", "legacy-mdm", "plain", "museum"])
@pytest.mark.parametrize("method", METHODS)
def test_order_and_preference(name: str, method: Method) -> None:
    of = character(name)
    result = simulate(Simulated(name), Options(method=method, suites=() if method == "eliminate" else sample(name, 9)))
    for version in result.versions:
        if len(version.suites) < 2:
            assert version.preference == "unknown"
            continue
        assert version.preference == of.preference
        if of.preference == "server":
            number = int(version.code, 16)
            wanted = [code for code in of.suites[number] if code in truth(name)[number]]
            assert [int(suite.code, 16) for suite in version.suites] == wanted


def sightings(of: str, options: Options) -> tuple[Scan, list[tuple[Probe, Answer]]]:
    seen: list[tuple[Probe, Answer]] = []
    with running(of) as lab:
        address = Address("127.0.0.1", lab.port)
        result = asyncio.run(scan_address("lab.example", address, options, observe=lambda *pair: seen.append(pair)))
    return result, seen


def test_each_offers_every_pair_alone() -> None:
    options = Options(suites=sample("plain", 9))
    result, seen = sightings("plain", options)
    alone = set()
    for probe, _ in seen:
        assert probe.hello is not None
        message = Deframer().feed(probe.payload)[0]
        hello = parse_client_hello(message.body)
        assert hello.suites == probe.suites
        if len(probe.versions) == 1 and len(hello.suites) == 1:
            assert hello.versions == probe.versions or probe.versions[0] < 0x0304
            assert hello.legacy_version == min(probe.versions[0], 0x0303)
            assert hello.server_name == (b"lab.example" if hello.extensions else None)
            alone.add((probe.versions[0], hello.suites[0]))
    assert {(version, code) for version in VERSIONS_TLS for code in options.suites} <= alone
    assert result.connections == len(seen)


@pytest.mark.parametrize("method", METHODS)
def test_every_suite_is_proven_by_a_hello_that_offers_it_alone(method: Method) -> None:
    result, seen = sightings("legacy-mdm", Options(method=method, suites=sample("legacy-mdm", 9)))
    sent = {probe.payload.hex() for probe, _ in seen}
    for version in result.versions:
        for suite in version.suites:
            assert suite.proof.sent in sent
            hello = parse_client_hello(Deframer().feed(bytes.fromhex(suite.proof.sent))[0].body)
            assert hello.suites == (int(suite.code, 16),)
            # The beginning of the answer: the ServerHello stands whole in it, its record may not.
            received = bytes.fromhex(suite.proof.received)[5:]
            answer = parse_server_hello(received[4 : 4 + int.from_bytes(received[1:4], "big")])
            assert (answer.suite, answer.version) == (int(suite.code, 16), int(version.code, 16))


def test_a_retry_counts_as_acceptance() -> None:
    result = simulate(Simulated("mlkem-only"), Options(versions=(0x0304,)))
    suites = result.versions[0].suites
    assert [(suite.answer, suite.group) for suite in suites] == [("retry", "X25519MLKEM768")] * 3


def test_sslv2_kinds_and_their_names() -> None:
    result = simulate(Simulated("museum"), Options(versions=(SSLV2,)))
    (version,) = result.versions
    assert version.version == "SSLv2"
    assert {suite.code for suite in version.suites} == {f"0x{row.code:06X}" for row in SSLV2_KINDS}
    assert version.preference == "client"


@pytest.mark.parametrize("method", METHODS)
def test_unassigned_codes_are_found_when_asked_for(method: Method) -> None:
    strange = (0x0A0B, 0xC02F, 0xEEEE)
    of = msgspec.structs.replace(character("plain"), suites={0x0303: strange})
    options = Options(method=method, suites=(0x0A0B, 0x002F, 0xC02F, 0xEEEE, 0xFEED), versions=(0x0303,))
    result = simulate(Simulated(of), options)
    assert [(suite.code, suite.grade) for suite in result.versions[0].suites] == [
        ("0x0A0B", "unrated"),
        ("0xC02F", "strong"),
        ("0xEEEE", "unrated"),
    ]
    assert result.versions[0].suites[0].name == "0x0A0B"


def test_all_codes_leave_none_out() -> None:
    of = msgspec.structs.replace(
        character("plain"), suites={0x0303: (0x0001, 0xC02F, 0xFEEE, 0xFFFF), 0x0304: (0x1301,)}
    )
    server = Simulated(of)
    result = simulate(server, Options(method="eliminate", all_codes=True, versions=(0x0303, 0x0304)))
    assert found(result) == {version: frozenset(suites) for version, suites in of.suites.items()}
    assert [version.tried for version in result.versions] == [65534, 65534]
    assert result.complete
    assert server.connections < 400


def test_eliminate_is_sparing() -> None:
    for name, most in (("modern", 60), ("legacy-mdm", 160), ("plain", 100)):
        assert simulate(Simulated(name), Options(method="eliminate")).connections <= most


def test_the_same_seed_sends_the_same_bytes() -> None:
    def payloads(seed: int) -> list[bytes]:
        server = Simulated("plain")
        sent: list[bytes] = []
        plain = server.ask

        async def ask(*arguments: object, **named: object) -> Answer:
            sent.append(arguments[1])  # type: ignore[arg-type]  # the payload
            return await plain(*arguments, **named)  # type: ignore[arg-type]  # as they came

        server.ask = ask  # type: ignore[method-assign]
        simulate(server, Options(seed=seed, method="eliminate"))
        return sent

    assert payloads(1) == payloads(1)
    assert payloads(1) != payloads(2)


def test_a_server_that_refuses_and_limits_lists_by_closing_is_seen_through() -> None:
    # Closing proves itself as this server's refusal; that must not settle the suites of a list it never looked at.
    of = msgspec.structs.replace(character("plain"), quirks=Quirks(refusal="close", suite_limit=60))
    result = simulate(Simulated(of), Options(method="eliminate"))
    sane(result, accepted(of) | {SSLV2: frozenset(), 0x0300: frozenset()})


BASE = msgspec.structs.replace(character("plain"), name="random", schemes=character("museum").schemes)
OLDER = [row.code for row in SUITES if row.max_version != "TLS 1.3" and row.code not in SCSV]
NEWER = [row.code for row in SUITES if row.max_version == "TLS 1.3"]
USUAL = [0xC02F, 0xC013, 0x002F, 0x0035, 0x000A, 0x0005, 0xC009, 0xC02B, 0x009E, 0x0033]

suite_lists = st.lists(st.sampled_from(USUAL) | st.sampled_from(OLDER), unique=True, max_size=12).map(tuple)
configurations = st.fixed_dictionaries(
    dict.fromkeys(range(0x0300, 0x0304), suite_lists)
    | {0x0304: st.lists(st.sampled_from(NEWER), unique=True, max_size=5).map(tuple)}
)


def random_character(quirks: st.SearchStrategy[Quirks]) -> st.SearchStrategy[Character]:
    def build(
        suites: dict[int, tuple[int, ...]], preference: str, certificates: tuple[str, ...], of: Quirks
    ) -> Character:
        return msgspec.structs.replace(
            BASE,
            suites={version: codes for version, codes in suites.items() if codes},
            preference=preference,
            certificates=certificates,
            quirks=of,
        )

    return st.builds(
        build,
        configurations,
        st.sampled_from(["server", "client"]),
        st.sampled_from([("rsa",), ("ec",), ("rsa", "ec"), ("rsa", "ec", "dsa")]),
        quirks,
    )


honest = st.builds(
    Quirks,
    refusal=st.sampled_from(["alert", "fragmented-alert", "close", "reset"]),
    picks_blindly=st.booleans(),
    suite_limit=st.sampled_from([0, 128]),
    wire_limit=st.sampled_from([0, 512]),
    warns_of_name=st.booleans(),
)
unfriendly = st.builds(
    Quirks,
    refusal=st.sampled_from(["alert", "close", "reset", "silence"]),
    suite_limit=st.sampled_from([0, 128]),
    wire_limit=st.sampled_from([0, 512]),
    connections_a_second=st.sampled_from([0, 5, 20, 100]),
    connections_served=st.sampled_from([0, 12, 30, 100, 200]),
)


def expected(of: Character) -> Sets:
    return {version: accepted(of).get(version, frozenset()) for version in VERSIONS_SCANNED}


def asked_of(of: Character) -> tuple[int, ...]:
    """What the server knows and every ninth suite of the registry."""
    known = {code for suites in of.suites.values() for code in suites}
    return tuple(
        row.code for at, row in enumerate(SUITES) if row.code not in SCSV and (row.code in known or at % 9 == 0)
    )


def meets_common_hello(of: Character) -> bool:
    """A server that ends connections and takes none of the usual suites cannot be told from one that is dead."""
    usual = accepted(of).get(0x0303, frozenset()) | accepted(of).get(0x0301, frozenset())
    return of.quirks.refusal in {"alert", "fragmented-alert"} or not usual.isdisjoint(USUAL[:6])


@pytest.mark.parametrize("method", METHODS)
def test_any_server_is_learnt_completely(method: Method) -> None:
    @settings(max_examples=20, deadline=None, derandomize=True, database=None)
    @given(random_character(honest))
    def check(of: Character) -> None:
        assume(of.suites)
        assume(meets_common_hello(of))
        result = simulate(Simulated(of), Options(method=method, suites=() if method == "eliminate" else asked_of(of)))
        learnt, true = found(result), expected(of)
        if method == "eliminate" and of.quirks.picks_blindly:
            # docs/accuracy.md: what such a server hides behind a suite it cannot serve may stay hidden, never more.
            assert all(learnt[version] <= true[version] for version in true)
        else:
            assert learnt == true
        assert result.complete

    check()


@pytest.mark.parametrize("method", METHODS)
def test_nothing_false_is_said_of_any_server(method: Method) -> None:
    # Shrinking would take minutes; the example found is small enough.
    @settings(max_examples=40, phases=[Phase.generate], deadline=None, derandomize=True, database=None)
    @given(random_character(unfriendly))
    def check(of: Character) -> None:
        result = simulate(Simulated(of), Options(method=method, suites=asked_of(of)))
        sane(result, expected(of))
        assert result.elapsed_s <= 306

    check()


def test_what_is_asked_of_each_version() -> None:
    for version in VERSIONS_TLS[:-1]:
        asked = candidates(Options(), version)
        assert set(asked) == {row.code for row in SUITES} - SCSV
    assert set(candidates(Options(), 0x0304)) == set(NEWER)
    assert set(candidates(Options(), SSLV2)) == {row.code for row in SSLV2_KINDS}
    assert set(candidates(Options(all_codes=True), 0x0303)) == set(range(1 << 16)) - SCSV
    assert candidates(Options(suites=(0xC02F,)), SSLV2) == ()


def test_shares_are_sent_for_the_groups_offered() -> None:
    _, seen = sightings("modern", Options(versions=(0x0304,)))
    for probe, _ in seen:
        assert probe.hello is not None
        shares = probe.hello.readable(51)
        assert all(isinstance(share, KeyShareEntry) and share.group in probe.hello.groups for share in shares)


def test_a_tally_tells_unasked_from_unreadable_from_refused() -> None:
    tally = Tally(0x0303, (1, 2, 3, 4))
    probe = ProbeMaker(Shape()).probe(0x0303, (1,))
    tally.settle(1, probe, Answer("unasked", reason="over"))
    tally.settle(2, probe, Answer("alert", alert=Alert(2, 40)))
    tally.settle(3, probe, Answer("stalled", reason="3 bytes came"))
    tally.settle_all((4,), Answer("fault", reason="no TLS"))
    assert tally.open == (1,)
    assert tally.rejected == {2: "alert:handshake_failure"}
    assert tally.unknown == {3: "3 bytes came", 4: "no TLS"}
