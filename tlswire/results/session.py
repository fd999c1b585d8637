"""``tlswire.session/1``: one TLS, DTLS or QUIC session read from a capture.

Lists of codes are as offered, in order, duplicates and GREASE included. Must not import anything of tlswire but
``registry``; holds no logic.
"""

from __future__ import annotations

from typing import Literal

import msgspec

SESSION_SCHEMA: Literal["tlswire.session/1"] = "tlswire.session/1"

Transport = Literal["tcp", "quic", "dtls"]
Peer = Literal["client", "server"]

# established: both sides went over to encryption. alert: a fatal alert in clear ended it. reset, closed: TCP ended
# before. unanswered: hellos and no answer at all. incomplete: the capture ends, begins or has holes in between.
Outcome = Literal["established", "alert", "reset", "closed", "unanswered", "incomplete"]

# What key logs made of a session. complete: both Finished were opened, or the alert that ended it before them.
# partial: some was not opened, for want of secrets or of bytes. failed: the secrets do not open its records.
# no-secrets: no key log at hand has what opens them.
DecryptionState = Literal["complete", "partial", "failed", "no-secrets"]

# Only the owner of the key can tell for sure (RFC 9849 section 6.2): this is what the shape of the extension says.
EchKind = Literal["grease", "real", "unknown"]


class Endpoint(msgspec.Struct, frozen=True):
    """A numeric address and a port."""

    address: str
    port: int


class Process(msgspec.Struct, frozen=True):
    """Whose traffic it was, as Apple's PKTAP says."""

    pid: int
    name: str


class Ech(msgspec.Struct, frozen=True):
    """encrypted_client_hello or encrypted_server_name of a hello (RFC 9849, draft-ietf-tls-esni-02).

    ``kind`` says what it probably is and ``reason`` why. ``public_name`` is the outer server name.
    """

    protocol: Literal["ech", "esni"]
    kind: EchKind
    reason: str
    public_name: str | None
    config_id: int | None = None
    kdf: str | None = None
    aead: str | None = None
    payload: int | None = None


class Hello(msgspec.Struct, frozen=True):
    """One ClientHello. ``frame`` is the one that completed it; a ``partial`` hello holds what could be read.

    ``versions`` are those of supported_versions, empty where the extension is absent. An SSLv2 ClientHello has its
    cipher kinds among ``suites`` (six digits). Fingerprints are null where the hello is partial or of SSLv2.
    """

    frame: int
    record_version: str
    legacy_version: str
    suites: list[str]
    extensions: list[int]
    groups: list[str]
    key_shares: list[str]
    signature_schemes: list[str]
    versions: list[str]
    point_formats: list[int]
    server_name: str | None
    alpn: list[str]
    ja3: str | None
    ja3_text: str | None
    ja4: str | None
    ja4_r: str | None
    ja4_o: str | None
    ja4_ro: str | None
    partial: bool
    session_id: bool
    session_ticket: bool
    psk: bool
    early_data: bool
    ech: Ech | None
    length: int
    sha256: str


class ServerHello(msgspec.Struct, frozen=True):
    """One ServerHello or HelloRetryRequest. ``version`` is the one selected; ``alpn`` only what stands in clear."""

    frame: int
    kind: Literal["hello", "retry"]
    record_version: str
    legacy_version: str
    version: str
    version_name: str
    suite: str
    suite_name: str
    extensions: list[int]
    group: str | None
    group_name: str | None
    alpn: str | None
    ja3s: str | None
    ja3s_text: str | None
    extended_master_secret: bool
    psk: bool
    partial: bool = False


class Certificate(msgspec.Struct, frozen=True):
    """One certificate of a chain, leaf first. Times are RFC 3339 UTC; ``names`` are the DNS names and addresses.

    ``error`` says why a certificate could not be read; the facts that could not are null then. ``bits`` is the size
    of the key, ``signature_schemes`` are the TLS schemes its signature is called by, ``extended_key_usage`` is null
    where it has none, ``embedded_scts`` counts.
    """

    frame: int
    sender: Peer = msgspec.field(name="from")
    sha256: str
    subject: str | None
    issuer: str | None
    serial: str | None
    not_before: str | None
    not_after: str | None
    key: str | None
    bits: int | None
    signature_algorithm: str | None
    names: list[str]
    spki_sha256: str | None
    self_signed: bool | None
    authority: bool | None
    length: int
    error: str | None = None
    signature_hash: str | None = None
    signature_schemes: tuple[str, ...] = ()
    extended_key_usage: tuple[str, ...] | None = None
    embedded_scts: int | None = None


class KeyExchange(msgspec.Struct, frozen=True):
    """ServerKeyExchange: the group (or the size of the prime in bits) and the scheme it is signed with."""

    frame: int
    group: str | None
    group_name: str | None
    bits: int | None
    signature_scheme: str | None
    signature_scheme_name: str | None


class CertificateRequest(msgspec.Struct, frozen=True):
    """CertificateRequest in clear; ``authorities`` counts the distinguished names."""

    frame: int
    types: list[int]
    signature_schemes: list[str]
    authorities: int


class Alert(msgspec.Struct, frozen=True):
    """An alert and who sent it; ``encrypted`` ones were opened with a key log."""

    frame: int
    sender: Peer = msgspec.field(name="from")
    level: str
    description: str
    code: int
    encrypted: bool = False


class SessionVerdict(msgspec.Struct, frozen=True):
    """What a policy says of one session, by the ids of its rules.

    ``broken`` are those of level must that are broken, ``warnings`` those of level should, ``unknown`` those of level must
    that what was captured leaves open. ``unseen`` are about what this session does not show: certificates that are
    encrypted, or not sent again when it was resumed; they do not count.
    """

    name: str
    verdict: Literal["pass", "warn", "fail", "unknown"]
    broken: list[str]
    warnings: list[str]
    unknown: list[str]
    unseen: list[str]


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """Everything one capture says of one session.

    ``start`` is seconds since 1970 of ``first_frame``, the first frame of the flow that was seen. ``protocol`` is what
    was spoken before TLS, such as smtp, http-connect, socks. ``version``, ``suite`` and ``group`` are what was chosen;
    ``tunnel`` names the outer headers. ``decryption`` is null without a key log and where nothing was encrypted;
    ``encrypted_extensions`` (types) and ``tickets`` (how many) come from messages that were opened. ``weak`` are the
    reasons why it is weak, ``retry`` why the server asked again, ``policy`` what the policy says that was asked for.
    """

    schema: Literal["tlswire.session/1"] = SESSION_SCHEMA
    capture: str
    transport: Transport
    client: Endpoint
    server: Endpoint
    first_frame: int
    start: float
    protocol: str | None
    tunnel: str | None
    quic_version: str | None
    server_name: str | None
    version: str | None
    version_name: str | None
    suite: str | None
    suite_name: str | None
    group: str | None
    group_name: str | None
    alpn: str | None
    hellos: list[Hello]
    server_hellos: list[ServerHello]
    key_exchange: KeyExchange | None
    certificate_request: CertificateRequest | None
    certificates: list[Certificate]
    alerts: list[Alert]
    resumed: bool | None
    early_data: bool | None
    retry: str | None
    decryption: DecryptionState | None = None
    encrypted_extensions: list[int] | None = None
    tickets: int | None = None
    process: Process | None
    outcome: Outcome
    weak: list[str]
    notes: list[str]
    policy: SessionVerdict | None = None
