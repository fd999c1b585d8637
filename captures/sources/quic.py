"""aioquic on both sides: quic.py MODE NAME CERTIFICATES KEY [KEYLOG]. Prints the facts as JSON."""

# ruff: noqa: SLF001, T201 - aioquic tells the version and the suite inside only; the facts go to stdout
from __future__ import annotations

import asyncio
import hashlib
import json
import ssl
import sys
from pathlib import Path
from typing import Any

from aioquic.asyncio import QuicConnectionProtocol, connect, serve
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import HandshakeCompleted, QuicEvent
from aioquic.tls import CipherSuite, Context, SessionTicket
from cryptography.hazmat.primitives.serialization import Encoding

V1, V2 = 0x00000001, 0x6B3343CF
PORT = 4433
# What the client of a mode is configured to do.
SETTINGS: dict[str, dict[str, Any]] = {
    "v2": {"supported_versions": [V2, V1], "original_version": V2},
    "upgrade": {"supported_versions": [V2, V1], "original_version": V1},
    "negotiation": {"supported_versions": [V2, V1], "original_version": V2},
    "large": {"quantum_readiness_test": True},
    "long-alpn": {"alpn": [f"protocol-{number:03}.of.a.long.list.example" for number in range(60)] + ["h3"]},
    "chacha": {"cipher_suites": [CipherSuite.CHACHA20_POLY1305_SHA256]},
}
sessions: list[dict[str, Any]] = []
turning: set[asyncio.Future[None]] = set()


class Client(QuicConnectionProtocol):
    """Remembers whether the session was resumed."""

    completed: HandshakeCompleted | None = None

    def quic_event_received(self, event: QuicEvent) -> None:
        """Called by aioquic."""
        if isinstance(event, HandshakeCompleted):
            self.completed = event
        super().quic_event_received(event)


def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Echo, backwards."""

    async def turn() -> None:
        writer.write((await reader.read())[::-1])
        writer.write_eof()

    turning.add(asyncio.ensure_future(turn()))


async def visit(
    name: str, ticket: SessionTicket | None = None, *, early: bool = False, **settings: Any
) -> list[SessionTicket]:
    """One session as a client; returns the tickets of the server."""
    tickets: list[SessionTicket] = []
    configuration = QuicConfiguration(
        alpn_protocols=settings.pop("alpn", ["h3"]),
        server_name=name,
        verify_mode=ssl.CERT_NONE,
        session_ticket=ticket,
        **settings,
    )
    async with connect(
        "127.0.0.1",
        PORT,
        configuration=configuration,
        create_protocol=Client,
        session_ticket_handler=tickets.append,
        wait_connected=not early,
    ) as client:
        reader, writer = await client.create_stream()
        writer.write(b"hello")
        writer.write_eof()
        await reader.read()
        while client.completed is None:  # noqa: ASYNC110 - aioquic has no event for it with early data
            await asyncio.sleep(0.01)
        quic = client._quic
        sessions.append(
            {
                "transport": "quic",
                "server_name": name,
                "version": "0x0304",
                "suite": f"0x{quic.tls.key_schedule.cipher_suite.value:04X}",
                "quic_version": f"0x{quic._version:08X}",
                "resumed": client.completed.session_resumed,
                "early_data": client.completed.early_data_accepted,
                "certificates": [],
                "offered_alpn": configuration.alpn_protocols,
            }
        )
        if configuration.secrets_log_file is not None:
            sessions[-1]["opened"] = opened(quic.tls)
    return tickets


def opened(tls: Context) -> dict[str, Any]:
    """What only the key log shows of a client's session."""
    chain = [tls._peer_certificate, *tls._peer_certificate_chain] if tls._peer_certificate is not None else []
    # In the order in which aioquic's server writes them.
    extensions = [16] * bool(tls.alpn_negotiated) + [42] * tls.early_data_accepted
    return {
        "decryption": "complete",
        "certificates": [hashlib.sha256(item.public_bytes(Encoding.DER)).hexdigest() for item in chain],
        "alpn": tls.alpn_negotiated,
        "encrypted_extensions": extensions + [kind for kind, _ in tls.received_extensions or []],
        "tickets": None,
    }


async def every_suite(name: str, keys: str) -> None:
    """Both versions with each suite, then one resumed with early data."""
    with Path(keys).open("a", encoding="ascii") as log:  # noqa: ASYNC230 - a few lines
        for number, version in enumerate((V1, V2), 1):
            for suite in (
                CipherSuite.AES_128_GCM_SHA256,
                CipherSuite.AES_256_GCM_SHA384,
                CipherSuite.CHACHA20_POLY1305_SHA256,
            ):
                host = f"{suite.name.lower().replace('_', '-')}-v{number}.{name}"
                tickets = await visit(
                    host,
                    supported_versions=[version],
                    original_version=version,
                    cipher_suites=[suite],
                    secrets_log_file=log,
                )
        await visit(
            host,
            ticket=tickets[0],
            early=True,
            supported_versions=[V2],
            original_version=V2,
            cipher_suites=[suite],
            secrets_log_file=log,
        )


async def visits(mode: str, name: str, keys: str) -> None:
    """What the clients of one scenario do."""
    if mode == "keylog":
        await every_suite(name, keys)
    elif mode == "early":
        tickets = await visit(name)
        await visit(name, ticket=tickets[0], early=True)
    else:
        await visit(name, **SETTINGS.get(mode, {}))


async def main(mode: str, name: str, certificates: str, key: str, keys: str = "") -> None:
    """Run one scenario."""
    configuration = QuicConfiguration(is_client=False, alpn_protocols=["h3", "hq-interop"], max_datagram_size=1280)
    configuration.load_cert_chain(certificates, key)
    if mode in {"v2", "upgrade", "keylog"}:
        configuration.supported_versions = [V2, V1]
    if mode == "negotiation":
        configuration.supported_versions = [V1]
    store: dict[bytes, SessionTicket] = {}
    server = await serve(
        "127.0.0.1",
        PORT,
        configuration=configuration,
        retry=mode == "retry",
        stream_handler=answer,
        session_ticket_fetcher=store.pop,
        session_ticket_handler=lambda ticket: store.update({ticket.ticket: ticket}),
    )
    await visits(mode, name, keys)
    server.close()


asyncio.run(main(*sys.argv[1:]))
print(json.dumps(sessions))
