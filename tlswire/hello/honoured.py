"""Whether a ServerHello keeps to the ClientHello it answers: nothing that was not offered, nothing left out.

Sans-IO. Sources: RFC 9846 sections 4.2.3, 4.2.4, 4.3 and 4.3.8; RFC 5246 section 7.4.1.3; RFC 8701 section 3.1.
Must not import anything of tlswire but ``registry`` and ``wire``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tlswire.registry import EXTENSIONS, GREASE, GROUPS, SUITES, VERSIONS
from tlswire.wire.cursor import named

if TYPE_CHECKING:
    from tlswire.registry import Table
    from tlswire.wire.messages import ClientHello, ServerHello

# Signalled in the suites (RFC 5746 section 3.6) or answered without having been offered by many stacks by habit.
_UNSOLICITED_OK = frozenset({0xFF01})
_COOKIE = 44
_TLS13 = 0x0304


def dishonoured(offer: ClientHello, hello: ServerHello) -> tuple[tuple[str, str], ...]:
    """What ``hello`` answers against the offer, as (kind, one line) pairs.

    Kinds: suite, version, compression, extension, duplicate-extension, session-id, group, grease.
    """
    found: list[tuple[str, str]] = []
    versions = offer.versions or (offer.legacy_version,)
    group = hello.group
    if hello.suite not in offer.suites:
        found.append(("suite", f"answers suite {named(SUITES, hello.suite)} that was not offered"))
    if hello.version > max(versions) or hello.version < 0x0300:
        found.append(("version", f"answers version {named(VERSIONS, hello.version)} that was not offered"))
    if hello.compression:
        found.append(("compression", f"answers compression method {hello.compression} that was not offered"))
    # RFC 9846 section 4.3: only a cookie may come unasked, and only in a HelloRetryRequest.
    allowed = _UNSOLICITED_OK.union(offer.extension_types, {_COOKIE} if hello.is_retry else ())
    types = hello.extension_types
    found += [
        ("extension", f"answers extension {named(EXTENSIONS, code)} that was not offered")
        for code in types
        if code not in allowed
    ]
    found += [
        ("duplicate-extension", f"answers extension {named(EXTENSIONS, code)} twice")
        for code in sorted({code for code in types if types.count(code) > 1})
    ]
    if hello.version >= _TLS13 and hello.session_id != offer.session_id:
        found.append(("session-id", "does not echo legacy_session_id"))
    if group is not None and group not in offer.groups:
        found.append(("group", f"answers group {named(GROUPS, group)} that was not offered"))
    elif group is not None and hello.is_retry and group in offer.key_shares:
        found.append(("group", f"asks again for a share of group {named(GROUPS, group)} that was sent"))
    chosen: tuple[tuple[Table[Any], int | None], ...] = (
        (SUITES, hello.suite),
        (VERSIONS, hello.version),
        (GROUPS, group),
    )
    found += [
        ("grease", f"chooses {named(table, code)}, which means nothing (RFC 8701 3.1)")
        for table, code in chosen
        if code is not None and code in GREASE
    ]
    return tuple(found)
