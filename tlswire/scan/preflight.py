"""The first contact: does TLS live here, which hello does it answer, and what can serve as the control later?

A ladder of hellos, the likeliest first; the others are only sent when it fails. Must not import ``report`` or ``cli``.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec

from tlswire.hello.builder import SSLV2_VERSION, SSLV3_VERSION, TLS13_VERSION, Shape
from tlswire.probe.exchange import CLOSE, FAULT, NOT_TLS, REFUSED, RESET, STARTTLS, TIMEOUT, UNREACHABLE, Answer
from tlswire.registry import SSLV2_KINDS
from tlswire.scan.tally import UNRECOGNIZED_NAME
from tlswire.wire.cursor import escaped

if TYPE_CHECKING:
    from tlswire.scan.offers import Probe, ProbeMaker
    from tlswire.scan.prober import Prober

# The suites most servers share one of; with them the first hello stays under 512 bytes.
COMMON = (
    *(0x1301, 0x1302, 0x1303, 0xC02F, 0xC02B, 0xC030, 0xC02C, 0xCCA8, 0xCCA9, 0xC013, 0xC014, 0xC009, 0xC00A),
    *(0x009E, 0x009F, 0x0033, 0x0039, 0x009C, 0x009D, 0x002F, 0x0035, 0x003C, 0x003D, 0x000A, 0x0005, 0x0004),
    *(0xC012, 0xC011, 0x0016, 0x0041, 0x0084, 0x00A8, 0x008C, 0xC027, 0xC023, 0x1304, 0x1305, 0x0032, 0x0034),
)
ALPN = (b"h2", b"http/1.1")
# An alert that another shape of hello may overcome (RFC 7301 section 3.2).
NO_APPLICATION_PROTOCOL = 120
# How long the first hello has the host to itself, in seconds.
HEAD_START = 1.0


class Verdict(msgspec.Struct, frozen=True):
    """Why a scan cannot go on (``problem`` empty: it can), whether anything was reached at all, the (version, suite)
    the server picked on first contact, and its faults as (kind, line) pairs.
    """

    problem: str = ""
    reachable: bool = True
    picked: tuple[int, int] | None = None
    faults: tuple[tuple[str, str], ...] = ()


async def preflight(prober: Prober, maker: ProbeMaker, versions: tuple[int, ...]) -> Verdict:
    """Find a hello the server answers; leaves the control in ``prober`` and the shape that works in ``maker``."""
    first = _first(maker, versions)
    timeout = prober.limits.timeout
    head_start = min(HEAD_START, timeout / 2)
    task = asyncio.create_task(prober.once(first) if prober.opening is None else _through(prober, first))
    # Where something comes before TLS, other hellos are no use until it is known to lead there.
    done, _ = await asyncio.wait({task}, timeout=head_start if prober.opening is None else None)
    if done:
        if not task.result().opened:
            return await _unopened(prober, first, task.result())
        verdict = _first_impression(prober, maker, task.result())
        if verdict is not None:
            return verdict
    others = _ladder(maker, versions)
    left = timeout if done else timeout - head_start
    results = await asyncio.gather(task, *(prober.once(probe, timeout=left) for probe in others))
    answers = list(zip((first, *others), results, strict=True))
    working = [probe for probe, answer in answers if answer.accepts]
    # Only refusals: a hello that is answered at all still tells a live server from a dead one.
    spoken = [probe for probe, answer in answers if answer.alert is not None or answer.hello is not None]
    if working or spoken:
        prober.control = (working or spoken)[0]
        if working:
            _adopt(maker, working[0])
        return Verdict()
    if {answer.kind for answer in results} <= {CLOSE, RESET} and await _recovers(prober, first):
        return Verdict()
    return _verdict(results)


def _first_impression(prober: Prober, maker: ProbeMaker, answer: Answer) -> Verdict | None:
    """The verdict when the first answer suffices; else None, with the shape changed as an alert asks for."""
    if answer.accepts:
        hello = answer.hello
        return Verdict(picked=None if hello is None else (hello.version, hello.suite))
    if answer.kind in {NOT_TLS, REFUSED, UNREACHABLE}:
        return _verdict([answer])
    alert = None if answer.alert is None else answer.alert.description
    if alert == NO_APPLICATION_PROTOCOL:
        maker.shape = msgspec.structs.replace(maker.shape, alpn=ALPN)
    if alert == UNRECOGNIZED_NAME:
        if maker.shape.server_name is None:
            return Verdict("refuses hellos without a server name (alert unrecognized_name): give --server-name")
        prober.notes.append("refuses the server name (alert unrecognized_name): went on without one")
        maker.shape = msgspec.structs.replace(maker.shape, server_name=None)
    return None


def _first(maker: ProbeMaker, versions: tuple[int, ...]) -> Probe:
    usual = tuple(sorted((code for code in versions if code > SSLV3_VERSION), reverse=True))
    if usual:
        return maker.probe(usual, COMMON)
    if SSLV3_VERSION in versions:
        return maker.probe(SSLV3_VERSION, COMMON)
    return maker.probe(SSLV2_VERSION, tuple(row.code for row in SSLV2_KINDS))


def _ladder(maker: ProbeMaker, versions: tuple[int, ...]) -> list[Probe]:
    """Other hellos worth a try: each version by itself, with ALPN, with little in it, without extensions."""
    probes = []
    for version in sorted(versions, reverse=True):
        if version == SSLV2_VERSION:
            probes.append(maker.probe(version, tuple(row.code for row in SSLV2_KINDS)))
        else:
            probes.append(maker.probe(version, COMMON))
    shape = maker.shape
    newest = max(versions)
    small = Shape(shape.server_name, (), (0x001D, 0x0017, 0x0018), (0x001D,), (0x0403, 0x0804, 0x0401, 0x0201))
    variants = [msgspec.structs.replace(shape, alpn=ALPN), small]
    if newest < TLS13_VERSION or len(versions) > 1:
        variants.append(msgspec.structs.replace(shape, extensions=False))
    for variant in variants:
        maker.shape = variant
        plain = [code for code in versions if SSLV3_VERSION < code < TLS13_VERSION]
        version = newest if variant.extensions or not plain else max(plain)
        if version > SSLV2_VERSION:
            probes.append(maker.probe(version, COMMON))
    maker.shape = shape
    return probes


def _adopt(maker: ProbeMaker, probe: Probe) -> None:
    """Go on with what worked: ALPN, fewer groups and schemes, or no extensions at all."""
    hello = probe.hello
    if hello is None:
        return
    shape = maker.shape
    if hello.extensions is None and probe.versions[0] > SSLV3_VERSION:
        maker.shape = msgspec.structs.replace(shape, extensions=False)
    elif hello.alpn and not shape.alpn:
        maker.shape = msgspec.structs.replace(shape, alpn=hello.alpn)
    elif len(hello.groups) == 3:
        maker.shape = msgspec.structs.replace(
            shape, groups=hello.groups, schemes=hello.signature_schemes, key_shares=(0x001D,)
        )


async def _through(prober: Prober, probe: Probe) -> Answer:
    """The first answer behind an opening. A server that says no to it may only be tired of an earlier visitor."""
    answer = await prober.once(probe)
    for wait in (0.5, 1.0):
        if answer.opened or answer.kind not in {STARTTLS, CLOSE, RESET}:
            break
        await asyncio.sleep(wait)
        before, answer = answer, await prober.once(probe)
        if answer.opened:
            prober.notes.append(f"at first: {before.reason}")
    return answer


async def _unopened(prober: Prober, probe: Probe, answer: Answer) -> Verdict:
    """Why there is no way to TLS."""
    problem = answer.reason
    dialogue = prober.opening
    if dialogue is not None and dialogue.starttls and answer.connected and answer.kind == TIMEOUT:
        # A server of TLS from the first byte waits for our hello, and we for its greeting.
        prober.opening = dialogue.without_dialogue()
        plain = await prober.once(probe)
        if plain.hello is not None or plain.alert is not None:
            problem = f"speaks TLS from the first byte, there is no {dialogue.starttls} dialogue"
    return Verdict(problem, reachable=False)


async def _recovers(prober: Prober, probe: Probe) -> bool:
    """A host that ends every connection may only be tired of an earlier visitor."""
    for wait in (0.5, 1.0):
        await asyncio.sleep(wait)
        answer = await prober.once(probe)
        if answer.accepts:
            prober.notes.append("ended the first connections without an answer, then recovered")
            return True
    return False


def _verdict(answers: list[Answer]) -> Verdict:
    kinds = {answer.kind for answer in answers}
    reason = next((answer.reason for answer in answers if answer.reason), "")
    if NOT_TLS in kinds:
        return Verdict(next(answer.reason for answer in answers if answer.kind == NOT_TLS), reachable=False)
    if kinds <= {REFUSED, UNREACHABLE}:
        return Verdict(f"cannot connect: {reason or 'refused'}", reachable=False)
    if not any(answer.connected for answer in answers):
        return Verdict("cannot connect: no answer within the timeout", reachable=False)
    faults = tuple(("malformed", answer.reason) for answer in answers if answer.kind == FAULT)
    if faults:
        return Verdict(f"answers no hello in a way that can be read: {faults[0][1]}", faults=faults)
    said = next((answer.received for answer in answers if answer.received), b"")
    if kinds <= {CLOSE, RESET} and said:
        return Verdict(f"ends every connection after bytes that are no answer: {escaped(said[:48])}")
    if kinds <= {CLOSE, RESET}:
        return Verdict("ends every connection before it says anything")
    return Verdict(f"accepts connections but says nothing within the timeout{f' ({reason})' if reason else ''}")
