"""Do records of CBC tell what is wrong with them: the padding, the MAC, or both?

After a complete handshake one malformed record with a request in it. RFC 5246 section 6.2.3.2 wants bad_record_mac for
all alike; whoever can tell bad padding from a bad MAC decrypts byte by byte (Vaudenay, EUROCRYPT 2002). The variants
are those of Young's padcheck and of Merget et al. (Scalable Scanning and Automatic Classification of TLS Padding
Oracle Vulnerabilities, USENIX Security 2019). Encryption comes last here: RFC 7366 is not offered.
Must not import ``report`` or ``cli``.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any

from tlswire.crypto.protection import Cbc
from tlswire.crypto.suites import BLOCK, plan_of
from tlswire.hello.builder import TLS12_VERSION
from tlswire.hello.edit import with_extension
from tlswire.registry import SUITES, VERSIONS
from tlswire.results.answers.padding import CbcSuite, Padding
from tlswire.results.scan import Finding
from tlswire.scan.attacks import ANSWER, Deviating, compare, doubt, reaction
from tlswire.scan.proof import proof_of
from tlswire.wire.records import APPLICATION_DATA

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tlswire.handshake.conversation import Conversation
    from tlswire.results.answers.padding import Kind
    from tlswire.scan.server import Server

TLS10_VERSION, ENCRYPT_THEN_MAC = 0x0301, 22
# Suites of one cipher and MAC share their code in every stack: one of each speaks for all, so many a version at most.
MOST_SUITES = 6
# More at a time would keep a slow server, or this machine, from answering before silence is called.
SIDE_BY_SIDE = 2
REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
# More than any padding with MAC and less than 256 bytes: a multiple of every block.
_WHOLE = 80


def _flipped(mac: bytes) -> bytes:
    return bytes((mac[0] ^ 0xFF,)) + mac[1:]


def _padded(text: bytes, block: int) -> bytes:
    size = block - len(text) % block
    return text + bytes((size - 1,)) * size


def _badly_padded(text: bytes, block: int) -> bytes:
    """A block more of padding than there need be, the length of which is right and whose bytes are not."""
    size = 2 * block - len(text) % block
    return text + bytes((size - 1 ^ 0xFF,)) * (size - 1) + bytes((size - 1,))


# name -> the blocks, given data, its MAC (for none at all: of no data) and the size of a block.
RECORDS: Mapping[str, Callable[[bytes, bytes, int], bytes]] = {
    "mac": lambda data, mac, block: _padded(data + _flipped(mac), block),
    "padding": lambda data, mac, block: _badly_padded(data + mac, block),
    "both": lambda data, mac, block: _badly_padded(data + _flipped(mac), block),
    "longer": lambda _, __, ___: b"\xff" * _WHOLE,
    "only": lambda _, __, ___: bytes((_WHOLE - 1,)) * _WHOLE,
    "empty-mac": lambda _, mac, block: _padded(_flipped(mac), block),
    "empty-padding": lambda _, mac, block: _badly_padded(mac, block),
}
EMPTY = frozenset({"empty-mac", "empty-padding"})
GOOD = "good"


class Malforming(Deviating):
    """Sends the record called ``record`` after its handshake; "good" is one as it should be."""

    def __init__(self, record: str, silence: float, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.record = record
        self.silence = silence

    def established(self) -> None:
        """Say it, and wait."""
        sealer = self.sealer
        if self.record == GOOD or not isinstance(sealer, Cbc):
            self.send(APPLICATION_DATA, REQUEST)
        else:
            data = b"" if self.record in EMPTY else REQUEST
            plain = RECORDS[self.record](data, sealer.mac(APPLICATION_DATA, data), sealer.block)
            self.send_raw(sealer.seal_blocks(APPLICATION_DATA, plain))
        self.wait()


async def ask(server: Server) -> Padding:
    """Seven records for each kind of suite, thrice where the reactions differ, and a good one then."""
    offers = [(version, suite) for version in server.versions for suite in _kinds(server, version)]
    if not offers:
        return Padding(state="not-applicable", notes=["no suite with CBC was accepted in TLS 1.0 to 1.2"])
    few = asyncio.Semaphore(SIDE_BY_SIDE)

    async def one(version: int, suite: int) -> CbcSuite:
        async with few:
            return await _suite(server, version, suite)

    suites = list(await asyncio.gather(*(one(*offer) for offer in offers)))
    unknown = [one for one in suites if one.different is None]
    return Padding(
        state="incomplete" if unknown else "complete",
        notes=list(dict.fromkeys(f"{one.version}: {doubt(one.reactions, one.runs)}" for one in unknown)),
        suites=suites,
    )


def _kinds(server: Server, version: int) -> list[int]:
    """One suite for each cipher and MAC of CBC."""
    if not TLS10_VERSION <= version <= TLS12_VERSION:
        return []  # SSLv3 has no padding that could be checked (RFC 6101 section 5.2.3.2): the version is the finding
    found: dict[tuple[str, str], int] = {}
    for code in server.completed(version):
        plan = plan_of(version, code)
        if plan is not None and plan.cipher.mode == BLOCK:
            found.setdefault((plan.cipher.algorithm, plan.mac), code)
    return list(found.values())[:MOST_SUITES]


async def _suite(server: Server, version: int, suite: int) -> CbcSuite:
    async def seen(record: str, silence: float) -> Conversation:
        hello = with_extension(server.hello(version, (suite,)), ENCRYPT_THEN_MAC, None)
        return await server.handshake(hello, client=partial(Malforming, record, silence), unhurried=True)

    compared, shown = await compare(tuple(RECORDS), seen, "finished")
    reactions = dict(compared.reactions)
    if compared.different:
        reactions[GOOD] = reaction(await seen(GOOD, Malforming.silence), "finished")
    return CbcSuite(
        version=VERSIONS[version].name,
        code=SUITES.hex(suite),
        name=SUITES[suite].name,
        reactions=reactions,
        different=compared.different,
        kinds=kinds(reactions) if compared.different else [],
        observable=len({_seen_outside(how) for name, how in reactions.items() if name != GOOD}) > 1,
        runs=compared.runs,
        proof=proof_of(shown[next((name for name in reactions if reactions[name] != reactions["mac"]), "mac")]),
    )


def kinds(reactions: Mapping[str, str]) -> list[Kind]:
    """The oracles that reactions make; ``other`` where they differ in a way that has no name."""
    mac, padding, both = (reactions[name] for name in ("mac", "padding", "both"))
    found: list[Kind] = []
    if padding != mac and padding in {ANSWER, reactions.get(GOOD)}:
        found.append("poodle-tls")
    elif padding != both:
        found.append("zombie-poodle")  # behind bad padding, the MAC is told
    if both != mac:
        found.append("goldendoodle")  # before a bad MAC, the padding is told
    if len({reactions[name] for name in EMPTY} | {mac}) > 1 and not found:
        found.append("zero-length")
    return found or ["other"]


def _seen_outside(how: str) -> str:
    """What a reaction looks like without the keys."""
    return how if how in _IN_CLEAR else "alert"


_IN_CLEAR = frozenset({ANSWER, "close", "reset", "silence", "unknown", "fault"})


_TEXTS: dict[Kind, tuple[str, list[str]]] = {
    "poodle-tls": ("POODLE over TLS: padding is not checked", ["CVE-2014-8730"]),
    "zombie-poodle": ("Zombie POODLE: tells a good MAC behind bad padding", ["CVE-2019-1559"]),
    "goldendoodle": ("GOLDENDOODLE: tells bad padding from a bad MAC", ["CVE-2019-1559"]),
    "zero-length": ("a padding oracle for empty records", ["CVE-2019-1559"]),
    "other": ("reacts in several ways to malformed records of CBC", []),
}


def findings(answer: Padding) -> Iterator[Finding]:
    """Each oracle, by version, with its suites."""
    found: dict[tuple[str, Kind, bool], list[str]] = {}
    for suite in answer.suites:
        for kind in suite.kinds:
            found.setdefault((suite.version, kind, suite.observable), []).append(suite.code)
    for (version, kind, observable), codes in found.items():
        text, cve = _TEXTS[kind]
        yield Finding(
            f"padding-{kind}",
            "weak",
            text if observable else f"{text}, in encrypted alerts",
            "RFC 5246 6.2.3.2",
            version,
            suites=codes,
            cve=cve,
            remedy="switch off the suites with CBC, or update the TLS library",
        )
