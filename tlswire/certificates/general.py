"""GeneralNames (RFC 5280 section 4.2.1.6): the names of subjectAltName, each read for itself.

``cryptography`` gives up all of them for one that it does not know. Must not import anything of tlswire but ``errors``,
``escape`` and, of certificates, ``der``, ``facts``, ``loading``, ``model`` and ``problems``.
"""

from __future__ import annotations

import ipaddress
import re
from itertools import islice
from typing import TYPE_CHECKING

from tlswire.certificates.der import SEQUENCE, Element, children, dotted, element
from tlswire.certificates.facts import MAX_TEXT, reason
from tlswire.certificates.loading import load_name
from tlswire.certificates.model import AlternativeName
from tlswire.certificates.problems import Problem, problem
from tlswire.errors import WireError
from tlswire.escape import printable

if TYPE_CHECKING:
    from collections.abc import Callable

# Names beyond these are not even compared with a host's.
MAX_READ = 8192
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?", re.IGNORECASE)


def read_names(value: bytes) -> tuple[list[AlternativeName], list[Problem]]:
    """The names in the GeneralNames that ``value`` is, and what is wrong with them; raises WireError."""
    outer = element(value)
    if outer.tag != SEQUENCE or outer.end != len(value):
        raise WireError("is not a list of names", offset=0)
    names: list[AlternativeName] = []
    problems: list[Problem] = []
    for item in islice(children(outer), MAX_READ):
        kind, read = _KINDS.get(item.tag, (f"tag 0x{item.tag:02X}", _hexadecimal))
        fault = ""
        try:
            text = read(item)
        except Exception as error:  # noqa: BLE001 - any fault of a hostile name is a fact about it
            text, fault = _hexadecimal(item), reason(error)
        if kind == "dns":
            fault = fault or dns_fault(text)
        names.append(AlternativeName(kind, text, _unicode(text) if kind == "dns" and not fault else None))
        if fault:
            problems.append(problem("odd-name", name=f"{kind}:{text[:100]}", reason=fault))
    return names, problems


def dns_fault(name: str) -> str:
    """Why a DNS name in a certificate can match no host (RFC 9525 section 6.3, RFC 1034 section 3.5); empty: it can.

    Underscores pass, as they do with every client.
    """
    labels = name.split(".")
    if not name or name == " ":
        return "it is empty"
    if len(name) > 253:
        return "it is longer than 253 characters"
    if name.endswith("."):
        return "it ends with a dot"
    if labels[0] == "*" and len(labels) > 1:
        labels = labels[1:]
    if "*" in "".join(labels):
        return "a wildcard stands for the whole first label of several only"
    if any(not _LABEL.fullmatch(label) for label in labels):
        return "it has a label that is none"
    return "it is an address" if _is_address(name) else ""


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _unicode(name: str) -> str | None:
    """A name with A-labels as a person reads it (RFC 5891 section 5.4 the other way round); None: it has none."""
    if "xn--" not in name.lower():
        return None
    import idna  # noqa: PLC0415 - few names need it

    try:
        labels = name.lower().split(".")
        shown = ".".join(idna.decode(label) if label.startswith("xn--") else label for label in labels)
    except idna.IDNAError:
        return None
    return printable(shown)


def _ascii(item: Element) -> str:
    return printable(item.content[:MAX_TEXT].decode("ascii"))


def _hexadecimal(item: Element) -> str:
    return printable(item.content[: MAX_TEXT // 4].decode("ascii", "backslashreplace"))


def _address(item: Element) -> str:
    if len(item.content) not in {4, 16}:
        raise WireError(f"an address of {len(item.content)} bytes")
    return str(ipaddress.ip_address(item.content))


def _directory(item: Element) -> str:
    return printable(load_name(item.content).rfc4514_string()[:MAX_TEXT])


def _registered(item: Element) -> str:
    return dotted(item.content)


def _other(item: Element) -> str:
    kind, value = children(item)
    if value.tag != 0xA0:
        raise WireError("the value of an otherName is not tagged", offset=value.start)
    return f"{dotted(kind.content)}:{value.content[: MAX_TEXT // 4].hex()}"


# By context tag: the field of the CHOICE and how it is read.
_KINDS: dict[int, tuple[str, Callable[[Element], str]]] = {
    0xA0: ("other", _other),
    0x81: ("email", _ascii),
    0x82: ("dns", _ascii),
    0xA3: ("x400", _hexadecimal),
    0xA4: ("directory", _directory),
    0xA5: ("edi", _hexadecimal),
    0x86: ("uri", _ascii),
    0x87: ("ip", _address),
    0x88: ("registered-id", _registered),
}
