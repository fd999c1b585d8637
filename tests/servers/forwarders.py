"""How each real proxy is configured: HTTP CONNECT and SOCKS5 on loopback, with and without a password.

As in recipes.py nothing here is an example for production. Must not know which rows exist (catalogue.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .process import HOST, Launch, Recipe

if TYPE_CHECKING:
    from pathlib import Path

# What the proxies refuse to connect to.
FORBIDDEN_PORT = 9
# Whom those with a password let in.
KNOWN = ("user", "s3same")


def tinyproxy(credentials: tuple[str, str] | None = None) -> Recipe:
    """Tinyproxy: CONNECT to any port but one."""

    def recipe(folder: Path, port: int) -> Launch:
        lines = [
            f"Port {port}",
            f"Listen {HOST}",
            "MaxClients 400",
            "Timeout 60",
            "LogLevel Error",
            "DisableViaHeader Yes",
        ]
        lines += [f'Filter "{folder}/filter"', "FilterURLs On"]
        if credentials is not None:
            lines.append("BasicAuth {} {}".format(*credentials))
        (folder / "filter").write_text(f":{FORBIDDEN_PORT}$\n")
        (folder / "tinyproxy.conf").write_text("\n".join(lines) + "\n")
        return Launch(("tinyproxy", "-d", "-c", str(folder / "tinyproxy.conf")))

    return recipe


def microsocks(credentials: tuple[str, str] | None = None) -> Recipe:
    """MicroSocks: a thread for every connection."""

    def recipe(_: Path, port: int) -> Launch:
        who = () if credentials is None else ("-u", credentials[0], "-P", credentials[1])
        return Launch(("microsocks", "-i", HOST, "-p", str(port), *who))

    return recipe


def dante() -> Recipe:
    """Dante: everything on loopback but one port."""

    def recipe(folder: Path, port: int) -> Launch:
        (folder / "danted.conf").write_text(f"""\
logoutput: stderr
internal: {HOST} port = {port}
external: {HOST}
clientmethod: none
socksmethod: none
user.privileged: root
user.unprivileged: nobody
client pass {{ from: 0/0 to: 0/0 }}
socks block {{ from: 0/0 to: 0/0 port = {FORBIDDEN_PORT} }}
socks pass {{ from: 0/0 to: 0/0 }}
""")
        return Launch(("danted", "-f", str(folder / "danted.conf"), "-p", str(folder / "pid")))

    return recipe
