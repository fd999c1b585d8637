"""How each real server of something else than HTTPS is configured: mail, news, directories, databases, chat, desktops, VPN.

TLS begins in the middle of their protocols (STARTTLS) or inside its packets. As in recipes.py nothing here is an example
for production. Debian's daemons give up root for a user of their own, so most of them want to be started by it.
Must not know which rows exist (catalogue.py) or what they accept (oracle.py).
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from .certs import certificates
from .process import HOST, Launch, Recipe
from .recipes import ALL_CIPHERS

LEAF = "rsa2048"


def postfix() -> Recipe:
    """Postfix's master with an smtpd and the daemons it asks, in a queue of its own.

    The master itself, not ``postfix start``, which checks the installation for seconds and puts it beyond our reach.
    """

    def recipe(folder: Path, port: int) -> Launch:
        leaf, minted = certificates().leaf(LEAF), certificates()
        folder.chmod(0o711)
        for name in ("config", "data", "queue", "queue/pid", "queue/private", "queue/public"):
            (folder / name).mkdir()
        for name in ("data", "queue/private", "queue/public"):
            shutil.chown(folder / name, "postfix")
        (folder / "config" / "main.cf").write_text(f"""\
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
inet_interfaces = {HOST}
inet_protocols = ipv4
mydestination =
local_recipient_maps =
alias_maps =
smtpd_client_connection_count_limit = 0
smtpd_tls_security_level = may
smtpd_tls_cert_file = {leaf.cert}
smtpd_tls_key_file = {leaf.key}
smtpd_tls_dh1024_param_file = {minted.dhparam}
smtpd_tls_protocols = >=TLSv1
smtpd_tls_ciphers = export
tls_export_cipherlist = {ALL_CIPHERS}
""")
        (folder / "config" / "master.cf").write_text(f"""\
{HOST}:{port} inet n - n - - smtpd
anvil unix - - n - 1 anvil
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
proxymap unix - - n - - proxymap
""")
        for path in (folder / "config").iterdir():
            os.utime(path, (0, 0))  # it waits for two seconds until a configuration is no longer being written
        return Launch(("/usr/lib/postfix/sbin/master", "-d", "-c", str(folder / "config")))

    return recipe


def dovecot(protocol: str) -> Recipe:
    """Dovecot with one of imap, pop3, sieve (its managesieve) and lmtp."""

    def recipe(folder: Path, port: int) -> Launch:
        leaf, minted = certificates().leaf(LEAF), certificates()
        folder.chmod(0o711)
        service = {"imap": "imap-login", "pop3": "pop3-login", "sieve": "managesieve-login", "lmtp": "lmtp"}[protocol]
        (folder / "dovecot.conf").write_text(f"""\
base_dir = {folder}/run
state_dir = {folder}/state
log_path = /dev/stderr
protocols = {protocol}
listen = {HOST}
ssl = yes
ssl_cert = <{leaf.cert}
ssl_key = <{leaf.key}
ssl_dh = <{minted.dhparam}
ssl_min_protocol = TLSv1
ssl_cipher_list = {ALL_CIPHERS}
passdb {{
  driver = static
  args = nopassword=y
}}
userdb {{
  driver = static
  args = uid=nobody gid=nogroup home={folder}
}}
service {service} {{
  service_count = 0
  inet_listener {protocol} {{
    address = {HOST}
    port = {port}
  }}
  inet_listener {protocol}s {{
    port = 0
  }}
}}
""")
        return Launch(("dovecot", "-F", "-c", str(folder / "dovecot.conf")))

    return recipe


def vsftpd() -> Recipe:
    """vsftpd: a process for every connection."""

    def recipe(folder: Path, port: int) -> Launch:
        leaf = certificates().leaf(LEAF)
        (folder / "empty").mkdir(mode=0o555)
        (folder / "vsftpd.conf").write_text(f"""\
listen=YES
background=NO
listen_address={HOST}
listen_port={port}
anonymous_enable=YES
secure_chroot_dir={folder}/empty
xferlog_enable=NO
ssl_enable=YES
ssl_tlsv1=YES
ssl_ciphers={ALL_CIPHERS}
rsa_cert_file={leaf.cert}
rsa_private_key_file={leaf.key}
max_clients=0
""")
        return Launch(("vsftpd", str(folder / "vsftpd.conf")))

    return recipe


def nnrpd() -> Recipe:
    """InterNetNews' server for readers by itself, narrow as it takes its time: nobody reads, everybody may ask for TLS."""

    def recipe(folder: Path, port: int) -> Launch:
        home = folder / "home"
        _own(home, "news")
        (home / "readers.conf").write_text("""\
auth all { hosts: "*" default: "<nobody>" }
access all { users: "*" newsgroups: "!*" }
""")
        (home / "inn.conf").write_text(f"""\
mta: "/bin/false %s"
domain: news.example
pathhost: news.example
pathnews: /usr/lib/news
pathetc: {home}
pathdb: {home}
pathrun: {home}
pathtmp: {home}
patharticles: {home}
pathoverview: {home}
pathlog: {home}
ovmethod: tradindexed
hismethod: hisv6
nnrpdloadlimit: 0
tlscertfile: {home}/cert.pem
tlskeyfile: {home}/key.pem
tlscafile: ""
tlsprotocols: [ TLSv1.2 TLSv1.3 ]
tlsciphers: "ECDHE+AESGCM"
""")
        (home / "storage.conf").write_text("method trash {\n newsgroups: *\n class: 0\n}\n")
        for name in ("active", "newsgroups"):
            (home / name).write_text("")
        # overchan makes the empty overview, without which readers are sent away.
        programs = "/usr/lib/news/bin"
        script = f"{programs}/overchan && exec {programs}/nnrpd -D -f -4 {HOST} -p {port}"
        return Launch((*_as("news"), "sh", "-c", script), {"INNCONF": str(home / "inn.conf")})

    return recipe


def slapd() -> Recipe:
    """OpenLDAP's slapd without a database: the root DSE and StartTLS are all it knows."""

    def recipe(folder: Path, port: int) -> Launch:
        leaf, minted = certificates().leaf(LEAF), certificates()
        (folder / "slapd.conf").write_text(f"""\
pidfile {folder}/pid
TLSCACertificateFile {minted.ca}
TLSCertificateFile {leaf.cert}
TLSCertificateKeyFile {leaf.key}
TLSCipherSuite NORMAL:+VERS-TLS-ALL:+3DES-CBC:+DHE-RSA:+SHA1:%COMPAT
""")
        return Launch(("slapd", "-d", "0", "-f", str(folder / "slapd.conf"), "-h", f"ldap://{HOST}:{port}"))

    return recipe


def postgres() -> Recipe:
    """PostgreSQL in a cluster made for the occasion; it refuses to run as root, and to read a key that others own."""

    def recipe(folder: Path, port: int) -> Launch:
        home = folder / "home"
        _own(home, "postgres")
        programs = max(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
        settings = {
            "listen_addresses": HOST,
            "port": str(port),
            "unix_socket_directories": str(home),
            "fsync": "off",
            "max_connections": "200",
            "ssl": "on",
            "ssl_cert_file": str(home / "cert.pem"),
            "ssl_key_file": str(home / "key.pem"),
            "ssl_dh_params_file": str(home / "dhparam.pem"),
            "ssl_min_protocol_version": "TLSv1",
            "ssl_ciphers": ALL_CIPHERS,
        }
        options = " ".join(f"-c {name}='{value}'" for name, value in settings.items())
        script = f"{programs}/initdb --no-sync -A trust -D {home}/data >&2 && exec {programs}/postgres -D {home}/data {options}"
        return Launch((*_as("postgres"), "sh", "-c", script))

    return recipe


def mariadb() -> Recipe:
    """MariaDB without its tables of grants: TLS comes before anyone is asked who they are."""

    def recipe(folder: Path, port: int) -> Launch:
        home = folder / "home"
        _own(home, "mysql")
        return Launch(
            (
                *_as("mysql"),
                "mariadbd",
                "--no-defaults",
                "--skip-grant-tables",
                "--skip-networking=0",
                f"--datadir={home}",
                f"--tmpdir={home}",
                f"--socket={home}/socket",
                f"--pid-file={home}/pid",
                f"--bind-address={HOST}",
                f"--port={port}",
                f"--ssl-cert={home}/cert.pem",
                f"--ssl-key={home}/key.pem",
                f"--ssl-cipher={ALL_CIPHERS}",
                "--tls-version=TLSv1.0,TLSv1.1,TLSv1.2,TLSv1.3",
                "--innodb-fast-shutdown=2",
                "--innodb-buffer-pool-size=8M",
            )
        )

    return recipe


def prosody(side: str) -> Recipe:
    """Prosody: ``c2s`` for clients or ``s2s`` for other servers of localhost."""

    def recipe(folder: Path, port: int) -> Launch:
        leaf, minted = certificates().leaf(LEAF), certificates()
        other = "s2s" if side == "c2s" else "c2s"
        (folder / "data").mkdir()
        (folder / "prosody.cfg.lua").write_text(f"""\
run_as_root = true
daemonize = false
pidfile = "{folder}/pid"
data_path = "{folder}/data"
log = {{ {{ levels = {{ min = "error" }}, to = "console" }} }}
modules_enabled = {{ "tls" }}
modules_disabled = {{ "http", "{other}" }}
interfaces = {{ "{HOST}" }}
{side}_ports = {{ {port} }}
{side}_require_encryption = true
{other}_ports = {{ }}
ssl = {{
  key = "{leaf.key}";
  certificate = "{leaf.cert}";
  dhparam = "{minted.dhparam}";
  ciphers = "{ALL_CIPHERS}";
  protocol = "tlsv1+";
}}
VirtualHost "localhost"
""")
        return Launch(("prosody", "-F", "--config", str(folder / "prosody.cfg.lua")))

    return recipe


def inspircd() -> Recipe:
    """InspIRCd with its STARTTLS, by GnuTLS."""

    def recipe(folder: Path, port: int) -> Launch:
        leaf, minted = certificates().leaf(LEAF), certificates()
        (folder / "inspircd.conf").write_text(f"""\
<server name="irc.example" description="tests" network="tests">
<admin name="nobody" nick="nobody" email="nobody@irc.example">
<bind address="{HOST}" port="{port}" type="clients">
<pid file="{folder}/pid">
<log method="file" type="* -USERINPUT -USEROUTPUT" level="default" target="{folder}/irc.log">
<connect allow="*" timeout="60" threshold="1000" localmax="5000" globalmax="5000" limit="5000" resolvehostnames="no" useident="no">
<performance softlimit="5000" nouserdns="yes">
<module name="ssl_gnutls">
<sslprofile name="tests" provider="gnutls" certfile="{leaf.cert}" keyfile="{leaf.key}" dhfile="{minted.dhparam}"
 priority="NORMAL:+VERS-TLS-ALL:+3DES-CBC:+DHE-RSA:+SHA1:%COMPAT">
<starttls profile="tests">
<module name="starttls">
""")
        return Launch(("inspircd", "--nofork", "--nolog", "--nopid", "--runasroot", f"--config={folder}/inspircd.conf"))

    return recipe


def xrdp() -> Recipe:
    """xrdp, which is asked for TLS in X.224 and never shows a desktop here."""

    def recipe(folder: Path, port: int) -> Launch:
        leaf = certificates().leaf(LEAF)
        (folder / "xrdp.ini").write_text(f"""\
[Globals]
ini_version=1
fork=true
port=tcp://{HOST}:{port}
security_layer=tls
certificate={leaf.cert}
key_file={leaf.key}
ssl_protocols=TLSv1, TLSv1.1, TLSv1.2, TLSv1.3
tls_ciphers={ALL_CIPHERS}
[Logging]
LogFile={folder}/xrdp.log
LogLevel=ERROR
EnableSyslog=false
""")
        return Launch(("xrdp", "--nodaemon", "--config", str(folder / "xrdp.ini")))

    return recipe


def tigervnc() -> Recipe:
    """TigerVNC's X server, with VeNCrypt's X.509 subtypes only."""

    def recipe(_: Path, port: int) -> Launch:
        leaf = certificates().leaf(LEAF)
        return Launch(
            (
                "Xtigervnc",
                f":{port}",
                f"-rfbport={port}",
                "-interface=127.0.0.1",
                *("-nolock", "-nolisten", "unix"),
                "-SecurityTypes=X509None",
                f"-X509Cert={leaf.cert}",
                f"-X509Key={leaf.key}",
                "-GnuTLSPriority=NORMAL:+VERS-TLS-ALL:+3DES-CBC:+DHE-RSA:+SHA1:%COMPAT",
                "-BlacklistThreshold=1000000",
            )
        )

    return recipe


def openvpn() -> Recipe:
    """OpenVPN over TCP with a tun device it never uses."""

    def recipe(_: Path, port: int) -> Launch:
        leaf, minted = certificates().leaf(LEAF), certificates()
        return Launch(
            (
                *("openvpn", "--mode", "server", "--tls-server", "--dev", "tun", "--topology", "subnet"),
                *("--ifconfig", "10.254.254.1", "255.255.255.0", "--ifconfig-noexec", "--proto", "tcp-server"),
                *("--local", HOST, "--port", str(port), "--ca", str(minted.ca), "--cert", str(leaf.cert)),
                *("--key", str(leaf.key), "--dh", str(minted.dhparam), "--tls-version-min", "1.0"),
                *("--tls-cipher", ALL_CIPHERS, "--max-clients", "5000", "--verb", "1"),
            )
        )

    return recipe


def _as(user: str) -> tuple[str, ...]:
    return ("setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups")


def _own(home: Path, user: str) -> None:
    """A folder of ``user``'s with copies of what it must be able to read."""
    leaf, minted = certificates().leaf(LEAF), certificates()
    home.parent.chmod(0o711)
    home.mkdir(mode=0o700)
    for source, name in ((leaf.cert, "cert.pem"), (leaf.key, "key.pem"), (minted.dhparam, "dhparam.pem")):
        target = home / name
        shutil.copyfile(source, target)
        target.chmod(0o600)
        shutil.chown(target, user, user)
    shutil.chown(home, user, user)
