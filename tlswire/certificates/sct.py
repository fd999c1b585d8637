"""Signed certificate timestamps as facts: lists of certificates, staples and handshakes alike (RFC 6962 section 3.3).

Their signatures are not checked: that needs the keys of the logs, which change every few months and are no package.
For the same reason logs are named by their ids. Must not import anything of tlswire but ``errors``, ``registry`` and,
of certificates, ``model`` and ``problems``.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from tlswire.certificates.model import Sct
from tlswire.certificates.problems import Problem, problem
from tlswire.errors import WireError
from tlswire.registry import SCHEMES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Literal

    Origin = Literal["certificate", "staple", "handshake"]

MAX_SCTS = 64
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST = int((datetime(9999, 12, 31, tzinfo=UTC) - _EPOCH) / timedelta(milliseconds=1))


def read_scts(data: bytes, origin: Origin) -> tuple[tuple[Sct, ...], list[Problem]]:
    """What a SignedCertificateTimestampList holds, as far as it can be read, and what is wrong with it."""
    found: list[Sct] = []
    problems: list[Problem] = []
    try:
        found.extend(_listed(data, origin))
    except WireError as error:
        problems.append(problem("scts-unreadable", origin=origin, reason=error))
    problems += [problem("sct-version", origin=origin, version=sct.version) for sct in found if sct.version]
    return tuple(found), problems


def future_scts(scts: Iterable[Sct], now: datetime) -> list[Problem]:
    """The timestamps that are later than ``now`` (RFC 6962 section 5.2: clients must not accept them)."""
    limit = _shown(now - _EPOCH)
    return [problem("sct-future", origin=sct.origin, time=sct.time) for sct in scts if sct.time and sct.time > limit]


def _listed(data: bytes, origin: Origin) -> Iterator[Sct]:
    body, end = _vector(data, 0, len(data), 2)
    _ends(end, len(data))
    if not body:
        raise WireError("the list is empty", offset=0)
    at = 2
    for _ in range(MAX_SCTS):
        if at == len(data):
            return
        sct, at = _vector(data, at, len(data), 2)
        yield _sct(sct, origin, at - len(sct))
    if at < len(data):
        raise WireError(f"there are more than {MAX_SCTS}", offset=at)


def _sct(data: bytes, origin: Origin, base: int) -> Sct:
    """RFC 6962 section 3.2: version 1 has a fixed layout; of another version only the length is known."""
    if not data:
        raise WireError("an SCT is empty", offset=base)
    if data[0]:
        return Sct(origin, data[0])
    if len(data) < 43:
        raise WireError(f"an SCT has {len(data)} bytes", offset=base)
    _, at = _vector(data, 41, len(data), 2, base)
    scheme = data[at : at + 2]
    _, end = _vector(data, at + 2, len(data), 2, base)
    _ends(end, len(data), base)
    moment = int.from_bytes(data[33:41], "big")
    if moment > _LAST:
        raise WireError(f"an SCT of the millisecond {moment}", offset=base + 33)
    name = SCHEMES[int.from_bytes(scheme, "big")].name
    return Sct(origin, 0, data[1:33].hex(), _shown(timedelta(milliseconds=moment)), name)


def _shown(since: timedelta) -> str:
    return (_EPOCH + since).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def _vector(data: bytes, at: int, limit: int, size: int, base: int = 0) -> tuple[bytes, int]:
    """The contents of an opaque<> with a length of ``size`` bytes at ``at``, and where it ends."""
    start = at + size
    end = start + int.from_bytes(data[at:start], "big")
    if start > limit or end > limit:
        raise WireError("a length goes beyond the end", offset=base + at)
    return data[start:end], end


def _ends(end: int, length: int, base: int = 0) -> None:
    if end != length:
        raise WireError(f"{length - end} bytes are left over", offset=base + end)
