"""Recordings of other stacks' clients, and of pairs that only one stack can make (ECH, ML-KEM, SSLv3, DTLS 1.3).

The facts are what the other side, Python's ``ssl``, negotiated, or what the stack's own server was told to be.
"""

from __future__ import annotations

import base64
import contextlib
import ctypes
import ssl
import struct
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from captures.observer import Observer
from captures.openssl import PORT
from captures.record import HOST, Bench, Facts, MissingError, Scenario, process, run

if TYPE_CHECKING:
    from collections.abc import Callable

SOURCES = Path(__file__).with_name("sources")


def _client(
    name: str,
    shows: str,
    start: Callable[[Bench, str], object],
    *,
    rsa: bool = False,
    alpn: tuple[str, ...] = (),
    settings: dict[str, Any] | None = None,
    **more: object,
) -> Scenario:
    """A stack's client at our observing server."""

    def go(bench: Bench) -> list[Facts]:
        with Observer(bench.minted.rsa if rsa else bench.minted.ec, alpn=alpn, **(settings or {})) as peer:
            told = start(bench, f"{name}.example")
            time.sleep(0.2)
        if not peer.facts:
            raise RuntimeError(told)
        return [facts | more for facts in peer.facts]

    return Scenario(name, shows, go)


def _gnutls(*options: str) -> Callable[[Bench, str], object]:
    def start(_: Bench, name: str) -> object:
        return run(
            ["gnutls-cli", "--insecure", "--sni-hostname", name, "-p", str(PORT), *options, HOST],
            stdin=b"hello\n",
            wait=b"ok\n",
        )

    return start


def _nss(*options: str) -> Callable[[Bench, str], object]:
    def start(_: Bench, name: str) -> object:
        return run(["tstclnt", "-h", HOST, "-a", name, "-p", str(PORT), "-D", "-o", "-Q", *options], timeout=5)

    return start


def _curl(_: Bench, name: str) -> object:
    return run(["curl", "-sSk", "--resolve", f"{name}:{PORT}:{HOST}", f"https://{name}:{PORT}/"])


def _botan(bench: Bench, _: str) -> object:
    trusted = f"--trusted-cas={bench.minted.root}"
    return run(
        ["botan", "tls_client", "localhost", f"--port={PORT}", "--skip-system-cert-store", trusted],
        stdin=b"hello\n",
        wait=b"ok\n",
        timeout=4,
    )


def _boringssl(browser: str) -> Callable[[Bench, str], object]:
    def start(bench: Bench, name: str) -> object:
        return run([bench.python, str(SOURCES / "boringssl.py"), str(PORT), name, browser])

    return start


def _java(*protocols: str) -> Callable[[Bench, str], object]:
    def start(_: Bench, name: str) -> object:
        return run(["java", str(SOURCES / "Client.java"), str(PORT), name, *protocols], timeout=40)

    return start


def _go(bench: Bench, name: str) -> object:
    settings = {"GO111MODULE": "off", "GOCACHE": str(bench.folder / "go"), "HOME": str(bench.folder)}
    return run(["go", "run", str(SOURCES / "client.go"), str(PORT), name], env=settings, timeout=120)


def _erlang(_: Bench, name: str) -> object:
    return run(["escript", str(SOURCES / "client.escript"), str(PORT), name], timeout=20)


def _mbedtls(bench: Bench, name: str) -> object:
    program = bench.folder / "mbedtls"
    libraries = ["-lmbedtls", "-lmbedx509", "-lmbedcrypto"]
    told = run(["gcc", "-o", str(program), str(SOURCES / "mbedtls.c"), *libraries], timeout=60)
    return told or run([str(program), str(PORT), name])


def _wolfssl(method: str) -> Callable[[Bench, str], object]:
    def start(_: Bench, name: str) -> object:
        import socket  # noqa: PLC0415

        try:
            library = ctypes.CDLL("libwolfssl.so.35")
        except OSError as error:
            raise MissingError(str(error)) from None
        for function in ("wolfSSL_CTX_new", "wolfSSL_new", method):
            getattr(library, function).restype = ctypes.c_void_p
        library.wolfSSL_Init()
        context = ctypes.c_void_p(library.wolfSSL_CTX_new(ctypes.c_void_p(getattr(library, method)())))
        library.wolfSSL_CTX_set_verify(context, 0, None)
        library.wolfSSL_CTX_UseSNI(context, ctypes.c_ubyte(0), name.encode(), ctypes.c_ushort(len(name)))
        with socket.create_connection((HOST, PORT)) as plain:
            secure = ctypes.c_void_p(library.wolfSSL_new(context))
            library.wolfSSL_set_fd(secure, plain.fileno())
            if library.wolfSSL_connect(secure) != 1:
                return library.wolfSSL_get_error(secure, 0)
            library.wolfSSL_write(secure, b"hello\n", 6)
            library.wolfSSL_read(secure, ctypes.create_string_buffer(64), 64)
            library.wolfSSL_shutdown(secure)
        return ""

    return start


def _openssl4(*, options: int = 0) -> Callable[[Bench, str], object]:
    """The OpenSSL of the cryptography wheel, newer than the system's: ML-KEM, and an ECH of nothing."""

    def start(_: Bench, name: str) -> object:
        import socket  # noqa: PLC0415

        from OpenSSL import SSL  # noqa: PLC0415

        context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        SSL._lib.SSL_CTX_set_options(context._context, options)  # type: ignore[attr-defined]  # noqa: SLF001 - newer than pyOpenSSL's constants
        plain = socket.create_connection((HOST, PORT))
        secure = SSL.Connection(context, plain)
        secure.set_tlsext_host_name(name.encode())
        secure.set_connect_state()
        secure.do_handshake()
        secure.send(b"hello\n")
        secure.recv(64)
        secure.shutdown()
        plain.close()
        return ""

    return start


def _mlkem(bench: Bench) -> list[Facts]:
    """Both sides OpenSSL of the wheel, so that the hybrid group is chosen."""
    import os  # noqa: PLC0415

    config = bench.folder / "openssl.cnf"
    config.write_text("openssl_conf=m\n[m]\nssl_conf=s\n[s]\nsystem_default=w\n[w]\nGroups=X25519MLKEM768\n")
    combined = bench.folder / "both.pem"
    combined.write_bytes(bench.minted.ec.key.read_bytes() + bench.minted.ec.chain.read_bytes())
    script = Path(__file__).parent.parent / "tests" / "servers" / "sources" / "pyopenssl.py"
    argv = [sys.executable, "-u", str(script), str(PORT), str(combined)]
    with process(argv, port=PORT, env={**os.environ, "OPENSSL_CONF": str(config)}), contextlib.suppress(Exception):
        _openssl4()(bench, "mlkem.example")
    return [
        {
            "server_name": "mlkem.example",
            "version": "0x0304",
            "group": "0x11EC",
            "alerts": [],
            "certificates": [],
            "hellos": 1,
        }
    ]


def _tlslite(version: tuple[int, int], code: str) -> Callable[[Bench], list[Facts]]:
    def go(bench: Bench) -> list[Facts]:
        import socket  # noqa: PLC0415

        from tlslite.api import HandshakeSettings, TLSConnection, X509CertChain, parsePEMKey  # noqa: PLC0415
        from tlslite.x509 import X509  # noqa: PLC0415

        settings = HandshakeSettings()
        settings.minVersion = settings.maxVersion = version
        settings.cipherNames = ["aes128", "3des"]
        settings.macNames = ["sha"]
        certificate = X509()
        certificate.parse(bench.minted.rsa.cert.read_text())
        chain, key = X509CertChain([certificate]), parsePEMKey(bench.minted.rsa.key.read_text(), private=True)
        listener = socket.create_server((HOST, PORT))

        def serve() -> None:
            secure = TLSConnection(listener.accept()[0])
            secure.handshakeServer(certChain=chain, privateKey=key, settings=settings)
            secure.write(secure.read(max=64, min=1)[::-1])
            secure.close()

        thread = threading.Thread(target=serve)
        thread.start()
        secure = TLSConnection(socket.create_connection((HOST, PORT)))
        secure.handshakeClientCert(settings=settings)
        secure.write(b"hello\n")
        secure.read(max=64, min=1)
        suite = f"0x{secure.session.cipherSuite:04X}"
        secure.close()
        thread.join()
        listener.close()
        return [
            {
                "server_name": None,
                "version": code,
                "suite": suite,
                "alerts": [],
                "certificates": bench.minted.rsa.sha256[:1],
                "resumed": False,
                "outcome": "established",
            }
        ]

    return go


def _sslv2(_: Bench) -> list[Facts]:
    """The lab's museum, as no stack that installs today speaks SSLv2."""
    import socket  # noqa: PLC0415

    tlswire = str(Path(sys.executable).with_name("tlswire"))
    hello = bytes.fromhex(
        run([tlswire, "hello", "--sslv2", "--suite", "SSL_CK_RC4_128_WITH_MD5", "--seed", "7"]).strip()
    )
    with (
        process([tlswire, "lab", "museum", "--port", str(PORT)], port=PORT),
        socket.create_connection((HOST, PORT)) as plain,
    ):
        plain.sendall(hello)
        plain.settimeout(2)
        plain.recv(1 << 14)
    return [{"server_name": None, "version": "0x0002", "suite": "0x010080", "hellos": 1, "server_hellos": 1}]


def _ech(bench: Bench, _: str) -> object:
    """NSS takes a configuration that we made up (RFC 9849 section 4); the server knows nothing of it."""
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey  # noqa: PLC0415

    key = X25519PrivateKey.generate().public_key().public_bytes_raw()
    name = b"public.example"
    suites = bytes.fromhex("0008 0001 0001 0001 0003")
    contents = (
        b"\x2a\x00\x20" + struct.pack(">H", len(key)) + key + suites + b"\x40" + bytes([len(name)]) + name + b"\0\0"
    )
    config = struct.pack(">HH", 0xFE0D, len(contents)) + contents
    listed = base64.b64encode(struct.pack(">H", len(config)) + config).decode()
    return _nss("-V", "tls1.3:tls1.3", "-N", listed)(bench, "secret.example")


_OLD: dict[str, Any] = {"old": True}
_OLDEST: dict[str, Any] = {"old": True, "maximum_version": ssl.TLSVersion.TLSv1}
_MODERN: dict[str, Any] = {"maximum_version": ssl.TLSVersion.TLSv1_2}

SCENARIOS: tuple[Scenario, ...] = (
    _client("gnutls", "GnuTLS client, TLS 1.3", _gnutls()),
    _client("gnutls-tls12", "GnuTLS client, TLS 1.2", _gnutls("--priority", "NORMAL:-VERS-TLS1.3"), settings=_MODERN),
    _client("nss", "NSS client, TLS 1.3", _nss()),
    _client("nss-tls12", "NSS client, TLS 1.2", _nss("-V", "tls1.0:tls1.2"), settings=_OLD),
    _client(
        "nss-ech-grease",
        "NSS client with an encrypted_client_hello of nothing (GREASE)",
        _nss("-V", "tls1.3:tls1.3", "-i", "100"),
        ech="grease",
    ),
    _client(
        "nss-ech",
        "NSS client with Encrypted Client Hello, at a server without: the name in clear is the public one",
        _ech,
        server_name="public.example",
        ech="real",
    ),
    _client("curl", "curl with OpenSSL", _curl, alpn=("http/1.1",)),
    _client(
        "boringssl-chrome",
        "BoringSSL in the manner of Chrome: GREASE, ML-KEM, ECH, shuffled extensions, two segments",
        _boringssl("chrome"),
        alpn=("http/1.1",),
    ),
    _client("boringssl-safari", "BoringSSL in the manner of Safari", _boringssl("safari"), alpn=("http/1.1",)),
    _client("botan", "Botan client", _botan, server_name="localhost"),
    _client("java", "JSSE client of Java 17", _java()),
    _client(
        "java-sslv2-hello",
        "JSSE client, hello in SSLv2 form for TLS 1.0",
        _java("SSLv2Hello", "TLSv1"),
        rsa=True,
        settings=_OLDEST,
        server_name=None,
        hello_form="0x0002",
    ),
    _client("go", "Go's crypto/tls client", _go, alpn=("http/1.1",)),
    _client("erlang", "Erlang/OTP client", _erlang),
    _client("mbedtls", "mbed TLS client, TLS 1.2", _mbedtls),
    _client("wolfssl", "wolfSSL client, TLS 1.3", _wolfssl("wolfTLSv1_3_client_method")),
    _client("wolfssl-tls12", "wolfSSL client, TLS 1.2", _wolfssl("wolfTLSv1_2_client_method")),
    _client("openssl4", "OpenSSL 4 client that offers ML-KEM to a server without: hello in two segments", _openssl4()),
    _client(
        "openssl4-ech-grease",
        "OpenSSL 4 client with an encrypted_client_hello of nothing (GREASE)",
        _openssl4(options=1 << 37),
        ech="grease",
    ),
    Scenario("mlkem", "X25519MLKEM768 agreed between two OpenSSL 4", _mlkem),
    Scenario("sslv3", "SSLv3, both sides tlslite-ng", _tlslite((3, 0), "0x0300")),
    Scenario("tlslite-tls12", "TLS 1.2, both sides tlslite-ng", _tlslite((3, 3), "0x0303")),
    Scenario("sslv2", "SSLv2 hello of our builder, answered by our lab", _sslv2),
)


def made_by(scenario: Scenario) -> str:
    """The stacks and their versions."""
    from importlib.metadata import version  # noqa: PLC0415

    server = f"Python ssl ({ssl.OPENSSL_VERSION.partition('  ')[0]})"
    tlslite = f"tlslite-ng {version('tlslite-ng')}"
    table: dict[str, str] = {
        "sslv3": tlslite,
        "tlslite-tls12": tlslite,
        "sslv2": "tlswire hello, tlswire lab",
        "mlkem": f"{_wheel()}, both sides",
    }
    if scenario.name in table:
        return table[scenario.name]
    packages = {
        "gnutls": "gnutls-bin",
        "nss": "libnss3-tools",
        "curl": "curl",
        "botan": "botan",
        "java": "openjdk-17-jre-headless",
        "go": "golang-1.19-go",
        "erlang": "erlang-ssl",
        "mbedtls": "libmbedtls14",
        "wolfssl": "libwolfssl35",
    }
    stack = scenario.name.partition("-")[0]
    if stack == "openssl4":
        client = _wheel()
    elif stack == "boringssl":
        client = "BoringSSL of curl_cffi"
    else:
        client = f"{stack} {_debian(packages[stack])}"
    return f"{client} with {server}"


def _debian(package: str) -> str:
    return run(["dpkg-query", "-W", "-f", "${Version}", package]).strip()


def _wheel() -> str:
    from OpenSSL import SSL  # noqa: PLC0415

    return (
        SSL.OpenSSL_version(SSL.OPENSSL_VERSION).decode().partition(" (")[0][:13].strip() + " of the cryptography wheel"
    )
