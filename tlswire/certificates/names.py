"""Whether a certificate is for a host, and why not: RFC 9525 section 6.

A wildcard is the whole left-most label and stands for one label; addresses match iPAddress only; the common name never
counts, but is said to be the one that would. Must not import anything of tlswire but ``escape`` and, of certificates,
``general`` and ``model``.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from tlswire.certificates.general import dns_fault
from tlswire.certificates.model import HostMatch
from tlswire.escape import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tlswire.certificates.model import AlternativeName

_LONGEST = 253


def match_host(host: str, names: Sequence[AlternativeName], common_names: Sequence[str] = ()) -> HostMatch:
    """Whether one of ``names`` is ``host``: a DNS name (A- or U-labels, with or without the last dot) or an address."""
    shown = printable(host[: _LONGEST + 1])
    address = _address(host)
    if address is not None:
        return _match_address(shown, address, names, common_names)
    wanted = _a_labels(host)
    if wanted is None:
        return HostMatch(shown, ok=False, reason=f"{shown} is no host name")
    usable = [item.value for item in names if item.kind == "dns" and not dns_fault(item.value)]
    for name in usable:
        if covers(name, wanted):
            return HostMatch(shown, ok=True, reason="", matched=name)
    nearest = _nearest(wanted, usable)
    if any(covers(name, wanted) for name in common_names if not dns_fault(name)):
        return HostMatch(shown, ok=False, reason=_ONLY_COMMON.format(shown), nearest=nearest, common_name=True)
    return HostMatch(shown, ok=False, reason=_why_not(shown, wanted, names, nearest), nearest=nearest)


def covers(name: str, host: str) -> bool:
    """Whether a DNS name of a certificate, which may begin with a wildcard, is the name ``host``."""
    name, host = name.lower(), host.lower()
    if not name.startswith("*."):
        return name == host
    first, dot, rest = host.partition(".")
    return bool(first and dot) and rest == name[2:]


_ONLY_COMMON = "only the common name is {}, and clients do not look at it"


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host.removeprefix("[").removesuffix("]").partition("%")[0])
    except ValueError:
        return None


def _match_address(
    shown: str,
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
    names: Sequence[AlternativeName],
    common_names: Sequence[str],
) -> HostMatch:
    """RFC 9525 section 6.5: the octets of iPAddress are those of the address."""
    wanted = str(address)
    addresses = [item.value for item in names if item.kind == "ip"]
    if wanted in addresses:
        return HostMatch(shown, ok=True, reason="", matched=wanted)
    if wanted in common_names:
        return HostMatch(shown, ok=False, reason=_ONLY_COMMON.format(shown), common_name=True)
    if any(item.kind == "dns" and item.value == wanted for item in names):
        return HostMatch(shown, ok=False, reason=f"{shown} is there as a DNS name, where no address belongs")
    reason = f"{shown} is not among its addresses" if addresses else f"{shown} is an address, and it names none"
    return HostMatch(shown, ok=False, reason=reason, nearest=addresses[0] if addresses else None)


def _a_labels(host: str) -> str | None:
    """The host as certificates spell it (RFC 9525 section 6.3): A-labels, no last dot; None: it is no host name."""
    name = host.removesuffix(".").lower()
    if not name.isascii():
        import idna  # noqa: PLC0415 - few names need it

        try:
            name = idna.encode(name, uts46=True).decode("ascii")
        except idna.IDNAError:
            return None
    return None if "*" in name or dns_fault(name) else name


def _nearest(wanted: str, names: Iterable[str]) -> str | None:
    """The name that shares the most labels with ``wanted`` from the right, then the one nearest in length."""
    labels = wanted.split(".")[::-1]

    def likeness(name: str) -> tuple[int, int, str]:
        theirs = name.lower().removeprefix("*.").split(".")[::-1]
        shared = next((at for at, pair in enumerate(zip(labels, theirs, strict=False)) if pair[0] != pair[1]), None)
        same = min(len(labels), len(theirs)) if shared is None else shared
        return -same, abs(len(name) - len(wanted)), name

    return min(names, key=likeness, default=None)


def _why_not(shown: str, wanted: str, names: Sequence[AlternativeName], nearest: str | None) -> str:
    if not names:
        return f"it has no subjectAltName, so it is for no host, {shown} among them"
    if nearest is None:
        return f"it names no host that could be {shown}"
    if nearest.startswith("*.") and wanted == nearest[2:].lower():
        return f"{nearest} stands for one label more than {shown} has"
    if nearest.startswith("*.") and wanted.endswith(nearest[1:].lower()):
        return f"{nearest} stands for one label, {shown} has more"
    return f"none of its names is {shown}; the nearest is {nearest}"
