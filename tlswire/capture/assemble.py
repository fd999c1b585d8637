"""From what a builder collected to the published Session: who is who, what was chosen, how it ended, what is weak.

Must not import anything of tlswire but ``registry``, ``wire``, ``results`` and types of ``capture``.
"""

from __future__ import annotations

import struct
from functools import lru_cache
from ipaddress import IPv6Address
from typing import TYPE_CHECKING

import msgspec

from tlswire.registry import GROUPS, SUITES, VERSIONS
from tlswire.registry.ratings import OLD_VERSIONS, reasons_against, suite_row
from tlswire.results.session import Endpoint, Outcome, Process, Session
from tlswire.wire.cursor import escaped

if TYPE_CHECKING:
    from tlswire.capture.answers import Chain
    from tlswire.capture.sessions import SessionBuilder
    from tlswire.capture.tcp import Flow
    from tlswire.capture.udp import UdpFlow
    from tlswire.certificates.facts import CertificateFacts
    from tlswire.results.session import ServerHello

_CHAINS = 4  # a renegotiation shows another chain; more of them say nothing new
# NIST SP 800-131A revision 2: keys below these sizes are disallowed.
_SHORTEST = {"RSA": 2048, "DSA": 2048, "DH": 2048, "EC": 224}


class Found(msgspec.Struct, frozen=True):
    """A session with what its result has no place for.

    ``hellos`` are the ClientHello messages with their header (empty where only a part was captured), parallel to
    ``session.hellos``; ``order`` sorts the sessions of one capture.
    """

    session: Session
    hellos: tuple[bytes, ...]
    order: tuple[int, int]


def assemble(capture: str, builder: SessionBuilder, flow: Flow | UdpFlow, how: str | None, frame: int) -> Found | None:
    """The session of a flow that ended ``how`` at ``frame``; None where nothing was read."""
    if not builder.messages and not (builder.transport == "quic" and builder.notes):
        return None
    keys = flow.keys
    client = builder.client
    if client is None:
        client = _likely_client(keys[0]) if flow.opener is None else flow.opener
    source, destination = _endpoints(keys[client])
    first_frame, high, low, interface = flow.first
    hello = builder.hellos[0] if builder.hellos else None
    answer = _answer(builder.server_hellos)
    chooser = answer if answer is not None and answer.group else builder.key_exchange
    notes = [*builder.notes, _ENDED[how]] if how in _ENDED else builder.notes
    start = interface.time(high, low)
    origin = flow.origin
    extensions = builder.encrypted_extensions
    session = Session(
        capture=capture,
        transport=builder.transport,
        client=source,
        server=destination,
        first_frame=first_frame,
        start=start,
        protocol=builder.protocol,
        tunnel=None if origin is None else origin.tunnel,
        quic_version=None if builder.quic_version is None else f"0x{builder.quic_version:08X}",
        server_name=hello.server_name if hello is not None else None,
        version=None if answer is None else answer.version,
        version_name=None if answer is None else answer.version_name,
        suite=None if answer is None else answer.suite,
        suite_name=None if answer is None else answer.suite_name,
        group=None if chooser is None else chooser.group,
        group_name=None if chooser is None else chooser.group_name,
        alpn=_alpn(builder, answer),
        hellos=builder.hellos,
        server_hellos=builder.server_hellos,
        key_exchange=builder.key_exchange,
        certificate_request=builder.certificate_request,
        certificates=builder.certificates,
        alerts=builder.alert_results(client) if builder.alerts else [],
        resumed=_resumed(builder),
        early_data=None if hello is None else hello.early_data,
        retry=_retry(builder),
        decryption=builder.decryption,
        encrypted_extensions=None if extensions is None else list(extensions.extension_types),
        tickets=builder.tickets if builder.decryption in {"complete", "partial"} else None,
        process=None if origin is None or origin.pid is None else Process(origin.pid, origin.process or ""),
        outcome=_outcome(builder, how),
        weak=_weak(builder, answer, start),
        notes=notes,
    )
    return Found(session, tuple(builder.raw_hellos), (frame, first_frame))


def _alpn(builder: SessionBuilder, answer: ServerHello | None) -> str | None:
    """What the server chose: in its hello, or in EncryptedExtensions where those were opened."""
    if builder.encrypted_extensions is not None:
        names = builder.encrypted_extensions.readable(16)
        return escaped(names[0]) if isinstance(names, tuple) and names else None
    return None if answer is None else answer.alpn


def _answer(hellos: list[ServerHello]) -> ServerHello | None:
    """The last that is no HelloRetryRequest."""
    for item in reversed(hellos):
        if item.kind == "hello":
            return item
    return None


_ENDED = {
    "idle": "nothing came for two minutes: not followed any further",
    "evicted": "the flow table was full: nothing was read after this",
    "replaced": "the same ports began a new connection",
}


def _likely_client(key: bytes) -> int:
    """Without a hello and without a SYN: the side with the higher port."""
    return 0 if key[-4:-2] >= key[-2:] else 1


_V4 = struct.Struct(">8BHH")


def _endpoints(key: bytes) -> tuple[Endpoint, Endpoint]:
    """Source and destination."""
    if len(key) == _V4.size:
        a, b, c, d, e, f, g, h, source, destination = _V4.unpack(key)
        return Endpoint(f"{a}.{b}.{c}.{d}", source), Endpoint(f"{e}.{f}.{g}.{h}", destination)
    source, destination = int.from_bytes(key[-4:-2], "big"), int.from_bytes(key[-2:], "big")
    return Endpoint(_v6(key[:16]), source), Endpoint(_v6(key[16:32]), destination)


@lru_cache(maxsize=1024)
def _v6(packed: bytes) -> str:
    return str(IPv6Address(packed))


def _outcome(builder: SessionBuilder, how: str | None) -> Outcome:
    if builder.encrypted[0] and builder.encrypted[1] and not builder.fatal:
        return "established"
    if builder.fatal:
        return "alert"
    if builder.transport == "quic" and builder.version and builder.server_hellos:
        return "established"
    if how is not None and how.startswith("reset"):
        return "reset"
    if how == "closed":
        return "closed"
    if builder.hellos and not builder.server_hellos and not builder.alerts:
        return "unanswered"
    return "incomplete"


def _resumed(builder: SessionBuilder) -> bool | None:
    """Whether an earlier session was taken up (RFC 5246 section 7.3, RFC 5077, RFC 9846 section 2.2)."""
    answer = builder.server_hellos[-1] if builder.server_hellos else None
    if answer is None or answer.kind == "retry" or builder.version == 2:
        return None
    if builder.version >= 0x0304:
        return answer.psk
    if builder.key_exchange is not None or any(item.sender == "server" for item in builder.certificates):
        return False
    if builder.client is not None and builder.ccs[1 - builder.client] and not builder.holes[1 - builder.client]:
        return (
            SUITES[int(answer.suite, 16)].auth not in {"PSK", "NULL", ""}
            and not SUITES[int(answer.suite, 16)].anonymous
        )
    return None


def _retry(builder: SessionBuilder) -> str | None:
    """Why the server asked for a second hello (RFC 9846 section 4.2.4)."""
    for retry in builder.server_hellos:
        if retry.kind == "retry":
            break
    else:
        return None
    reasons = []
    if retry.group is not None:
        offered = builder.hellos[0].key_shares if builder.hellos else []
        shares = ", ".join(GROUPS[int(code, 16)].name for code in offered) or "none"
        reasons.append(f"a key share of {retry.group_name} (sent: {shares})")
    if 44 in retry.extensions:
        reasons.append("a cookie")
    return " and ".join(reasons) or "nothing new"


def _weak(builder: SessionBuilder, answer: ServerHello | None, start: float) -> list[str]:
    """Reasons with their sources; only of what was chosen, or of what was presented."""
    found = [] if answer is None else [*_chosen(builder.version, answer.suite)]
    exchange = builder.key_exchange
    if exchange is not None and exchange.bits is not None and exchange.bits < _SHORTEST["DH"]:
        found.append(f"Diffie-Hellman group of {exchange.bits} bits (RFC 9325 4.1)")
    if builder.chains:
        moment = _day_and_time(int(start))
        for chain in builder.chains[:_CHAINS]:
            begin, end = _validity(chain)
            # Nearly all are valid: told once for all their sessions, not for every second again.
            found += _presented(chain, "" if begin <= moment <= end else moment)
    return found


@lru_cache(maxsize=1024)
def _validity(chain: Chain) -> tuple[str, str]:
    """From when to when all certificates of a chain are valid."""
    begin = max((item.not_before or "" for item in chain.certificates), default="")
    return begin, min((item.not_after or "~" for item in chain.certificates), default="~")


@lru_cache(maxsize=1024)
def _presented(chain: Chain, moment: str) -> tuple[str, ...]:
    """What is weak in a chain at that moment of its clock, where there is one; each reason once."""
    return tuple(dict.fromkeys(text for item in chain.certificates for text in _certificate(item, moment)))


@lru_cache(maxsize=1024)
def _chosen(version: int, suite: str) -> tuple[str, ...]:
    found = []
    if version in OLD_VERSIONS:
        found.append(f"{VERSIONS[version].name} ({OLD_VERSIONS[version][1]})")
    found += [
        f"{reason.text} ({reason.source})"
        for reason in reasons_against(suite_row(version, int(suite, 16)))
        if reason.category != "legacy"
    ]
    return tuple(found)


def _certificate(certificate: CertificateFacts, moment: str) -> list[str]:
    found = []
    key = (certificate.key or "").split(" ")[0]
    if certificate.bits is not None and certificate.bits < _SHORTEST.get(key, 0):
        found.append(f"certificate key {key} of {certificate.bits} bits (NIST SP 800-131A)")
    algorithm = (certificate.signature_algorithm or "").lower()
    if not certificate.self_signed and ("sha1" in algorithm or "md5" in algorithm or "md2" in algorithm):
        found.append(f"certificate signed with {certificate.signature_algorithm} (RFC 9155)")
    return found + _dates(certificate, moment)


def _dates(certificate: CertificateFacts, moment: str) -> list[str]:
    """Expired or not yet valid when the session took place."""
    if not moment:
        return []
    if certificate.not_after is not None and certificate.not_after < moment:
        return [f"certificate expired on {certificate.not_after[:10]}"]
    if certificate.not_before is not None and certificate.not_before > moment:
        return [f"certificate not valid before {certificate.not_before[:10]}"]
    return []


@lru_cache(maxsize=256)
def _day_and_time(second: int) -> str:
    if not second:
        return ""  # the packet had no time
    from datetime import UTC, datetime  # noqa: PLC0415 - only captures with certificates need it

    try:
        return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (OverflowError, ValueError, OSError):
        return ""  # a capture's clock may say anything
