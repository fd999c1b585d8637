"""Does the server ask its clients for a certificate, of whom, and does it go on without one?

Our client answers every CertificateRequest with an empty Certificate (RFC 5246 section 7.4.6, RFC 9846 section 4.5.1).
A server that needs one says so by an alert: before TLS 1.3 in place of its Finished, in TLS 1.3 after ours
(certificate_required, section 6.2). Others complete the handshake and leave the refusal to what runs above TLS, so one
request is sent where a certificate was asked for. What is only asked for on some paths (renegotiation,
post-handshake authentication) is not seen. Must not import ``report`` or ``cli``.
"""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

import msgspec

from tlswire.certificates.distinguished import distinguished_name
from tlswire.handshake.conversation import HELLO
from tlswire.probe.exchange import CLOSE, RESET
from tlswire.registry import CLIENT_CERTIFICATE_TYPES, SCHEMES, VERSIONS
from tlswire.results.answers.clientauth import ClientAuth, ClientAuths
from tlswire.scan.proof import proof_of
from tlswire.wire.cursor import escaped
from tlswire.wire.messages import CertificateRequest13

if TYPE_CHECKING:
    from tlswire.handshake.conversation import Conversation
    from tlswire.results.answers.clientauth import Policy
    from tlswire.scan.server import Server

SIGNATURE_ALGORITHMS, CERTIFICATE_AUTHORITIES = 13, 47
MAX_AUTHORITIES = 64
# Alerts about something else than a missing certificate: unexpected_message, bad_record_mac, decrypt_error,
# internal_error. Which one a missing certificate gets is not settled before TLS 1.3 (GnuTLS: decode_error).
_OF_KEYS = frozenset({10, 20, 51, 80})
_MAX_LINE = 100
# Protocols in which an HTTP/1.1 request is a request.
_HTTP = frozenset({None, b"http/1.1", b"http/1.0"})
# What a web server says that wants a certificate after all: 4xx, and a word about it.
_WANTS_ONE = re.compile(rb"HTTP/1\.[01] 4\d\d [^\r\n]*\r?\n.*certificate", re.DOTALL | re.IGNORECASE)


async def ask(server: Server) -> ClientAuths:
    """What each version asks; the handshakes are those that other questions look at, too."""
    versions = server.versions
    if not versions:
        return ClientAuths(state="not-applicable", notes=["no version of SSLv3 or TLS is accepted"])
    conversations = await asyncio.gather(*(server.first(version) for version in versions))
    found: list[ClientAuth] = []
    notes: list[str] = []
    for version, conversation in zip(versions, conversations, strict=True):
        policy = policy_of(conversation)
        if policy is None:
            why = conversation.reason or conversation.unchecked or conversation.label
            notes.append(f"{VERSIONS[version].name}: its handshake could not be followed far enough: {why}")
        else:
            found.append(_answer(version, policy, conversation))
    optional = next((at for at, one in enumerate(found) if one.policy == "optional"), None)
    if optional is not None:
        version = VERSIONS.find(found[optional].version).code
        found = _with_application(found, await _request(server, version))
    unknown = bool(notes) or any(one.policy == "unknown" for one in found)
    return ClientAuths(state="incomplete" if unknown else "complete", versions=found, notes=notes)


def policy_of(conversation: Conversation) -> Policy | None:
    """What a handshake in which no certificate was shown tells; None when it did not come far enough."""
    if conversation.certificate_request is None:
        return "never" if conversation.stage in {"flight", "finished"} else None
    if conversation.alert is not None:
        return "unknown" if conversation.alert.description in _OF_KEYS else "required"
    if conversation.finished:
        return "optional"
    broken = conversation.unchecked or conversation.kind != HELLO or conversation.stage != "flight"
    return "required" if not broken and conversation.ending in {CLOSE, RESET} else "unknown"


async def _request(server: Server, version: int) -> Conversation:
    """The handshake of ``version`` once more, with a request behind it."""
    name = (server.server_name or server.host.encode("ascii", "replace")).decode("ascii", "replace")
    request = f"GET / HTTP/1.1\r\nHost: {name}\r\nUser-Agent: tlswire\r\nConnection: close\r\n\r\n"
    return await server.handshake(server.hello(version), request=request.encode("ascii"))


def _with_application(found: list[ClientAuth], conversation: Conversation) -> list[ClientAuth]:
    """The versions, those that left it open with what the request came to: that is the same for all of them."""
    said = conversation.application
    policy: Policy = "optional"
    if conversation.alert is not None and not said:
        policy = "required"
    elif conversation.alpn in _HTTP and _WANTS_ONE.match(said):
        policy = "application"
    line = escaped(bytes(said.splitlines()[0][:_MAX_LINE])) if said else ""
    return [
        msgspec.structs.replace(one, policy=policy, application=line) if one.policy == "optional" else one
        for one in found
    ]


def _answer(version: int, policy: Policy, conversation: Conversation) -> ClientAuth:
    request = conversation.certificate_request
    types: tuple[int, ...] = getattr(request, "types", ())
    schemes: tuple[int, ...] = getattr(request, "schemes", ())
    authorities: tuple[bytes, ...] = getattr(request, "authorities", ())
    if isinstance(request, CertificateRequest13):
        schemes = request.readable(SIGNATURE_ALGORITHMS) or ()
        authorities = request.readable(CERTIFICATE_AUTHORITIES) or ()
    return ClientAuth(
        version=VERSIONS[version].name,
        policy=policy,
        outcome=conversation.label if conversation.label != HELLO else conversation.ending,
        application="",
        types=[CLIENT_CERTIFICATE_TYPES[code].name for code in types],
        schemes=[SCHEMES[code].name for code in schemes],
        authorities=[distinguished_name(name) for name in authorities[:MAX_AUTHORITIES]],
        authority_count=len(authorities),
        proof=proof_of(conversation),
    )
