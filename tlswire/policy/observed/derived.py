"""What a client would get of a server that was scanned: worked out from what each of them takes, not seen.

Where the scan does not tell what the server would choose, the field stays unknown. Sources: RFC 9846 sections 4.2.1 and
4.3, RFC 5246 section 7.4.1. Must not import anything of tlswire but ``registry``, ``wire``, ``results`` and, of policy,
``facts`` and its neighbours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlswire.policy.facts import Subject
from tlswire.policy.observed.handshakes import TLS13, certificate_parts, group_parts, scheme_parts, suite_parts
from tlswire.registry import SCHEMES, SUITES, VERSIONS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tlswire.policy.terms import Value
    from tlswire.results.answers.certificates import PresentedChain
    from tlswire.results.scan import Scan, Version
    from tlswire.wire.messages import ClientHello

_NAMES = {
    "client": "the client, as the scan lets expect",
    "tls12": "the client with TLS 1.2 only, as the scan lets expect",
}


def derived(scan: Scan, hello: ClientHello, offer: str, *, node: str = "") -> Iterator[Subject]:
    """The attempt of a client that says ``hello``, and the connection it would get; ``offer`` as in ``policy.facts``."""
    title = _NAMES[offer]
    found = _choice(scan, hello)
    if found is None:
        open_ = any(version.verdict == "unknown" or version.unknown for version in scan.versions)
        values: dict[str, Value | None] = {
            "offer": offer,
            "finished": None if open_ else False,
            "ending": "no version and suite in common",
        }
        yield Subject("attempt", title, values, node=node)
        return
    version, suites = found
    code = int(version.code, 16)
    suite = _preferred(suites, version.preference)
    values = {"offer": offer, "version": code, **_suite(suites, suite), **_group(scan, hello, code, suite)}
    values["extended_master_secret"] = True if code >= TLS13 else _extended(scan, version.version)
    values |= _signatures(scan, hello, version, suite)
    yield Subject("attempt", title, {"offer": offer, "finished": True, "ending": "finished"}, node=node)
    proof = next((one.proof for one in version.suites if int(one.code, 16) == suite), None)
    yield Subject("connection", f"{version.version} for {title}", values, node=node, proof=proof)


def _choice(scan: Scan, hello: ClientHello) -> tuple[Version, list[int]] | None:
    """The newest version that both take a suite of, and those suites, the likeliest first."""
    for version in sorted(scan.versions, key=lambda one: one.code, reverse=True):
        if int(version.code, 16) not in hello.versions:
            continue
        taken = [int(suite.code, 16) for suite in version.suites]
        order, others = (taken, hello.suites) if version.preference == "server" else (hello.suites, taken)
        common = [code for code in order if code in others]
        if common:
            return version, common
    return None


def _preferred(common: Sequence[int], preference: str) -> int | None:
    return None if preference == "unknown" and len(common) > 1 else common[0]


def _suite(common: Sequence[int], suite: int | None) -> dict[str, Value | None]:
    """The suite and its parts; of one that is not known what all candidates have in common."""
    if suite is not None:
        return {"suite": suite, **suite_parts(suite)}
    parts = [suite_parts(code) for code in common]
    return {key: value for key, value in parts[0].items() if all(one.get(key) == value for one in parts)}


def _group(scan: Scan, hello: ClientHello, version: int, suite: int | None) -> dict[str, Value | None]:
    if suite is not None and version < TLS13 and SUITES[suite].kex != "ECDHE":
        return {}
    name = VERSIONS[max(version, 0x0303)].name
    for one in scan.answers.groups.versions if scan.answers.groups is not None else ():
        if one.version == name:
            taken = [int(group.code, 16) for group in one.groups]
            order, others = (taken, hello.groups) if one.preference == "server" else (hello.groups, taken)
            common = [code for code in order if code in others]
            return group_parts(_preferred(common, one.preference)) if common else {}
    return {}


def _extended(scan: Scan, name: str) -> bool | None:
    for one in scan.answers.extensions.versions if scan.answers.extensions is not None else ():
        if one.version == name:
            return one.extended_master_secret
    return None


def _signatures(scan: Scan, hello: ClientHello, version: Version, suite: int | None) -> dict[str, Value | None]:
    """The schemes, where the server has one chain only: which of several the client would get is not known."""
    chains = [chain for chain in _chains(scan) if _when(chain, version.version)]
    if len({chain.sha256 for chain in chains}) != 1:
        return {}
    chain = chains[0]
    found = certificate_parts(chain.report.certificates[0], hello.signature_schemes)
    names = [one.signature_scheme for one in chain.occasions if one.version == version.version]
    scheme = SCHEMES.find(names[0]).code if names and names[0] else None
    if scheme is not None and scheme in hello.signature_schemes:
        return found | scheme_parts(scheme, hello.signature_schemes, signed=True)
    unsigned = suite is not None and not (SUITES[suite].pfs or int(version.code, 16) >= TLS13)
    return found | ({"scheme_offered": True} if unsigned else {})


def _chains(scan: Scan) -> list[PresentedChain]:
    return scan.answers.certificates.chains if scan.answers.certificates is not None else []


def _when(chain: PresentedChain, version: str) -> bool:
    return any(one.version == version and one.server_name == "target" for one in chain.occasions)
