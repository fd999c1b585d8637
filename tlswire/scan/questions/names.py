"""What does the server make of server_name: its own, none, an unknown one, and names that are none?

The leaf that is shown tells which of its hosts a server takes the name for, an alert that it knows none (RFC 6066
section 3: unrecognized_name, fatal; as a warning not recommended). Names of hosts have no case (RFC 4343 section 3), no trailing
dot and at least one byte; addresses are no names. Must not import ``report`` or ``cli``.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tlswire.certificates.facts import certificate_facts
from tlswire.handshake.client import Client
from tlswire.hello.builder import TLS13_VERSION
from tlswire.hello.edit import SERVER_NAME, with_extension
from tlswire.probe.exchange import CLOSE, HELLO
from tlswire.registry import VERSIONS
from tlswire.results.answers.names import NameAnswer, NamedCertificate, Names
from tlswire.results.scan import Finding
from tlswire.scan.proof import proof_of
from tlswire.scan.server import NO_ANSWER, UNKNOWN_NAME
from tlswire.wire.cursor import escaped

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tlswire.handshake.conversation import Conversation
    from tlswire.results.answers.names import Kind
    from tlswire.scan.server import Server

# The most that OpenSSL takes, and two bytes more than a name can have (RFC 1035 section 2.3.4).
LONG = b".".join([b"x" * 63] * 4)


class Glance(Client):
    """Goes no further than the certificate."""

    def enough(self) -> bool:
        """Whether it has come."""
        return bool(self.shown.chain)


def cases(own: bytes | None, address: bytes) -> Iterator[tuple[Kind, bytes | None]]:
    """The names to send beside the server's own."""
    if own is not None:
        yield "none", None
    yield "unknown", UNKNOWN_NAME
    yield "address", address
    if own is not None:
        yield "dot", own + b"."
        if own != own.upper():
            yield "upper", own.upper()
    yield "long", LONG
    yield "empty", b""


async def ask(server: Server) -> Names:
    """Each name by itself, under the newest version that shows a certificate."""
    version = next((code for code in server.versions if code < TLS13_VERSION or server.completed(code)), None)
    if version is None:
        return Names(state="not-applicable", notes=["no version that was accepted shows a certificate"])
    own = server.server_name
    first = await server.first(version)
    if first.finished and not first.chain:
        return Names(state="not-applicable", notes=["the server has no certificate"])
    sent = list(cases(own, server.prober.address.host.encode("ascii")))
    conversations = await asyncio.gather(*(_shown(server, name) for _, name in sent))
    kind: Kind = "none" if own is None else "own"
    usual = _answer(kind, own, first, None)
    answers = [usual, *(_answer(*case, shown, usual) for case, shown in zip(sent, conversations, strict=True))]
    unknown = [answer for answer in answers if answer.outcome == "unknown"]
    refused = {answer.kind: answer.outcome == "refused" for answer in answers if answer.outcome != "unknown"}
    return Names(
        state="incomplete" if unknown else "complete",
        notes=[f"{VERSIONS[version].name}: {reason}" for reason in dict.fromkeys(one.answer for one in unknown)],
        version=VERSIONS[version].name,
        strict=refused["none"] and refused["unknown"] if {"none", "unknown"} <= refused.keys() else None,
        names=answers,
        certificates=_certificates([first, *conversations]),
    )


async def _shown(server: Server, name: bytes | None) -> Conversation:
    if name in {None, UNKNOWN_NAME}:
        return await server.named(name)
    versions, suites = server.usual_offer()
    hello = with_extension(server.hello(versions, suites, server_name=None), SERVER_NAME, _body(name or b""))
    return await server.handshake(hello, client=Glance)


def _body(name: bytes) -> bytes:
    """A server_name with one host_name (RFC 6066 section 3), be it one that the grammar does not allow."""
    entry = b"\0" + len(name).to_bytes(2, "big") + name
    return len(entry).to_bytes(2, "big") + entry


def _answer(kind: Kind, sent: bytes | None, shown: Conversation, usual: NameAnswer | None) -> NameAnswer:
    certificate = certificate_facts(shown.chain[0]).sha256 if shown.chain else None
    broken = shown.kind in NO_ANSWER or bool(shown.unchecked)
    silent = shown.kind == HELLO and shown.ending != CLOSE
    reference = certificate if usual is None else usual.certificate
    return NameAnswer(
        kind=kind,
        sent=None if sent is None else escaped(sent),
        outcome="certificate" if certificate else "unknown" if broken or silent else "refused",
        answer="certificate" if certificate else _ending(shown),
        certificate=certificate,
        same=None if certificate is None or reference is None else certificate == reference,
        warnings=[alert.name for alert in shown.warnings],
        acknowledged=shown.answered(SERVER_NAME) is not None,
        proof=proof_of(shown),
    )


def _ending(shown: Conversation) -> str:
    if shown.kind in NO_ANSWER or shown.unchecked:
        return shown.reason or shown.unchecked or shown.kind
    return shown.ending if shown.kind == HELLO else shown.label


def _certificates(conversations: list[Conversation]) -> list[NamedCertificate]:
    leaves = dict.fromkeys(shown.chain[0] for shown in conversations if shown.chain)
    facts = [certificate_facts(leaf) for leaf in leaves]
    return [NamedCertificate(leaf.sha256, leaf.subject, leaf.names) for leaf in facts]


def findings(answer: Names) -> Iterator[Finding]:
    """A server to which case matters, and one that warns of a name and goes on."""
    upper = next((name for name in answer.names if name.kind == "upper"), None)
    own = next((name for name in answer.names if name.kind == "own"), None)
    if (
        own is not None
        and upper is not None
        and own.certificate
        and (upper.outcome == "refused" or upper.same is False)
    ):
        got = "another certificate" if upper.certificate else upper.answer
        text = f"the server's name in upper case gets {got}: names of hosts have no case"
        yield Finding("name-case", "fault", text, "RFC 6066 3, RFC 4343 3", answer.version)
    warned = [name for name in answer.names if name.warnings and name.certificate]
    if warned:
        yield Finding(
            "name-warning",
            "info",
            f"warns of {', '.join(warned[0].warnings)} and goes on: there are clients (Java 7) that end there",
            "RFC 6066 3",
            answer.version,
            remedy="give the server that name, or refuse it",
        )
