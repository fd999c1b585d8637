"""Mozilla's configurations, by sslyze and by us: the same verdict wherever both have the rule, on ten configurations.

A difference needs a written reason, and a reason needs a difference.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.scan.scans import scan
from tests.servers import recipes
from tests.servers.catalogue import ECDHE_GCM, MODERN, OLD_TO_NEW
from tests.servers.process import serving
from tlswire.check.survey import judged, questions_for
from tlswire.policy.shipped import shipped
from tlswire.scan.scanner import Options

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.servers.process import Recipe

PYTHON = Path(__file__).parent.parent.parent / ".venv-peers" / "bin" / "python"

GROUPS = "X25519:prime256v1:secp384r1"
AEAD = (
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
    "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
)
DHE = "DHE-RSA-AES128-GCM-SHA256:DHE-RSA-AES256-GCM-SHA384:DHE-RSA-CHACHA20-POLY1305"
OLD = f"{AEAD}:{DHE}:ECDHE-RSA-AES128-SHA:ECDHE-RSA-AES256-SHA:AES128-GCM-SHA256:AES256-SHA:@SECLEVEL=0"
nginx = recipes.nginx
CONFIGURATIONS: dict[str, Recipe] = {
    "modern": nginx(protocols="TLSv1.3", ciphers=AEAD, certs=("p256",), groups=GROUPS),
    "modern, RSA": nginx(protocols="TLSv1.3", ciphers=AEAD, groups=GROUPS),
    "modern, all groups": nginx(protocols="TLSv1.3", ciphers=AEAD, certs=("p384",)),
    "intermediate": nginx(protocols=MODERN, ciphers=AEAD, certs=("rsa2048", "p256"), groups=GROUPS),
    "intermediate with DHE": nginx(protocols=MODERN, ciphers=f"{AEAD}:{DHE}", groups=GROUPS),
    "intermediate with CCM": nginx(protocols=MODERN, ciphers=ECDHE_GCM, tls13=recipes.ALL_TLS13, groups=GROUPS),
    "intermediate, Ed25519 alone": nginx(protocols=MODERN, ciphers=ECDHE_GCM, certs=("ed25519",), groups=GROUPS),
    "intermediate and TLS 1.0": nginx(protocols=OLD_TO_NEW, ciphers=f"{AEAD}:ECDHE-RSA-AES128-SHA:@SECLEVEL=0"),
    "old": nginx(protocols=OLD_TO_NEW, ciphers=OLD, groups=GROUPS),
    "everything": nginx(
        protocols=OLD_TO_NEW,
        ciphers=recipes.ALL_CIPHERS,
        tls13=recipes.ALL_TLS13,
        certs=("rsa2048", "p256", "ed25519"),
    ),
}
POLICIES = {"modern": "mozilla-modern-5.7", "intermediate": "mozilla-intermediate-5.7", "old": "mozilla-old"}
# sslyze's issue -> our rule.
SAME = {
    "tls_versions": "version-old",
    "ciphers": "suite-tls12",
    "ciphersuites": "suite-tls13",
    "tls_curves": "group-allowed",
    "certificate_types": "signature-algorithm-key",
    "certificate_signatures": "signature-algorithm-certificate",
    "certificate_curves": "key-size-ec",
    "rsa_key_size": "key-size-rsa",
    "dh_param_size": "key-size-dhe",
    "maximum_certificate_lifespan": "validity-maximum",
}
# What sslyze looks at beside Mozilla's file.
OTHERS = {
    "certificate_path_validation": "trust is no matter of Mozilla's guidelines; pci-dss-4 has a rule for it",
}
# (configuration, policy, our rule) -> why the verdicts differ.
DIFFERENT = {
    ("intermediate, Ed25519 alone", "modern", "version-old"): (
        "TLS 1.2 is accepted, by clients that offer Ed25519; the OpenSSL sslyze asks older versions with knows it not"
    ),
}


@contextlib.contextmanager
def ports() -> Iterator[dict[str, int]]:
    with contextlib.ExitStack() as stack:
        yield {name: stack.enter_context(serving(name, recipe)).port for name, recipe in CONFIGURATIONS.items()}


@pytest.mark.skipif(
    not PYTHON.exists() and "TLSWIRE_REQUIRE_STACKS" not in os.environ, reason="sslyze is not in .venv-peers"
)
def test_verdicts_are_those_of_sslyze() -> None:
    policies = {kind: shipped(name) for kind, name in POLICIES.items()}
    options = Options(method="eliminate", questions=questions_for(policies.values()))
    with ports() as known:
        command = [str(PYTHON), "-W", "ignore", str(Path(__file__).with_name("sslyze_judge.py"))]
        said = subprocess.run([*command, *map(str, known.values())], capture_output=True, check=True, timeout=120)
        theirs = json.loads(said.stdout)
        ours = {name: scan(port, options, host="localhost") for name, port in known.items()}
    compared, differing, others = 0, set(), set()
    for name, port in known.items():
        for kind, policy in policies.items():
            issues = set(theirs[str(port)][kind])
            others |= issues - set(SAME)
            for rule in judged(policy, ours[name]).rules:
                issue = next((issue for issue, same in SAME.items() if same == rule.id), None)
                if issue is None:
                    continue
                assert rule.verdict in {"pass", "fail", "not-applicable"}, (name, kind, rule)
                compared += 1
                if (rule.verdict == "fail") != (issue in issues):
                    differing.add((name, kind, rule.id))
    assert compared >= 250
    assert differing == set(DIFFERENT)
    # In modern no suite of TLS 1.2 is right; there the version itself is the fault, and one rule is enough.
    assert others == set(OTHERS)
