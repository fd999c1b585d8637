"""Whole handshakes as subjects: whether a client got one, and what it got.

Must not import anything of tlswire but ``registry``, ``handshake``, ``results`` and, of policy, ``facts``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlswire.escape import printable
from tlswire.policy.facts import Subject
from tlswire.registry import GROUPS, SCHEMES, SUITES, VERSIONS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tlswire.handshake.conversation import Conversation
    from tlswire.policy.terms import Value
    from tlswire.results.certificates import CertificateDetails
    from tlswire.results.proof import Proof

RENEGOTIATION_INFO, ENCRYPT_THEN_MAC = 0xFF01, 22
TLS12, TLS13 = 0x0303, 0x0304
# rsa_pss_rsae_* and rsa_pss_pss_* (RFC 9846 section 4.3.3).
_PSS_OF_RSA, _PSS_OF_PSS = (0x0804, 0x0805, 0x0806), (0x0809, 0x080A, 0x080B)
# Words for each offer, as ``policy.facts`` lists them.
OFFERS = {
    "client": "the client's hello",
    "small": "the client's hello without its post-quantum share",
    "tls12": "the client's hello for TLS 1.2 only",
    "wide": "a hello of everything",
    "observed": "the session",
}


def suite_parts(code: int) -> dict[str, Value | None]:
    """What a suite is made of; of an unknown one nothing is known."""
    row = SUITES[code]
    if row.status == "unknown":
        return {}
    modern = row.max_version == "TLS 1.3"
    return {
        "key_exchange": "TLS 1.3" if modern else row.kex,
        "authentication": "TLS 1.3" if modern else row.auth,
        "encryption": row.enc,
        "bits": row.bits,
        "mac": row.mac,
        "prf": row.prf,
        "aead": row.aead,
        "forward_secrecy": row.pfs or modern,
    }


def group_parts(code: int | None) -> dict[str, Value | None]:
    """A group, its kind and its size; nothing where there is none."""
    return {} if code is None else {"group": code, "group_kind": GROUPS[code].kind, "group_bits": GROUPS[code].bits}


def attempt(
    shown: Conversation,
    offer: str,
    title: str,
    *,
    leaf: CertificateDetails | None = None,
    issuer: CertificateDetails | None = None,
    schemes: Sequence[int] | None = None,
    node: str = "",
    proof: Proof | None = None,
    ending: str = "",
) -> Iterator[Subject]:
    """The subjects of one handshake: that it was tried, and the connection as far as a ServerHello told of one.

    ``title`` names the hello in words; ``leaf`` is what the server's certificate says, where it showed one, ``issuer`` its issuer's. ``schemes`` are those of
    the client that counts, where a hello that offers more was sent in its place (None: those of the hello).
    """
    yield Subject(
        "attempt",
        title,
        {
            "offer": offer,
            "finished": shown.finished,
            "ending": printable(ending or shown.label),
            "length": len(shown.sent),
        },
        node=node,
        proof=proof,
    )
    if shown.hello is not None:
        yield Subject(
            "connection", _name(shown, title), _values(shown, offer, leaf, issuer, schemes), node=node, proof=proof
        )


def _name(shown: Conversation, title: str) -> str:
    return f"{VERSIONS[shown.version].name if shown.version else 'TLS'} for {title}"


def _values(
    shown: Conversation,
    offer: str,
    leaf: CertificateDetails | None,
    issuer: CertificateDetails | None,
    schemes: Sequence[int] | None,
) -> dict[str, Value | None]:
    hello, offered = shown.hello, shown.offered
    modern = shown.version >= TLS13
    if schemes is None:
        schemes = offered.signature_schemes if offered is not None else ()
    return {
        "offer": offer,
        "version": shown.version,
        "suite": shown.suite,
        **suite_parts(shown.suite),
        **group_parts(shown.group),
        "extended_master_secret": shown.extended_master_secret,
        "encrypt_then_mac": shown.answered(ENCRYPT_THEN_MAC) is not None,
        "secure_renegotiation": modern or shown.answered(RENEGOTIATION_INFO) is not None,
        "compression": bool(hello is not None and hello.compression),
        "early_data": None if shown.early_data is None else shown.early_data,
        **scheme_parts(shown.scheme, schemes, signed=modern or SUITES[shown.suite].pfs),
        **certificate_parts(leaf, schemes, issuer),
    }


def scheme_parts(scheme: int | None, offered: Sequence[int], *, signed: bool) -> dict[str, Value | None]:
    """The scheme the server signed its handshake with, and whether the client had offered it."""
    if scheme is None:
        # What is not signed breaks no rule of signatures.
        return {} if signed else {"scheme_offered": True}
    return {"scheme": scheme, "scheme_hash": SCHEMES[scheme].hash, "scheme_offered": scheme in offered}


def certificate_parts(
    leaf: CertificateDetails | None, offered: Sequence[int], issuer: CertificateDetails | None = None
) -> dict[str, Value | None]:
    """The schemes the leaf's own signature is called by, and whether the client had offered one (RFC 9846 section
    4.3.3, RFC 5246 section 7.4.2). Which of two RSASSA-PSS has, the kind of its ``issuer``'s key says.
    """
    if leaf is None or leaf.signature_algorithm is None:
        return {}
    schemes = tuple(int(code, 16) for code in leaf.signature_schemes)
    if issuer is not None:
        other = _PSS_OF_RSA if issuer.key_family == "RSA-PSS" else _PSS_OF_PSS
        schemes = tuple(code for code in schemes if code not in other)
    return {"certificate_schemes": schemes, "certificate_scheme_offered": bool(set(schemes) & set(offered))}
