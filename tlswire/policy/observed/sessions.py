"""Sessions of captures as subjects: what was negotiated, what was shown, and what a session cannot show.

A session stands for itself. What it negotiated was accepted; of what else the server would take it says nothing but the
versions the client offered above the one it got. Certificates are judged at the time of the session. DTLS and the drafts
of TLS 1.3 are taken for the TLS they are made of (RFC 6347, RFC 9147). Must not import anything of tlswire but
``registry``, ``certificates``, ``results`` and, of policy, ``facts`` and ``observed.handshakes``.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
from functools import lru_cache
from typing import TYPE_CHECKING

import msgspec

from tlswire.certificates.model import AlternativeName
from tlswire.certificates.names import match_host
from tlswire.policy.facts import KINDS, Facts, Subject
from tlswire.policy.observed.chains import ANY_PURPOSE, SERVER_AUTH
from tlswire.policy.observed.handshakes import (
    ENCRYPT_THEN_MAC,
    OFFERS,
    RENEGOTIATION_INFO,
    TLS12,
    TLS13,
    group_parts,
    scheme_parts,
    suite_parts,
)
from tlswire.registry import SUITES, VERSIONS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from tlswire.policy.terms import Value
    from tlswire.results.session import Certificate, Hello, ServerHello, Session

OFFER = "observed"
SSLV2 = 0x0002
_DTLS = {0xFEFF: 0x0302, 0x0100: 0x0302, 0xFEFD: TLS12, 0xFEFC: TLS13}
_DRAFTS = frozenset({0x7F, 0xFB})  # high bytes: the IETF's drafts of TLS 1.3, Facebook's
_CHOOSABLE = (0x0300, 0x0301, 0x0302, TLS12, TLS13)
MASTER_SECRET, _EARLY_DATA = 23, 42
# What a server may sign with where the client does not say (RFC 5246 section 7.4.1.4.1).
UNASKED_SCHEMES = (0x0201, 0x0202, 0x0203)
# What authenticates without a certificate, and so signs nothing.
_WITHOUT_CERTIFICATE = frozenset({"anon", "PSK", "NULL", "SRP", "KRB5", "ECCPWD"})
_DAY = 86_400

Field = tuple[str, str]


def _fields(kind: str, *names: str) -> frozenset[Field]:
    return frozenset((kind, name) for name in names or KINDS[kind])


_SIGNATURE = _fields("connection", "scheme", "scheme_hash", "scheme_offered") | _fields("scheme")
_GROUP = _fields("connection", "group", "group_kind", "group_bits") | _fields("group")
_CERTIFICATE = (
    _fields("connection", "certificate_schemes", "certificate_scheme_offered")
    | _fields("certificate")
    | _fields("chain")
)
# What some session can show, by kind and field. Trust, revocation and what is sent in HTTP no capture can.
SHOWN = (
    (_fields("attempt") - _fields("attempt", "length"))
    | (_fields("connection") - _fields("connection", "compression"))
    | _fields("version", "version", "accepted")
    | _fields("suite")
    | _fields("group")
    | _fields("scheme")
    | (_fields("certificate") - _fields("certificate", "pinned", "exponent", "signature_family", "must_staple"))
    | _fields("chain", "offer", "matches", "length")
    | _fields("extension")
    | _fields("dh", "version", "bits")
)
# Kinds of which a session shows what it met only: a rule that wants any such subject cannot be broken by it.
SAMPLED = frozenset({"suite", "group", "scheme", "extension", "dh", "certificate", "chain"})


class Seen(msgspec.Struct, frozen=True):
    """The facts of a session, and the fields of which it cannot show anything (encrypted, or not sent again)."""

    facts: Facts
    hidden: frozenset[Field] = frozenset()


def as_tls(version: int) -> int:
    """The version of TLS that DTLS or a draft is made of."""
    return TLS13 if version >> 8 in _DRAFTS else _DTLS.get(version, version)


def versions_of(hello: Hello) -> list[int]:
    """The versions a hello offers, as TLS, in the hello's order; without supported_versions all up to the one it names
    (RFC 9846 section 4.3.1: highest first).
    """
    if hello.versions:
        return [code for code in dict.fromkeys(as_tls(int(text, 16)) for text in hello.versions) if code in _CHOOSABLE]
    highest = min(as_tls(int(hello.legacy_version, 16)), TLS12)
    offered = [code for code in reversed(_CHOOSABLE) if code <= highest]
    return [*offered, SSLV2] if any(int(kind, 16) > 0xFFFF for kind in hello.suites) else offered


def schemes_of(hello: Hello) -> tuple[int, ...]:
    """The signature schemes a hello offers, those that go without saying where it has no such extension."""
    return tuple(int(code, 16) for code in hello.signature_schemes) or UNASKED_SCHEMES


def answered(session: Session) -> tuple[Hello | None, ServerHello | None]:
    """The ServerHello that chose, and the hello it answers; None for what was not captured."""
    answer = next((item for item in reversed(session.server_hellos) if item.kind == "hello"), None)
    frame = session.first_frame if answer is None else answer.frame
    asked = [hello for hello in session.hellos if hello.frame <= frame]
    hello = asked[-1] if asked else session.hellos[0] if session.hellos else None
    return hello, answer


def shown_certificates(session: Session) -> list[Certificate]:
    """The server's first chain."""
    server = [item for item in session.certificates if item.sender == "server"]
    return [item for item in server if item.frame == server[0].frame]


def standing(certificate: Certificate, start: float) -> tuple[bool | None, int | None]:
    """Whether a certificate is valid at ``start``, and how many whole days are left; None where that cannot be told."""
    begins, ends = _second(certificate.not_before), _second(certificate.not_after)
    if begins is None or ends is None or not start:
        return None, None
    return begins <= int(start) <= ends, int((ends - start) // _DAY)


@lru_cache(maxsize=4096)
def _second(text: str | None) -> int | None:
    return None if text is None else int(dt.datetime.fromisoformat(text).timestamp())


def session_seen(session: Session) -> Seen:
    """What a session shows of itself."""
    hello, answer = answered(session)
    facts = Facts([_attempt(session)])
    if answer is None or session.version is None or session.suite is None:
        why = f"nothing was chosen: {session.outcome}"
        facts.gaps.update(dict.fromkeys(("connection", "version", *SAMPLED), why))
        return Seen(facts)
    version, suite = as_tls(int(session.version, 16)), int(session.suite, 16)
    chain = shown_certificates(session)
    facts.add(_negotiated(session, hello, answer, version, suite, chain))
    hidden: frozenset[Field] = frozenset()
    if version >= TLS13:
        hidden |= _SIGNATURE
    if version < TLS12:
        hidden |= _SIGNATURE | _fields("connection", "certificate_scheme_offered")
    if session.resumed:
        hidden |= _SIGNATURE | (_GROUP if version < TLS13 else frozenset())
    if chain:
        facts.add(_chain(session, chain))
        if session.server_name is None:
            hidden |= _fields("chain", "matches")
    elif version >= TLS13 or session.resumed or SUITES[suite].auth in _WITHOUT_CERTIFICATE:
        hidden |= _CERTIFICATE
    else:
        facts.gaps.update(dict.fromkeys(("certificate", "chain"), "the certificate was not captured"))
    return Seen(facts, hidden)


_FINISHED = {"established": True, "alert": False, "reset": False, "closed": False}


def _attempt(session: Session) -> Subject:
    ending = (
        f"alert:{session.alerts[-1].description}" if session.outcome == "alert" and session.alerts else session.outcome
    )
    values = {"offer": OFFER, "finished": _FINISHED.get(session.outcome), "ending": ending}
    return Subject("attempt", OFFERS[OFFER], values)


def _negotiated(
    session: Session,
    hello: Hello | None,
    answer: ServerHello,
    version: int,
    suite: int,
    chain: Sequence[Certificate],
) -> Iterator[Subject]:
    exchange = session.key_exchange
    group = None if session.group is None else int(session.group, 16)
    scheme = None if exchange is None or exchange.signature_scheme is None else int(exchange.signature_scheme, 16)
    offered = None if hello is None or (hello.partial and not hello.signature_schemes) else schemes_of(hello)
    values: dict[str, Value | None] = {
        **choice_values(version, suite, group, bound=_present(answer, MASTER_SECRET, version)),
        "encrypt_then_mac": _present(answer, ENCRYPT_THEN_MAC, version, modern=False),
        "secure_renegotiation": _present(answer, RENEGOTIATION_INFO, version),
        "early_data": _early(session, hello),
    }
    if exchange is not None and exchange.bits is not None:
        values["group_bits"] = exchange.bits
    if version >= TLS12:
        values |= scheme_parts(scheme, offered or (), signed=version >= TLS13 or signed(suite))
        if offered is None and scheme is not None:
            values["scheme_offered"] = None
    if chain and chain[0].signature_schemes:
        schemes = tuple(int(code, 16) for code in chain[0].signature_schemes)
        values["certificate_schemes"] = schemes
        values["certificate_scheme_offered"] = None if offered is None else bool(set(schemes) & set(offered))
    yield from choice_subjects(values)
    if version < TLS13 and exchange is not None and exchange.bits is not None:
        yield Subject("dh", OFFERS[OFFER], {"version": version, "bits": exchange.bits})
    if hello is not None and ENCRYPT_THEN_MAC in hello.extensions and str(values.get("encryption")).endswith("CBC"):
        supported = values["encrypt_then_mac"]
        yield Subject(
            "extension",
            OFFERS[OFFER],
            {"version": version, "extension": ENCRYPT_THEN_MAC, "supported": supported},
        )
    if hello is not None and not hello.partial:
        for code in versions_of(hello):
            if code > version:
                yield Subject("version", VERSIONS[code].name, {"version": code, "accepted": False})


def choice_values(version: int, suite: int, group: int | None, *, bound: bool | None) -> dict[str, Value | None]:
    """What follows from version, suite and group; ``bound``: the master secret is an extended one."""
    parts = {} if version == SSLV2 else suite_parts(suite)
    return {
        "offer": OFFER,
        "version": version,
        "suite": suite,
        **parts,
        **group_parts(group),
        "extended_master_secret": bound,
    }


def choice_subjects(values: dict[str, Value | None]) -> Iterator[Subject]:
    """The connection with these values, and what it says that its server accepts. A master secret that is no extended
    one is none, whoever does not know the extension.
    """
    name, version, bound = OFFERS[OFFER], values["version"], values["extended_master_secret"]
    yield Subject("connection", name, values)
    yield Subject("version", name, {"version": version, "accepted": True})
    if isinstance(version, int) and version < TLS13:
        told: dict[str, Value | None] = {"version": version, "extension": MASTER_SECRET, "supported": bound}
        yield Subject("extension", name, told)
    for kind in ("suite", "group", "scheme"):
        if values.get(kind) is not None:
            yield Subject(kind, name, {field: values.get(field) for field in KINDS[kind]})


def signed(suite: int) -> bool:
    """Whether the server signs its key exchange below TLS 1.3 (RFC 5246 section 7.4.3)."""
    row = SUITES[suite]
    return row.pfs and row.auth not in _WITHOUT_CERTIFICATE


def _present(answer: ServerHello, code: int, version: int, *, modern: bool = True) -> bool | None:
    """Whether the server answered an extension; TLS 1.3 has what it stands for anyhow, or (not ``modern``) never."""
    if version >= TLS13:
        return modern
    return True if code in answer.extensions else None if answer.partial else False


def _early(session: Session, hello: Hello | None) -> bool | None:
    if hello is not None and not hello.early_data and not hello.partial:
        return False
    return None if session.encrypted_extensions is None else _EARLY_DATA in session.encrypted_extensions


def _chain(session: Session, chain: Sequence[Certificate]) -> Iterator[Subject]:
    leaf = chain[0]
    known = leaf.error is None
    match = match_host(session.server_name, _alternative(leaf.names)) if known and session.server_name else None
    values: dict[str, Value | None] = {
        "offer": OFFER,
        "length": len(chain),
        "matches": None if match is None else match.ok,
    }
    yield Subject("chain", f"chain of {leaf.subject or 'the server'}", values)
    for position, item in _path(chain):
        valid, days = standing(item, session.start)
        yield Subject(
            "certificate", f"{position} {item.subject or item.sha256[:16]}", _values(item, position, valid, days)
        )


def _alternative(names: Collection[str]) -> list[AlternativeName]:
    return [AlternativeName("ip" if _is_address(name) else "dns", name) for name in names]


def _is_address(text: str) -> bool:
    try:
        return bool(ipaddress.ip_address(text))
    except ValueError:
        return False


def _path(chain: Sequence[Certificate]) -> Iterator[tuple[str, Certificate]]:
    """The leaf and those that issued one another, by their names; what is sent beside them is nobody's concern."""
    item, rest = chain[0], list(chain[1:])
    yield "leaf", item
    while not item.self_signed and item.issuer is not None:
        found = next((other for other in rest if other.subject == item.issuer), None)
        if found is None:
            return
        rest.remove(found)
        yield "anchor" if found.self_signed else "issuer", found
        item = found


def _values(item: Certificate, position: str, valid: bool | None, days: int | None) -> dict[str, Value | None]:
    if item.error is not None:
        return {"position": position}
    begins, ends = _second(item.not_before), _second(item.not_after)
    family = key_family(item.key)
    return {
        "position": position,
        # A leaf that names itself as its issuer is its own anchor; of all others no capture tells.
        "anchor": "private" if position == "leaf" and item.self_signed else None,
        "key_family": family,
        "curve": (item.key or "").partition(" ")[2] if family == "EC" else "",
        "bits": item.bits,
        "signature_hash": item.signature_hash,
        "signature_schemes": tuple(int(code, 16) for code in item.signature_schemes),
        "not_before": item.not_before,
        "not_after": item.not_after,
        "validity_days": None if begins is None or ends is None else round((ends - begins) / _DAY, 6),
        "valid_now": valid,
        "remaining_days": days,
        "alternative_names": bool(item.names),
        "eku_present": item.extended_key_usage is not None,
        "server_auth": SERVER_AUTH in (item.extended_key_usage or ()),
        "any_purpose": ANY_PURPOSE in (item.extended_key_usage or ()),
        "authority": item.authority,
        "self_signed": item.self_signed,
        "embedded_scts": item.embedded_scts,
    }


_EC_KEY = "1.2.840.10045.2.1"


def key_family(key: str | None) -> str | None:
    """The family of a key as its certificate's facts call it: RSA, EC, EdDSA, DSA, or what they say."""
    if key is None:
        return None
    if key in {"Ed25519", "Ed448"}:
        return "EdDSA"
    return "EC" if key == _EC_KEY else key.partition(" ")[0]
