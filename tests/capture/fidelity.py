"""Compares what tlswire reads from the third-party captures with what tshark says of them, frame by frame.

``python -m tests.capture.fidelity`` prints the table. A difference is explained only by a row of DEVIATIONS.
"""

from __future__ import annotations

import json
import sys
from collections import Counter, defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import tlswire

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tlswire.results.session import Hello, Session

SHARED = Path(__file__).parents[3] / "shared"


class Difference(NamedTuple):
    """One frame and field where the two readings differ; ``reason`` is empty when nothing explains it."""

    capture: str
    frame: int
    field: str
    ours: str
    theirs: str
    reason: str = ""


def _codes(values: list[str]) -> list[str]:
    return [value.lower() for value in values]


def _decimal(values: list[str]) -> list[str]:
    return [str(int(value, 16)) for value in values]


# tshark's field -> the same of a hello. Lists of several hellos in one frame are joined, as tshark does.
FIELDS: dict[str, Callable[[Hello], list[str]]] = {
    "tls.handshake.extensions_server_name": lambda hello: [hello.server_name] if hello.server_name else [],
    "tls.handshake.extensions_alpn_str": lambda hello: hello.alpn,
    "tls.handshake.ciphersuite": lambda hello: _codes(hello.suites),
    "tls.handshake.extension.type": lambda hello: list(map(str, hello.extensions)),
    "tls.handshake.extensions_supported_group": lambda hello: _codes(hello.groups),
    "tls.handshake.extensions_key_share_group": lambda hello: _decimal(hello.key_shares),
    "tls.handshake.extensions.supported_version": lambda hello: _codes(hello.versions),
    "tls.handshake.sig_hash_alg": lambda hello: _codes(hello.signature_schemes),
    "tls.handshake.extensions_ec_point_format": lambda hello: list(map(str, hello.point_formats)),
    "tls.handshake.version": lambda hello: [hello.legacy_version.lower()],
    "tls.handshake.ja3": lambda hello: [hello.ja3] if hello.ja3 else [],
    "tls.handshake.ja3_full": lambda hello: [hello.ja3_text] if hello.ja3_text else [],
    "tls.handshake.ja4": lambda hello: [hello.ja4] if hello.ja4 else [],
    "tls.handshake.ja4_r": lambda hello: [hello.ja4_r] if hello.ja4_r else [],
    "dtls.handshake.version": lambda hello: [hello.legacy_version.lower()],
    "dtls.handshake.ciphersuite": lambda hello: _codes(hello.suites),
    "dtls.handshake.ja4": lambda hello: [hello.ja4] if hello.ja4 else [],
}

# A difference is explained by the first row that holds: (reason, test of the difference, the row of tshark, our hellos).
DEVIATIONS: tuple[tuple[str, Callable[[Difference, dict[str, str], list[Hello]], bool]], ...] = (
    (
        "tshark prints bytes that are no UTF-8 as replacement characters, we escape them",
        lambda item, _row, _hellos: item.field.endswith("alpn_str") and "\ufffd" in item.theirs and "\\x" in item.ours,
    ),
    (
        "tshark counts the schemes of delegated_credential (34) in the same field",
        lambda item, _row, hellos: (
            item.field.endswith("sig_hash_alg")
            and all(34 in hello.extensions for hello in hellos)
            and _is_subsequence(item.ours, item.theirs)
        ),
    ),
    (
        "tshark counts the key share inside encrypted_server_name (65486) in the same field",
        lambda item, _row, hellos: (
            item.field.endswith("key_share_group")
            and all(65486 in hello.extensions for hello in hellos)
            and _is_subsequence(item.ours, item.theirs)
        ),
    ),
    (
        "tshark 4.4.19 does not list hellos in SSLv2 form",
        lambda item, _row, hellos: (
            item.field == "hellos" and item.theirs == "0" and all(h.record_version == "0x0002" for h in hellos)
        ),
    ),
    (
        "tshark does not list the certificate of an SSLv2 ServerHello",
        lambda item, _row, _hellos: item.field == "cert_sha256" and not item.theirs and "ssl-v2" in item.capture,
    ),
    (
        "tshark names the type in every fragment of a DTLS message; we count the message where it is complete",
        lambda item, row, _hellos: (
            item.field == "hellos" and "dtls.handshake.type" in row and "dtls.handshake.version" not in row
        ),
    ),
    (
        "the expected readings have no JA3S and no certificates of DTLS",
        lambda item, row, _hellos: (
            item.field in {"tls.handshake.ja3s", "cert_sha256"} and "dtls.handshake.type" in row and not item.theirs
        ),
    ),
    (
        "a cut hello: we report what was captured of it, tshark stops at the first field that is not whole",
        lambda item, _row, hellos: (
            all(hello.partial for hello in hellos) and not item.theirs and "ja" not in item.field and bool(hellos)
        ),
    ),
    (
        "tshark takes the ServerHello behind a HelloRetryRequest and its ChangeCipherSpec as encrypted; it is in clear",
        lambda item, _row, _hellos: (
            item.capture.endswith("/hrr.pcap") and item.field.endswith("ja3s") and not item.theirs
        ),
    ),
    (
        "tshark reads nothing of a QUIC Initial that the capture cut",
        lambda item, _row, hellos: (
            item.field == "hellos"
            and item.theirs == "0"
            and all(h.partial and (h.record_version == "0x0000") for h in hellos)
        ),
    ),
    (
        "tshark reads nothing of a QUIC Initial that the capture cut, here of the server's",
        lambda item, _row, _hellos: (
            item.capture.endswith("snap200.pcap") and item.field.endswith("ja3s") and not item.theirs
        ),
    ),
    (
        "an empty list of suites: tshark leaves out the commas of the lists behind it",
        lambda _item, row, _hellos: row.get("tls.handshake.ja3_full") == "769,,",
    ),
)


def _is_subsequence(ours: str, theirs: str) -> bool:
    left = iter(theirs.split(","))
    return all(code in left for code in ours.split(",") if code)


def captures() -> list[str]:
    """The paths of the captures that have an expected reading, relative to the folder of captures."""
    if not SHARED.exists():
        return []
    lines = (SHARED / "expected" / "INDEX.csv").read_text(encoding="utf-8").splitlines()[1:]
    return [line.split(",")[0] for line in lines]


def _reading(name: str) -> dict[str, Any]:
    """What there is of a capture's expected reading: the rows, and the key log that tshark was given."""
    path = SHARED / "expected" / f"{name.replace('/', '__')}.json"
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def expected(name: str) -> list[dict[str, str]]:
    """tshark's rows for a capture."""
    rows: list[dict[str, str]] = _reading(name)["rows"]
    return rows


def read(name: str) -> list[Session]:
    """Our sessions of a capture, with the key log that tshark had."""
    keys = _reading(name).get("keylog")
    log = (SHARED / "captures" / keys).read_bytes() if keys else None
    return list(tlswire.sessions(SHARED / "captures" / name, keylog=log))


def compare(name: str) -> tuple[Counter[str], list[Difference]]:
    """How many values of each field were compared, and where they differ."""
    sessions = read(name)
    rows = {int(row["frame.number"]): row for row in expected(name)}
    hellos: dict[int, list[Hello]] = defaultdict(list)
    for session in sessions:
        for hello in session.hellos:
            hellos[hello.frame].append(hello)
    counts: Counter[str] = Counter()
    found: list[Difference] = []
    for frame in sorted(set(hellos) | set(rows)):
        row = rows.get(frame, {})
        types = (row.get("tls.handshake.type") or row.get("dtls.handshake.type") or "").split(",")
        theirs = types.count("1")
        if frame in hellos or theirs:
            counts["hellos"] += theirs
            if len(hellos[frame]) != theirs:
                found.append(Difference(name, frame, "hellos", str(len(hellos[frame])), str(theirs)))
            elif set(types) <= {"1"}:
                found += _fields(name, frame, hellos[frame], row, counts)
    found += _server(name, sessions, rows, counts)
    return counts, [_explained(item, rows.get(item.frame, {}), hellos.get(item.frame, [])) for item in found]


def _fields(
    name: str, frame: int, hellos: list[Hello], row: dict[str, str], counts: Counter[str]
) -> Iterator[Difference]:
    prefix = "dtls." if "dtls.handshake.type" in row else "tls."
    for field, view in FIELDS.items():
        if not field.startswith(prefix):
            continue
        ours = ",".join(value for hello in hellos for value in view(hello))
        theirs = row.get(field, "")
        counts[field] += 1
        if ours != theirs:
            yield Difference(name, frame, field, ours, theirs)


def _server(
    name: str, sessions: list[Session], rows: dict[int, dict[str, str]], counts: Counter[str]
) -> Iterator[Difference]:
    """JA3S, certificates and alerts in clear, by frame."""
    fingerprints: dict[int, list[str]] = defaultdict(list)
    certificates: dict[int, list[str]] = defaultdict(list)
    alerts: dict[int, list[str]] = defaultdict(list)
    for session in sessions:
        for answer in session.server_hellos:
            fingerprints[answer.frame].append(answer.ja3s or "")
        for certificate in session.certificates:
            certificates[certificate.frame].append(certificate.sha256)
        for alert in session.alerts:
            alerts[alert.frame].append(str(alert.code))
    for field, ours in (
        ("tls.handshake.ja3s", fingerprints),
        ("cert_sha256", certificates),
        ("tls.alert_message.desc", alerts),
    ):
        for frame in sorted(set(ours) | {frame for frame, row in rows.items() if field in row}):
            counts[field] += 1
            theirs = rows.get(frame, {}).get(field, "")
            if (mine := ",".join(ours[frame])) != theirs:
                yield Difference(name, frame, field, mine, theirs)


def _explained(item: Difference, row: dict[str, str], hellos: list[Hello]) -> Difference:
    reason = next((text for text, holds in DEVIATIONS if holds(item, row, hellos)), "")
    return item._replace(reason=reason)


def main() -> int:
    """Print the table; 1 when a difference has no reason."""
    total: Counter[str] = Counter()
    unexplained = explained = 0
    names = [name for name in captures() if not sys.argv[1:] or any(text in name for text in sys.argv[1:])]
    for name in names:
        counts, differences = compare(name)
        total += counts
        left = [item for item in differences if not item.reason]
        unexplained += len(left)
        explained += len(differences) - len(left)
        values: Any = sum(counts.values()) - counts["hellos"]
        print(f"{name:100} {counts['hellos']:5} hellos {values:6} values {len(left):4} unexplained")
        for item in differences if sys.argv[1:] else left[:6]:
            print(
                f"    frame {item.frame} {item.field}: {item.reason}\n      ours   {item.ours[:300]}\n      theirs {item.theirs[:300]}"
            )
    print(
        f"{len(names)} captures, {total['hellos']} hellos, {explained} explained, {unexplained} unexplained differences"
    )
    return 1 if unexplained else 0


if __name__ == "__main__":
    sys.exit(main())
