"""The stacks that the fuzzer is proved on and surveyed with: one row an implementation and version of TLS, with what
answers in front of it. The rows of catalogue.py where it has them, and more for the survey alone.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version as distribution
from pathlib import Path

from . import recipes
from .catalogue import BY_NAME, Row, exe, file, module

Version = Callable[[], str]


def package(name: str) -> Version:
    """The upstream version of a Debian package."""

    def version() -> str:
        argv = ("dpkg-query", "--show", "--showformat=${Version}\n", name)
        shown = subprocess.run(argv, capture_output=True, text=True, check=True).stdout.split()[0]
        return re.split(r"[-+~]", shown.partition(":")[2] or shown)[0]

    return version


def printed(*argv: str, pattern: str = r"(\d+(?:\.\d+)+)") -> Version:
    """The version that a program says it has."""

    def version() -> str:
        done = subprocess.run(argv, capture_output=True, text=True, check=True)
        found = re.search(pattern, done.stdout + done.stderr)
        return found[1] if found else "?"

    return version


def wheel(name: str) -> Version:
    """The version of a Python distribution."""
    return lambda: distribution(name)


def openssl_of_python() -> str:
    import ssl  # noqa: PLC0415 - one row needs it

    return ssl.OPENSSL_VERSION.split()[1]


def openssl_of_wheel() -> str:
    from OpenSSL import SSL  # noqa: PLC0415 - the table is read where pyOpenSSL is missing, too

    return SSL.OpenSSL_version(SSL.OPENSSL_VERSION).decode().split()[1]


def rustls() -> str:
    """What the module was built of stands in the paths of its sources."""
    import granian  # noqa: PLC0415 - as above

    (library,) = Path(granian.__file__).parent.glob("_granian*.so")
    found = re.search(rb"rustls-(\d+\.\d+\.\d+)/", library.read_bytes())
    return found[1].decode() if found else "?"


OPENSSL = printed("openssl", "version")
GNUTLS = package("libgnutls30")
NSS = package("libnss3")
GO119 = printed(shutil.which("go") or "go", "version", pattern=r"go(\d[\d.]*)")


@dataclass(frozen=True, slots=True)
class Stack:
    """`row` is how it runs; `front` what answers, with its version; `implementation` and `version` are of its TLS."""

    row: Row
    front: str
    implementation: str
    version: Version
    front_version: Version | None = None

    @property
    def name(self) -> str:
        return self.row.name

    def told(self) -> str:
        """What answers, with its version."""
        return f"{self.front} {self.front_version()}" if self.front_version else self.front


# Rows of their own: as their packages have them, where catalogue.py has the most that they can.
PLAIN = (
    Row("openssl", "openssl s_server (OpenSSL)", "apt:openssl", (exe("openssl"),), recipes.openssl_s_server()),
    Row("gnutls-normal", "gnutls-serv (GnuTLS)", "apt:gnutls-bin", (exe("gnutls-serv"),), recipes.gnutls("NORMAL")),
    Row("stunnel", "stunnel (OpenSSL)", "apt:stunnel4", (exe("stunnel4"),), recipes.stunnel()),
    Row(
        "bcjsse",
        "Bouncy Castle JSSE",
        "apt:libbctls-java",
        (exe("javac"), exe("java"), file("/usr/share/java/bctls.jar")),
        recipes.bcjsse(),
    ),
    Row(
        "jsse-steady",
        "Java 17 JSSE, nothing disabled",
        "apt:openjdk-17-jdk-headless",
        (exe("javac"), exe("java")),
        recipes.jsse(tiers=()),
    ),
    # Without ALPN its TLS 1.3 dies of the protocols that a hello offers.
    Row(
        "tlslite-alpn", "tlslite-ng", "pip:tlslite-ng", (module("tlslite"),), recipes.tlslite_ng({"alpn": ["http/1.1"]})
    ),
)
_PLAIN = {row.name: row for row in PLAIN}


def stack(name: str, front: str, implementation: str, version: Version, front_version: Version | None = None) -> Stack:
    return Stack(_PLAIN.get(name) or BY_NAME[name], front, implementation, version, front_version)


STACKS: tuple[Stack, ...] = (
    stack("openssl", "openssl s_server", "OpenSSL", OPENSSL),
    stack("openssl-d", "openssl s_server, all suites", "OpenSSL", OPENSSL),
    stack("nginx-b", "nginx", "OpenSSL", OPENSSL, package("nginx")),
    stack("nginx-a", "nginx, all versions and suites", "OpenSSL", OPENSSL, package("nginx")),
    stack("apache", "Apache httpd", "OpenSSL", OPENSSL, package("apache2-bin")),
    stack("haproxy", "HAProxy", "OpenSSL", OPENSSL, package("haproxy")),
    stack("stunnel", "stunnel", "OpenSSL", OPENSSL, package("stunnel4")),
    stack("lighttpd-openssl", "lighttpd", "OpenSSL", OPENSSL, package("lighttpd")),
    stack("python-ssl", "Python ssl", "OpenSSL", openssl_of_python),
    stack("node", "node", "OpenSSL", printed("node", "-p", "process.versions.openssl"), printed("node", "--version")),
    stack("pyopenssl", "pyOpenSSL", "OpenSSL", openssl_of_wheel, wheel("pyOpenSSL")),
    stack("gnutls-normal", "gnutls-serv", "GnuTLS", GNUTLS),
    stack("gnutls", "gnutls-serv, legacy priority", "GnuTLS", GNUTLS),
    stack("lighttpd-gnutls", "lighttpd", "GnuTLS", GNUTLS, package("lighttpd")),
    stack("lighttpd-nss", "lighttpd", "NSS", NSS, package("lighttpd")),
    stack("selfserv", "selfserv", "NSS", NSS),
    stack("lighttpd-wolfssl", "lighttpd", "wolfSSL", package("libwolfssl35"), package("lighttpd")),
    stack("lighttpd-mbedtls", "lighttpd", "mbed TLS", package("libmbedtls14"), package("lighttpd")),
    stack("botan", "botan tls_server", "Botan", package("libbotan-2-19")),
    stack("go", "crypto/tls", "Go", GO119),
    stack("go-ech", "crypto/tls with ECH", "Go", printed(str(recipes.GO), "version", pattern=r"go(\d[\d.]*)")),
    stack("jsse-steady", "JSSE, nothing disabled", "OpenJDK", package("openjdk-17-jdk-headless")),
    stack("bcjsse", "JSSE", "Bouncy Castle", package("libbctls-java")),
    stack("erlang", "ssl", "Erlang/OTP", package("erlang-ssl")),
    stack("tlslite-alpn", "tlslite-ng", "tlslite-ng", wheel("tlslite-ng")),
    stack("granian", "granian", "rustls", rustls, wheel("granian")),
)
BY_STACK = {one.name: one for one in STACKS}
