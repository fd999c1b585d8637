"""The scanners that are compared: command line, version, and how to read (version, suite) pairs from their output.

A new peer is one row in PEERS and one reader. Each is asked for the enumeration of suites only, as machine output on
stdout.
"""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tlswire.errors import LookupFailedError
from tlswire.registry import SUITES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).resolve().parent.parent
# sslyze pins a cryptography of its own, so it lives apart.
PEERS_VENV = ROOT / ".venv-peers"
SSLYZE = "sslyze==6.3.1"
TLSWIRE = Path(sys.executable).with_name("tlswire")

# Version and suite; a suite whose name nobody knows stays a name, and so can never pass for a right answer.
Pair = tuple[int, int | str]

TLS_VERSIONS = {"SSLv3": 0x0300, "TLSv1.0": 0x0301, "TLSv1.1": 0x0302, "TLSv1.2": 0x0303, "TLSv1.3": 0x0304}


@dataclass(frozen=True, slots=True)
class Tool:
    """One scanner in one mode: its command line for a port, the reader of its output, the command that says its version."""

    name: str
    argv: Callable[[int], tuple[str, ...]]
    read: Callable[[str], Iterator[Pair]]
    version: tuple[str, ...]
    installs: str = ""

    @property
    def is_peer(self) -> bool:
        """Whether it is somebody else's."""
        return self.installs != ""

    def missing(self) -> str | None:
        """What to install, or None when the tool is there."""
        return None if shutil.which(self.version[0]) else f"{self.name} is left out: install {self.installs}"

    def release(self) -> str:
        """The version number it reports."""
        shown = subprocess.run(self.version, capture_output=True, text=True, check=False)
        number = re.search(r"\d+\.\d+(\.\d+)?", shown.stdout + shown.stderr)
        return number[0] if number else "?"


def _code(name: str) -> int | str:
    try:
        return SUITES.find(name).code
    except LookupFailedError:
        return name


def _read_sslscan(output: str) -> Iterator[Pair]:
    for cipher in ET.fromstring(output).iter("cipher"):
        yield TLS_VERSIONS.get(cipher.attrib["sslversion"], 2), int(cipher.attrib["id"], 16)


def _read_nmap(output: str) -> Iterator[Pair]:
    for table in ET.fromstring(output).iterfind(".//script[@id='ssl-enum-ciphers']/table"):
        for name in table.iterfind("table[@key='ciphers']/table/elem[@key='name']"):
            # nmap has names of its own for TLS 1.3.
            yield TLS_VERSIONS[table.attrib["key"]], _code((name.text or "").replace("TLS_AKE_WITH_", "TLS_"))


def _read_sslyze(output: str) -> Iterator[Pair]:
    results = json.loads(output)["server_scan_results"][0]["scan_result"] or {}
    versions = {"ssl_3_0": 0x0300, "tls_1_0": 0x0301, "tls_1_1": 0x0302, "tls_1_2": 0x0303, "tls_1_3": 0x0304}
    for key, version in versions.items():
        for suite in results[f"{key}_cipher_suites"]["result"]["accepted_cipher_suites"]:
            yield version, _code(suite["cipher_suite"]["name"])


def _read_tlswire(output: str) -> Iterator[Pair]:
    for version in json.loads(output)["versions"]:
        for suite in version["suites"]:
            yield int(version["code"], 16), int(suite["code"], 16)


def _sslscan(port: int) -> tuple[str, ...]:
    only_ciphers = ("--no-heartbleed", "--no-renegotiation", "--no-compression", "--no-fallback", "--no-groups")
    return "sslscan", "--no-colour", *only_ciphers, "--xml=-", f"127.0.0.1:{port}"


def _nmap(port: int) -> tuple[str, ...]:
    return "nmap", "-sT", "-Pn", "-n", "--script", "ssl-enum-ciphers", "-p", str(port), "-oX", "-", "127.0.0.1"


def _sslyze_asking(*checks: str) -> Callable[[int], tuple[str, ...]]:
    suites = ("--sslv2", "--sslv3", "--tlsv1", "--tlsv1_1", "--tlsv1_2", "--tlsv1_3", "--mozilla_config=disable")

    def argv(port: int) -> tuple[str, ...]:
        return str(PEERS_VENV / "bin/sslyze"), *suites, *checks, "--json_out=-", f"127.0.0.1:{port}"

    return argv


# What our default questions ask, too; without its three attacks (--heartbleed, --openssl_ccs, --robot).
_CHECKS = ("certinfo", "compression", "early_data", "elliptic_curves", "ems", "fallback", "reneg", "resum")


def _testssl(port: int) -> tuple[str, ...]:
    return "testssl", "--color", "0", "--quiet", "--warnings", "batch", f"127.0.0.1:{port}"


def _read_testssl(output: str) -> Iterator[Pair]:
    """The table of its default run names no versions: fit for servers whose suites tell them (TLS 1.2 and 1.3)."""
    for code in re.findall(r"^ x([0-9a-f]{4}) ", output, re.MULTILINE):
        yield 0x0304 if code.startswith("13") else 0x0303, int(code, 16)


def _tlswire(name: str, *options: str) -> Tool:
    def argv(port: int) -> tuple[str, ...]:
        return str(TLSWIRE), "scan", f"127.0.0.1:{port}", "--json", "-", *options

    return Tool(name, argv, _read_tlswire, (str(TLSWIRE), "--version"))


SSLSCAN = Tool("sslscan", _sslscan, _read_sslscan, ("sslscan", "--version"), "Debian's sslscan")
NMAP = Tool("nmap", _nmap, _read_nmap, ("nmap", "--version"), "Debian's nmap")
SSLYZE_TOOL = Tool(
    "sslyze",
    _sslyze_asking(),
    _read_sslyze,
    (str(PEERS_VENV / "bin/python"), "-c", "import importlib.metadata as m; print(m.version('sslyze'))"),
    f"{SSLYZE} into {PEERS_VENV.name}",
)
PEERS = (SSLSCAN, NMAP, SSLYZE_TOOL)

# Everything they have to ask, not the suites alone.
SSLYZE_ALL = Tool(
    "sslyze, all checks",
    _sslyze_asking(*(f"--{check}" for check in _CHECKS)),
    _read_sslyze,
    SSLYZE_TOOL.version,
    SSLYZE_TOOL.installs,
)
TESTSSL = Tool("testssl", _testssl, _read_testssl, ("testssl", "--version"), "Debian's testssl.sh")
QUESTIONS = _tlswire("tlswire --questions default", "--questions", "default")

EACH = _tlswire("tlswire each")
ELIMINATE = _tlswire("tlswire eliminate", "--method", "eliminate")
ALL_CODES = _tlswire(
    "tlswire 65,536 codes",
    *("--versions", "SSLv3,TLS1.0,TLS1.1,TLS1.2,TLS1.3", "--all-codes", "--method", "eliminate"),
)


def machine_facts(load: float) -> dict[str, Any]:
    """What a run's figures depend on; ``load`` is that of before."""
    return {
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "load": [round(load, 2), round(os.getloadavg()[0], 2)],
    }


def install_sslyze() -> None:
    """Make sslyze's environment if it is not there; without a package index it stays away, and is left out."""
    if (PEERS_VENV / "bin/sslyze").exists():
        return
    print(f"installing {SSLYZE} into {PEERS_VENV.name} ...", file=sys.stderr)
    subprocess.run((sys.executable, "-m", "venv", str(PEERS_VENV)), check=True)
    pip = (str(PEERS_VENV / "bin/python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", SSLYZE)
    if subprocess.run(pip, check=False).returncode:
        shutil.rmtree(PEERS_VENV)
