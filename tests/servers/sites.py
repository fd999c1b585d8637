"""nginx, Apache httpd and HAProxy as one process with many sites, each on an address of its own.

One `Site` says the same to all three; what only one of them can be told raises ServerError. As in recipes.py nothing
here is an example for production. Must not know which sites exist.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from .certs import Leaf, certificates
from .process import HOST, Launch, Recipe, ServerError
from .recipes import nginx_with

MODULES = Path("/usr/lib/apache2/modules")
# What a site does not narrow is allowed, weak keys and SHA-1 as well.
ANYTHING = """\
openssl_conf = main
[main]
ssl_conf = ssl
[ssl]
system_default = wanted
[wanted]
MinProtocol = TLSv1
CipherString = ALL:COMPLEMENTOFALL:@SECLEVEL=0
"""


@dataclass(frozen=True, slots=True)
class Site:
    """What one address does, names as in OpenSSL's configuration; without certificates it speaks plain HTTP.

    ``ems`` is extended_master_secret, ``redirect`` where every request is sent, ``behind`` who answers it instead.
    """

    certs: tuple[Leaf, ...] = ()
    versions: tuple[str, ...] = ("TLSv1.2", "TLSv1.3")
    ciphers: str = "ECDHE+AESGCM"
    tls13: str = ""
    groups: str = ""
    schemes: str = ""
    ems: bool = True
    redirect: str = ""
    behind: str = ""


# A site, its host and its port.
Placed = tuple[Site, str, int]
Program = Callable[[Path, Sequence[Placed]], Launch]


def alone(program: Program, *kinds: str, **narrowed: object) -> Recipe:
    """The program with a single site that has the test's own certificates of these kinds."""

    def recipe(folder: Path, port: int) -> Launch:
        site = Site(tuple(map(certificates().leaf, kinds)), **narrowed)  # type: ignore[arg-type]  # of Site's fields
        return program(folder, [(site, HOST, port)])

    return recipe


def _commands(site: Site) -> dict[str, str]:
    """What OpenSSL itself is to be told (SSL_CONF_cmd)."""
    told = {
        "Ciphersuites": site.tls13,
        "Groups": site.groups,
        "SignatureAlgorithms": site.schemes,
        "Options": "" if site.ems else "-ExtendedMasterSecret",
    }
    return {name: value for name, value in told.items() if value}


def _unhindered(folder: Path, launch: Launch) -> Launch:
    (folder / "openssl.cnf").write_text(ANYTHING)
    return Launch(launch.argv, {"OPENSSL_CONF": str(folder / "openssl.cnf")})


def nginx(folder: Path, sites: Sequence[Placed]) -> Launch:
    """See `recipes.nginx_with`."""
    servers = (f"    server {{{_joined(8, _nginx(*placed))}\n    }}\n" for placed in sites)
    return _unhindered(folder, nginx_with(folder, "".join(servers)))


def _nginx(site: Site, host: str, port: int) -> Iterable[str]:
    yield f"listen {host}:{port}{' ssl' if site.certs else ''};"
    if site.certs:
        yield f"ssl_protocols {' '.join(site.versions)};"
        yield f'ssl_ciphers "{site.ciphers}";'
        yield f"ssl_dhparam {certificates().dhparam};"
    for leaf in site.certs:
        yield f"ssl_certificate {leaf.cert};"
        yield f"ssl_certificate_key {leaf.key};"
    for name, value in _commands(site).items():
        yield f"ssl_ecdh_curve {value};" if name == "Groups" else f"ssl_conf_command {name} {value};"
    if site.behind:
        yield "location / {"
        yield f"    proxy_pass {site.behind};"
        yield "}"
    else:
        yield f"return 301 {site.redirect};" if site.redirect else 'return 200 "tlswire\\n";'


def apache(folder: Path, sites: Sequence[Placed]) -> Launch:
    """httpd with threads, everything it writes inside the folder."""
    modules = _joined(0, (f"LoadModule {name}_module {MODULES}/mod_{name}.so" for name in _APACHE_MODULES))
    (folder / "httpd.conf").write_text(f"""\
ServerRoot {folder}
ServerName localhost
PidFile {folder}/pid
DefaultRuntimeDir {folder}
ErrorLog /dev/stderr
LogLevel error
{modules}
User nobody
Group nogroup
StartServers 1
ServerLimit 1
ThreadsPerChild 16
MaxRequestWorkers 16
KeepAlive Off
SSLSessionCache none
{_joined(0, (_apache(*placed) for placed in sites))}
""")
    return _unhindered(folder, Launch(("apache2", "-D", "FOREGROUND", "-f", str(folder / "httpd.conf"))))


_APACHE_MODULES = ("mpm_event", "authz_core", "alias", "headers", "proxy", "proxy_http", "ssl")


def _apache(site: Site, host: str, port: int) -> str:
    lines = [f"Redirect 301 / {site.redirect}" if site.redirect else "Redirect 404 /"]
    if site.behind:
        lines = [f"ProxyPass / {site.behind}"]
    if site.certs:
        lines += ["SSLEngine on", f"SSLProtocol -all {' '.join(f'+{version}' for version in site.versions)}"]
        lines += [f'SSLCipherSuite "{site.ciphers}"']
    for leaf in site.certs:
        lines += [f"SSLCertificateFile {leaf.cert}", f"SSLCertificateKeyFile {leaf.key}"]
    for name, value in _commands(site).items():
        told = f"SSLCipherSuite TLSv1.3 {value}" if name == "Ciphersuites" else f"SSLOpenSSLConfCmd {name} {value}"
        lines.append(told)
    return f"Listen {host}:{port}\n<VirtualHost {host}:{port}>{_joined(4, lines)}\n</VirtualHost>"


def haproxy(folder: Path, sites: Sequence[Placed]) -> Launch:
    """One thread; it answers itself, nothing stands behind it."""
    (folder / "haproxy.cfg").write_text(f"""\
global
    nbthread 1
    ssl-dh-param-file {certificates().dhparam}
defaults
    mode http
    timeout connect 10s
    timeout client 10s
    timeout server 10s
{_joined(0, (_haproxy(*placed) for placed in sites))}
""")
    return _unhindered(folder, Launch(("haproxy", "-db", "-f", str(folder / "haproxy.cfg"))))


def _haproxy(site: Site, host: str, port: int) -> str:
    if site.behind:
        raise ServerError("nobody is behind HAProxy here")
    bind = [f"bind {host}:{port}"]
    if site.certs:
        bind += ["ssl", *(f"crt {leaf.combined}" for leaf in site.certs), f"ciphers {site.ciphers}"]
        bind += [f"ssl-min-ver {_long(site.versions[0])}", f"ssl-max-ver {_long(site.versions[-1])}"]
    words = {"Ciphersuites": "ciphersuites", "Groups": "curves"}
    for name, value in _commands(site).items():
        if name not in words:
            raise ServerError(f"HAProxy has no setting for {name}")
        bind.append(f"{words[name]} {value}")
    answer = f"redirect location {site.redirect} code 301" if site.redirect else "return status 200"
    return f"frontend f{host}-{port}{_joined(4, (' '.join(bind), f'http-request {answer}'))}"


def _long(version: str) -> str:
    return version if "." in version else f"{version}.0"


def _joined(indent: int, lines: Iterable[str]) -> str:
    return "".join(f"\n{' ' * indent}{line}" for line in lines)
