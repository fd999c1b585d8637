"""What policies look at: kinds of subjects with typed fields, and the facts of one target as such subjects.

This table is the vocabulary of every policy: a rule names a kind (``of``) and its fields. Where subjects come from,
a handshake, a chain, a scan, a captured session, is the matter of ``observed``. Must not import anything of tlswire but
``errors``, ``results`` and, of policy, ``terms``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from tlswire.policy.terms import BOOL, EXTENSION, GROUP, NUMBER, SCHEME, SUITE, TEXT, TIME, VERSION, Term, Value, told
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
# Kind -> field -> what the field holds. ``offer`` says who asked: ``client`` is the policy's own client, ``tls12`` the
# same offering TLS 1.2 alone, ``wide`` a hello of everything (asked where the client is refused), ``observed`` the
# client of a capture, ``sample`` a hello of one kind of suite, ``scan`` a whole enumeration.
KINDS: dict[str, dict[str, Term]] = {
    "attempt": {"offer": TEXT, "finished": BOOL, "ending": TEXT, "length": NUMBER},
    "connection": {
        "offer": TEXT,
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
    "version": {"version": VERSION, "accepted": BOOL},
    "suite": {"offer": TEXT, "version": VERSION, "suite": SUITE, **_SUITE_PARTS},
    "group": {"version": VERSION, "group": GROUP, "group_kind": TEXT, "group_bits": NUMBER},
    "scheme": {"version": VERSION, "scheme": SCHEME, "scheme_hash": TEXT},
    "extension": {"version": VERSION, "extension": EXTENSION, "supported": BOOL},
    "feature": {"feature": TEXT, "present": BOOL},
    "certificate": {
        "position": TEXT,
        "anchor": TEXT,
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
        "offer": TEXT,
        "anchor": TEXT,
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
