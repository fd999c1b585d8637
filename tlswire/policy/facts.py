"""What policies look at: kinds of subjects with typed fields, and the facts of one target as such subjects.

This table is the vocabulary of every policy: a rule names a kind (``of``) and its fields. Where subjects come from,
a handshake, a chain, a scan, a captured session, is the matter of ``observed``. Must not import anything of tlswire but
``errors``, ``results`` and, of policy, ``terms``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from tlswire.policy.terms import (
    BOOL,
    EXTENSION,
    GROUP,
    NUMBER,
    SCHEME,
    SUITE,
    TEXT,
    TIME,
    VERSION,
    Term,
    Value,
    told,
    words,
)
from tlswire.results.proof import Proof  # noqa: TC001 - msgspec reads the annotations

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_SUITE_PARTS = {
    "key_exchange": TEXT,
    "authentication": TEXT,
    "encryption": TEXT,
    "bits": NUMBER,
    "mac": TEXT,
    "prf": TEXT,
    "aead": BOOL,
    "forward_secrecy": BOOL,
}
# Who asked.
OFFERS = {
    "client": "the policy's own client",
    "small": "the client without its post-quantum key share, asked where the client is refused",
    "tls12": "the client offering TLS 1.2 alone",
    "wide": "a hello of everything, asked where the client is refused",
    "observed": "the client of a capture",
    "sample": "a hello of one kind of suite",
    "scan": "a whole enumeration",
}
# What a server does beside versions, suites and extensions.
FEATURES = {
    "plain-http": "the port answers in plain HTTP",
    "compression": "records are compressed (not in TLS 1.3)",
    "fallback-signal": "TLS_FALLBACK_SCSV below the best version is refused with inappropriate_fallback",
    "downgrade-marks": "the randoms of an older version have the mark of RFC 9846 section 4.2.3",
    "secure-renegotiation": "renegotiation_info, or the suite in its place, is answered",
    "insecure-renegotiation": "a client that never said renegotiation_info may renegotiate",
    "client-renegotiation": "a client may begin a renegotiation, the secure one included",
    "session-ids": "sessions are resumed by session id",
    "tickets": "sessions are resumed by ticket (TLS 1.2 and older)",
    "psk": "sessions are resumed by pre-shared key (TLS 1.3)",
    "psk-alone": "a session is resumed without a new key exchange (TLS 1.3)",
    "early-data": "tickets allow 0-RTT data",
    "early-data-replay": "the same 0-RTT data is taken twice",
    "repeated-keys": "a public value of an ephemeral key exchange is used more than once",
    "alpn": "an application protocol is negotiated",
    "alpn-strict": "a hello whose protocols are all unknown is refused with no_application_protocol",
    "strict-names": "a hello with an unknown server name is refused",
}
POSITIONS = {"leaf": "the server's own", "issuer": "an intermediate", "anchor": "a root that was sent"}
ANCHORS = {
    "public": "the path ends at a CA of Mozilla's list or the system's",
    "given": "at one that was given with --anchor",
    "private": "at neither",
}
_OFFER, _FEATURE = words("offer", OFFERS), words("feature", FEATURES)
_POSITION, _ANCHOR = words("position", POSITIONS), words("anchor", ANCHORS)
# Fields that hold several values at once: only operators on lists make sense of them.
SEVERAL = frozenset({"certificate_schemes", "signature_schemes"})
# Kind -> field -> what the field holds.
KINDS: dict[str, dict[str, Term]] = {
    "attempt": {"offer": _OFFER, "finished": BOOL, "ending": TEXT, "length": NUMBER},
    "connection": {
        "offer": _OFFER,
        "version": VERSION,
        "suite": SUITE,
        **_SUITE_PARTS,
        "group": GROUP,
        "group_kind": TEXT,
        "group_bits": NUMBER,
        "extended_master_secret": BOOL,
        "encrypt_then_mac": BOOL,
        "secure_renegotiation": BOOL,
        "compression": BOOL,
        "scheme": SCHEME,
        "scheme_hash": TEXT,
        "scheme_offered": BOOL,
        "certificate_schemes": SCHEME,
        "certificate_scheme_offered": BOOL,
        "early_data": BOOL,
    },
    "version": {"version": VERSION, "accepted": BOOL, "preference": TEXT},
    "suite": {"offer": _OFFER, "version": VERSION, "suite": SUITE, **_SUITE_PARTS},
    "group": {"version": VERSION, "group": GROUP, "group_kind": TEXT, "group_bits": NUMBER},
    "scheme": {"version": VERSION, "scheme": SCHEME, "scheme_hash": TEXT},
    "extension": {"version": VERSION, "extension": EXTENSION, "supported": BOOL},
    "dh": {"version": VERSION, "bits": NUMBER, "prime": TEXT, "structure": TEXT, "export": BOOL},
    "feature": {"feature": _FEATURE, "version": VERSION, "present": BOOL},
    "ticket": {"version": VERSION, "lifetime": NUMBER},
    "certificate": {
        "position": _POSITION,
        "anchor": _ANCHOR,
        "pinned": BOOL,
        "key_family": TEXT,
        "curve": TEXT,
        "bits": NUMBER,
        "exponent": NUMBER,
        "signature_family": TEXT,
        "signature_hash": TEXT,
        "signature_schemes": SCHEME,
        "not_before": TIME,
        "not_after": TIME,
        "validity_days": NUMBER,
        "valid_now": BOOL,
        "remaining_days": NUMBER,
        "alternative_names": BOOL,
        "eku_present": BOOL,
        "server_auth": BOOL,
        "any_purpose": BOOL,
        "authority": BOOL,
        "self_signed": BOOL,
        "embedded_scts": NUMBER,
        "must_staple": BOOL,
    },
    "chain": {
        "offer": _OFFER,
        "anchor": _ANCHOR,
        "trusted": BOOL,
        "complete": BOOL,
        "ordered": BOOL,
        "matches": BOOL,
        "common_name_only": BOOL,
        "length": NUMBER,
        "scts": NUMBER,
        "stapled": BOOL,
        "revoked": BOOL,
    },
    "http": {
        "url": TEXT,
        "plain": BOOL,
        "status": NUMBER,
        "redirects": BOOL,
        "redirects_to_plain": BOOL,
        "content_type": TEXT,
        "hsts_seconds": NUMBER,
    },
    "discovery": {"status": NUMBER, "plain": BOOL, "content_type": TEXT, "readable": BOOL},
    "enrollment": {"version": TEXT, "https": BOOL},
    "node": {"reachable": BOOL, "differs": BOOL},
    "tolerance": {"case": TEXT, "tolerated": BOOL},
}


class Subject(msgspec.Struct, frozen=True):
    """One thing that was looked at: ``name`` says in words which, ``node`` the address it was seen at (empty: there is
    only one), ``values`` the fields of its kind that are known, ``notes`` words of the peer or of ours by field.
    """

    kind: str
    name: str
    values: Mapping[str, Value | None]
    node: str = ""
    notes: Mapping[str, str] = {}
    proof: Proof | None = None

    def get(self, field: str) -> Value | None:
        """The value of a field; None where nobody knows."""
        return self.values.get(field)

    def told(self, field: str) -> str:
        """The value of a field in words."""
        return told(KINDS[self.kind][field], self.get(field))


class Facts(msgspec.Struct):
    """All subjects of one target. ``gaps`` says why not all subjects of a kind are known, by kind."""

    subjects: list[Subject] = []
    gaps: dict[str, str] = {}

    def of(self, kind: str) -> Iterator[Subject]:
        """The subjects of a kind, in the order in which they were seen."""
        return (subject for subject in self.subjects if subject.kind == kind)

    def add(self, subjects: Iterable[Subject]) -> None:
        """Take more subjects in."""
        self.subjects.extend(subjects)

    def merge(self, other: Facts) -> None:
        """Take all of another's facts in: those of another address."""
        self.subjects.extend(other.subjects)
        for kind, why in other.gaps.items():
            self.gaps.setdefault(kind, why)
