"""Name constraints along a path: what CAs may name, and what stands below them (RFC 5280 sections 4.2.1.10 and 6.1).

Must not import anything of tlswire but ``errors`` and ``certificates``.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Any

import msgspec

from tlswire.certificates.der import children, element
from tlswire.certificates.general import MAX_READ
from tlswire.certificates.loading import canonical, canonical_parts
from tlswire.certificates.parsed import SUBJECT_ALT_NAME
from tlswire.certificates.problems import Problem, problem
from tlswire.certificates.readings import NAME_CONSTRAINTS, general_name
from tlswire.errors import WireError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tlswire.certificates.parsed import Parsed

# Comparisons a path may cost: a certificate with all names that are read, under twelve constraints.
MAX_COMPARISONS = 100_000
MAX_VIOLATIONS = 16
_EMAIL_ADDRESS = "1.2.840.113549.1.9.1"  # RFC 5280 section 4.1.2.6: in old subjects
_DIRECTORY = 0xA4


class _Name(msgspec.Struct, frozen=True):
    """A name to be judged: ``value`` is text, and the parts of a directory name."""

    kind: str
    value: Any
    shown: str


def name_constraint_problems(path: Sequence[Parsed]) -> Iterator[Problem]:
    """What CAs of a path, leaf first, forbid of what stands below them; ``at`` is the certificate that has the name."""
    left = MAX_COMPARISONS
    names: dict[int, list[_Name]] = {}
    for above in range(len(path) - 1, 0, -1):
        constraints = path[above].extension(NAME_CONSTRAINTS)
        if constraints is None:
            continue
        permitted = _subtrees(constraints.permitted_subtrees)
        excluded = _subtrees(constraints.excluded_subtrees)
        for below in range(above):
            # RFC 5280 section 6.1.3 (b): a self-issued CA is not judged.
            if below and path[below].self_issued:
                continue
            if below not in names:
                names[below] = _names(path[below])
            left -= len(names[below]) * (len(permitted) + len(excluded))
            if left < 0 or len(path[below].names[0]) >= MAX_READ:
                yield problem("constraint-unchecked", above, subject=path[above].subject, reason="too many names")
                return
            yield from _judged(names[below], permitted, excluded, path[above].subject, below)


def _subtrees(listed: Any) -> list[tuple[str, Any]]:
    """Kinds and bases of GeneralSubtrees; the base of a directory is its canonical parts."""
    kinds = ((general_name(item).partition(":")[0], item.value) for item in listed or ())
    return [(kind, canonical_parts(value) if kind == "directory" else value) for kind, value in kinds]


def _judged(
    names: list[_Name], permitted: list[tuple[str, Any]], excluded: list[tuple[str, Any]], subject: str, below: int
) -> Iterator[Problem]:
    found = 0
    for name in names:
        if found == MAX_VIOLATIONS:
            return
        allowed = [value for kind, value in permitted if kind == name.kind]
        forbidden = [value for kind, value in excluded if kind == name.kind]
        if (allowed or forbidden) and name.kind not in _MATCHES:
            found += 1
            yield problem("constraint-unchecked", below, subject=subject, reason=f"names of the kind {name.kind}")
            continue
        matches: Callable[..., bool] = _MATCHES.get(name.kind, _never)
        outside = bool(allowed) and not any(matches(name.value, value, excluding=False) for value in allowed)
        if outside or any(matches(name.value, value, excluding=True) for value in forbidden):
            found += 1
            yield problem("name-constraint", below, subject=subject, name=name.shown)


def _names(parsed: Parsed) -> list[_Name]:
    """Names of all kinds in subject and subjectAltName."""
    listed = [_Name(item.kind, item.value, f"{item.kind}:{item.value}") for item in parsed.names[0]]
    found = [item for item in listed if item.kind != "directory"]
    for name in _directory_names(parsed):
        parts = canonical(name)
        if parts:
            shown = parsed.subject if parsed.layout and name == parsed.layout.subject else "of a directory"
            found.append(_Name("directory", parts, f"directory:{shown}"))
    if not any(item.kind == "email" for item in found):
        found += [_Name("email", value, f"email:{value}") for value in _old_email(parsed)]
    return found


def _directory_names(parsed: Parsed) -> Iterator[bytes]:
    if parsed.layout is not None:
        yield parsed.layout.subject
    try:
        listed = list(children(element(parsed.raw_extension(SUBJECT_ALT_NAME) or b"\x30\x00")))
    except WireError:
        return
    yield from (item.content for item in listed if item.tag == _DIRECTORY)


def _old_email(parsed: Parsed) -> list[str]:
    parts = parsed.canonical_subject
    if not isinstance(parts, tuple):
        return []
    return [str(value) for part in parts for oid, value in part if oid == _EMAIL_ADDRESS]


def _never(_name: Any, _constraint: Any, *, excluding: bool) -> bool:  # noqa: ARG001 - as the others
    return False


def _dns(name: str, constraint: str, *, excluding: bool) -> bool:
    """The constraint's name and everything below it; with a dot in front, as is in use, only what is below. Whatever a
    wildcard may stand for is excluded with it.
    """
    name, constraint = name.lower(), constraint.lower()
    if constraint.startswith("."):
        return name.endswith(constraint)
    if excluding and name.startswith("*.") and constraint.partition(".")[2] == name[2:]:
        return True
    return not constraint or name == constraint or name.endswith("." + constraint)


def _ip(name: str, constraint: Any, *, excluding: bool) -> bool:  # noqa: ARG001 - as the others
    try:
        return ipaddress.ip_address(name) in constraint
    except (ValueError, TypeError):
        return False


def _host(host: str, constraint: str) -> bool:
    """Of mail and URIs: one host, or with a dot in front all below it."""
    host, constraint = host.lower(), constraint.lower()
    return host.endswith(constraint) if constraint.startswith(".") else host == constraint


def _email(name: str, constraint: str, *, excluding: bool) -> bool:  # noqa: ARG001 - as the others
    mailbox, _, host = name.rpartition("@")
    local, at, wanted = constraint.rpartition("@")
    return _host(host, wanted) and (not at or mailbox == local)


def _uri(name: str, constraint: str, *, excluding: bool) -> bool:
    """RFC 5280 section 4.2.1.10: the host of the authority; what has none is in no subtree, and cannot be let pass."""
    authority = name.partition("://")[2].partition("/")[0].partition("?")[0].partition("#")[0].rpartition("@")[2]
    host = authority.partition(":")[0]
    return _host(host, constraint) if host and not host.startswith("[") else excluding


def _directory(name: Any, constraint: Any, *, excluding: bool) -> bool:  # noqa: ARG001 - as the others
    return isinstance(name, tuple) and name[: len(constraint)] == constraint


_MATCHES: dict[str, Callable[..., bool]] = {
    "dns": _dns,
    "ip": _ip,
    "email": _email,
    "uri": _uri,
    "directory": _directory,
}
