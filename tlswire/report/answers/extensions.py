"""The answer to ``extensions`` as a person reads it. Must not import ``scan``, ``probe`` or ``cli``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlswire.report.answers import Line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tlswire.results.answers.extensions import Alpn, Extensions, Limit, VersionExtensions

TITLE = "Extensions"
_ORDER = {"server": "the server's order", "client": "the client's order decides", "unknown": ""}
_NO_OVERLAP = {"ignored": "goes on without one where none is in common", "refused": "refuses what it has not"}


def lines(answer: Extensions, *, verbose: bool) -> Iterator[Line]:
    """A line a version, one for its application protocols; with ``verbose`` one an extension."""
    for version in answer.versions:
        yield from _version(version, verbose=verbose)
    for alpn in answer.alpn:
        yield Line(f"{alpn.version}  ALPN: {_alpn(alpn)}", "unknown" if alpn.unknown else "")
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


def _version(version: VersionExtensions, *, verbose: bool) -> Iterator[Line]:
    names = list(dict.fromkeys(item.name for item in version.answered))
    if not verbose:
        yield Line(f"{version.version}  answers {', '.join(names) or 'none'}")
    else:
        yield Line(f"{version.version}  {len(names)} answered of {version.offered} offered")
        for item in version.answered:
            text = f"  {item.code}  {item.message:<19}  {item.name:<22}  {item.value}".rstrip()
            yield Line(f"{text}  {item.fault}" if item.fault else text, "fault" if item.fault else "")
        yield from (Line(f"  {text}") for text in _facts(version))
    for one in version.refused:
        answer = one.answer.removeprefix("alert:")
        yield Line(f"{version.version}  refuses a hello with {one.name}: {answer}", "fault")


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
    told += [f"a hello with {', '.join(alpn.refused)} fails"] if alpn.refused else []
    return f"{', '.join(alpn.protocols)}  ({'; '.join(text for text in told if text)})"


def _limit(limit: Limit) -> str:
    text = f"{limit.version}  {limit.extension} of {limit.asked} bytes: "
    if limit.answered is None:
        return text + "not answered"
    kept = {True: "kept to", False: f"not kept to, {limit.longest} bytes sent", None: "nothing that long was sent"}
    return f"{text}answered with {limit.answered}, {kept[limit.obeyed]}"
