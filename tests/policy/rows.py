"""DOOR: real servers, and what apple-mdm-27 says of each; a new one is one row of ROWS.

Expectations follow from Apple's documents and the RFCs, not from what our code does. ``fails`` are all rules of level
must that are broken and ``warns`` all of level should; ``unknown`` is what nobody can tell, and what stands behind a
handshake that fails is not asked.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypedDict

import msgspec

from tests.policy.minting import HOST
from tests.policy.servers import Front, InLab, Process, Server
from tests.servers import recipes
from tests.servers.sites import Site
from tlswire.lab.characters import EXTENDED_MASTER_SECRET, TLS12, TLS13, character
from tlswire.registry import SUITES

if TYPE_CHECKING:
    from collections.abc import Mapping

# given: the root is the user's own (--anchor); public: it is one of the public ones; none: nobody knows it.
Anchors = Literal["given", "public", "none"]


@dataclass(frozen=True)
class Row:
    """One server; see the module's text."""

    name: str
    server: Server
    chains: tuple[str, ...]
    host: str
    anchors: Anchors
    fails: frozenset[str]
    warns: frozenset[str]
    unknown: frozenset[str]

    @property
    def verdict(self) -> str:
        """Of the whole: the contract of tlswire.verdict/1. Of the rules that may be unknown only this one must be kept."""
        if self.fails:
            return "fail"
        if "chain-trusted" in self.unknown:
            return "unknown"
        return "warn" if self.warns else "pass"


def row(
    name: str,
    server: Server,
    *chains: str,
    host: str = HOST,
    anchors: Anchors = "given",
    fails: str = "",
    warns: str = "",
    unknown: str = "",
) -> Row:
    broken = (frozenset(words.split()) for words in (fails, warns, unknown))
    return Row(name, server, chains, host, anchors, *broken)


def nginx(**site: object) -> Front:
    return Front("nginx", Site(**site))  # type: ignore[arg-type]  # of Site's fields


def apache(**site: object) -> Front:
    return Front("apache", Site(**site))  # type: ignore[arg-type]  # as above


def haproxy(**site: object) -> Front:
    return Front("haproxy", Site(**site))  # type: ignore[arg-type]  # as above


def nodes(*chains: str, **site: object) -> Front:
    """Two nodes: a sound one, and one with these chains and this site."""
    return Front("nginx", Site(), (Site(**site), chains))  # type: ignore[arg-type]  # as above


def gnutls(priority: str) -> Process:
    return Process("gnutls", lambda leaves: recipes.gnutls(priority, certs=leaves))


def s_server(*options: str) -> Process:
    return Process("openssl-d", lambda leaves: recipes.openssl_s_server(*options, certs=leaves))


def jsse(**properties: str) -> Process:
    told = {f"jdk.tls.{name.replace('_', '.')}": value for name, value in properties.items()}
    return Process("jsse", lambda leaves: recipes.jsse(told, leaves))


def tlslite(**settings: object) -> Process:
    return Process("tlslite-ng", lambda leaves: recipes.tlslite_ng(settings, leaves))


def lab(suites: Mapping[int, str], *, ems: bool = True) -> InLab:
    codes = {version: tuple(SUITES.find(name).code for name in names.split()) for version, names in suites.items()}
    plain = character("plain")
    answers = {*plain.answers, EXTENDED_MASTER_SECRET} if ems else {*plain.answers} - {EXTENDED_MASTER_SECRET}
    return InLab(
        msgspec.structs.replace(plain, name="row", suites=codes, certificates=("rsa",), answers=tuple(sorted(answers)))
    )


ONLY_10, ONLY_11, ONLY_12, ONLY_13 = ((f"TLSv1{minor}",) for minor in ("", ".1", ".2", ".3"))
OLD_AND_NEW = ("TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3")
# What OpenSSL, GnuTLS and Java call things.
CBC, CBC_SHA1 = "ECDHE+AES+SHA256:ECDHE+AES+SHA384", "ECDHE+AES+SHA1"
GNUTLS_GCM = "+ECDHE-RSA:+ECDHE-ECDSA:+AES-256-GCM:+AES-128-GCM:+AEAD:+SIGN-ALL:+GROUP-ALL"
GNUTLS_12, GNUTLS_13 = f"NONE:+VERS-TLS1.2:{GNUTLS_GCM}", f"NONE:+VERS-TLS1.3:{GNUTLS_GCM}"
GNUTLS_RSA = "NONE:+VERS-TLS1.2:{}:+AEAD:+SHA1:+SHA256:+SIGN-ALL:+GROUP-ALL"
JSSE_GCM = ",".join(
    f"TLS_{start}_WITH_AES_{rest}"
    for start in ("ECDHE_ECDSA", "ECDHE_RSA")
    for rest in ("256_GCM_SHA384", "128_GCM_SHA256")
)
JSSE_13 = "TLS_AES_256_GCM_SHA384,TLS_AES_128_GCM_SHA256"
TLSLITE = {
    "minVersion": [3, 3],
    "cipherNames": ["aes256gcm", "aes128gcm"],
    "keyExchangeNames": ["ecdhe_rsa"],
    "alpn": ["http/1.1"],
}
LAB_12 = "ECDHE-RSA-AES128-GCM-SHA256 ECDHE-RSA-AES256-GCM-SHA384"
LAB_13 = "TLS_AES_128_GCM_SHA256 TLS_AES_256_GCM_SHA384"


class Told(TypedDict):
    fails: str
    warns: str


# What a server of TLS 1.2 alone with none but wrong suites is told, and one without TLS 1.2.
WRONG_SUITES = Told(fails="suite-fcp", warns="version-tls13 suite-extra")
TOO_OLD = Told(fails="version-tls12", warns="version-tls13 version-old")

VERSIONS_AND_SUITES = (
    row("nginx as it should be", nginx(), "sound"),
    row("nginx as it should be, RSA", nginx(), "rsa"),
    row("nginx with two certificates", nginx(), "rsa", "sound"),
    row("apache as it should be", apache(), "sound"),
    row("apache with two certificates", apache(), "rsa", "p384"),
    row("haproxy as it should be", haproxy(), "sound"),
    row("haproxy with two certificates", haproxy(), "rsa", "sound"),
    row("nginx, TLS 1.3 only", nginx(versions=ONLY_13), "sound"),
    row("haproxy, TLS 1.3 only", haproxy(versions=ONLY_13), "rsa"),
    row("nginx, TLS 1.3 only, AES-128", nginx(versions=ONLY_13, tls13="TLS_AES_128_GCM_SHA256"), "sound"),
    row("apache, TLS 1.3 only, AES-256", apache(versions=ONLY_13, tls13="TLS_AES_256_GCM_SHA384"), "sound"),
    row("nginx, TLS 1.3 only, ChaCha20", nginx(versions=ONLY_13, tls13="TLS_CHACHA20_POLY1305_SHA256"), "sound"),
    row(
        "nginx, TLS 1.3 only, CCM", nginx(versions=ONLY_13, tls13="TLS_AES_128_CCM_SHA256"), "sound", fails="suite-fcp"
    ),
    row("nginx, TLS 1.2 only", nginx(versions=ONLY_12), "sound", warns="version-tls13"),
    row("apache, TLS 1.2 only, RSA", apache(versions=ONLY_12), "rsa", warns="version-tls13"),
    row("haproxy, TLS 1.2 only", haproxy(versions=ONLY_12), "sound", warns="version-tls13"),
    row(
        "nginx, TLS 1.2 only, AES-128",
        nginx(versions=ONLY_12, ciphers="ECDHE-RSA-AES128-GCM-SHA256"),
        "rsa",
        warns="version-tls13",
    ),
    row(
        "haproxy, TLS 1.2 only, AES-256",
        haproxy(versions=ONLY_12, ciphers="ECDHE-ECDSA-AES256-GCM-SHA384"),
        "sound",
        warns="version-tls13",
    ),
    row("nginx, ChaCha20 only, RSA", nginx(versions=ONLY_12, ciphers="ECDHE+CHACHA20"), "rsa", **WRONG_SUITES),
    row("haproxy, ChaCha20 only", haproxy(versions=ONLY_12, ciphers="ECDHE+CHACHA20"), "sound", **WRONG_SUITES),
    row("nginx, CBC only", nginx(versions=ONLY_12, ciphers=CBC), "rsa", **WRONG_SUITES),
    row("apache, CBC with SHA-1 only", apache(versions=ONLY_12, ciphers=CBC_SHA1), "rsa", **WRONG_SUITES),
    row("haproxy, CBC only", haproxy(versions=ONLY_12, ciphers=f"{CBC}:{CBC_SHA1}"), "sound", **WRONG_SUITES),
    row("nginx, DHE only", nginx(versions=ONLY_12, ciphers="DHE+AESGCM"), "rsa", **WRONG_SUITES),
    row("apache, DHE with CBC only", apache(versions=ONLY_12, ciphers="DHE+AES+SHA256"), "rsa", **WRONG_SUITES),
    row("haproxy, DHE only", haproxy(versions=ONLY_12, ciphers="DHE+AESGCM"), "rsa", **WRONG_SUITES),
    row("nginx, static RSA only", nginx(versions=ONLY_12, ciphers="kRSA+AESGCM"), "rsa", **WRONG_SUITES),
    row("apache, static RSA only", apache(versions=ONLY_12, ciphers="kRSA+AES"), "rsa", **WRONG_SUITES),
    row("nginx, CCM only", nginx(versions=ONLY_12, ciphers="ECDHE+AESCCM"), "sound", **WRONG_SUITES),
    row("nginx, TLS 1.0 only", nginx(versions=ONLY_10, ciphers="ALL"), "rsa", **TOO_OLD),
    row("apache, TLS 1.1 only", apache(versions=ONLY_11, ciphers="ALL"), "rsa", **TOO_OLD),
    row("haproxy, TLS 1.0 and 1.1", haproxy(versions=("TLSv1", "TLSv1.1"), ciphers="ALL"), "rsa", **TOO_OLD),
    row("nginx with everything", nginx(versions=OLD_AND_NEW, ciphers="ALL"), "rsa", warns="version-old suite-extra"),
    row(
        "haproxy with everything", haproxy(versions=OLD_AND_NEW, ciphers="ALL"), "rsa", warns="version-old suite-extra"
    ),
    row("apache, all suites", apache(ciphers="ALL"), "rsa", warns="suite-extra"),
    row(
        "nginx, TLS 1.0 to 1.2",
        nginx(versions=OLD_AND_NEW[:3], ciphers=f"ECDHE+AESGCM:{CBC_SHA1}"),
        "rsa",
        warns="version-tls13 version-old suite-extra",
    ),
    row("nginx, TLS 1.2 with CBC only beside TLS 1.3", nginx(ciphers=CBC), "rsa", warns="suite-forced suite-extra"),
    row(
        "haproxy, TLS 1.2 with DHE only beside TLS 1.3", haproxy(ciphers="DHE"), "rsa", warns="suite-forced suite-extra"
    ),
    row("nginx, TLS 1.3 with CCM beside TLS 1.2", nginx(tls13="TLS_AES_128_CCM_SHA256"), "rsa", fails="suite-fcp"),
)

KEY_EXCHANGES = (
    row("nginx, P-256", nginx(groups="P-256"), "rsa"),
    row("apache, P-384", apache(groups="P-384"), "rsa"),
    row("haproxy, P-521", haproxy(groups="P-521"), "rsa"),
    row("nginx, X25519", nginx(groups="X25519"), "rsa"),
    row("nginx, X448", nginx(groups="X448"), "rsa", fails="group-offered"),
    row("haproxy, X448, TLS 1.3 only", haproxy(groups="X448", versions=ONLY_13), "sound", fails="group-offered"),
    row("nginx, ffdhe2048, TLS 1.3 only", nginx(groups="ffdhe2048", versions=ONLY_13), "rsa", fails="group-offered"),
    row(
        "apache, brainpool, TLS 1.2 only",
        apache(groups="brainpoolP384r1", versions=ONLY_12),
        "rsa",
        fails="group-offered",
        warns="version-tls13",
    ),
    row(
        "nginx without extended master secret",
        nginx(versions=ONLY_12, ems=False),
        "sound",
        fails="ems-tls12",
        warns="version-tls13",
    ),
    row(
        "apache without extended master secret",
        apache(versions=ONLY_12, ems=False),
        "rsa",
        fails="ems-tls12",
        warns="version-tls13",
    ),
    row("nginx without extended master secret beside TLS 1.3", nginx(ems=False), "sound", warns="ems-forced"),
    row(
        "nginx without extended master secret and GCM",
        nginx(versions=ONLY_12, ems=False, ciphers=CBC),
        "rsa",
        fails="ems-tls12 suite-fcp",
        warns="version-tls13 suite-extra",
    ),
    row(
        "nginx that signs with SHA-1",
        nginx(versions=ONLY_12, schemes="RSA+SHA1"),
        "rsa",
        fails="signature-algorithm-handshake",
        warns="version-tls13",
    ),
    row(
        "nginx that signs with SHA-224",
        nginx(versions=ONLY_12, schemes="RSA+SHA224"),
        "rsa",
        fails="signature-algorithm-handshake",
        warns="version-tls13",
    ),
    row("nginx that signs with SHA-512", nginx(versions=ONLY_12, schemes="RSA+SHA512"), "rsa", warns="version-tls13"),
)

OTHER_STACKS = (
    row("gnutls as it should be", gnutls(f"{GNUTLS_12}:+VERS-TLS1.3"), "sound"),
    row("gnutls, TLS 1.3 only", gnutls(GNUTLS_13), "rsa"),
    row("gnutls, TLS 1.2 only", gnutls(GNUTLS_12), "rsa", warns="version-tls13"),
    row(
        "gnutls without extended master secret",
        gnutls(f"{GNUTLS_12}:%NO_SESSION_HASH"),
        "sound",
        fails="ems-tls12",
        warns="version-tls13",
    ),
    row("gnutls, 3DES only", gnutls(GNUTLS_RSA.format("+ECDHE-RSA:+3DES-CBC")), "rsa", **WRONG_SUITES),
    row("gnutls, static RSA only", gnutls(GNUTLS_RSA.format("+RSA:+AES-128-GCM")), "rsa", **WRONG_SUITES),
    row(
        "gnutls, TLS 1.0 only",
        gnutls("NONE:+VERS-TLS1.0:+RSA:+ECDHE-RSA:+AES-128-CBC:+SHA1:+SIGN-ALL:+GROUP-ALL"),
        "rsa",
        **TOO_OLD,
    ),
    row(
        "jsse as it should be",
        jsse(server_protocols="TLSv1.3,TLSv1.2", server_cipherSuites=f"{JSSE_13},{JSSE_GCM}"),
        "sound",
    ),
    row(
        "jsse without extended master secret",
        jsse(server_protocols="TLSv1.2", server_cipherSuites=JSSE_GCM, useExtendedMasterSecret="false"),
        "rsa",
        fails="ems-tls12",
        warns="version-tls13",
    ),
    row(
        "jsse, CBC only",
        jsse(server_protocols="TLSv1.2", server_cipherSuites="TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256"),
        "rsa",
        **WRONG_SUITES,
    ),
    row("tlslite-ng as it should be", tlslite(**TLSLITE), "rsa"),
    # It has no ALPN, and its TLS 1.3 breaks off where a client offers some.
    row("tlslite-ng that dies of ALPN", tlslite(**{**TLSLITE, "alpn": []}), "rsa", fails="tolerance-client-hello"),
    row(
        "tlslite-ng without extended master secret",
        tlslite(**TLSLITE, maxVersion=[3, 3], useExtendedMasterSecret=False),
        "rsa",
        fails="ems-tls12",
        warns="version-tls13",
    ),
    row(
        "tlslite-ng without extended master secret beside TLS 1.3",
        tlslite(**TLSLITE, useExtendedMasterSecret=False),
        "rsa",
        warns="ems-forced",
    ),
    row(
        "tlslite-ng that signs with SHA-1",
        tlslite(**TLSLITE, maxVersion=[3, 3], rsaSigHashes=["sha1"], rsaSchemes=["pkcs1"]),
        "rsa",
        fails="signature-algorithm-handshake",
        warns="version-tls13",
    ),
    row("openssl as it should be", s_server("-cipher", "ECDHE+AESGCM"), "sound"),
    row("openssl, TLS 1.3 only", s_server("-tls1_3"), "p384"),
    row("openssl, static RSA only", s_server("-tls1_2", "-cipher", "kRSA"), "rsa", **WRONG_SUITES),
    # The lab's certificate signs itself and says nothing of purposes. As the anchor itself it may last as long as it likes.
    row("the lab as it should be", lab({TLS12: LAB_12, TLS13: LAB_13}), host="lab.example", warns="eku-private"),
    row(
        "the lab without extended master secret",
        lab({TLS12: LAB_12}, ems=False),
        host="lab.example",
        fails="ems-tls12",
        warns="version-tls13 eku-private",
    ),
)

NO_SCHEME = "signature-algorithm-handshake"
NOT_SIGNED_SO = "signature-algorithm-certificate"
# Told of TLS 1.2 once more.
AND_FORCED = "signature-algorithm-forced"

KEYS_AND_SIGNATURES = (
    row("nginx, key of RSA 1024", nginx(), "rsa-1024", fails="key-size-leaf"),
    row("apache, key of RSA 2047", apache(), "rsa-2047", fails="key-size-leaf"),
    row("haproxy, key of RSA 1024", haproxy(), "rsa-1024", fails="key-size-leaf"),
    row("nginx, key of P-384", nginx(), "p384"),
    row("nginx, key of P-521", nginx(), "p521", fails=NO_SCHEME),
    row("nginx, key of P-521, TLS 1.2 only", nginx(versions=ONLY_12), "p521", warns="version-tls13"),
    row("openssl, key of P-521, TLS 1.3 only", s_server("-tls1_3"), "p521", fails=NO_SCHEME),
    row("nginx, key of Ed25519", nginx(), "ed25519", fails=NO_SCHEME),
    # The suites it prefers are not what is wrong with it.
    row(
        "haproxy, key of Ed25519, ChaCha20 preferred",
        haproxy(versions=ONLY_12, ciphers="ECDHE+CHACHA20:ECDHE+AESGCM"),
        "ed25519",
        fails=NO_SCHEME,
        warns="version-tls13 suite-extra",
    ),
    row("openssl, key of Ed448", s_server("-cipher", "ECDHE+AESGCM"), "ed448", fails=NO_SCHEME),
    row("nginx, keys of Ed25519 throughout", nginx(), "ed25519-throughout", fails=f"{NO_SCHEME} {NOT_SIGNED_SO}"),
    row("nginx, keys of Ed25519 and P-256", nginx(), "ed25519", "sound"),
    row("apache, key for RSASSA-PSS alone", apache(), "pss-key", fails=NO_SCHEME),
    row("nginx, CA of RSA 1024", nginx(), "below-rsa-1024", fails="key-size-issuer"),
    row("nginx, CA of RSA 2047", nginx(), "below-rsa-2047", fails="key-size-issuer"),
    row("nginx, CA of RSA 2048", nginx(), "below-rsa-2048"),
    row(
        "nginx, CA of P-224, TLS 1.2 only",
        nginx(versions=ONLY_12),
        "below-p224",
        fails="key-size-issuer",
        warns="version-tls13",
    ),
    row("nginx, signed with RSA and SHA-384", nginx(), "rsa-sha384"),
    row("nginx, signed with RSA and SHA-512", nginx(), "rsa-sha512"),
    row("nginx, signed with RSA-PSS", nginx(), "rsa-pss"),
    row("nginx, signed with a key for RSASSA-PSS alone", nginx(), "by-pss-key", fails=NOT_SIGNED_SO, warns=AND_FORCED),
    row("nginx, signed with ECDSA and SHA-384", nginx(), "ecdsa-sha384"),
    row("nginx, signed with ECDSA and SHA-512", nginx(), "ecdsa-sha512", fails=NOT_SIGNED_SO, warns=AND_FORCED),
    row("haproxy, signed with P-521 and SHA-512", haproxy(), "p521-sha512", fails=NOT_SIGNED_SO, warns=AND_FORCED),
    row("nginx, signed with Ed25519", nginx(), "by-ed25519", fails=NOT_SIGNED_SO, warns=AND_FORCED),
    row("nginx, signed with RSA and SHA-1", nginx(), "rsa-sha1", fails=f"hash-leaf {NOT_SIGNED_SO}", warns=AND_FORCED),
    row(
        "apache, signed with ECDSA and SHA-1",
        apache(),
        "ecdsa-sha1",
        fails=f"hash-leaf {NOT_SIGNED_SO}",
        warns=AND_FORCED,
    ),
    row("nginx, signed with MD5", nginx(), "rsa-md5", fails=f"hash-leaf {NOT_SIGNED_SO}", warns=AND_FORCED),
    row("nginx, CA signed with SHA-1", nginx(), "middle-sha1", fails="hash-issuer"),
    row("nginx, root signed with SHA-1", nginx(), "root-sha1"),
)

CERTIFICATES = (
    row("nginx, expired", nginx(), "expired", fails="validity-now"),
    row("haproxy, expired", haproxy(), "expired", fails="validity-now"),
    row("nginx, not yet valid", nginx(), "not-yet", fails="validity-now"),
    row("nginx, CA expired", nginx(), "middle-expired", fails="validity-now"),
    row("nginx, CA not yet valid", nginx(), "middle-not-yet", fails="validity-now"),
    row("nginx, of a public CA", nginx(), "sound", anchors="public"),
    row("nginx, public, 200 days", nginx(), "200-days", anchors="public"),
    row("nginx, public, 398 days", nginx(), "398-days", anchors="public", warns="validity-200"),
    row(
        "nginx, public, 398 days and a second",
        nginx(),
        "398-days-and-a-second",
        anchors="public",
        fails="validity-398",
        warns="validity-200",
    ),
    row("apache, public, 399 days", apache(), "399-days", anchors="public", fails="validity-398", warns="validity-200"),
    row("nginx, private, 399 days", nginx(), "399-days"),
    row("nginx, private, 825 days", nginx(), "825-days"),
    # Apple's code grants an hour.
    row("nginx, private, 825 days and half an hour", nginx(), "825-days-and-half-an-hour"),
    row("nginx, private, 825 days and two hours", nginx(), "825-days-and-two-hours", fails="validity-825"),
    row("apache, private, 826 days", apache(), "826-days", fails="validity-825"),
    row("nginx, private, ten years of June 2019", nginx(), "ten-years-of-june-2019"),
    row("nginx, private, ten years of July 2019", nginx(), "ten-years-of-july-2019", fails="validity-825"),
    # Before the 398 days of September 2020 public CAs had 825, too (KB 103769).
    row(
        "nginx, public, seven years of August 2020",
        nginx(),
        "seven-years-of-august-2020",
        anchors="public",
        fails="validity-825",
    ),
    row("nginx, public without SCTs", nginx(), "no-scts", anchors="public", warns="chain-scts"),
    row("nginx, public with one SCT", nginx(), "one-sct", anchors="public", warns="chain-scts"),
    row("nginx, public, 200 days with two SCTs", nginx(), "two-scts-200-days", anchors="public", warns="chain-scts"),
    row("nginx, private without SCTs", nginx(), "no-scts"),
    row("nginx without alternative names", nginx(), "no-san", fails="name-matches"),
    row("apache, its name as the common name only", apache(), "common-name-only", fails="name-matches"),
    row("nginx, another name", nginx(), "wrong-name", fails="name-matches"),
    row("nginx, many names", nginx(), "many-names"),
    row("nginx, name in capitals", nginx(), "upper-case"),
    row("nginx, wildcard", nginx(), "wildcard"),
    row("haproxy, wildcard for its parent", haproxy(), "wildcard", host="corp.example", fails="name-matches"),
    row("nginx, wildcard for two labels", nginx(), "wildcard", host="a.mdm.corp.example", fails="name-matches"),
    row("nginx, wildcard in part of a label", nginx(), "wildcard-in-part", fails="name-matches"),
    row("nginx, wildcard inside", nginx(), "wildcard-inside", fails="name-matches"),
    row("nginx, wildcard alone", nginx(), "wildcard-alone", host="localhost", fails="name-matches"),
    row("nginx, international name", nginx(), "idn", host="bücher.example"),
    row("nginx, address", nginx(), "address", host="127.0.0.1"),
    row("nginx, address as a name", nginx(), "address-as-name", host="127.0.0.1", fails="name-matches"),
    row("nginx, public without purposes", nginx(), "no-eku", anchors="public", fails="eku-server-auth"),
    row("nginx, public, purpose of a client", nginx(), "eku-of-a-client", anchors="public", fails="eku-server-auth"),
    row("nginx, public, any purpose", nginx(), "eku-of-anything", anchors="public", fails="eku-server-auth"),
    row("nginx, public, both purposes", nginx(), "eku-of-both", anchors="public"),
    row("nginx, private without purposes", nginx(), "no-eku", warns="eku-private"),
    row("nginx, private, purpose of a client", nginx(), "eku-of-a-client", fails="eku-server-auth"),
    row("nginx, private, any purpose", nginx(), "eku-of-anything", warns="eku-private"),
)

CHAINS = (
    row("nginx, intermediate missing", nginx(), "leaf-only", fails="chain-trusted", warns="chain-complete"),
    row("apache, intermediate missing", apache(), "leaf-only", fails="chain-trusted", warns="chain-complete"),
    row("haproxy, intermediate missing", haproxy(), "leaf-only", fails="chain-trusted", warns="chain-complete"),
    row(
        "nginx, intermediate missing that a client may fetch",
        nginx(),
        "leaf-only-with-a-hint",
        warns="chain-complete",
        unknown="chain-trusted",
    ),
    row(
        "nginx, one of two intermediates missing",
        nginx(),
        "two-deep-upper-missing",
        fails="chain-trusted",
        warns="chain-complete",
    ),
    row("nginx, two intermediates", nginx(), "two-deep"),
    row("nginx, two intermediates in disorder", nginx(), "two-deep-in-disorder"),
    row("nginx, an intermediate too many below a CA", nginx(), "too-deep", fails="chain-trusted"),
    row("nginx, root sent", nginx(), "root-sent"),
    row("nginx, intermediate twice", nginx(), "middle-twice"),
    row("nginx, a certificate too many", nginx(), "one-too-many"),
    row("nginx, crossed", nginx(), "crossed"),
    row("nginx, crossed with an expired one", nginx(), "crossed-expired"),
    row("apache, new root for who knows the old one", apache(), "bridged-to-old", anchors="public"),
    row("nginx, new root for who knows it", nginx(), "bridged-to-new"),
    row("nginx, a root nobody knows", nginx(), "stranger", fails="chain-trusted"),
    row(
        "nginx, private CA, no anchor given", nginx(), "private", anchors="none", unknown="chain-trusted chain-complete"
    ),
    row(
        "nginx, private CA with its root, no anchor given",
        nginx(),
        "root-sent",
        anchors="none",
        unknown="chain-trusted",
    ),
    row("nginx, signed by itself", nginx(), "self-signed", fails="chain-trusted"),
    row("nginx, signed by itself, no anchor given", nginx(), "self-signed", anchors="none", unknown="chain-trusted"),
    row("nginx, signature spoilt", nginx(), "signature-spoilt", fails="chain-trusted"),
    row("nginx, issued by what is no CA", nginx(), "issuer-is-no-ca", fails="chain-trusted"),
    row("nginx, name not permitted", nginx(), "not-permitted", fails="chain-trusted"),
    row("nginx, critical and unknown", nginx(), "critical-and-unknown", fails="chain-trusted"),
)

PLAIN, SECURE = "http://www.corp.example/", "https://www.corp.example/"

HTTP_AND_NODES = (
    row("nginx, http only", nginx(), fails="plaintext-http"),
    row("apache, http only", apache(), fails="plaintext-http"),
    row("haproxy, http only", haproxy(), fails="plaintext-http"),
    row("nginx to http", nginx(redirect=PLAIN), "sound", fails="plaintext-redirect"),
    row("apache to http", apache(redirect=PLAIN), "sound", fails="plaintext-redirect"),
    row("haproxy to http", haproxy(redirect=PLAIN), "sound", fails="plaintext-redirect"),
    row("nginx to https", nginx(redirect=SECURE), "sound"),
    row("haproxy to https", haproxy(redirect=SECURE), "sound"),
    row("nginx to a path", nginx(redirect="/enroll"), "sound"),
    row("two nodes alike", nodes("sound"), "sound"),
    row("two nodes, one without TLS 1.3", nodes("sound", versions=ONLY_12), "sound", warns="nodes-agree version-tls13"),
    row(
        "two nodes, one with CBC only",
        nodes("sound", versions=ONLY_12, ciphers=f"{CBC}:{CBC_SHA1}"),
        "sound",
        fails="suite-fcp",
        warns="nodes-agree version-tls13 suite-extra",
    ),
    row(
        "two nodes, one of TLS 1.0",
        nodes("rsa", versions=ONLY_10, ciphers="ALL"),
        "rsa",
        fails="version-tls12",
        warns="nodes-agree version-tls13 version-old",
    ),
    row(
        "two nodes, one without extended master secret",
        nodes("sound", versions=ONLY_12, ems=False),
        "sound",
        fails="ems-tls12",
        warns="nodes-agree version-tls13",
    ),
    row("two nodes, one of http only", nodes(), "sound", fails="plaintext-http", warns="nodes-agree"),
    row("two nodes, one expired", nodes("expired"), "sound", fails="validity-now", warns="nodes-agree"),
    row("two nodes, one with another name", nodes("wrong-name"), "sound", fails="name-matches", warns="nodes-agree"),
)

ROWS = (
    *VERSIONS_AND_SUITES,
    *KEY_EXCHANGES,
    *OTHER_STACKS,
    *KEYS_AND_SIGNATURES,
    *CERTIFICATES,
    *CHAINS,
    *HTTP_AND_NODES,
)
