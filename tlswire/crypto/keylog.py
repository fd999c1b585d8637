"""Key logs: the SSLKEYLOGFILE format, read and written (RFC 9850; NSS's own lines of RSA premasters).

Files come from others: lines, their length and what is kept are bounded, and a broken line is reported, not fatal.
Imports nothing of tlswire.
"""

from __future__ import annotations

import io
import itertools
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MAX_LINES = 1 << 20
MAX_LINE = 1 << 17  # an ECHConfigList is at most 2^16 bytes (RFC 9849 section 4), two digits each
MAX_FAULTS = 100
RANDOM_SIZE = 32

MASTER = "CLIENT_RANDOM"  # of TLS 1.2 and older: the master secret
RSA = "RSA"  # of NSS: the first eight bytes of the encrypted premaster, and the premaster
# RFC 9850 section 2. The two exporters have other names in the drafts and in every library.
LABELS = frozenset(
    {
        MASTER,
        "CLIENT_EARLY_TRAFFIC_SECRET",
        "EARLY_EXPORTER_MASTER_SECRET",
        "EARLY_EXPORTER_SECRET",
        "CLIENT_HANDSHAKE_TRAFFIC_SECRET",
        "SERVER_HANDSHAKE_TRAFFIC_SECRET",
        "CLIENT_TRAFFIC_SECRET_0",
        "SERVER_TRAFFIC_SECRET_0",
        "EXPORTER_SECRET",
        "ECH_SECRET",
        "ECH_CONFIG",
    }
)


class KeyLog(msgspec.Struct, frozen=True):
    """What a key log holds.

    ``secrets`` has, by client random, the secret of each label; ``premasters`` the premaster by the first eight bytes
    of the encrypted one. ``unknown`` counts lines with labels not known here; ``faults`` are (line number from 1,
    reason) of broken lines, the first 100 of ``faulty``. ``cut`` tells that there were too many lines to read.
    """

    secrets: Mapping[bytes, Mapping[str, bytes]] = {}
    premasters: Mapping[bytes, bytes] = {}
    unknown: int = 0
    faulty: int = 0
    faults: tuple[tuple[int, str], ...] = ()
    cut: bool = False

    def of(self, client_random: bytes) -> Mapping[str, bytes]:
        """The secrets of one connection by label; none is an empty mapping."""
        return self.secrets.get(client_random, {})


def parse_keylog(data: bytes | str) -> KeyLog:
    """Everything a key log says; the first secret of a label and a random wins."""
    lines = io.BytesIO(data if isinstance(data, bytes) else data.encode("utf-8", "replace"))
    secrets: dict[bytes, dict[str, bytes]] = {}
    premasters: dict[bytes, bytes] = {}
    faults: list[tuple[int, str]] = []
    unknown = faulty = 0
    for number, line in enumerate(itertools.islice(lines, MAX_LINES), 1):
        words = line[:MAX_LINE].decode("latin-1").split()
        if not words or words[0].startswith("#"):
            continue
        if words[0] not in LABELS and words[0] != RSA:
            unknown += 1
            continue
        found = _read(words, long=len(line) > MAX_LINE)
        if not isinstance(found, str):
            name, secret = found
            kept = (
                premasters.setdefault(name, secret)
                if words[0] == RSA
                else secrets.setdefault(name, {}).setdefault(words[0], secret)
            )
            found = "" if kept == secret else "another secret for what an earlier line has"
        if found:
            faulty += 1
            if len(faults) < MAX_FAULTS:
                faults.append((number, found))
    return KeyLog(secrets, premasters, unknown, faulty, tuple(faults), cut=lines.read(1) != b"")


def merged(logs: Iterable[KeyLog]) -> KeyLog:
    """The secrets of several key logs, of which the first that has one wins."""
    secrets: dict[bytes, dict[str, bytes]] = {}
    premasters: dict[bytes, bytes] = {}
    for log in logs:
        for random, known in log.secrets.items():
            secrets[random] = {**known, **secrets.get(random, {})}
        premasters = {**log.premasters, **premasters}
    return KeyLog(secrets, premasters)


def _read(words: list[str], *, long: bool) -> tuple[bytes, bytes] | str:
    """What a line's secret belongs to, and the secret; or what is wrong with it."""
    if long:
        return f"over {MAX_LINE} characters"
    if len(words) != 3:
        return f"{len(words)} words, not a label and two of hexadecimal digits"
    try:
        name, secret = bytes.fromhex(words[1]), bytes.fromhex(words[2])
    except ValueError:
        return "not hexadecimal digits in pairs"
    size = 8 if words[0] == RSA else RANDOM_SIZE
    if len(name) != size:
        return f"{len(name)} bytes after {words[0]}, not {size}"
    return name, secret


def format_line(label: str, client_random: bytes, secret: bytes) -> str:
    """The line of a secret, its end of line included."""
    return f"{label} {client_random.hex()} {secret.hex()}\n"
