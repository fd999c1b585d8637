"""OCSP staples: what one says of the server's certificate, and whether the issuer said so (RFC 6960).

The caller takes the OCSPResponse out of CertificateStatus (RFC 6066 section 8) or out of the leaf's extension (RFC 9846
section 4.5.1.1). Must not import anything of tlswire but ``escape`` and ``certificates``.
"""

from __future__ import annotations

import hashlib
from itertools import islice
from typing import TYPE_CHECKING, Any

import msgspec

from tlswire.certificates.algorithms import ALGORITHMS, WEAK_HASHES, Algorithm
from tlswire.certificates.der import BIT_STRING, SEQUENCE, element, only
from tlswire.certificates.facts import MAX_TEXT, reason, time
from tlswire.certificates.loading import quietly
from tlswire.certificates.model import Staple
from tlswire.certificates.parsed import LARGEST, Parsed
from tlswire.certificates.problems import Problem, problem
from tlswire.certificates.readings import extended_key_usage
from tlswire.certificates.sct import read_scts
from tlswire.certificates.signatures import verify
from tlswire.escape import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from tlswire.certificates.signatures import Checks

MAX_RESPONSES = 16
MAX_DELEGATES = 4
_SCTS = "1.3.6.1.4.1.11129.2.4.5"  # RFC 6962 section 3.3
_GIVEN = {"GOOD": "good", "REVOKED": "revoked"}


class _Signer(msgspec.Struct, frozen=True):
    """Who signed a response, as far as that can be told."""

    who: Any = None
    signature: Any = None
    problems: tuple[Problem, ...] = ()


def staple_facts(data: bytes, leaf: Parsed, issuers: Sequence[Parsed], now: datetime, checks: Checks) -> Staple:
    """The facts of an OCSPResponse about ``leaf``; ``issuers`` are those that may have issued it. Never raises for bad
    bytes; ``now`` knows its time zone.
    """
    if len(data) > LARGEST:
        return Staple("unread", len(data), problems=(problem("staple-too-large", length=len(data), bound=LARGEST),))
    try:
        return quietly(lambda: _staple(data, leaf, issuers, now, checks))  # type: ignore[no-any-return]  # what it gives
    except Exception as error:  # noqa: BLE001 - any fault of a hostile response is a fact about it
        return Staple("unreadable", len(data), problems=(problem("staple-unreadable", reason=reason(error)),))


def _staple(data: bytes, leaf: Parsed, issuers: Sequence[Parsed], now: datetime, checks: Checks) -> Staple:
    from cryptography.x509 import ocsp  # noqa: PLC0415 - few servers staple

    response: Any = ocsp.load_der_ocsp_response(data)
    status = response.response_status.name.lower().replace("_", "-")
    if status != "successful":
        return Staple(status, len(data), problems=(problem("staple-failed", status=status),))
    answers = list(islice(response.responses, MAX_RESPONSES))
    ours = [item for item in answers if _is_about(item, leaf, issuers)]
    answer = (ours or answers)[0]
    signer = _signer(response, issuers, now, checks)
    scts, sct_problems = _scts(response) if len(answers) == 1 else ((), [])
    used = _algorithm(response)
    weak = (problem("staple-weak-hash", hash=used.hash),) if used.hash in WEAK_HASHES else ()
    end, revoked = answer.next_update_utc, answer.revocation_time_utc
    why = answer.revocation_reason
    return Staple(
        status=status,
        length=len(data),
        certificate=_GIVEN.get(answer.certificate_status.name, "unknown"),  # type: ignore[arg-type]  # of its values
        serial=f"{answer.serial_number:X}",
        produced=time(response.produced_at_utc),
        this_update=time(answer.this_update_utc),
        next_update=time(end) if end is not None else None,
        age_s=int((now - answer.this_update_utc).total_seconds()),
        revoked=time(revoked) if revoked is not None else None,
        revocation_reason=why.value if why is not None else None,
        responder=_responder(response),
        signer=signer.who,
        signature=signer.signature,
        signature_algorithm=" ".join(part for part in (used.family, used.hash) if part) or used.oid,
        matches=bool(ours) if leaf.layout is not None else None,
        responses=len(answers),
        scts=scts,
        problems=(
            *_of_answer(answer, now),
            *(() if ours else (problem("staple-of-another"),)),
            *signer.problems,
            *weak,
            *sct_problems,
        ),
    )


def _is_about(answer: Any, leaf: Parsed, issuers: Sequence[Parsed]) -> bool:
    """RFC 6960 section 4.1.1: serial number, hash of the issuer's name, and of its key where the issuer is known."""
    if leaf.layout is None:
        return False
    name = answer.hash_algorithm.name
    if answer.serial_number != int.from_bytes(leaf.layout.serial, "big", signed=True):
        return False
    if answer.issuer_name_hash != hashlib.new(name, leaf.layout.issuer).digest():
        return False
    hashes = [hashlib.new(name, _key_bits(issuer)).digest() for issuer in issuers]
    return not hashes or answer.issuer_key_hash in hashes


def _key_bits(issuer: Parsed) -> bytes:
    """The contents of the BIT STRING that its key is (RFC 6960 section 4.1.1: without tag, length and unused bits)."""
    if issuer.layout is None:
        return b""
    return only(issuer.layout.spki, SEQUENCE, BIT_STRING)[1].content[1:]


def _of_answer(answer: Any, now: datetime) -> Iterator[Problem]:
    """RFC 6960 sections 2.2 and 4.2.2.1."""
    if answer.certificate_status.name == "REVOKED":
        why = answer.revocation_reason
        text = f", {why.value}" if why is not None else ""
        yield problem("revoked", time=time(answer.revocation_time_utc), reason=text)
    if answer.certificate_status.name == "UNKNOWN":
        yield problem("status-unknown")
    if answer.this_update_utc > now:
        yield problem("staple-future", time=time(answer.this_update_utc))
    if answer.next_update_utc is None:
        yield problem("staple-no-end")
    elif answer.next_update_utc < now:
        yield problem("staple-expired", time=time(answer.next_update_utc))


def _responder(response: Any) -> str:
    name = response.responder_name
    if name is not None:
        return printable(name.rfc4514_string()[:MAX_TEXT])
    key_hash: bytes = response.responder_key_hash
    return key_hash.hex().upper()


def _algorithm(response: Any) -> Algorithm:
    oid = response.signature_algorithm_oid.dotted_string
    family, digest = ALGORITHMS.get(oid, (None, None))
    return Algorithm(oid, family, digest)


def _signer(response: Any, issuers: Sequence[Parsed], now: datetime, checks: Checks) -> _Signer:
    """The issuer itself, or one whose certificate the issuer signed for this (RFC 6960 section 4.2.2.2)."""
    if not issuers:
        return _Signer(None, "unchecked", (problem("staple-unchecked", reason="the issuer was not sent"),))
    used = _algorithm(response)
    signature, tbs = b"\0" + response.signature, response.tbs_response_bytes

    def signed_with(parsed: Parsed) -> tuple[str, str]:
        return verify(used, parsed.key, signature, tbs, response)

    outcomes = [(issuer, *signed_with(issuer)) for issuer in issuers]
    for issuer, outcome, _ in outcomes:
        if outcome == "good":
            return _Signer("issuer", "good", tuple(_of_identity(response, issuer)))
    for delegate in _delegates(response):
        if signed_with(delegate)[0] == "good":
            return _Signer("delegate", "good", tuple(_of_delegate(response, delegate, issuers, now, checks)))
    _, outcome, why = outcomes[0]
    kind = "staple-signature" if outcome == "bad" else "staple-unchecked"
    return _Signer(None, outcome, (problem(kind, reason=why),))


def _delegates(response: Any) -> list[Parsed]:
    from cryptography.hazmat.primitives.serialization import Encoding  # noqa: PLC0415 - loaded already

    return [Parsed(item.public_bytes(Encoding.DER)) for item in islice(response.certificates, MAX_DELEGATES)]


def _of_delegate(
    response: Any, delegate: Parsed, issuers: Sequence[Parsed], now: datetime, checks: Checks
) -> Iterator[Problem]:
    shown = time(now)
    if not any(checks.of(delegate, issuer)[0] == "good" for issuer in issuers):
        yield problem("staple-signer", reason="its certificate is not signed by the issuer")
    if "OCSPSigning" not in (extended_key_usage(delegate) or ()):
        yield problem("staple-signer", reason="its certificate is not for OCSP")
    if not (delegate.facts.not_before or "") <= shown <= (delegate.facts.not_after or ""):
        yield problem("staple-signer", reason="its certificate is not valid now")
    yield from _of_identity(response, delegate)


def _of_identity(response: Any, signer: Parsed) -> Iterator[Problem]:
    """RFC 6960 section 4.2.2.3: the responder's id is the name of who signed, or the SHA-1 of the key."""
    name, key_hash = response.responder_name, response.responder_key_hash
    if name is not None:
        same = signer.layout is not None and name.public_bytes() == signer.layout.subject
    else:
        same = key_hash == hashlib.sha1(_key_bits(signer), usedforsecurity=False).digest()
    if not same:
        yield problem("staple-signer", reason="the responder gives another name or key")


def _scts(response: Any) -> tuple[tuple[Any, ...], list[Problem]]:
    """RFC 6962 section 3.3: SCTs among the extensions of the only answer."""
    try:
        found = [item.value for item in response.single_extensions if item.oid.dotted_string == _SCTS]
        return read_scts(element(found[0].public_bytes()).content, "staple") if found else ((), [])
    except Exception as error:  # noqa: BLE001 - any fault of a hostile extension is a fact about it
        return (), [problem("scts-unreadable", origin="staple", reason=reason(error))]
