"""The answer to ``extensions`` as a person reads it. Must not import ``scan``, ``probe`` or ``cli``."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from tlswire.report.answers import Line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tlswire.results.answers.extensions import Alpn, Extensions, Limit, VersionExtensions

TITLE = "Extensions"
# Of every handshake of TLS 1.3.
_ALWAYS = frozenset({"supported_versions", "key_share"})
_ORDER = {"server": "the server's order", "client": "the client's order decides", "unknown": ""}
_NO_OVERLAP = {"ignored": "goes on without a common one", "refused": "refuses all others"}
# Columns of a value, and of names before they go on in the next line.
_VALUE, _NAMES = 70, 96


def lines(answer: Extensions, *, verbose: bool) -> Iterator[Line]:
    """A line for versions that answer alike, and for their protocols; with ``verbose`` one an extension."""
    if verbose:
        for version in answer.versions:
            yield from _extensions(version)
    else:
        for line in _alike((version.version, f"answers {_names(version)}", "") for version in answer.versions):
            first, *others = textwrap.wrap(line.text, _NAMES, break_on_hyphens=False)
            yield from (Line(text) for text in (first, *(f"  {more}" for more in others)))
    yield from _alike(
        (version.version, f"refuses a hello with {one.name}: {one.answer.removeprefix('alert:')}", "fault")
        for version in answer.versions
        for one in version.refused
    )
    yield from _alike((alpn.version, f"ALPN: {_alpn(alpn)}", "unknown" if alpn.unknown else "") for alpn in answer.alpn)
    for one in answer.ech or ():
        suites = f", {', '.join(one.suites)}" if one.suites else ""
        yield Line(f"ECH for {one.public_name or 'an unknown version'}: {one.kem or one.version}{suites}", "strong")
    if verbose:
        yield from (Line(_limit(limit), "fault" if limit.obeyed is False else "") for limit in answer.limits)
        for item in answer.compression or ():
            yield Line(
                f"TLS 1.3  certificates compressed by {item.algorithm}: {item.length} bytes to {item.compressed}"
            )
        if answer.compression == []:
            yield Line("TLS 1.3  certificates are not compressed")


def _alike(said: Iterable[tuple[str, str, str]]) -> Iterator[Line]:
    """One line for all versions that the same is said of; versions come newest first."""
    versions: dict[tuple[str, str], list[str]] = {}
    for version, text, category in said:
        versions.setdefault((text, category), []).append(version)
    for (text, category), of in versions.items():
        span = of[0] if len(of) == 1 else f"{of[0]} to {of[-1]}" if len(of) > 2 else ", ".join(of)
        yield Line(f"{span}  {text}", category)


def _names(version: VersionExtensions) -> str:
    names = dict.fromkeys(item.name for item in version.answered if item.name not in _ALWAYS)
    return ", ".join(names) or "no extension"


def _extensions(version: VersionExtensions) -> Iterator[Line]:
    names = {item.name for item in version.answered}
    yield Line(f"{version.version}  {len(names)} answered of {version.offered} offered")
    for item in version.answered:
        value = item.value if len(item.value) <= _VALUE else f"{item.value[: _VALUE - 3]}..."
        text = f"  {item.code}  {item.message:<19}  {item.name:<22}  {value}".rstrip()
        yield Line(f"{text}  {item.fault}" if item.fault else text, "fault" if item.fault else "")
    yield from (Line(f"  {text}") for text in _facts(version))


def _facts(version: VersionExtensions) -> Iterator[str]:
    for missing, name in (
        (version.extended_master_secret is False, "extended_master_secret"),
        (version.encrypt_then_mac is False, "encrypt_then_mac"),
        (version.session_ticket is False, "session_ticket"),
        (version.secure_renegotiation is False, "renegotiation_info"),
    ):
        if missing:
            yield f"no {name}"
    yield "no OCSP response" if version.staple is None else f"an OCSP response of {version.staple} bytes"
    if version.timestamps:
        yield f"{version.timestamps} certificate timestamps"
    if version.early_data:
        yield f"tickets allow {version.early_data} bytes of 0-RTT data"


def _alpn(alpn: Alpn) -> str:
    if alpn.anything:
        return "whatever is offered"
    if not alpn.protocols:
        return "none of the registered protocols" if alpn.no_overlap == "refused" else "not answered"
    told = [_ORDER[alpn.preference], _NO_OVERLAP.get(alpn.no_overlap, "")]
    told += [f"fails with {', '.join(alpn.refused)}"] if alpn.refused else []
    return f"{', '.join(alpn.protocols)}  ({'; '.join(text for text in told if text)})"


def _limit(limit: Limit) -> str:
    text = f"{limit.version}  {limit.extension} of {limit.asked} bytes: "
    if limit.answered is None:
        return text + "not answered"
    kept = {True: "kept to", False: f"not kept to, {limit.longest} bytes sent", None: "nothing that long was sent"}
    return f"{text}answered with {limit.answered}, {kept[limit.obeyed]}"
