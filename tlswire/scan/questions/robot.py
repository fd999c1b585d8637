"""Does the server tell well padded blocks of RSA from badly padded ones?

The method of Böck, Somorovsky and Young (Return Of Bleichenbacher's Oracle Threat, USENIX Security 2018, section 3):
five blocks in the ClientKeyExchange, of which one is right; behind each a Finished that cannot be. RFC 5246 section
7.4.7.1 wants one reaction to all. Where there is one, the same again without ChangeCipherSpec and Finished: some answer
a bad block before these have come. Must not import ``report`` or ``cli``.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from tlswire.crypto.shares import rsa_block
from tlswire.handshake.client import UnsupportedError
from tlswire.handshake.tls12 import Tls12
from tlswire.registry import SUITES, VERSIONS
from tlswire.results.answers.robot import Flight, Robot
from tlswire.results.scan import Finding
from tlswire.scan.attacks import Compared, Deviating, compare, doubt
from tlswire.scan.proof import proof_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from random import Random

    from tlswire.handshake.conversation import Conversation
    from tlswire.scan.server import Server

_PREMASTER = 48
_LEAST_PADDING = 8  # RFC 8017 section 7.2.1


def _correct(padding: bytes, version: bytes, rest: bytes) -> bytes:
    return b"\0\2" + padding + b"\0" + version + rest


def _misplaced(padding: bytes, version: bytes, rest: bytes) -> bytes:
    # A byte later: what follows is one byte short of a premaster secret.
    return b"\0\2" + padding + b"\x11\0" + version[1:] + rest


# By what is wrong with them; padding and rest have no zeros.
BLOCKS: Mapping[str, Callable[[bytes, bytes, bytes], bytes]] = {
    "correct": _correct,
    "begin": lambda padding, version, rest: b"\x41\x17" + _correct(padding, version, rest)[2:],
    "zero": _misplaced,
    "none": lambda padding, version, rest: b"\0\2" + padding + b"\x11" + version + rest,
    "version": lambda padding, _, rest: _correct(padding, b"\2\2", rest),
}
BADLY_PADDED = ("begin", "zero", "none")


class Transporting(Deviating):
    """Sends the block called ``block`` in its ClientKeyExchange; ``short``: and nothing behind it."""

    def __init__(self, block: str, short: bool, silence: float, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.block = block
        self.short = short
        self.silence = silence

    def older_flow(self) -> Tls12:
        """The flow that does it."""
        return _TransportingFlow(self)


class _TransportingFlow(Tls12):
    client: Transporting

    def exchange_keys(self) -> tuple[bytes, bytes]:
        client, key = self.client, self._server_key()
        size = (getattr(key, "key_size", 0) + 7) // 8
        if SUITES[self.suite].kex != "RSA" or size < _PREMASTER + 3 + _LEAST_PADDING:
            raise UnsupportedError("no key of RSA to encrypt a premaster secret to")
        offered = client.hello.legacy_version.to_bytes(2, "big")
        parts = _nonzero(size - _PREMASTER - 3, client.rng), offered, _nonzero(_PREMASTER - 2, client.rng)
        sealed = rsa_block(key, BLOCKS[client.block](*parts))
        prefix = len(sealed).to_bytes(2, "big") if self.version > 0x0300 else b""
        # Another premaster secret than the block's: its Finished is as wrong as that of the others.
        return prefix + sealed, client.rng.randbytes(_PREMASTER)

    def send_finished(self) -> None:
        if not self.client.short:
            super().send_finished()
        self.client.wait()


def _nonzero(size: int, rng: Random) -> bytes:
    return bytes(rng.randrange(1, 256) for _ in range(size))


async def ask(server: Server) -> Robot:
    """Five connections for each shape of flight, thrice where they differ."""
    offer = _offer(server)
    if offer is None:
        return Robot(state="not-applicable", oracle="none", notes=["no suite with static RSA was accepted"])
    version, suite = offer
    flights: list[Flight] = []
    for flight in _FLIGHTS:
        flights.append(await _flight(server, version, suite, flight))
        if flights[-1].different is not False:
            break
    different = flights[-1].different
    oracle = "none" if different is False else _strength(flights[-1]) if different else "unknown"
    notes = [f"{one.flight} flights: {doubt(one.reactions, one.runs)}" for one in flights if one.different is None]
    return Robot(
        state="incomplete" if oracle == "unknown" else "complete",
        notes=notes,
        version=VERSIONS[version].name,
        suite=SUITES.hex(suite),
        suite_name=SUITES[suite].name,
        oracle=oracle,
        flights=flights,
    )


# AES with GCM and CBC, then 3DES.
_USUAL = (0x009C, 0x009D, 0x002F, 0x0035, 0x003C, 0x003D, 0x000A)
_FLIGHTS: tuple[Literal["complete", "short"], ...] = ("complete", "short")


def _offer(server: Server) -> tuple[int, int] | None:
    """The newest version that transports keys by RSA, and a suite of it, a usual one if there is one."""
    for version in server.versions:
        suites = [
            code for code in server.completed(version) if SUITES[code].kex == "RSA" and SUITES[code].auth == "RSA"
        ]
        if suites:
            return version, next((code for code in _USUAL if code in suites), suites[0])
    return None


async def _flight(server: Server, version: int, suite: int, flight: Literal["complete", "short"]) -> Flight:
    async def seen(block: str, silence: float) -> Conversation:
        client = partial(Transporting, block, flight == "short", silence)
        return await server.handshake(server.hello(version, (suite,)), client=client, unhurried=True)

    compared, shown = await compare(tuple(BLOCKS), seen)
    odd = _odd(compared)
    # Who wants a certificate of the client may end there, before it has looked at the block.
    stopped = shown["correct"].certificate_request is not None and compared.reactions["correct"] in _WITHOUT_CERTIFICATE
    return Flight(
        flight=flight,
        reactions=dict(compared.reactions),
        different=None if stopped else compared.different,
        runs=compared.runs,
        proof=proof_of(shown[odd]),
    )


_WITHOUT_CERTIFICATE = frozenset({"handshake_failure", "bad_certificate", "certificate_required", "no_certificate"})


def _odd(compared: Compared) -> str:
    """The block whose reaction tells most: the first that is not that of the correct one."""
    usual = compared.reactions["correct"]
    return next((name for name, how in compared.reactions.items() if how != usual), "correct")


def _strength(flight: Flight) -> Literal["weak", "strong"]:
    """Weak: all that is padded badly is taken alike, so only a block that is right in all tells something."""
    return "weak" if len({flight.reactions[name] for name in BADLY_PADDED}) == 1 else "strong"


def findings(answer: Robot) -> Iterator[Finding]:
    """An oracle."""
    if answer.oracle in {"weak", "strong"}:
        flight = answer.flights[-1]
        usual = flight.reactions["correct"]
        name, other = next((name, how) for name, how in flight.reactions.items() if how != usual)
        yield Finding(
            "robot",
            "weak",
            f"ROBOT: a {answer.oracle} oracle of Bleichenbacher's ({flight.flight} flights; correct: {usual}, {name}: {other})",
            "RFC 5246 7.4.7.1, robotattack.org",
            answer.version,
            cve=["CVE-2017-13099"],
            remedy="switch off the suites with static RSA (TLS_RSA_*), and update the TLS library",
        )
