"""What does the server answer to every registered extension, to application protocols, and to bounds on its records?

How each is asked stands in ``scan.everything``, ``scan.protocols`` and ``scan.limits``; what an answer may look like in
``scan.heard``. Here they are put together and judged. Must not import ``report`` or ``cli``.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tlswire.handshake.client import Brief
from tlswire.hello.builder import SSLV3_VERSION, TLS13_VERSION
from tlswire.hello.edit import with_extension
from tlswire.registry import CERTIFICATE_COMPRESSION, EXTENSIONS
from tlswire.results.answers.extensions import Compression, Extensions
from tlswire.results.scan import Finding
from tlswire.scan.everything import COMPRESS_CERTIFICATE, Everything
from tlswire.scan.limits import limits
from tlswire.scan.proof import proof_of
from tlswire.scan.protocols import STRICT, Protocols
from tlswire.scan.server import is_unknown
from tlswire.wire.extensions import encode_extension

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tlswire.results.answers.extensions import Alpn, VersionExtensions
    from tlswire.scan.server import Server

TRUNCATED_HMAC, HEARTBEAT = EXTENSIONS.hex(4), EXTENSIONS.hex(15)
COMPRESSED_CERTIFICATE = 25


async def ask(server: Server) -> Extensions:
    """Everything of every version; what costs hellos of its own under TLS 1.3 and the newest older version only."""
    versions = [code for code in server.versions if code > SSLV3_VERSION]
    if not versions:
        return Extensions(state="not-applicable", notes=["no version that was accepted has extensions (RFC 6101)"])
    every = [Everything(server, code) for code in versions]
    newest = versions[: 2 if versions[0] >= TLS13_VERSION else 1]
    answered, protocols, bounds, compression = await asyncio.gather(
        asyncio.gather(*(one.run() for one in every)),
        asyncio.gather(*(Protocols(server, code).run() for code in newest)),
        asyncio.gather(*(limits(server, code) for code in newest)),
        _compression(server),
    )
    known = [limit for pair in bounds for limit in pair if limit is not None]
    notes = [
        f"{one.version}: {len(one.unknown)} extensions stayed without an answer" for one in answered if one.unknown
    ]
    notes += [f"{one.version}: some application protocols stayed without an answer" for one in protocols if one.unknown]
    if len(known) < 2 * len(newest):
        notes.append("bounds on records stayed without an answer")
    return Extensions(
        state="incomplete" if notes else "complete",
        versions=answered,
        alpn=protocols,
        limits=known,
        compression=compression,
        ech=next((one.ech for one in every if one.version >= TLS13_VERSION), None),
        notes=notes,
    )


async def _compression(server: Server) -> list[Compression] | None:
    """The algorithms the server compresses its certificate with, those first that it likes best; None before TLS 1.3."""
    if TLS13_VERSION not in server.versions:
        return None
    found: list[Compression] = []
    left = tuple(row.code for row in CERTIFICATE_COMPRESSION)
    while left:
        body = encode_extension(COMPRESS_CERTIFICATE, left, "ch")
        hello = with_extension(server.hello(TLS13_VERSION), COMPRESS_CERTIFICATE, body)
        heard = await server.handshake(hello, client=Brief)
        if is_unknown(heard):
            return None
        message = next((item.body for item in heard.messages if item.type == COMPRESSED_CERTIFICATE), None)
        if message is None or heard.compression not in left:
            break
        length = int.from_bytes(message[2:5], "big")
        name = CERTIFICATE_COMPRESSION[heard.compression].name
        found.append(Compression(name, length, len(message) - 8, proof_of(heard)))
        left = tuple(code for code in left if code != heard.compression)
    return found


def findings(answer: Extensions) -> Iterator[Finding]:
    """What breaks the rules, and what is better left off."""
    for version in answer.versions:
        yield from _faults(version)
        yield from _choices(version)
    for limit in answer.limits:
        if limit.obeyed is False:
            text = f"agrees to records of {limit.asked} bytes ({limit.extension}) and sends one of {limit.longest}"
            source = "RFC 8449 4" if limit.extension == "record_size_limit" else "RFC 6066 4"
            yield Finding("record-limit", "fault", text, source, limit.version)
    for alpn in answer.alpn:
        yield from _protocols(alpn)


def _faults(version: VersionExtensions) -> Iterator[Finding]:
    for item in version.answered:
        if item.fault is not None:
            text = f"{item.name} in {item.message} {item.fault}"
            yield Finding("extension-fault", "fault", text, "RFC 9846 4.3", version.version)
    if version.refused:
        names = ", ".join(f"{item.name} ({item.answer.removeprefix('alert:')})" for item in version.refused)
        text = f"refuses hellos for an extension in them: {names}"
        yield Finding("extension-refused", "fault", text, "RFC 9846 4.3, RFC 5246 7.4.1.4", version.version)


def _choices(version: VersionExtensions) -> Iterator[Finding]:
    sound = {item.code for item in version.answered if item.fault is None}
    if version.extended_master_secret is False:
        text = "keys are not bound to their handshake: no extended_master_secret"
        remedy = "a TLS library that knows RFC 7627, or TLS 1.3"
        yield Finding(
            "extended-master-secret", "legacy", text, "RFC 7627, RFC 9325 3.5", version.version, remedy=remedy
        )
    if version.encrypt_then_mac is False:
        text = "suites with CBC, and no encrypt_then_mac"
        remedy = "AEAD suites only"
        yield Finding("encrypt-then-mac", "legacy", text, "RFC 7366", version.version, remedy=remedy)
    if TRUNCATED_HMAC in sound:
        text = "agrees to MACs cut to 80 bits (truncated_hmac)"
        yield Finding("truncated-hmac", "weak", text, "RFC 6066 7, RFC 9847", version.version)
    if version.next_protocols is not None:
        text = "answers next_protocol_negotiation, which ALPN replaced"
        yield Finding("next-protocol", "legacy", text, "RFC 7301", version.version)
    if HEARTBEAT in sound:
        text = "answers heartbeats, which nothing needs over TCP"
        yield Finding("heartbeat", "info", text, "RFC 6520", version.version)


def _protocols(alpn: Alpn) -> Iterator[Finding]:
    for fault in alpn.faults:
        yield Finding("alpn-fault", "fault", fault, "RFC 7301 3", alpn.version)
    if alpn.refusal not in {None, STRICT}:
        text = f"refuses protocols it has not by {alpn.refusal}, not by no_application_protocol"
        yield Finding("alpn-refusal", "fault", text, "RFC 7301 3.2", alpn.version)
    if alpn.anything:
        text = "takes any application protocol a client names, even one that does not exist"
        yield Finding("alpn-anything", "fault", text, "RFC 7301 3.2", alpn.version)
    elif alpn.protocols and alpn.no_overlap == "ignored":
        text = "goes on without an application protocol where none is in common; strict servers stop cross-protocol attacks"
        yield Finding("alpn-lenient", "info", text, "RFC 7301 3.2, RFC 9325 3.8", alpn.version)
