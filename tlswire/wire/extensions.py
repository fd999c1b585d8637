"""DOOR: the extension bodies, one row per extension and message, and the functions that read and write them.

To add an extension: one line in ``registry/tables/extensions.csv`` and one row here (values and grammars that take
more than a line stand in ``wire.extension_bodies``). Messages are named as in the registry: ``ch`` ClientHello, ``sh``
ServerHello of any version, ``hrr`` HelloRetryRequest, ``ee`` EncryptedExtensions, ``ct`` certificate entry, ``cr``
CertificateRequest, ``nst`` NewSessionTicket. What has no row is opaque: unknown codes are never an error.
Must not import anything of tlswire but ``registry`` and the rest of ``wire``; no I/O.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from tlswire.registry import (
    CERTIFICATE_COMPRESSION,
    CERTIFICATE_TYPES,
    EXTENSIONS,
    GROUPS,
    HEARTBEAT_MODES,
    POINT_FORMATS,
    PSK_MODES,
    VERSIONS,
)
from tlswire.wire import extension_bodies as bodies
from tlswire.wire.cursor import Node, trace
from tlswire.wire.handshake import body_grammar
from tlswire.wire.primitives import (
    Codes,
    Empty,
    Fixed,
    Grammar,
    Many,
    Opaque,
    Rest,
    Text,
    UInt,
    Vector,
    build,
    parse,
)

_EMPTY = Empty()
_OPAQUE = Rest()


def _each(messages: str, grammar: Grammar) -> dict[str, Grammar]:
    return dict.fromkeys(messages.split(), grammar)


# A ClientHello offers a list of types, the server answers with one (RFC 6091 section 3, RFC 7250 section 3).
_TYPE_LIST = Codes(1, 1, 1, table=CERTIFICATE_TYPES)
_TYPE = UInt(1, CERTIFICATE_TYPES)

ROWS: dict[int, dict[str, Grammar]] = {
    # server_name: RFC 6066 section 3; in a CertificateRequest only of exported authenticators (RFC 9261 section 4).
    0x0000: _each("ch cr", bodies.SERVER_NAMES) | _each("sh ee", _EMPTY),
    # max_fragment_length: RFC 6066 section 4.
    0x0001: _each("ch sh ee", UInt(1)),
    # client_certificate_url: RFC 6066 section 5.
    0x0002: _each("ch sh", _EMPTY),
    # trusted_ca_keys: RFC 6066 section 6.
    0x0003: {"ch": bodies.TRUSTED_AUTHORITIES, "sh": _EMPTY},
    # truncated_hmac: RFC 6066 section 7.
    0x0004: _each("ch sh", _EMPTY),
    # status_request: RFC 6066 section 8; RFC 9846 section 4.5.1.1 puts the CertificateStatus body into ct.
    0x0005: {"ch": bodies.STATUS_REQUEST, "ct": body_grammar(22)} | _each("sh cr", _EMPTY),
    # user_mapping: RFC 4681 section 3.
    0x0006: _each("ch sh", Codes(1, 1, 1)),
    # client_authz, server_authz: RFC 5878 section 3.
    0x0007: _each("ch sh", Codes(1, 1, 1)),
    0x0008: _each("ch sh", Codes(1, 1, 1)),
    # cert_type: RFC 6091 section 3.1.
    0x0009: {"ch": _TYPE_LIST, "sh": _TYPE},
    # supported_groups: RFC 9846 section 4.3.7.
    0x000A: _each("ch ee", Codes(2, 2, 2, table=GROUPS)),
    # ec_point_formats: RFC 8422 section 5.1.2.
    0x000B: _each("ch sh", Codes(1, 1, 1, table=POINT_FORMATS)),
    # srp: RFC 5054 section 2.8.1.
    0x000C: {"ch": Text(1, 1)},
    # signature_algorithms: RFC 9846 section 4.3.3.
    0x000D: _each("ch cr", bodies.SIGNATURE_SCHEMES),
    # use_srtp: RFC 5764 section 4.1.1.
    0x000E: _each("ch sh ee", bodies.USE_SRTP),
    # heartbeat: RFC 6520 section 2.
    0x000F: _each("ch sh ee", UInt(1, HEARTBEAT_MODES)),
    # application_layer_protocol_negotiation: RFC 7301 section 3.1.
    0x0010: _each("ch sh ee", bodies.PROTOCOL_NAMES),
    # status_request_v2: RFC 6961 section 2.2.
    0x0011: {"ch": bodies.STATUS_REQUESTS_V2, "sh": _EMPTY},
    # signed_certificate_timestamp: RFC 6962 section 3.3.1.
    0x0012: _each("ch cr", _EMPTY) | _each("sh ct", bodies.SERIALIZED_LIST),
    # client_certificate_type, server_certificate_type: RFC 7250 section 3.
    0x0013: {"ch": _TYPE_LIST} | _each("sh ee", _TYPE),
    0x0014: {"ch": _TYPE_LIST} | _each("sh ee", _TYPE),
    # padding: RFC 7685 section 3.
    0x0015: {"ch": _OPAQUE},
    # encrypt_then_mac: RFC 7366 section 2.
    0x0016: _each("ch sh", _EMPTY),
    # extended_master_secret: RFC 7627 section 5.1.
    0x0017: _each("ch sh", _EMPTY),
    # token_binding: RFC 8472 sections 2 and 3.
    0x0018: _each("ch sh", bodies.TOKEN_BINDING),
    # cached_info: RFC 7924 section 3; the server names types only.
    0x0019: {"ch": bodies.CACHED_OBJECTS, "sh": Codes(2, 1, 1)},
    # tls_lts: draft-gutmann-tls-lts section 3.1.
    0x001A: _each("ch sh", _EMPTY),
    # compress_certificate: RFC 8879 section 3.
    0x001B: _each("ch cr", Codes(1, 2, 2, 254, table=CERTIFICATE_COMPRESSION)),
    # record_size_limit: RFC 8449 section 4.
    0x001C: _each("ch sh ee", UInt(2)),
    # pwd_protect, pwd_clear: RFC 8492 section 4.4; password_salt is kept as sent.
    0x001D: {"ch": Opaque(1, 1)},
    0x001E: {"ch": Text(1, 1)},
    0x001F: _each("ch sh hrr", _OPAQUE),
    # ticket_pinning: RFC 8672 section 3.
    0x0020: {"ch": bodies.PINNING_TICKETS, "ee": bodies.PINNING_PROOF},
    # tls_cert_with_extern_psk: RFC 8773 section 4.
    0x0021: _each("ch sh", _EMPTY),
    # delegated_credential: RFC 9345 section 4.
    0x0022: {"ct": bodies.DELEGATED_CREDENTIAL} | _each("ch cr", bodies.SIGNATURE_SCHEMES),
    # session_ticket: RFC 5077 section 3.2.
    0x0023: {"ch": _OPAQUE, "sh": _EMPTY},
    # supported_ekt_ciphers: RFC 8870 section 5.2.1.
    0x0027: {"ch": Codes(1, 1, 1)} | _each("sh ee", UInt(1)),
    # key_share before its code was moved: draft-ietf-tls-tls13-22 section 4.2.8.
    0x0028: {"ch": Vector(2, bodies.KEY_SHARE), "sh": bodies.KEY_SHARE, "hrr": UInt(2, GROUPS)},
    # pre_shared_key: RFC 9846 section 4.3.11.
    0x0029: {"ch": bodies.OFFERED_PSKS, "sh": UInt(2)},
    # early_data: RFC 9846 section 4.3.10.
    0x002A: _each("ch ee", _EMPTY) | {"nst": UInt(4)},
    # supported_versions: RFC 9846 section 4.3.1.
    0x002B: {"ch": Codes(1, 2, 2, 254, table=VERSIONS)} | _each("sh hrr", UInt(2, VERSIONS)),
    # cookie: RFC 9846 section 4.3.2.
    0x002C: _each("ch hrr", Opaque(2, 1)),
    # psk_key_exchange_modes: RFC 9846 section 4.3.9.
    0x002D: {"ch": Codes(1, 1, 1, table=PSK_MODES)},
    # certificate_authorities: RFC 9846 section 4.3.4.
    0x002F: _each("ch cr", Vector(2, bodies.DISTINGUISHED_NAME, 3)),
    # oid_filters: RFC 9846 section 4.3.5.
    0x0030: {"cr": bodies.OID_FILTERS},
    # post_handshake_auth: RFC 9846 section 4.3.6.
    0x0031: {"ch": _EMPTY},
    # signature_algorithms_cert: RFC 9846 section 4.3.3.
    0x0032: _each("ch cr", bodies.SIGNATURE_SCHEMES),
    # key_share: RFC 9846 section 4.3.8.
    0x0033: {"ch": Vector(2, bodies.KEY_SHARE), "sh": bodies.KEY_SHARE, "hrr": UInt(2, GROUPS)},
    # transparency_info: RFC 9162 section 6.4.
    0x0034: _each("ch cr", _EMPTY) | _each("sh ct", bodies.SERIALIZED_LIST),
    # connection_id, before and after its code was moved: RFC 9146 section 3.
    0x0035: _each("ch sh", Opaque(1)),
    0x0036: _each("ch sh", Opaque(1)),
    # external_id_hash: RFC 8844 section 3.2.
    0x0037: _each("ch sh ee", Opaque(1, 0, 32)),
    # external_session_id: RFC 8844 section 4.2.
    0x0038: _each("ch sh ee", Opaque(1, 20)),
    # quic_transport_parameters: RFC 9001 section 8.2, RFC 9000 section 18.
    0x0039: _each("ch ee", Many(bodies.TransportParameter())),
    # ticket_request: RFC 9149 section 3.
    0x003A: {"ch": bodies.TICKET_REQUEST, "ee": UInt(1)},
    # dnssec_chain: RFC 9102 section 2.
    0x003B: {"ch": UInt(2)} | _each("sh ct", bodies.DNSSEC_CHAIN),
    # rrc: RFC 9853 section 3.
    0x003D: _each("ch sh", _EMPTY),
    # tls_flags: draft-ietf-tls-tlsflags-14 section 2.
    0x003E: _each("ch sh hrr ee ct cr nst", Opaque(1, 1)),
    # next_protocol_negotiation: draft-agl-tls-nextprotoneg-04 section 3; names up to the end, no length of their own.
    0x3374: {"ch": _EMPTY, "sh": Many(Text(1, 1))},
    # application_settings: draft-vvv-tls-alps-01 section 4; the server sends its settings as they are.
    0x4469: {"ch": bodies.PROTOCOL_NAMES, "ee": _OPAQUE},
    0x44CD: {"ch": bodies.PROTOCOL_NAMES, "ee": _OPAQUE},
    # channel_id: draft-balfanz-tls-channelid-01 section 4.
    0x754F: _each("ch sh", _EMPTY),
    0x7550: _each("ch sh", _EMPTY),
    # pake: draft-bmw-tls-pake13 section 4.
    0x8A3B: {"ch": bodies.PAKE_OFFER, "sh": bodies.PAKE_SHARE},
    # padding before its code was assigned.
    0x8B47: {"ch": _OPAQUE},
    # trust_anchors: draft-ietf-tls-trust-anchor-ids section 4.
    0xCA34: _each("ch ee", Vector(2, Opaque(1, 1))) | {"ct": _EMPTY},
    # ech_outer_extensions: RFC 9849 section 5.1.
    0xFD00: {"ch": bodies.OUTER_EXTENSIONS},
    # encrypted_client_hello: RFC 9849 sections 5 and 7.1.
    0xFE0D: {"ch": bodies.ECH_CLIENT_HELLO, "ee": bodies.ECH_CONFIGS, "hrr": Fixed(8)},
    # renegotiation_info: RFC 5746 section 3.2.
    0xFF01: _each("ch sh", Opaque(1)),
    # quic_transport_parameters of draft-ietf-quic-tls-27 and later.
    0xFFA5: _each("ch ee", Many(bodies.TransportParameter())),
    # encrypted_server_name: draft-ietf-tls-esni-02 section 5; the answer is a nonce.
    0xFFCE: {"ch": bodies.ENCRYPTED_SNI, "ee": Fixed(16)},
}


def has_body(code: int, message: str) -> bool:
    """Whether extension ``code`` has a row for ``message``; without one its body is opaque."""
    return message in ROWS.get(code, ())


def grammar_of(code: int, message: str) -> Grammar:
    """The grammar of the body of extension ``code`` in ``message``; ``Rest`` where no row stands."""
    return ROWS.get(code, {}).get(message, _OPAQUE)


# Named views ask for the same few bodies again and again; longer ones are rare and would fill the memory.
_CACHED_BODY = 512


@lru_cache(maxsize=4096)
def _decoded(code: int, data: bytes, message: str) -> Any:
    return parse(grammar_of(code, message), data, EXTENSIONS[code].name)


def decode_extension(code: int, data: bytes, message: str) -> Any:
    """The value of an extension body; bytes where no row stands. Raises WireError (path ``extension_name.field``)."""
    if len(data) <= _CACHED_BODY:
        return _decoded(code, data, message)
    return parse(grammar_of(code, message), data, EXTENSIONS[code].name)


def encode_extension(code: int, value: Any, message: str = "ch") -> bytes:
    """The body of an extension, the inverse of ``decode_extension``. Raises WireError."""
    return build(grammar_of(code, message), value, EXTENSIONS[code].name)


def trace_extension(code: int, data: bytes, message: str, offset: int) -> Node:
    """The tree of an extension body that began at byte ``offset`` of the input; never raises."""
    node = trace(grammar_of(code, message), data, "body", offset)
    node.name = "body"
    return node
