"""Does the server compress records? DEFLATE (RFC 3749) and LZS (RFC 3943), offered with null and without it.

What it picks is taken away until it picks null. A hello without null is against RFC 5246 section 7.4.1.2, so what
becomes of it is told for what it is. TLS 1.3 has no compression. Must not import ``report`` or ``cli``.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec

from tlswire.hello.builder import TLS12_VERSION
from tlswire.registry import COMPRESSION_METHODS, VERSIONS
from tlswire.results.answers.compression import Compression, Method, VersionCompression, WithoutNull
from tlswire.results.scan import Finding
from tlswire.scan.proof import ending_of, proof_of
from tlswire.scan.server import NO_VERDICT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tlswire.probe.exchange import Answer
    from tlswire.results.answers.compression import Reaction
    from tlswire.scan.server import Server

NULL = 0
METHODS = tuple(row.code for row in COMPRESSION_METHODS if row.code != NULL)


async def ask(server: Server) -> Compression:
    """Every version before TLS 1.3; hellos without null in the newest of them."""
    older = [code for code in server.versions if code <= TLS12_VERSION]
    if not older:
        return Compression(state="not-applicable", notes=["no version older than TLS 1.3 is accepted: no compression"])
    versions = asyncio.gather(*(_version(server, code) for code in older))
    alone = asyncio.gather(*(_alone(server, older[0], method) for method in METHODS))
    found, without_null = list(await versions), list(await alone)
    notes = [f"{version.version}: no clear answer to compression" for version in found if version.unknown]
    notes += [f"no clear answer to {each.method} without null" for each in without_null if each.reaction == "unknown"]
    return Compression(
        state="incomplete" if notes else "complete", versions=found, without_null=without_null, notes=notes
    )


async def _offer(server: Server, version: int, methods: tuple[int, ...]) -> Answer:
    hello = server.hello(version, server.suites[version])
    return await server.ask(msgspec.structs.replace(hello, compression=methods))


async def _version(server: Server, version: int) -> VersionCompression:
    found: list[Method] = []
    left = METHODS
    while left:
        answer = await _offer(server, version, (*left, NULL))
        picked = None if answer.hello is None else answer.hello.compression
        if picked not in left:
            break
        row = COMPRESSION_METHODS[picked or NULL]
        found.append(Method(f"0x{row.code:02X}", row.name, proof_of(answer)))
        left = tuple(code for code in left if code != picked)
    unknown = [COMPRESSION_METHODS[code].name for code in left] if left and picked != NULL else []
    return VersionCompression(VERSIONS[version].name, found, unknown)


async def _alone(server: Server, version: int, method: int) -> WithoutNull:
    answer = await _offer(server, version, (method,))
    label = "" if answer.hello is not None else ending_of(answer)
    name = COMPRESSION_METHODS[method].name
    return WithoutNull(VERSIONS[version].name, name, _reaction(answer, method), label, proof_of(answer))


def _reaction(answer: Answer, method: int) -> Reaction:
    if answer.hello is not None:
        picked = answer.hello.compression
        return "chosen" if picked == method else "null" if picked == NULL else "other"
    return "unknown" if answer.kind in NO_VERDICT else "refused"


def findings(answer: Compression) -> Iterator[Finding]:
    """Compression at all, and answers with a method that was not offered."""
    versions = [version for version in answer.versions if version.methods]
    chosen = {method.name for version in versions for method in version.methods}
    chosen |= {each.method for each in answer.without_null if each.reaction == "chosen"}
    if chosen:
        where = ", ".join(version.version for version in versions) or "hellos without null"
        yield Finding(
            "compression",
            "weak",
            f"compresses records with {' and '.join(sorted(chosen))} ({where}): their lengths give secrets away",
            "RFC 9325 3.3, RFC 7457 2.6",
            versions[0].version if len(versions) == 1 else None,
            cve=["CVE-2012-4929"],
            remedy="turn TLS compression off",
        )
    broken = [each for each in answer.without_null if each.reaction in {"null", "other"}]
    if broken:
        methods = " or ".join(each.method for each in broken)
        yield Finding(
            "compression-not-offered",
            "info",
            f"answers a hello that offers {methods} alone with a compression method that was not offered",
            "RFC 5246 7.4.1.3",
            broken[0].version,
            remedy="update the TLS library",
        )
