"""Does the server keep to bounds on its records that a client asks for?

max_fragment_length (RFC 6066 section 4) bounds every record, record_size_limit (RFC 8449 section 4) protected ones only:
in TLS 1.2 it shows in what comes after the handshake. The certificate is what is long enough to tell.
Must not import ``report`` or ``cli``, nor any question.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tlswire.crypto.suites import plan_of
from tlswire.handshake.client import Brief
from tlswire.hello.builder import TLS13_VERSION
from tlswire.hello.edit import with_extension
from tlswire.registry import EXTENSIONS, VERSIONS
from tlswire.results.answers.extensions import Limit
from tlswire.scan.proof import proof_of
from tlswire.scan.server import is_unknown
from tlswire.wire.extensions import encode_extension
from tlswire.wire.records import APPLICATION_DATA

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tlswire.handshake.conversation import Conversation
    from tlswire.scan.server import Server

MAX_FRAGMENT_LENGTH, RECORD_SIZE_LIMIT = 1, 28
# The smallest max_fragment_length; GnuTLS takes no record_size_limit below it.
ASKED = 512
# Extension -> what is sent to ask for ASKED bytes.
_VALUES = {MAX_FRAGMENT_LENGTH: 1, RECORD_SIZE_LIMIT: ASKED}
FRAGMENT_LENGTHS = {1: 512, 2: 1024, 3: 2048, 4: 4096}


async def limits(server: Server, version: int) -> list[Limit | None]:
    """What becomes of either bound; None where nothing was said."""
    return list(await asyncio.gather(*(_limit(server, version, code) for code in _VALUES)))


async def _limit(server: Server, version: int, code: int) -> Limit | None:
    body = encode_extension(code, _VALUES[code], "ch")
    hello = with_extension(server.hello(version), code, body)
    heard = await server.handshake(hello, client=Brief)
    if is_unknown(heard):
        return None
    answered = _answered(heard, code)
    sizes = list(_sizes(heard, protected=code == RECORD_SIZE_LIMIT))
    longest = max(sizes, default=0)
    # TLSInnerPlaintext has a content type, too: RFC 8449 counts it, RFC 6066 does not.
    allowed = ASKED + (code == MAX_FRAGMENT_LENGTH and version >= TLS13_VERSION)
    cut = any(len(message.body) + 4 > ASKED for message in heard.messages)
    obeyed = None if answered is None else False if longest > allowed else cut or None
    return Limit(
        version=VERSIONS[version].name,
        extension=EXTENSIONS[code].name,
        asked=ASKED,
        answered=answered,
        obeyed=obeyed,
        longest=longest,
        proof=proof_of(heard),
    )


def _answered(heard: Conversation, code: int) -> int | None:
    for message in (heard.hello, heard.encrypted_extensions):
        value = None if message is None else message.readable(code)
        if isinstance(value, int):
            return FRAGMENT_LENGTHS.get(value, value) if code == MAX_FRAGMENT_LENGTH else value
    return None


def _sizes(heard: Conversation, *, protected: bool) -> Iterator[int]:
    """Bytes of plaintext in the server's records, up to where they end or nothing of them is known any more."""
    data, at = heard.received, 0
    plan = plan_of(heard.version, heard.suite) if heard.hello is not None else None
    modern = heard.version >= TLS13_VERSION
    while at + 5 <= len(data):
        size = int.from_bytes(data[at + 3 : at + 5], "big")
        inner = modern and data[at] == APPLICATION_DATA
        if inner and plan is not None:
            yield size - plan.cipher.tag
        elif not protected:
            yield size
        at += 5 + size
