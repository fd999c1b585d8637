"""Recording on loopback: a network namespace of our own, the packets of its ``lo``, and the peers' processes.

The namespace keeps the traffic of others out, gives every port, and a loopback with the packet size of Ethernet.
What is in the scenarios' table is not known here.
"""

# ruff: noqa: S603 - starting the peers is the purpose; every command is ours
from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from captures.packets import Packet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from captures.mint import Minted

HOST = "127.0.0.1"
INSIDE = "TLSWIRE_CAPTURES_NAMESPACE"
_OUTGOING = 4  # PACKET_OUTGOING: on loopback every packet passes twice
_LISTENING = {"tcp": "0A", "udp": "07"}

Facts = dict[str, Any]


class Bench(NamedTuple):
    """What a scenario works with: certificates, a scratch folder, and the interpreter that has aioquic and aiosmtpd."""

    minted: Minted
    folder: Path
    python: str


class Scenario(NamedTuple):
    """A recording: ``run`` makes the traffic and returns the facts of its sessions, as the peers tell them."""

    name: str
    shows: str
    run: Callable[[Bench], list[Facts]]
    ports: tuple[int, ...] = ()


class MissingError(Exception):
    """A stack that is not installed here."""


def enter_namespace() -> None:
    """Run this program again in namespaces of its own for network and name, and set its loopback up. Needs root."""
    if os.environ.get(INSIDE):
        socket.sethostname("capture.example")  # some servers greet with it
        return
    command = 'ip link set lo up mtu 1500 && exec "$@"'
    os.environ[INSIDE] = "1"
    os.execvp("unshare", ["unshare", "--net", "--uts", "sh", "-c", command, "sh", sys.executable, *sys.argv])  # noqa: S606, S607


def plain_segments() -> None:
    """No segmentation offload on ``lo``: segments as they would be on a wire."""
    with socket.socket() as any_socket:
        for command in (0x1F, 0x24, 0x2C):  # ETHTOOL_STSO, SGSO, SGRO
            value = ctypes.create_string_buffer(struct.pack("II", command, 0))
            request = struct.pack("16sP16x", b"lo", ctypes.addressof(value))
            fcntl.ioctl(any_socket, 0x8946, request)  # SIOCETHTOOL


def record(scenario: Scenario, bench: Bench) -> tuple[list[Packet], list[Facts]]:
    """Run a scenario and return the packets of its loopback, those of ``ports`` only where any are named."""
    found: list[Packet] = []
    stop = threading.Event()
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)) as tap:
        tap.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 24)
        tap.bind(("lo", 0))
        tap.settimeout(0.05)

        def listen() -> None:
            while True:
                try:
                    data, address = tap.recvfrom(1 << 17)
                except TimeoutError:
                    if stop.is_set():
                        return
                    continue
                if address[2] == _OUTGOING:
                    found.append(Packet(time.time_ns(), data))

        thread = threading.Thread(target=listen)
        thread.start()
        try:
            facts = scenario.run(bench)
        finally:
            stop.set()
            thread.join()
    wanted = [packet for packet in found if _ports(packet.data) and not _is_icmp(packet.data)]
    if scenario.ports:
        wanted = [packet for packet in wanted if set(_ports(packet.data)) & set(scenario.ports)]
    return wanted, facts


def _is_icmp(data: bytes) -> bool:
    return (data[23] if data[12:14] == b"\x08\x00" else data[20]) in {1, 58}


def _ports(data: bytes) -> tuple[int, ...]:
    if data[12:14] not in {b"\x08\x00", b"\x86\xdd"}:
        return ()
    at = 14 + ((data[14] & 15) * 4 if data[12:14] == b"\x08\x00" else 40)
    return struct.unpack_from(">HH", data, at)


def need(program: str) -> str:
    """The path of a program. Raises MissingError."""
    path = shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin:/usr/lib/nss")
    if path is None:
        raise MissingError(f"no {program}")
    return path


@contextlib.contextmanager
def process(
    argv: Sequence[str],
    *,
    port: int = 0,
    kind: str = "tcp",
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """A peer that runs until the block ends, waited for until it listens on ``port``. Its output is one stream."""
    with subprocess.Popen(
        [need(argv[0]), *argv[1:]],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        env={**os.environ, **(env or {})},
        cwd=cwd,
    ) as peer:
        try:
            if port:
                wait_listening(port, kind, peer)
            yield peer
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(peer.pid, signal.SIGKILL)


def wait_listening(port: int, kind: str = "tcp", peer: subprocess.Popen[bytes] | None = None) -> None:
    """Wait until somebody listens, without sending anything. Raises RuntimeError."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        for table in (Path(f"/proc/net/{kind}"), Path(f"/proc/net/{kind}6")):
            for line in table.read_text().splitlines()[1:]:
                fields = line.split()
                if fields[1].endswith(f":{port:04X}") and fields[3] == _LISTENING[kind]:
                    return
        if peer is not None and peer.poll() is not None:
            raise RuntimeError(f"ended at once: {peer.stdout.read() if peer.stdout else b''!r}")
        time.sleep(0.01)
    raise RuntimeError(f"nobody listens on {kind} port {port}")


def run(
    argv: Sequence[str],
    *,
    stdin: bytes | None = b"",
    env: Mapping[str, str] | None = None,
    wait: bytes = b"",
    cwd: Path | None = None,
    timeout: float = 15.0,
) -> str:
    """Run a client and return its output: it gets ``stdin``, and the end of it once it has printed ``wait``."""
    chunks: list[bytes] = []
    with process(argv, env=env, cwd=cwd) as client:
        if client.stdin is None or client.stdout is None:
            raise RuntimeError
        seen = threading.Event()
        output = client.stdout

        def drain() -> None:
            while chunk := os.read(output.fileno(), 1 << 16):
                chunks.append(chunk)
                if wait and wait in b"".join(chunks):
                    seen.set()
            seen.set()

        reader = threading.Thread(target=drain)
        reader.start()
        with contextlib.suppress(BrokenPipeError):
            client.stdin.write(stdin or b"")
            client.stdin.flush()
            if wait:
                seen.wait(timeout)
                time.sleep(0.1)
            client.stdin.close()
        try:
            client.wait(timeout)
        except subprocess.TimeoutExpired:
            chunks.append(b"\n(killed)\n")
            client.kill()
        reader.join(2)
    return b"".join(chunks).decode(errors="replace")


def version_of(argv: Sequence[str]) -> str:
    """The first line a program prints of itself."""
    return run(argv, timeout=20).strip().partition("\n")[0].strip()
