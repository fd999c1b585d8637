"""Everything one certificate says, and what is wrong with it by itself.

What depends on the time, on other certificates or on a host's name is judged in ``chain``, ``paths``, ``names`` and
``report``. Must not import anything of tlswire but ``certificates``.
"""

from __future__ import annotations

import msgspec

from tlswire.certificates import readings
from tlswire.certificates.facts import MAX_NAMES
from tlswire.certificates.faults import faults_of, unreadable
from tlswire.certificates.keys import key_facts
from tlswire.certificates.model import CertificateDetails, CertificateExtension
from tlswire.certificates.parsed import Parsed
from tlswire.certificates.signatures import algorithm, signed_by

# CA/B Forum TLS BR 7.1.6.1; EV Guidelines 7.1.6.1. The strongest counts.
_VALIDATION = {"2.23.140.1.1": "EV", "2.23.140.1.2.3": "IV", "2.23.140.1.2.2": "OV", "2.23.140.1.2.1": "DV"}
_STAPLING = {5, 17}  # RFC 7633 section 4: TLS extensions; status_request, status_request_v2 (RFC 6961)
# Facts that are read once more: each for itself, so that one broken extension does not hide the others.
_READ_AGAIN = frozenset({"signature_hash", "signature_schemes", "extended_key_usage", "embedded_scts"})
_VERIFIED = {"good": True, "bad": False}


def certificate_details(der: bytes) -> CertificateDetails:
    """The details of a DER certificate, which data may follow; never raises for bad bytes."""
    return details_of(Parsed(der))


def details_of(parsed: Parsed) -> CertificateDetails:
    """The details of a certificate that may have been looked at already; kept with it."""
    if parsed.details is None:
        parsed.details = _details(parsed)
    return parsed.details


def _details(parsed: Parsed) -> CertificateDetails:
    facts = msgspec.structs.asdict(parsed.facts)
    layout = parsed.layout
    if layout is None or parsed.certificate is None:
        return CertificateDetails(**facts, problems=(unreadable(parsed),))
    key = key_facts(layout.spki)
    if facts["bits"] is None:
        facts |= {"key": key.name, "bits": key.bits}
    used = algorithm(parsed)
    policies = readings.policies(parsed)
    features, feature_problems = readings.tls_features(parsed)
    scts, sct_problems = readings.scts(parsed)
    return CertificateDetails(
        **{name: value for name, value in facts.items() if name not in _READ_AGAIN},
        version=layout.version + 1,
        serial_length=len(layout.serial),
        validity_days=readings.validity_days(parsed),
        key_family=key.family,
        curve=key.curve,
        exponent=key.exponent,
        signature_family=used.family if used else None,
        signature_hash=used.hash if used else None,
        signature_schemes=tuple(used.schemes) if used else (),
        signs_itself=_VERIFIED.get(signed_by(parsed, parsed)[0]) if parsed.self_issued else None,
        common_names=readings.common_names(parsed),
        alternative_names=tuple(parsed.names[0][:MAX_NAMES]),
        subject_key_id=readings.subject_key_id(parsed),
        authority_key_id=readings.authority_key_id(parsed),
        path_length=readings.path_length(parsed),
        key_usage=readings.key_usage(parsed),
        extended_key_usage=readings.extended_key_usage(parsed),
        policies=policies,
        validation=next((word for oid, word in _VALIDATION.items() if oid in policies), None),
        name_constraints=readings.name_constraints(parsed),
        ocsp=readings.access(parsed, readings.OCSP),
        ca_issuers=readings.access(parsed, readings.CA_ISSUERS),
        crls=readings.crls(parsed),
        tls_features=features,
        must_staple=not _STAPLING.isdisjoint(features),
        scts=scts,
        embedded_scts=len(scts),
        extensions=tuple(
            CertificateExtension(item.oid, readings.extension_name(item.oid), item.critical)
            for item in layout.extensions
        ),
        problems=(*faults_of(parsed, key), *feature_problems, *sct_problems),
    )
